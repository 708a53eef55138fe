"""Hierarchical meta-learning: soft groups of earlier tasks with a prior each, and one prior over all of them.

Groups are found by evidence (`discovery.meta.task_groups`). Each has the bank of members that a history of its tasks
alone would give; a bank over all tasks stands beside them. Which group a campaign belongs to is never decided: evidence
weighs the members, so that the belief is the upper level of the hierarchy.

Source:
    Yao et al. (2019), Hierarchically structured meta-learning (task clusters with priors of their own); departures:
    Gaussian processes, groups by evidence instead of a learned embedding, number of groups found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import subsample
from discovery.meta.history_bank import from_history
from discovery.meta.history_inputs import history_inputs, refuse_molecules, require_history
from discovery.meta.learner import Adapted, Setting
from discovery.meta.members import Members, concatenate
from discovery.meta.meta_gp import MetaGP
from discovery.meta.task_groups import find_groups
from discovery.seeds import torch_generator
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "hierarchical"
MOST_ROWS, FEWEST_ROWS = 600, 4  # measurements of all tasks together, and of each, that groups are found by
MOST_GROUPS = 6  # that have members of their own, the largest first
FLAT = 0.3  # prior weight of the bank over all tasks
NAMED = 3  # tasks of a group that its name lists
SHARED = 0.25  # responsibility from which on a task teaches a group


@dataclass(frozen=True)
class Hierarchical(MetaGP):
    """MetaGP with a bank for every group of its history."""

    family: ClassVar[str] = NAME

    @property
    def responsibility(self) -> Tensor:
        """Probability that each earlier task belongs to each group; the last column: to none. Shape `t x (g + 1)`."""
        return self.trust["responsibility"]

    def group_names(self, sources: Sequence[str]) -> tuple[str, ...]:
        """Name the groups that have members of their own; the first is all tasks. None where one group was found."""
        n_groups = int(self.trust["group"].max())
        if not n_groups:
            return ()
        of_task = self.trust["group_of_task"].tolist()
        held = [[s for s, g in zip(sources, of_task, strict=True) if g == i] for i in range(n_groups)]
        return ("all", *(f"group {i + 1} ({_listed(some)})" for i, some in enumerate(held)))

    def group_weights(self, adapted: Adapted) -> Tensor:
        """Return the probability of the bank over all tasks and, after it, of each group's. Shape `g + 1`."""
        weight, group = torch.softmax(adapted.log_prior + adapted.log_evidence, dim=0), self.trust["group"]
        of_row = group.repeat(len(weight) // len(group))  # readings, and members that doubt, repeat the bank
        return weight.new_zeros(int(group.max()) + 1).index_add(0, of_row, weight)

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train on a history, always from the beginning.

        Raises:
            ConfigurationError: If the distribution is no history, or the space has molecules.
        """
        refuse_molecules(NAME, setting)
        return super().meta_train(require_history(NAME, distribution), setting)

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> Hierarchical:
        told, device = history_inputs(tasks, setting), torch.device(setting.device)
        n_rows = max(FEWEST_ROWS, MOST_ROWS // len(tasks))
        some = subsample(told.batch, n_rows, torch_generator(setting.seed, NAME))
        found = find_groups(some, told.geometry)
        taught = [torch.ones(len(tasks), dtype=torch.bool, device=device)]
        if len(found.members) > 1:
            shares = found.responsibility[:, : len(found.members)][:, :MOST_GROUPS]
            taught += [_taught(shares[:, g], found.members[g]) for g in range(shares.shape[1])]
        parts, features = list[Members](), list[SourceFeatures]()
        scores = dict[str, float]()
        for i, is_taught in enumerate(taught):
            generator, part = torch_generator(setting.seed, NAME, "group"), _some(told.batch, is_taught)
            learned = from_history(part, told.geometry, generator, own=told.own, on_step=setting.on_step)
            share = 1.0 if len(taught) == 1 else FLAT if not i else (1 - FLAT) * _share(found.members, i - 1)
            parts.append(replace(learned.members, log_prior=learned.members.log_prior + torch.tensor(share).log()))
            features.append(learned.features)
            scores = scores or dict(learned.scores)
        return cls(
            members=concatenate(_on_own_columns(parts)),
            features=replace(_joined(features), lift=told.lift),
            components=told.blocks.components,
            scale=told.scale,
            device=device,
            trust={
                "responsibility": found.responsibility,
                "group_of_task": _group_of_task(found.members, len(tasks), device),
                "group": torch.arange(len(parts), device=device).repeat_interleave(
                    torch.tensor([part.n_members for part in parts], device=device)
                ),
            },
            scores=scores,
        )


def _group_of_task(groups: Sequence[Sequence[int]], n_tasks: int, device: torch.device) -> Tensor:
    """Return where the partition puts each task. Shape `t`."""
    found = torch.empty(n_tasks, dtype=torch.long, device=device)
    for i, group in enumerate(groups):
        found[list(group)] = i
    return found


def _listed(sources: Sequence[str]) -> str:
    """Write the first few of some sources, without paths and hashes."""
    names = [PurePath(source.partition("@")[0]).stem for source in sources]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _taught(share: Tensor, group: Sequence[int]) -> Tensor:
    """Say which tasks teach a group: its own, and those that may well belong to it. Shape `t`, bool."""
    is_taught = share > SHARED
    is_taught[list(group)] = True
    return is_taught


def _share(groups: Sequence[Sequence[int]], i: int) -> float:
    """Return a group's share of the tasks of all groups that have members."""
    kept = groups[:MOST_GROUPS]
    return len(kept[i]) / sum(map(len, kept))


def _some(batch: TaskBatch, is_kept: Tensor) -> TaskBatch:
    """Return some tasks of a batch."""
    index = torch.nonzero(is_kept)[:, 0]
    return TaskBatch(
        X=batch.X[index],
        Y=batch.Y[index],
        mask=batch.mask[index],
        task_ids=tuple(batch.task_ids[i] for i in index.tolist()),
        Yvar=None if batch.Yvar is None else batch.Yvar[index],
        sides=None if batch.sides is None else batch.sides[index],
    )


def _on_own_columns(parts: Sequence[Members]) -> list[Members]:
    """Let every part look at its own columns among those of all."""
    widths = [part.slope.shape[1] for part in parts]
    placed = []
    for i, part in enumerate(parts):
        around = (sum(widths[:i]), sum(widths[i + 1 :]))
        slope, slope_sd = (torch.nn.functional.pad(value, around) for value in (part.slope, part.slope_sd))
        placed.append(replace(part, slope=slope, slope_sd=slope_sd))
    return placed


def _joined(parts: Sequence[SourceFeatures]) -> SourceFeatures:
    """Put the columns of several features next to each other."""
    n = max(part.X.shape[1] for part in parts)

    def padded(part: SourceFeatures, name: str) -> Tensor:
        value: Tensor = getattr(part, name)
        room = n - part.X.shape[1]
        if name == "X":
            return torch.nn.functional.pad(value, (0, 0, 0, room))
        return torch.nn.functional.pad(value, (0, room)) if name == "dual" else value

    names = [f.name for f in fields(SourceFeatures) if f.name != "lift"]
    joined: dict[str, Any] = {name: torch.cat([padded(part, name) for part in parts]) for name in names}
    return SourceFeatures(**joined)
