"""The axis on which each member of a belief is Gaussian, and how raw outcomes belong to it.

A member that reads outcomes through a warp is Gaussian on its standardized axis and not in raw units. Worlds are drawn,
and members conditioned, where they are Gaussian; improvements are computed in raw units, where a warped member is told
as a few Gaussian slices. Next in the tour: `discovery.evaluation.worlds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from discovery.belief.belief import KeptBank
from discovery.meta.learner import Surrogate
from discovery.meta.read_bank import ReadBank
from discovery.meta.reading import Reading
from discovery.meta.slices import Slices


@dataclass(frozen=True)
class Axes:
    """One axis per member (or per world).

    Attributes:
        reading: How raw outcomes are put on each axis, and back. Shape `h`.
    """

    reading: Reading

    @classmethod
    def of(cls, part: KeptBank) -> tuple[Surrogate, Tensor, Axes]:
        """Take a hypothesis's kept members apart: the Gaussian model, log weights per member, their axes."""
        bank = part.bank
        if isinstance(bank, ReadBank):
            first = bank.slices.first
            return bank.bank, part.log_weight[first] - bank.slices.log_share[first], cls(bank.own_reading)
        return bank, part.log_weight, cls(_raw_readings(part.log_weight))

    @classmethod
    def join(cls, parts: Sequence[Axes]) -> Axes:
        """Put the axes of several hypotheses behind each other."""
        names = [f.name for f in fields(Reading)]
        return cls(Reading(**{name: torch.cat([getattr(part.reading, name) for part in parts]) for name in names}))

    def of_members(self, index: Tensor) -> Axes:
        """Select axes."""
        return Axes(self.reading[index])

    def raw(self, z: Tensor) -> Tensor:
        """Return raw outcomes for values on the axes. Shape `h x n`."""
        return self.reading.raw(z)

    def read(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Put raw outcomes (shape `f`) on all axes; return values and log of `dz / dy`, shape `f x h` each."""
        z, log_slope = self.reading.read(y[:, None, None])
        shape = (len(y), self.reading.n_readings)
        return z.expand(*shape, 1)[..., 0], log_slope.expand(*shape, 1)[..., 0]

    def raw_marginals(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and standard deviations of Gaussians in raw units, several per warped member.

        Args:
            mean: On the axes. Shape `f x h x N`.
            sd: On the axes; same shape.

        Returns:
            Shape `f x h' x N` each; `spread` gives the weights.
        """
        raw, tangent = self._slices.raw(mean, sd)
        return raw, tangent * sd[:, self._slices.owner]

    def spread(self, log_weight: Tensor) -> Tensor:
        """Spread log weights of members over their slices. Shape `f x h` to `f x h'`."""
        return self._slices.spread(log_weight)

    @cached_property
    def _slices(self) -> Slices:
        return Slices.of(self.reading)


def _raw_readings(like: Tensor) -> Reading:
    """Return axes that are the raw outcomes themselves, one per weight."""
    zero, one = torch.zeros_like(like), torch.ones_like(like)
    return Reading(sign=zero, edge=zero, unit=one, delta=one, reach=one, center=zero, spread=one, log_prior=zero)
