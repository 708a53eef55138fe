"""Earlier measurements as tasks: each file, and each earlier campaign of the store, is one task of this space.

Reads files through `discovery.ingest`, so that a history row is held to the same rules as a new measurement. What the
campaign's space does not have widens the space; rows without usable values are left out and listed. Next in the tour:
`discovery.tasks.task`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from discovery.campaign import (
    CampaignRef,
    CampaignSpec,
    FileRef,
    TableExperiment,
    held_in,
    history_file,
    history_name,
)
from discovery.campaign.sharing import Sharing, may_learn_from
from discovery.errors import ConfigurationError, InputError, NotEnoughDataError, NotSupportedError
from discovery.ingest import CheckedRows, RawRows, RejectedRow, check_rows, read_rows
from discovery.ingest.checks import IDS
from discovery.space import AlignedSpace, align
from discovery.space.censored import SUFFIX, sides_of
from discovery.tasks.columns import complete, whole_mixtures
from discovery.tasks.history_files import by_task, read_file, rows_of_no_task
from discovery.tasks.lift import encode_aligned
from discovery.tasks.replicates import average_replicates
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.space import SearchSpace


class MeasurementSource(Protocol):
    """Where earlier campaigns are kept: the store."""

    def measurements(self, campaign: str) -> pd.DataFrame:
        """Return a campaign's measurements, one row each, with parameter and outcome columns."""
        ...

    def sharing(self, name: str) -> Sharing:
        """Return what a campaign says about who may learn from it."""
        ...


@dataclass(frozen=True)
class HistoryTasks:
    """What the history of a campaign holds.

    Attributes:
        tasks: One task per source with at least one usable row; one outcome, the objective's; replicates averaged.
        dropped: For each source, the cells that kept rows out; sources without any are left out.
        differences: In words, what the history has beyond the campaign's space, and what is made of it.
        unused: Columns that nothing is learned from.
    """

    tasks: tuple[Task, ...]
    dropped: dict[str, tuple[RejectedRow, ...]]
    differences: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def n_dropped(self) -> dict[str, int]:
        """Number of rows left out of each source; sources without any are left out."""
        return {source: len({cell.row_number for cell in cells}) for source, cells in self.dropped.items()}

    @property
    def n_bounds(self) -> dict[str, int]:
        """Number of outcomes of each task that are bounds, replicates counted once; tasks without any are left out."""
        return {task.task_id: task.n_bounds for task in self.tasks if task.n_bounds}


def read_history(
    refs: Iterable[str | FileRef | CampaignRef],
    spec: CampaignSpec,
    space: SearchSpace,
    store: MeasurementSource | None = None,
    *,
    is_optional: bool = False,
) -> HistoryTasks:
    """Read earlier measurements as tasks of a space, which is widened where they do not fit in.

    Levels that the campaign does not offer, numbers beyond its bounds and other elements are kept (`space.align`). A
    parameter without a column is refused unless the source says where it was held.

    Args:
        refs: Files (relative paths start from the campaign file) and campaigns of the store.
        spec: The campaign that learns from them.
        space: Its search space.
        store: Where earlier campaigns are kept; needed only if `refs` names one.
        is_optional: Whether sources without the objective's column are left out; else they are refused.

    Returns:
        The tasks in the order of `refs`, and the rows that were left out.

    Raises:
        ConfigurationError: If the campaign or its own measured file is among its history, or a campaign is named that
            does not share with this one, or there is no store.
        InputError: If a file cannot be read, or lacks a parameter's or the objective's column.
    """
    only = {
        "outcomes": (spec.outcome(spec.objective.name),),
        "objectives": (spec.objective,),
        "outcome_constraints": (),
    }
    wanted = spec.model_copy(update=only)  # history needs the objective's outcome and no other
    dropped = rows_of_no_task(refs := tuple(refs), spec)
    refs = by_task(refs, spec)
    found = {history_name(ref): (_read(ref, spec, store), held_in(ref)) for ref in refs}
    if is_optional:
        found = {name: pair for name, pair in found.items() if spec.objective.name in pair[0].frame}
    raw = complete(found, spec)
    tables = [history_name(ref) for ref in refs if not isinstance(ref, CampaignRef) and history_name(ref) in raw]
    aligned = align(spec, space, [rows.frame for rows in raw.values()], spec.experience.held or {}) if raw else None
    checked = {n: check_rows(rows, wanted, aligned.union if aligned else space) for n, rows in raw.items()}
    checked = {n: whole_mixtures(rows, spec) for n, rows in checked.items()}
    used = {*(aligned.union if aligned else space).names, *_outcome_columns(spec), *IDS, *_task_columns(refs)}
    return HistoryTasks(
        tasks=tuple(_task(name, rows, spec, aligned or space) for name, rows in checked.items() if len(rows.frame)),
        dropped=dropped | {name: rows.rejected for name, rows in checked.items() if rows.rejected},
        differences=aligned.differences if aligned else (),
        unused=tuple(sorted({str(name) for path in tables for name in raw[path].frame} - used)),
    )


def _task_columns(refs: Iterable[str | FileRef | CampaignRef]) -> set[str]:
    return {ref.task for ref in refs if isinstance(ref, FileRef) and ref.task is not None}


def _outcome_columns(spec: CampaignSpec) -> set[str]:
    return {f"{name}{suffix}" for name in spec.outcome_names for suffix in ("", "_sem", SUFFIX)}


def _read(ref: str | FileRef | CampaignRef, spec: CampaignSpec, store: MeasurementSource | None) -> RawRows:
    """Read one source; refuse the campaign itself, which would teach it its own answers."""
    if isinstance(ref, CampaignRef):
        if ref.campaign == spec.name:
            raise ConfigurationError(
                f"experience.history must name earlier campaigns; got {spec.name!r} itself.", "Remove it."
            )
        if store is None:
            raise ConfigurationError(f"experience.history names the campaign {ref.campaign!r}, and no store is given.")
        if reason := may_learn_from(spec, store.sharing(ref.campaign)):
            raise ConfigurationError(
                f"experience.history must name campaigns that teach {spec.name}; {reason}.",
                f"Remove it, or change share in the file of {ref.campaign} and run any command on that file.",
            )
        return dataclasses.replace(read_rows(store.measurements(ref.campaign)), source=history_name(ref))
    own = [spec.candidates, spec.experiment.path if isinstance(spec.experiment, TableExperiment) else None]
    name = history_file(ref) or ""
    path = spec.resolve(name).resolve()
    if path in [spec.resolve(name).resolve() for name in own if name is not None]:
        raise ConfigurationError(
            f"experience.history must not hold the campaign's own measurements; got {name}.",
            "It is the file of the candidates or of the experiment; remove it.",
        )
    return read_file(ref, spec)


def _task(name: str, rows: CheckedRows, spec: CampaignSpec, space: SearchSpace | AlignedSpace) -> Task:
    """Average replicates and encode. Configurations stay in the order in which they first occur."""
    outcome = spec.objective.name
    y = rows.frame[outcome].to_numpy(dtype=np.float64)
    sem = rows.frame.get(f"{outcome}_sem", pd.Series(np.nan, index=rows.frame.index)).to_numpy(dtype=np.float64)
    found = average_replicates(rows.keys, y, sides_of(rows.frame, outcome), sem)
    frame = rows.frame.iloc[found.first]
    return Task(
        task_id=name,
        X=encode_aligned(space, frame) if isinstance(space, AlignedSpace) else space.encode(frame),
        Y=found.y[:, None],
        Yvar=None if found.variance is None else found.variance[:, None],
        source=name,
        space=space if isinstance(space, AlignedSpace) and space.is_wider else None,
        sides=None if found.sides is None else found.sides[:, None],
    )


@dataclass(frozen=True)
class HistoryDistribution:
    """The history as a task distribution: a random task, random rows of it.

    Attributes:
        tasks: Tasks of one space.
    """

    tasks: tuple[Task, ...]
    name: str = "history"

    def __post_init__(self) -> None:
        if not self.tasks:
            raise NotEnoughDataError("A history must hold at least one task; got none.", "Add files with measurements.")

    def bind(self, space: SearchSpace) -> HistoryDistribution:
        """Return the distribution itself; its tasks were encoded for a space when they were read.

        Raises:
            ConfigurationError: If that was another space.
        """
        widths = {task.X.shape[1] for task in self.tasks}
        wider = self.tasks[0].space
        if widths != {space.n_dims if wider is None else wider.n_dims}:
            got = ", ".join(map(str, sorted(widths)))
            raise ConfigurationError(
                f"History must have the {space.n_dims} encoded dimensions of the space; got {got}.", "Read it again."
            )
        return self

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks with replacement, and rows of each without.

        Returns:
            A batch; tasks with fewer than `n_points` rows are padded. There is no truth.

        Raises:
            InputError: If a number is below one.
            NotSupportedError: If `points` are given: history has outcomes only where they were measured.
        """
        if points is not None:
            raise NotSupportedError("History has outcomes only where they were measured; got other points.")
        if n_tasks < 1 or n_points < 1:
            raise InputError(f"Tasks and points must each be at least 1; got {n_tasks} tasks of {n_points} points.")
        every = TaskBatch.from_tasks(self.tasks, device)
        on = generator.device
        task = torch.randint(len(self.tasks), (n_tasks,), generator=generator, device=on).to(device)
        order = torch.rand((n_tasks, every.mask.shape[1]), generator=generator, device=on).to(device)
        order = order + 2.0 * ~every.mask[task]  # padding comes last
        row = order.argsort(dim=1)[:, :n_points]  # t x n
        return TaskBatch(
            X=_take(every.X[task], row, n_points),
            Y=_take(every.Y[task], row, n_points),
            mask=_take(every.mask[task].unsqueeze(2), row, n_points).squeeze(2),
            task_ids=tuple(self.tasks[i].task_id for i in task.tolist()),
            Yvar=None if every.Yvar is None else _take(every.Yvar[task], row, n_points),
            sides=None if every.sides is None else _take(every.sides[task], row, n_points),
        )


def _take(values: Tensor, row: Tensor, n_points: int) -> Tensor:
    """Take rows of each task and pad with zeros. Shape `t x N x k` and `t x n` in, `t x n_points x k` out."""
    taken = values.gather(1, row.unsqueeze(2).expand(-1, -1, values.shape[2]))
    padded = values.new_zeros(values.shape[0], n_points, values.shape[2])
    padded[:, : taken.shape[1]] = taken
    return padded
