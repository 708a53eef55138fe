"""Unsupervised meta-learning: a process trained on tasks that are made up from candidates, before any outcome.

What the made-up tasks have in common on these candidates (leading variations, lengthscales, relevance of columns)
becomes the prior (`discovery.tasks.pseudo` says how tasks are made). Outcomes of a history are never looked at, only
where its measurements lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from discovery.errors import ConfigurationError
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.components import MOLECULE
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.pseudo import PseudoTasks

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "pseudo_tasks"
N_DRAWN, N_POINTS = 32, 32  # tasks of a simulator, and rows of each, whose configurations stand for candidates


@dataclass(frozen=True)
class PseudoTasksGP(MetaGP):
    """MetaGP trained on made-up tasks."""

    family: ClassVar[str] = NAME

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train on the candidates; of other distributions on where their rows lie, whatever the outcomes are.

        Raises:
            ConfigurationError: If there are no candidates, their columns are not the campaign's, or the space has
                molecules.
        """
        if any(block.kind == MOLECULE for block in setting.space.blocks):
            raise ConfigurationError(
                f"A {NAME} hypothesis cannot make up tasks of molecules; the space has some.", "Take it out."
            )
        return super().meta_train(_candidates(distribution, setting).bind(setting.space), setting)


def _candidates(distribution: TaskDistribution | None, setting: Setting) -> PseudoTasks:
    """Return made-up tasks on the configurations that a distribution has."""
    if isinstance(distribution, PseudoTasks):
        return distribution
    if distribution is None:
        raise ConfigurationError(
            f"A {NAME} hypothesis must have candidates; got none.", "List them under `candidates`."
        )
    if isinstance(distribution, HistoryDistribution):
        return PseudoTasks.of(torch.cat([torch.as_tensor(task.X) for task in distribution.tasks]), setting.seed)
    drawn = distribution.sample(N_DRAWN, N_POINTS, torch_generator(setting.seed, NAME, "rows"))
    return PseudoTasks.of(drawn.X.reshape(-1, drawn.X.shape[-1]), setting.seed)
