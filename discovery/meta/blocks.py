"""Random effects of blocks: measurements of one plate, day or operator share a shift that nobody chose.

A member says of a block column how much its levels differ, `u_b ~ N(0, sb^2)`; what members are told about it is not
fitted but weighed by the evidence. A prediction is of a new block, whose shift is not known. Next in the tour:
`discovery.meta.rows`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from discovery.meta.members import Members

ONE = ((0.0, 0.4), (0.15, 0.3), (0.4, 0.2), (1.0, 0.1))  # standard deviation of the shifts and prior weight, where
SEVERAL = ((0.0, 0.6), (0.4, 0.4))  # there is one block column, and where there are more; in those of the signal


@dataclass(frozen=True)
class BlockEffects:
    """How measurements of one block belong together.

    Attributes:
        variance: Variance of the shifts per member and block column. Shape `h x c`.
        levels: Level of every measurement in each column. Shapes `n`.
    """

    variance: Tensor
    levels: tuple[Tensor, ...]

    @property
    def total(self) -> Tensor:
        """Variance that the shifts of a new block add to a prediction. Shape `h`."""
        return self.variance.sum(-1)

    def __getitem__(self, index: Tensor) -> BlockEffects:
        """Select members."""
        return replace(self, variance=self.variance[index])

    def scaled(self, factor: float) -> BlockEffects:
        """Return the effects on outcomes in another unit: `factor` new units are one old unit."""
        return replace(self, variance=self.variance * factor**2)

    def covariance(self, n: int) -> Tensor:
        """Covariance of the shifts of `n` outcomes, those beyond the measurements in new blocks. Shape `h x n x n`."""
        same = torch.eye(n, dtype=self.variance.dtype, device=self.variance.device).repeat(len(self.levels), 1, 1)
        for part, level in zip(same, self.levels, strict=True):
            part[: len(level), : len(level)] = (level[:, None] == level).to(part)
        return torch.einsum("hc,cij->hij", self.variance, same)


def with_effects(members: Members, levels: tuple[Tensor, ...]) -> tuple[Members, BlockEffects]:
    """Tell members with several sizes of block effects.

    Args:
        members: Members, any unit.
        levels: Level of every measurement in each block column; at least one column.

    Returns:
        As many times the members as there are sizes, and the effects, in the members' unit.
    """
    sizes = ONE if len(levels) == 1 else SEVERAL
    combinations = torch.tensor(list(product(sizes, repeat=len(levels))), dtype=members.signal.dtype)  # s x c x 2
    combinations = combinations.to(members.signal.device)
    s, h = len(combinations), members.n_members
    every = members[torch.arange(h, device=members.signal.device).repeat(s)]
    prior = combinations[..., 1].log().sum(-1).repeat_interleave(h)
    signal = every.signal.square() + every.component_sd.square().sum(-1)
    variance = combinations[..., 0].square().repeat_interleave(h, dim=0) * signal[:, None]
    return replace(every, log_prior=every.log_prior + prior), BlockEffects(variance, levels)
