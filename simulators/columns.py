"""How the encoded columns of a space belong to its parameters, and random configurations of it in one call.

Reads a `SearchSpace`, gives tensors that physics can index. Next in the tour: `simulators.measuring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from discovery.errors import ConfigurationError, InputError
from discovery.shapes import check_shape
from discovery.space import SearchSpace
from discovery.space.codecs import Codec, ListedCodec
from simulators.draws import Draws

NUMBER, ONE_HOT, DESCRIPTORS = "number", "one_hot", "descriptors"

Bound = TypeVar("Bound")


@dataclass(frozen=True)
class Columns:
    """The encoded columns of one space, block by block.

    Attributes:
        space: The space.
    """

    space: SearchSpace

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameter name of every block."""
        return tuple(block.name for block in self.space.blocks)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Columns of every block."""
        return tuple(slice(block.start, block.stop) for block in self.space.blocks)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What every block holds: `number`, `one_hot` or `descriptors`."""
        return tuple(
            NUMBER if codec.kind != "categorical" else ONE_HOT if _is_one_hot(codec) else DESCRIPTORS
            for codec in self.space.codecs
        )

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of every parameter that the space knows one of."""
        stated = {p.name: getattr(p, "unit", "") for p in getattr(self.space, "parameters", ())}
        return {name: unit for name, unit in stated.items() if unit}

    @property
    def n_blocks(self) -> int:
        """Number of parameters."""
        return len(self.slices)

    @property
    def n_dims(self) -> int:
        """Number of encoded dimensions `d`."""
        return self.space.n_dims

    def per_column(self, values: dict[str, float], device: torch.device) -> Tensor:
        """Spread one value per kind of block over the columns. Shape `d`."""
        return self.spread(torch.tensor([values[kind] for kind in self.kinds], dtype=torch.float64, device=device))

    def spread(self, per_block: Tensor) -> Tensor:
        """Repeat values of blocks over their columns. Shape `... x n_blocks` in, `... x d` out."""
        return per_block[..., self.block_of.to(per_block.device)]

    @cached_property
    def block_of(self) -> Tensor:
        """Number of the block that every column belongs to. Shape `d`."""
        return torch.repeat_interleave(torch.arange(self.n_blocks), self.widths)

    @cached_property
    def widths(self) -> Tensor:
        """Number of columns of every block. Shape `n_blocks`."""
        return torch.tensor([s.stop - s.start for s in self.slices])


def _is_one_hot(codec: Codec) -> bool:
    return isinstance(codec, ListedCodec) and np.array_equal(codec.table, np.eye(len(codec.labels)))


def bound_columns(simulator: str, space: object) -> Columns:
    """Return the columns of a space that a simulator is bound to.

    Raises:
        ConfigurationError: If it is not a search space.
    """
    if not isinstance(space, SearchSpace):
        got = type(space).__name__
        raise ConfigurationError(
            f"{simulator} must be bound to a SearchSpace; got {got}.", "Make one with SearchSpace.from_spec."
        )
    return Columns(space)


def require_bound(simulator: str, bound: Bound | None) -> Bound:
    """Return what `bind` found out about the space, or say that it comes first.

    Raises:
        ConfigurationError: If the simulator is not bound to a space yet.
    """
    if bound is None:
        raise ConfigurationError(
            f"{simulator} must be bound to a space before it is sampled; got none.", "Call bind(space) first."
        )
    return bound


def configurations(columns: Columns, n_tasks: int, n_points: int, draws: Draws, points: Tensor | None) -> Tensor:
    """Return random valid configurations for all tasks, drawn in one call, or the given ones shared by all tasks.

    Args:
        columns: Columns of the space.
        n_tasks: Number of tasks `t`.
        n_points: Number of points `n` per task.
        draws: Source of the randomness.
        points: Shared configurations, or None. Shape `n x d`; unit cube.

    Returns:
        Encoded configurations. Shape `t x n x d`; unit cube; float64; shared ones are one storage seen `t` times.

    Raises:
        InputError: If a number is below one.
        ShapeError: If the given points have another shape.
    """
    if n_tasks < 1 or n_points < 1:
        raise InputError(f"Tasks and points must each be at least 1; got {n_tasks} tasks of {n_points} points.")
    d = columns.n_dims
    if points is not None:
        check_shape("points", points, "n x d", n=n_points, d=d)
        return points.to(draws.device, torch.float64).expand(n_tasks, n_points, d)
    flat = columns.space.sample(n_tasks * n_points, draws.numpy())
    return torch.as_tensor(flat, dtype=torch.float64, device=draws.device).reshape(n_tasks, n_points, d)
