"""What learners of a history share before they learn: the tables on one scale, in one space, as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.errors import ConfigurationError
from discovery.meta.components import MOLECULE
from discovery.meta.geometry import Geometry, OwnBlocks
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.meta.standardizing import standardize
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.lift import Lift
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution


@dataclass(frozen=True)
class HistoryInputs:
    """Earlier tables as a learner reads them.

    Attributes:
        batch: The tables, outcomes standardized by `scale`.
        geometry: Blocks of the space that they live in, which may be wider than the campaign's.
        scale: Location, scale and axis of the outcome.
        own: The campaign's own blocks among those of a wider space; None where both are the same.
        lift: Takes the campaign's configurations to those of a wider space; None where both are the same.
    """

    batch: TaskBatch
    geometry: Geometry
    scale: OutcomeScale
    own: OwnBlocks | None = None
    lift: Lift | None = None

    @property
    def blocks(self) -> Geometry:
        """Blocks of the campaign's own space."""
        return self.geometry if self.own is None else self.own.geometry

    def own_lengthscales(self, lengthscale: Tensor) -> Tensor:
        """Return those of the lengthscales that the campaign's own blocks have. The last dimension is over blocks."""
        return lengthscale if self.own is None else self.own.lengthscales(lengthscale)


def history_inputs(tasks: Sequence[Task], setting: Setting) -> HistoryInputs:
    """Put earlier tables on one scale, its axis chosen by evidence, and into one batch on the setting's device."""
    device, wider = torch.device(setting.device), tasks[0].space
    geometry = Geometry.of(setting.space if wider is None else wider, device)
    scale = outcome_scale(None, tasks) if setting.scale.is_anchored else setting.scale
    scale = MetaGP.choose_axis_on(geometry, scale, tasks, setting.seed)
    batch = standardize(TaskBatch.from_tasks(tasks, device), scale)
    if wider is None:
        return HistoryInputs(batch, geometry, scale)
    return HistoryInputs(batch, geometry, scale, OwnBlocks.of(wider, device), Lift.of(wider, device))


def require_history(name: str, distribution: TaskDistribution | None) -> HistoryDistribution:
    """Return the history that a learner is trained on.

    Raises:
        ConfigurationError: If the distribution is no history.
    """
    if not isinstance(distribution, HistoryDistribution):
        raise ConfigurationError(f"A {name} hypothesis must learn from a history; got {distribution}.")
    return distribution


def refuse_molecules(name: str, setting: Setting) -> None:
    """Refuse a space that has molecules.

    Raises:
        ConfigurationError: If it has.
    """
    if any(block.kind == MOLECULE for block in setting.space.blocks):
        raise ConfigurationError(
            f"A {name} hypothesis cannot compare molecules; the space has some.", "Take learner molecule_gp."
        )
