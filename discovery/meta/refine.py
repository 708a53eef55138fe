"""Refinement with a gate: a new version is promoted only if it does not lose on held-out tasks.

When a campaign ends, its task joins the history and training goes on from the promoted checkpoint. Each old source is
then held out in turn (its own feature taken away) and predicted from a few of its measurements by both versions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from discovery import registry
from discovery.errors import NotEnoughDataError
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.geometry import Geometry
from discovery.meta.history_bank import history_members
from discovery.meta.learner import Setting, Support
from discovery.meta.members import Members
from discovery.meta.meta_gp import MetaGP
from discovery.seeds import rng
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

SUPPORT_SIZE = 10  # measurements a held-out task is predicted from
MAX_QUERY = 200  # its other measurements that are scored
TOLERANCE = 0.01  # nats per prediction within which two versions count as equal
Score = Callable[[Checkpoint, Sequence[Task]], float]


@dataclass(frozen=True)
class RefineResult:
    """A refined checkpoint and whether it may replace its parent.

    Attributes:
        checkpoint: The new version; its scores hold both figures.
        score_before: Mean held-out NLPD of the parent, nats per measurement (lower is better).
        score_after: The same of the new version.
        is_promoted: Whether the new version does not lose.
    """

    checkpoint: Checkpoint
    score_before: float
    score_after: float
    is_promoted: bool


def refine(
    parent: Checkpoint, old: Sequence[Task], new: Task, setting: Setting, score: Score | None = None
) -> RefineResult:
    """Continue training with one more task and judge the new version on the old ones.

    Args:
        parent: The promoted checkpoint.
        old: The tasks it was trained on.
        new: The task of the campaign that ended.
        setting: Space, scale, seed, device.
        score: What judges a checkpoint on held-out tasks, lower is better; default `held_out_nlpd`.

    Raises:
        NotEnoughDataError: If there are fewer than two old tasks: nothing can be held out.
    """
    if len(old) < 2:
        raise NotEnoughDataError(f"Refinement holds out old tasks and needs at least two; got {len(old)}.")
    judge = score or held_out_nlpd
    family = registry.load("learner", parent.meta.learner)
    checkpoint = family.meta_train(HistoryDistribution((*old, new)), setting, start_from=parent)
    before, after = judge(parent, old), judge(checkpoint, old)
    scores = checkpoint.meta.scores | {"held_out_nlpd": after, "held_out_nlpd_parent": before}
    described = Checkpoint(replace(checkpoint.meta, scores=scores), checkpoint.tensors)
    return RefineResult(described, before, after, is_promoted=bool(after <= before + TOLERANCE))


def held_out_nlpd(checkpoint: Checkpoint, tasks: Sequence[Task]) -> float:
    """Predict each task from a few of its measurements, with its own feature taken away.

    Args:
        checkpoint: A history checkpoint whose first sources are `tasks`, in the same order.
        tasks: Tasks of its training.

    Returns:
        Mean negative log predictive density, nats per measurement, raw units.
    """
    learner: MetaGP = registry.load("learner", checkpoint.meta.learner).load(checkpoint)
    scores = [_held_out_one(learner, i, task) for i, task in enumerate(tasks)]
    return float(np.mean(scores))


def _held_out_one(learner: MetaGP, index: int, task: Task) -> float:
    order = rng(0, "held out", task.task_id).permutation(task.n_points)
    size = min(SUPPORT_SIZE, task.n_points // 2)
    support, query = order[:size], order[size : size + MAX_QUERY]
    learner = _over_sources(learner, task)
    blind = replace(learner, members=_without_source(learner.members, index))
    sides = None if task.sides is None else task.sides[:, 0]
    told = Support.of(task.X[support], task.Y[support, 0], None, learner.device)
    adapted = blind.adapt(told if sides is None else told.marked(sides[support]))
    log_weights = torch.log_softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    mean, variance = adapted.model.predictive(torch.as_tensor(task.X[query], device=learner.device))
    y = torch.as_tensor(task.Y[query, 0], device=learner.device)
    weights = adapted.model.member_weights(log_weights)
    density = torch.distributions.Normal(mean, variance.sqrt()).log_prob(y)
    if sides is not None:  # of a bound its probability counts
        side = torch.as_tensor(sides[query], device=learner.device)
        density = torch.where(side == 0, density, torch.special.log_ndtr(side * (mean - y) / variance.sqrt()))
    density = density + weights[:, None]
    return -float(torch.logsumexp(density, dim=0).mean())


def _over_sources(learner: MetaGP, task: Task) -> MetaGP:
    """Return the learner over the space of its sources, where that is wider than the campaign's own."""
    if task.space is None:
        return learner
    geometry = Geometry.of(task.space, learner.device)
    members = history_members(learner.trust, learner.features.n_features, geometry)
    return replace(
        learner, members=members, features=replace(learner.features, lift=None), components=geometry.components
    )


def _without_source(members: Members, index: int) -> Members:
    """Take one source's feature away and hand its part of the mean slope to the others."""
    n = members.slope.shape[1]
    keep = torch.ones(n, dtype=members.slope.dtype, device=members.slope.device)
    keep[index] = 0
    return replace(
        members, slope=members.slope * keep * n / (n - 1), slope_sd=members.slope_sd * keep * (n / (n - 1)) ** 0.5
    )
