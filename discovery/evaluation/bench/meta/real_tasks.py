"""Learners on real tables: trained on the other tables of a family, judged on one that they have not seen.

Each table in turn is the campaign; the others, its own group left out, are the history. Supports are random rows,
the same for every learner; outcomes stand in units of their spread over the campaign's candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from discovery import seeds
from discovery.evaluation.bench.families import BenchTask, load_families
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.judging import Judged, judge, row, train
from discovery.evaluation.context import open_campaign
from discovery.evaluation.methods import BacktestContext
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import outcome_scale
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.pseudo import PseudoTasks

FAMILIES = ("buchwald_hartwig", "suzuki_reizman")
SUPPORTS = (0, 5, 10, 20)
N_QUERIES = 200
NONE = "none"  # the bank without experience
TRANSFER = (
    "meta_gp",
    "multi_task",
    "rgpe",
    "hierarchical",
    "memory",
    "anil",
    "pacoh",
    "neural_process",
    "prototypical",
)
UNSUPERVISED = ("pseudo_tasks", "meta_gp")


def transfer(options: CheckOptions) -> CheckResult:
    """Judge learners of histories, and the bank without experience beside them."""
    return _run("transfer", (*(options.learners or TRANSFER), NONE), options)


def unsupervised(options: CheckOptions) -> CheckResult:
    """Judge what made-up tasks on the candidates teach: against nothing, and against earlier outcomes."""
    return _run("unsupervised", (*(options.learners or UNSUPERVISED), NONE), options)


def _run(check: str, names: Sequence[str], options: CheckOptions) -> CheckResult:
    families = [load_families([name])[0] for name in FAMILIES]
    supports = SUPPORTS[1:2] if options.is_quick else SUPPORTS
    n_seeds = 1 if options.is_quick else options.seeds
    found: dict[tuple[str, str, int], list[Judged]] = {}
    for family in families:
        tasks = family.tasks[:1] if options.is_quick else family.tasks
        for position, task in enumerate(tasks):
            if options.report is not None:
                options.report(f"{family.name}, {task.name}", position, len(tasks))
            for name, n, judged in _of_task(task, names, supports, n_seeds, options.device):
                found.setdefault((family.name, name, n), []).append(judged)
    rows: list[dict[str, Any]] = [
        row({"learner": name, "family": family}, n, each) for (family, name, n), each in found.items()
    ]
    note = f"{n_seeds} random supports of each table, up to {N_QUERIES} other rows; units of the outcomes' spread."
    return CheckResult(check, tuple(rows), {"families": list(FAMILIES)}, (note,))


def _of_task(
    task: BenchTask, names: Sequence[str], supports: Sequence[int], n_seeds: int, device: str
) -> Iterator[tuple[str, int, Judged]]:
    """Train every learner once for a table, and judge it on all supports, in units of the outcomes' spread."""
    context, outcomes = open_campaign(task.spec, max(supports), device)
    spread = float(outcomes.std()) or 1.0
    X, y = torch.as_tensor(context.pool.X, device=device), torch.as_tensor(outcomes, device=device)
    history = tuple(context.load_history())
    for name in names:
        hypothesis = _hypothesis(name, context, history, device)
        for seed in range(n_seeds):
            order = seeds.rng(seed, "real tasks", task.name).permutation(len(outcomes))
            for n in supports:
                asked = torch.as_tensor(order[max(supports) : max(supports) + N_QUERIES])
                rows = torch.as_tensor(order[:n])
                judged = judge(hypothesis, Support(X[rows], y[rows]), X[asked], y[asked])
                yield name, n, judged._replace(nlpd=judged.nlpd - float(np.log(spread)), rmse=judged.rmse / spread)


def _hypothesis(name: str, context: BacktestContext, history: Sequence[Any], device: str) -> Any:
    """Train a learner as a campaign trains it."""
    scale = outcome_scale(context.outcome_range, history)
    setting = Setting("history", context.space, scale, context.spec.seed, device)
    if name == NONE:
        return train("meta_gp", None, setting)
    if name == "pseudo_tasks":
        return train(name, PseudoTasks.of(context.pool.X, context.spec.seed), setting)
    return train(name, HistoryDistribution(tuple(history)), setting)
