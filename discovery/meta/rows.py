"""What is said of single measurements, and members conditioned on them: bounds, known noise, blocks, doubtful values.

Measurements of which nothing is said go through `MetaGP` alone; here is the rest. Next in the tour:
`discovery.meta.censored`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.meta.bank import Bank
from discovery.meta.censored import Told, tell
from discovery.meta.components import Components
from discovery.meta.features import SourceFeatures
from discovery.meta.learner import Support
from discovery.meta.members import Members
from discovery.meta.reading import Reading

MOST_NUMBERS = 2_000_000  # of covariances at once: more no longer fit into a processor's cache


@dataclass(frozen=True)
class Rows:
    """Members and measurements of which something is said.

    Attributes:
        members: Members in standardized units.
        features: The hypothesis's features.
        components: Correlation functions that the members share.
        support: The measurements, raw units.
    """

    members: Members
    features: SourceFeatures
    components: Components
    support: Support

    @property
    def side(self) -> Tensor:
        """Which measurements are bounds: -1, 0 or 1. Shape `n`."""
        if self.support.limits is None:
            return torch.zeros_like(self.support.y, dtype=torch.long)
        return self.support.limits

    def log_steps(self, reading: Reading) -> Tensor:
        """Return log densities of values and log probabilities of bounds per raw unit. Shape `k x h x n`.

        Measured values are scored in their order, then bounds given all of them: the sum is the log evidence, to which
        order is nothing.
        """
        z, log_slope = reading.read(self.support.y)
        prior, n = self._prior(self.members), len(self.support.y)
        at_once = max(1, MOST_NUMBERS // max(1, self.members.n_members * n * n))
        parts = zip(z.split(at_once), log_slope.split(at_once), strict=True)
        steps = [self._tell(self.members, prior, part[:, None], slope[:, None]).log_steps for part, slope in parts]
        jacobian = torch.where(self.side == 0, log_slope, torch.zeros_like(log_slope))
        return torch.cat(steps) + jacobian[:, None, :]

    def bank(self, reading: Reading, index: Tensor) -> Bank:
        """Condition members `index` on the measurements, each with its own reading. Shape `h` both."""
        members = self.members[index]
        z, log_slope = reading.read(self.support.y)
        told = self._tell(members, self._prior(members), z, log_slope)
        extra = told.variance - members.noise.square()[:, None]
        return Bank(members, self.features, self.components, self.support.X, told.y, extra.clamp_min(0.0))

    def _prior(self, members: Members) -> tuple[Tensor, Tensor]:
        zero = self.support.y.new_zeros(members.n_members, len(self.support.y))
        return Bank(members, self.features, self.components, self.support.X, zero).prior()

    def _tell(self, members: Members, prior: tuple[Tensor, Tensor], z: Tensor, log_slope: Tensor) -> Told:
        """Condition members on standardized outcomes. Shape of `z` and `log_slope`: `(k x) (1 | h) x n`."""
        noise = members.noise.square()[:, None]
        if self.support.yvar is not None:
            noise = noise + self.support.yvar * (2 * log_slope.clamp_min(-300)).exp()
        h, n = prior[0].shape
        return tell(*prior, noise.expand(*noise.shape[:-2], h, n), z.expand(*z.shape[:-2], h, n), self.side)
