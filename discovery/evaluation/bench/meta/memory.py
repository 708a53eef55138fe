"""Memory against attention against Gaussian processes, from no measurement to thirty.

Two worlds: functions of a generic simulator, which never come again, and functions of a few kinds with differences of
their own (`mixed_history`), where what is remembered of one task serves another.
"""

from __future__ import annotations

from typing import Any

from discovery.campaign import CampaignSpec
from discovery.evaluation.bench.meta.calibration import SIMULATOR, SPEC, held_out
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.judging import Judged, judge, row, train
from discovery.evaluation.bench.meta.mixed_history import mixed_tasks
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import OutcomeScale
from discovery.registry import simulator
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution

LEARNERS = ("meta_gp", "prior_fitted", "neural_process", "recurrent", "memory")
SUPPORTS = (0, 1, 2, 5, 10, 20, 30)
N_TASKS, N_QUERIES, N_HISTORY = 24, 30, 24


def run(options: CheckOptions) -> CheckResult:
    """Train and judge every learner with a memory, and processes beside them, in both worlds."""
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(SPEC))
    names = options.learners or LEARNERS
    supports, n_tasks, seeds = ((0, 5), 2, 1) if options.is_quick else (SUPPORTS, N_TASKS, options.seeds)
    rows: list[dict[str, Any]] = []
    for position, name in enumerate(names):
        if options.report is not None:
            options.report(name, position, len(names))
        for world in ("any function", "few kinds"):
            found: dict[int, list[Judged]] = {n: [] for n in supports}
            for seed in range(seeds):
                setting = Setting("history", space, OutcomeScale(0.0, 1.0, "range"), seed, options.device)
                if world == "few kinds":
                    tasks = mixed_tasks(space, N_HISTORY + n_tasks, N_QUERIES + max(supports), seed).tasks
                    hypothesis = train(name, HistoryDistribution(tasks[:N_HISTORY]), setting)
                    judged = [(task.X, task.Y[:, 0]) for task in tasks[N_HISTORY:]]
                else:
                    hypothesis = train(name, simulator(SIMULATOR).bind(space), setting)
                    batch = held_out(SIMULATOR, space, n_tasks, N_QUERIES + max(supports), seed)
                    judged = [(X.numpy(), Y.numpy()) for X, Y in zip(batch.X, batch.Y[..., 0], strict=True)]
                for X, y in judged:
                    all_rows = Support.of(X, y, None, options.device)
                    for n in supports:
                        asked = slice(max(supports), None)
                        support = Support(all_rows.X[:n], all_rows.y[:n])
                        found[n].append(judge(hypothesis, support, all_rows.X[asked], all_rows.y[asked]))
            rows += [row({"learner": name, "world": world}, n, found[n]) for n in supports]
    note = f"{n_tasks} held-out tasks per seed, {N_QUERIES} rows of each; units of the outcomes' spread."
    return CheckResult("memory", tuple(rows), {}, (note,))
