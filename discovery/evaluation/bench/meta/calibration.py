"""Density and coverage of every family on held-out simulated tasks: is what it says of its own certainty true?

Every learner is trained on a simulator bound to one small mixed space (those that need a history on a few dozen rows of
some of its tasks), then reads 3 to 20 rows of tasks that it has
never seen and predicts others. Outcomes stand in units of the simulator's own spread, so that densities can be
compared. What training and adapting cost stands beside.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from discovery import registry
from discovery.belief.belief import Hypothesis
from discovery.campaign import CampaignSpec
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.judging import Judged, judge, train
from discovery.families import ACTS, CHOOSES, FROM_HISTORY
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import OutcomeScale
from discovery.meta.standardizing import own_units
from discovery.seeds import torch_generator
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

if TYPE_CHECKING:
    from discovery.tasks.task import TaskBatch

SIMULATOR = "gp_prior"
SPEC = {
    "name": "calibration",
    "parameters": [
        {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C"]},
        {"name": "temperature", "type": "continuous", "bounds": [20, 100]},
        {"name": "time", "type": "continuous", "bounds": [1, 60]},
    ],
    "objectives": [{"name": "yield", "goal": "maximize"}],
}
SUPPORTS = (3, 5, 10, 20)
N_TASKS, N_QUERIES = 32, 30  # held-out tasks per seed, and rows of each that are predicted
N_EARLIER, N_EARLIER_ROWS = 16, 30  # tasks of the simulator that stand for a history, and rows of each
OTHERS = ("molecule_gp",)


def run(options: CheckOptions) -> CheckResult:
    """Train and judge every learner that predicts outcomes; those of histories on a history of simulated tasks."""
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(SPEC))
    names = options.learners or tuple(
        name for name, one in registry.LEARNERS.items() if name not in OTHERS and one.output not in (CHOOSES, ACTS)
    )
    supports, n_tasks = (SUPPORTS[1:2], 3) if options.is_quick else (SUPPORTS, N_TASKS)
    rows: list[dict[str, Any]] = []
    for position, name in enumerate(names):
        if options.report is not None:
            options.report(name, position, len(names))
        found: dict[int, list[Judged]] = {n: [] for n in supports}
        trained = []
        for seed in range(1 if options.is_quick else options.seeds):
            begun = time.perf_counter()
            hypothesis = _trained(name, space, seed, options.device)
            trained.append(time.perf_counter() - begun)
            for n in supports:
                batch = held_out(SIMULATOR, space, n_tasks, n + N_QUERIES, seed)
                found[n] += [
                    judge(hypothesis, Support(X[:n], Y[:n]), X[n:], Y[n:])
                    for X, Y in zip(batch.X, batch.Y[..., 0], strict=True)
                ]
        rows += [
            {
                "learner": name,
                "support": n,
                "nlpd": float(np.mean([one.nlpd for one in found[n]])),
                "coverage90": float(np.mean([one.coverage for one in found[n]])),
                "adapt_ms": 1000 * float(np.median([one.seconds for one in found[n]])),
                "train_s": float(np.median(trained)),
            }
            for n in supports
        ]
    note = (
        f"Simulator {SIMULATOR}, {n_tasks} held-out tasks and {N_QUERIES} rows of each per seed; units of its spread."
    )
    return CheckResult("calibration", tuple(rows), {"simulator": SIMULATOR}, (note,))


def _trained(name: str, space: SearchSpace, seed: int, device: str) -> Hypothesis:
    setting = Setting(f"simulator:{SIMULATOR}", space, OutcomeScale(0.0, 1.0, "range"), seed, device)
    if name in FROM_HISTORY:
        return train(name, _history(space, seed), setting)
    return train(name, registry.simulator(SIMULATOR).bind(space), setting)


def _history(space: SearchSpace, seed: int) -> HistoryDistribution:
    """Draw a history of tasks that are not held out, in the units of the others."""
    drawn = in_units(SIMULATOR, space, N_EARLIER, N_EARLIER_ROWS, torch_generator(seed, "earlier"))
    names = [f"earlier {i}" for i in range(N_EARLIER)]
    rows = zip(names, drawn.X.numpy(), drawn.Y.numpy(), strict=True)
    return HistoryDistribution(tuple(Task(name, X, Y, source=name) for name, X, Y in rows))


def held_out(simulator: str, space: SearchSpace, n_tasks: int, n_rows: int, seed: int) -> TaskBatch:
    """Draw tasks that no training drew, standardized as training standardizes them."""
    generator = torch_generator(seed, "held out", str(n_rows - N_QUERIES))
    return in_units(simulator, space, n_tasks, n_rows, generator)


def in_units(simulator: str, space: SearchSpace, n_tasks: int, n_rows: int, generator: torch.Generator) -> TaskBatch:
    """Draw tasks, with outcomes in units of the simulator's own spread."""
    bound = registry.simulator(simulator).bind(space)
    _, mean, sd = own_units(bound.sample(256, 50, torch_generator(0, "units")))
    return own_units(bound.sample(n_tasks, n_rows, generator), mean, sd)[0]
