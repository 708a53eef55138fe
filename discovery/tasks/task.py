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
        sides: Which outcomes are bounds: -1 where the true value lies at or below, +1 at or above, 0 measured. Shape
            `n x m`, int8; None where all were measured.
    """

    task_id: str
    X: np.ndarray
    Y: np.ndarray
    Yvar: np.ndarray | None = None
    source: str = ""
    space: AlignedSpace | None = None
    sides: np.ndarray | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("X", self.X, "n x d")
        sizes = check_shape("Y", self.Y, "n x m", n=sizes["n"])
        if self.sides is not None:
            check_shape("sides", self.sides, "n x m", n=sizes["n"], m=sizes["m"])

    @property
    def n_points(self) -> int:
        """Number of measurements in the task."""
        return int(self.X.shape[0])

    @property
    def is_measured(self) -> np.ndarray:
        """Rows whose outcomes are values, not bounds. Shape `n`, bool."""
        return np.ones(self.n_points, dtype=bool) if self.sides is None else np.asarray((self.sides == 0).all(axis=1))

    @property
    def n_bounds(self) -> int:
        """Number of rows with a bound."""
        return int((~self.is_measured).sum())

    def measured(self) -> Task:
        """Return the task without its bounds, for who can only learn from values; it may be left with no row."""
        if self.sides is None:
            return self
        kept = self.is_measured
        Yvar = None if self.Yvar is None else self.Yvar[kept]
        return replace(self, X=self.X[kept], Y=self.Y[kept], Yvar=Yvar, sides=None)


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
        sides: Which outcomes are bounds: -1, 0 or 1, see `Task`. Shape `t x n x m`, or None where all were measured.
    """

    X: Tensor
    Y: Tensor
    mask: Tensor
    task_ids: tuple[str, ...]
    Yvar: Tensor | None = None
    truth: Mapping[str, Tensor] | None = None
    sides: Tensor | None = None

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

    @property
    def measured(self) -> Tensor:
        """Real rows whose first outcome is a value, not a bound. Shape `t x n`."""
        return self.mask if self.sides is None else self.mask & (self.sides[..., 0] == 0)

    def to(self, device: torch.device) -> TaskBatch:
        """Return the batch on a device."""
        truth = None if self.truth is None else {k: v.to(device) for k, v in self.truth.items()}
        yvar = None if self.Yvar is None else self.Yvar.to(device)
        sides = None if self.sides is None else self.sides.to(device)
        X, Y, mask = self.X.to(device), self.Y.to(device), self.mask.to(device)
        return replace(self, X=X, Y=Y, mask=mask, Yvar=yvar, truth=truth, sides=sides)

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
        sides = np.zeros((t, n, m), dtype=np.int8)
        mask = np.zeros((t, n), dtype=bool)
        for i, task in enumerate(tasks):  # padding copies once per task; everything after is batched
            X[i, : task.n_points], Y[i, : task.n_points] = task.X, task.Y
            mask[i, : task.n_points] = True
            if task.Yvar is not None:
                Yvar[i, : task.n_points] = task.Yvar
            if task.sides is not None:
                sides[i, : task.n_points] = task.sides
        known = all(task.Yvar is not None for task in tasks)
        return cls(
            X=torch.as_tensor(X, device=device),
            Y=torch.as_tensor(Y, device=device),
            mask=torch.as_tensor(mask, device=device),
            task_ids=tuple(task.task_id for task in tasks),
            Yvar=torch.as_tensor(Yvar, device=device) if known else None,
            sides=torch.as_tensor(sides, device=device) if sides.any() else None,
        )
