"""Tasks as values: one function to learn, and a padded batch of many.

A task holds encoded configurations and raw outcomes. A batch pads them to one length and masks the padding, so that
meta-training runs over all tasks at once. Next in the tour: `discovery.meta`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from discovery.errors import InputError, ShapeError
from discovery.shapes import check_shape

if TYPE_CHECKING:
    from discovery.space import AlignedSpace


@dataclass(frozen=True)
class Task:
    """One task with measured or simulated outcomes.

    Attributes:
        task_id: Name of the task, unique within its source.
        X: Encoded configurations. Shape `n x d`; float64; in the unit cube, but for numbers beyond the campaign's
            bounds.
        Y: Outcomes in raw units. Shape `n x m`; float64.
        Yvar: Known noise variances in raw units, shape `n x m`, or None.
        source: Where it comes from: a file name, `campaign:<name>` or `simulator:<name>`.
        space: The space of X where that is wider than the campaign's own; one object for all tasks of a history.
    """

    task_id: str
    X: np.ndarray
    Y: np.ndarray
    Yvar: np.ndarray | None = None
    source: str = ""
    space: AlignedSpace | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("X", self.X, "n x d")
        check_shape("Y", self.Y, "n x m", n=sizes["n"])

    @property
    def n_points(self) -> int:
        """Number of measurements in the task."""
        return int(self.X.shape[0])


@dataclass(frozen=True)
class TaskBatch:
    """Many tasks, padded to one length.

    Attributes:
        X: Encoded configurations. Shape `t x n x d`; unit cube; float64; padding is zero.
        Y: Outcomes in raw units. Shape `t x n x m`; padding is zero.
        mask: True where a row is real. Shape `t x n`.
        Yvar: Known noise variances, shape `t x n x m`, or None.
        task_ids: One name per task.
        truth: What a simulator knows and a laboratory does not, by name (noise-free outcomes are
            `truth["Y"]`, shape `t x n x m`), or None.
    """

    X: Tensor
    Y: Tensor
    mask: Tensor
    task_ids: tuple[str, ...]
    Yvar: Tensor | None = None
    truth: Mapping[str, Tensor] | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("X", self.X, "t x n x d")
        check_shape("Y", self.Y, "t x n x m", t=sizes["t"], n=sizes["n"])
        check_shape("mask", self.mask, "t x n", t=sizes["t"], n=sizes["n"])
        if len(self.task_ids) != sizes["t"]:
            raise ShapeError(f"task_ids must name each of the {sizes['t']} tasks; got {len(self.task_ids)} names.")

    @property
    def n_tasks(self) -> int:
        """Number of tasks `t`."""
        return int(self.X.shape[0])

    def to(self, device: torch.device) -> TaskBatch:
        """Return the batch on a device."""
        truth = None if self.truth is None else {k: v.to(device) for k, v in self.truth.items()}
        yvar = None if self.Yvar is None else self.Yvar.to(device)
        return replace(
            self, X=self.X.to(device), Y=self.Y.to(device), mask=self.mask.to(device), Yvar=yvar, truth=truth
        )

    @classmethod
    def from_tasks(cls, tasks: Sequence[Task], device: torch.device | str = "cpu") -> TaskBatch:
        """Pad tasks of one space to a batch.

        Raises:
            InputError: If there is no task, or the tasks differ in their number of dimensions or outcomes.
        """
        if not tasks:
            raise InputError("A task batch needs at least one task; got none.")
        kinds = {(task.X.shape[1], task.Y.shape[1]) for task in tasks}
        if len(kinds) > 1:
            raise InputError(f"All tasks of a batch must share one space; got (d, m) of {sorted(kinds)}.")
        d, m = kinds.pop()
        t, n = len(tasks), max(task.n_points for task in tasks)
        X, Y, Yvar = np.zeros((t, n, d)), np.zeros((t, n, m)), np.zeros((t, n, m))
        mask = np.zeros((t, n), dtype=bool)
        for i, task in enumerate(tasks):  # padding copies once per task; everything after is batched
            X[i, : task.n_points], Y[i, : task.n_points] = task.X, task.Y
            mask[i, : task.n_points] = True
            if task.Yvar is not None:
                Yvar[i, : task.n_points] = task.Yvar
        known = all(task.Yvar is not None for task in tasks)
        return cls(
            X=torch.as_tensor(X, device=device),
            Y=torch.as_tensor(Y, device=device),
            mask=torch.as_tensor(mask, device=device),
            task_ids=tuple(task.task_id for task in tasks),
            Yvar=torch.as_tensor(Yvar, device=device) if known else None,
        )
