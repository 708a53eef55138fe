"""Measured tasks that the shipped prior sees beside simulated ones: the development families, licences allowing.

Families that figures are reported on are never read here. One task in five is kept for validation.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.prior_tasks import Pool
from discovery.evaluation.bench.families import DEVELOPMENT, BenchTask, load_families
from discovery.meta.in_context_inputs import Layout
from discovery.settings import datasets_dir
from discovery.space import SearchSpace
from discovery.space.measured import MeasuredPool

MOST_ROWS, HELD_OUT = 384, 5
LICENSES = {
    "deoxyfluorination": "CC BY 4.0",
    "merck_nanomole_cn": "CC BY 4.0",
    "nicolit": "MIT",
    "ch_arylation_scope": "CC BY 4.0",
    "hitea_pfizer": "MIT",
    "electrolyte_conductivity": "CC BY 4.0",
    "polymer_electrolytes": "MIT",
    "mpea_mechanical": "Apache-2.0",
    "perovskite_crystallisation": "MIT",
    "liquid_handling": "MIT",
    "cn_flow_cases": "MIT",
}


@dataclass(frozen=True)
class MeasuredTask:
    """One measured table.

    Attributes:
        family: Its family.
        name: The task.
        X: Configurations. Shape `n x d`; unit cube.
        layout: Blocks of the columns.
        y: Outcomes, standardized by the table's mean and spread. Shape `n`.
    """

    family: str
    name: str
    X: Tensor
    layout: Layout
    y: Tensor

    @property
    def is_held_out(self) -> bool:
        """Whether the task is kept for validation."""
        return zlib.crc32(f"{self.family}/{self.name}".encode()) % HELD_OUT == 0


def measured_tasks() -> list[MeasuredTask]:
    """Read the tasks of all development families at hand; none where the folder of families is not."""
    if datasets_dir() is None:
        return []
    families = load_families(split="development")
    assert {family.name for family in families} <= set(DEVELOPMENT)
    return [_read(family.name, task) for family in families for task in family.tasks]


def _read(family: str, task: BenchTask) -> MeasuredTask:
    space = SearchSpace.from_spec(task.spec)
    pool = MeasuredPool.from_spec(task.spec, space)
    y = pool.outcomes[task.spec.objective.name]
    rows = np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
    standardized = (y - y.mean()) / max(float(y.std()), 1e-9)
    return MeasuredTask(
        family,
        task.name,
        torch.as_tensor(pool.X[rows], dtype=torch.float32),
        Layout.of(space),
        torch.as_tensor(standardized[rows], dtype=torch.float32),
    )


def measured_pool(tasks: list[MeasuredTask], rng: np.random.Generator, t: int, n: int) -> Pool:
    """Draw one table, families first, and see it `t` times: turned over, and bent a little."""
    family = rng.choice(sorted({task.family for task in tasks}))
    own = [task for task in tasks if task.family == family]
    task = own[int(rng.integers(len(own)))]
    rows = torch.as_tensor(rng.permutation(len(task.y))[:n])
    y = task.y[rows].expand(t, -1)
    low, spread = y.amin(-1, keepdim=True), (y.amax(-1, keepdim=True) - y.amin(-1, keepdim=True)).clamp_min(1e-6)
    power = np.where(rng.random((t, 1)) < 0.35, np.exp(0.4 * rng.standard_normal((t, 1))), 1.0)
    bent = ((y - low) / spread) ** torch.as_tensor(power, dtype=torch.float32)
    flip = torch.as_tensor(np.where(rng.random((t, 1)) < 0.2, -1.0, 1.0), dtype=torch.float32)
    return Pool(task.X[rows], task.layout, flip * bent, torch.full((t,), float("nan")), f"measured:{family}")
