"""Replays of whole families: the plan of `bench campaigns` and `bench harm`, and the row of one replay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from discovery import metrics
from discovery.evaluation.backtest import random_starts, replay
from discovery.evaluation.bench.families import BenchTask
from discovery.evaluation.bench.runner import Piece, Unit, can_run, settings_hash
from discovery.evaluation.bench.sources import NOTHING, RELATED, SOURCES, with_source
from discovery.evaluation.bench.suites import Suite
from discovery.evaluation.cache import RunCache
from discovery.evaluation.context import open_campaign
from discovery.evaluation.method_table import BASELINES, TRANSFERS
from discovery.evaluation.methods import BacktestContext, load_method
from discovery.evaluation.results import Plan, Run

TOP_SHARE = 0.05  # of the candidates, rounded up, that enrichment counts


def plan_campaigns(suite: Suite, methods: Sequence[str]) -> list[Unit]:
    """Return every replay of a suite, one unit per task and method; methods without experience on a task are left out.

    Methods that learn nothing beforehand are cut into a unit per seed.
    """
    return [
        unit
        for task in suite.tasks
        for method in methods
        if can_run(task, method)
        for unit in _cut(Unit(task, method, _pieces(suite, task, method, "campaigns", RELATED)))
    ]


def plan_harm(suite: Suite, methods: Sequence[str]) -> list[Unit]:
    """Return the replays that tell what a history does: related, misleading, and none; tasks without any are left out.

    Args:
        suite: What is run.
        methods: Methods that learn from history.
    """
    units = []
    for task in (task for task in suite.tasks if task.history):
        for source in (NOTHING, RELATED, *SOURCES):
            given = with_source(task, source)
            able = [m for m in methods if can_run(given, m) or (source == NOTHING and m in TRANSFERS)]
            units += [Unit(given, m, _pieces(suite, given, m, "harm", source)) for m in able]
    return units


def execute_campaigns(unit: Unit, device: str) -> Iterator[dict[str, Any]]:
    """Replay a task by a method, run after run; finished runs of baselines come from the cache."""
    n_experiments = int(unit.pieces[0].identity["n_experiments"])
    context, outcomes = open_campaign(unit.task.spec, n_experiments, device)
    cache = RunCache.for_campaign(context, outcomes)
    method = load_method(unit.method)
    method.prepare(context)
    for piece in unit.pieces:
        plan = plan_of(piece, context)
        run = cache.read(method, plan)
        if run is None:
            run = replay(method, context, outcomes, plan)
            cache.write(method, plan, run)
        yield replay_row(run, outcomes, context)


def replay_row(run: Run, outcomes: np.ndarray, context: BacktestContext) -> dict[str, Any]:
    """Return what is kept of a replay.

    Args:
        run: The replay.
        outcomes: Outcomes of all candidates, raw units. Shape `n`.
        context: What the method knew.
    """
    goal, y = context.goal, np.asarray(run.outcomes, dtype=float)
    sign, n_top = context.sign, max(1, int(np.ceil(TOP_SHARE * len(outcomes))))
    bar = np.sort(sign * outcomes)[::-1][n_top - 1]
    return {
        "campaign": context.spec.name,
        "goal": goal,
        "n_candidates": len(outcomes),
        "chosen": list(run.chosen),
        "outcomes": y.tolist(),
        "regret": metrics.simple_regret(y, outcomes, goal).tolist(),
        "experiments_to_best": metrics.experiments_to_top(y, outcomes, 0, goal),
        "experiments_to_top1pct": metrics.experiments_to_top(y, outcomes, 1, goal),
        "experiments_to_top5pct": metrics.experiments_to_top(y, outcomes, 5, goal),
        "experiments_to_5pct_regret": metrics.experiments_to_regret(y, outcomes, 0.05, goal),
        "experiments_to_10pct_regret": metrics.experiments_to_regret(y, outcomes, 0.10, goal),
        "regret_auc": metrics.regret_auc(y, outcomes, goal),
        "top5_found": np.cumsum(sign * y >= bar).tolist(),
        "n_top5": int((sign * outcomes >= bar).sum()),
        "seconds": float(sum(run.seconds)),
        "adapt_propose_s_at_40": run.adapt_propose_s_at_40,
        "weights": json.dumps(run.weights) if run.weights else "",
    }


def _pieces(suite: Suite, task: BenchTask, method: str, bench: str, source: str) -> tuple[Piece, ...]:
    """Return the runs of a method on a task; a deterministic one without random starts is run once."""
    protocol = suite.protocol(task.family)
    is_deterministic = load_method(method).is_deterministic
    shared = {
        "bench": bench,
        "family": task.family,
        "task": task.name,
        "group": task.group,
        "source": source,
        "method": method,
        "leave_out": suite.leave_out,
        "batch_size": protocol.batch_size,
        "n_experiments": protocol.n_experiments,
    }
    stamp = settings_hash(task, method)
    starts = protocol.starts if suite.starts is not None else protocol.starts_of(method)
    return tuple(
        Piece({**shared, "n_initial": n_initial, "seed": seed}, stamp)
        for n_initial in starts
        for seed in range(1 if is_deterministic and n_initial == 0 else suite.n_seeds)
    )


def plan_of(piece: Piece, context: BacktestContext) -> Plan:
    """Return the seed, length, random starts and batch size of a replay."""
    identity, n = piece.identity, context.n_experiments
    return Plan(
        seed=identity["seed"],
        n_experiments=n,
        initial=random_starts(identity["seed"], context.n_candidates, min(identity["n_initial"], n)),
        batch_size=identity["batch_size"],
    )


def _cut(unit: Unit) -> list[Unit]:
    """Cut the unit of a method that learns nothing beforehand into its pieces."""
    if unit.method not in BASELINES:
        return [unit]
    return [Unit(unit.task, unit.method, (piece,)) for piece in unit.pieces]
