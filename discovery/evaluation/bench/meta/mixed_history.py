"""A history that mixes kinds of tasks: groups with a prior each against one flat prior.

Each kind is a function of its own; tasks of a kind differ from it by a smaller function, a level and noise. A campaign
belongs to one of the kinds, and no learner is told to which.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from discovery.campaign import CampaignSpec
from discovery.evaluation.bench.meta.calibration import SPEC
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.judging import Judged, judge, row, train
from discovery.meta.geometry import Geometry
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import OutcomeScale
from discovery.seeds import rng, torch_generator
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

LEARNERS = ("hierarchical", "meta_gp", "multi_task", "rgpe")
KINDS = 3
N_TASKS, N_ROWS, N_HELD, N_QUERIES = 18, 20, 15, 40
SUPPORTS = (0, 1, 3, 5, 10, 20)
LENGTHSCALE, OWN, LEVEL, NOISE = 0.5, 0.35, 0.2, 0.1  # of blocks; standard deviations, of a kind's own being one


class Mixed(NamedTuple):
    """Tasks of several kinds.

    Attributes:
        tasks: The tasks.
        kinds: Kind of each. Shape `t`.
    """

    tasks: tuple[Task, ...]
    kinds: np.ndarray


def run(options: CheckOptions) -> CheckResult:
    """Train and judge learners of histories, and say how well the kinds were found."""
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(SPEC))
    names = options.learners or LEARNERS
    seeds, n_held = (1, 2) if options.is_quick else (options.seeds, N_HELD)
    found: dict[tuple[str, int], list[Judged]] = {(name, n): [] for name in (*names, "none") for n in SUPPORTS}
    agreement, n_groups = list[float](), list[int]()
    for seed in range(seeds):
        mixed = mixed_tasks(space, N_TASKS + n_held, N_ROWS + N_QUERIES, seed)
        history = [Task(t.task_id, t.X[:N_ROWS], t.Y[:N_ROWS], source=t.task_id) for t in mixed.tasks[:N_TASKS]]
        setting = Setting("history", space, OutcomeScale(0.0, 1.0, "range"), seed, options.device)
        for position, name in enumerate((*names, "none")):
            if options.report is not None:
                options.report(f"{name}, seed {seed}", position, len(names) + 1)
            is_cold = name == "none"
            tasks = None if is_cold else HistoryDistribution(tuple(history))
            hypothesis = train("meta_gp" if is_cold else name, tasks, setting)
            if name == "hierarchical":
                labels = hypothesis.learner.responsibility.argmax(1).numpy()  # type: ignore[attr-defined]  # of a Hierarchical
                agreement.append(adjusted_rand(mixed.kinds[:N_TASKS], labels))
                n_groups.append(len(np.unique(labels)))
            for task in mixed.tasks[N_TASKS:]:
                rows = Support.of(task.X, task.Y[:, 0], None, options.device)
                for n in SUPPORTS:
                    support = Support(rows.X[:n], rows.y[:n])
                    found[name, n].append(judge(hypothesis, support, rows.X[N_ROWS:], rows.y[N_ROWS:]))
    rows_found: list[dict[str, Any]] = [row({"learner": name}, n, each) for (name, n), each in found.items()]
    values = {"adjusted_rand": agreement, "groups": n_groups}
    told = f"Kinds were found with an adjusted Rand index of {np.mean(agreement):.2f}; " if agreement else ""
    note = f"{told}{KINDS} kinds, {N_TASKS} earlier tasks of {N_ROWS} rows, {n_held} held-out tasks per seed."
    return CheckResult("hierarchical", tuple(rows_found), values, (note,))


def mixed_tasks(space: SearchSpace, n_tasks: int, n_rows: int, seed: int) -> Mixed:
    """Draw tasks of `KINDS` kinds in random order, each at random configurations."""
    numbers, generator = rng(seed, "mixed history"), torch_generator(seed, "mixed history")
    X = torch.as_tensor(space.sample(n_tasks * n_rows, numbers))
    geometry = Geometry.of(space)
    Z = X * geometry.inverse_lengthscales(torch.full((geometry.n_blocks,), LENGTHSCALE, dtype=torch.float64))
    K = matern52(squared_distance(Z, Z)) + 1e-8 * torch.eye(len(X), dtype=torch.float64)
    factor = torch.linalg.cholesky(K)
    kinds = factor @ torch.randn(len(X), KINDS, generator=generator, dtype=torch.float64)  # N x kinds
    kind = numbers.permutation(np.arange(n_tasks) % KINDS)
    own = torch.linalg.cholesky(_blocks(K, n_tasks)) @ torch.randn(
        n_tasks, n_rows, 1, generator=generator, dtype=torch.float64
    )
    of_task = torch.as_tensor(kind).repeat_interleave(n_rows)
    shared = kinds.gather(1, of_task[:, None]).reshape(n_tasks, n_rows)
    level = LEVEL * torch.randn(n_tasks, 1, generator=generator, dtype=torch.float64)
    noise = NOISE * torch.randn(n_tasks, n_rows, generator=generator, dtype=torch.float64)
    Y = (shared + OWN * own[..., 0] + level + noise).numpy()
    rows = X.reshape(n_tasks, n_rows, -1).numpy()
    tasks = (Task(f"task {i}", rows[i], Y[i][:, None], source=f"task {i}") for i in range(n_tasks))
    return Mixed(tuple(tasks), kind)


def _blocks(K: torch.Tensor, n: int) -> torch.Tensor:
    """Return the diagonal blocks of a matrix. Shape `N x N` to `n x N/n x N/n`."""
    size = len(K) // n
    return torch.diagonal(K.reshape(n, size, n, size), dim1=0, dim2=2).permute(2, 0, 1)


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> float:
    """Return how far two partitions agree: 1 the same, 0 as by chance (Hubert and Arabie, 1985)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected = a * b / pairs(np.array([len(one)]))
    most = (a + b) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)
