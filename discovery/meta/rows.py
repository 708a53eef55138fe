"""What is said of single measurements, and members conditioned on them: bounds, known noise, blocks, doubtful values.

Measurements of which nothing is said go through `MetaGP` alone; here is the rest. Next in the tour:
`discovery.meta.censored`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.meta.bank import Bank
from discovery.meta.blocks import BlockEffects, with_effects
from discovery.meta.censored import Told, tell
from discovery.meta.components import Components
from discovery.meta.features import SourceFeatures
from discovery.meta.learner import Support
from discovery.meta.members import Members
from discovery.meta.reading import Reading

MOST_NUMBERS = 2_000_000  # of covariances at once: more no longer fit into a processor's cache


@dataclass(frozen=True)
class Rows:
    """Members and measurements.

    Attributes:
        members: Members in standardized units.
        features: The hypothesis's features.
        components: Correlation functions that the members share.
        support: The measurements, raw units.
        effects: Shifts that measurements of one block share, standardized units; None without blocks.
        widening: Variance that is added to a measurement's noise, standardized units. Shape `h x n`, or None.
    """

    members: Members
    features: SourceFeatures
    components: Components
    support: Support
    effects: BlockEffects | None = None
    widening: Tensor | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said of single measurements but their known noise."""
        return self.support.limits is None and self.effects is None and self.widening is None

    @property
    def is_doubting(self) -> Tensor:
        """Which members take some measurements for anything. Shape `h`, bool."""
        if self.widening is None:
            return torch.zeros_like(self.members.signal, dtype=torch.bool)
        return (self.widening > 0).any(-1)

    def with_effects(self) -> Rows:
        """Return the members told with several sizes of block effects; the same where there are no blocks."""
        if not self.support.blocks:
            return self
        members, effects = with_effects(self.members, self.support.blocks)
        return replace(self, members=members, effects=effects)

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
        prior, n = self.prior(), len(self.support.y)
        at_once = max(1, MOST_NUMBERS // max(1, self.members.n_members * n * n))
        parts = zip(z.split(at_once), log_slope.split(at_once), strict=True)
        every = torch.arange(self.members.n_members, device=z.device)
        steps = [self._tell(every, prior, part[:, None], slope[:, None]).log_steps for part, slope in parts]
        jacobian = torch.where(self.side == 0, log_slope, torch.zeros_like(log_slope))
        return torch.cat(steps) + jacobian[:, None, :]

    def log_steps_of(self, reading: Reading, index: Tensor) -> Tensor:
        """Return the same for members `index`, each with its own reading. Shape `h x n`."""
        z, log_slope = reading.read(self.support.y)
        effects = None if self.effects is None else self.effects[index]
        told = self._tell(index, self._prior(self.members[index], effects), z, log_slope)
        return told.log_steps + torch.where(self.side == 0, log_slope, torch.zeros_like(log_slope))

    def bank(self, reading: Reading, index: Tensor) -> Bank:
        """Condition members `index` on the measurements, each with its own reading. Shape `h` both."""
        members = self.members[index]
        z, log_slope = reading.read(self.support.y)
        effects = None if self.effects is None else self.effects[index]
        told = self._tell(index, self._prior(members, effects), z, log_slope)
        extra = (told.variance - members.noise.square()[:, None]).clamp_min(0.0)
        return Bank(members, self.features, self.components, self.support.X, told.y, extra, effects)

    def prior(self) -> tuple[Tensor, Tensor]:
        """Prior mean, `h x n`, and covariance, `h x n x n`, of the measurements without noise."""
        return self._prior(self.members, self.effects)

    def _prior(self, members: Members, effects: BlockEffects | None) -> tuple[Tensor, Tensor]:
        zero = self.support.y.new_zeros(members.n_members, len(self.support.y))
        return Bank(members, self.features, self.components, self.support.X, zero, effects=effects).prior()

    def noise(self, index: Tensor, log_slope: Tensor) -> Tensor:
        """Noise variances of every measurement under members `index`, standardized. Shape `(k x) h x n`."""
        noise = self.members.noise[index].square()[:, None].expand(-1, len(self.support.y))
        if self.support.yvar is not None:
            noise = noise + self.support.yvar * (2 * log_slope.clamp_min(-300)).exp()
        return noise if self.widening is None else noise + self.widening[index]

    def _tell(self, index: Tensor, prior: tuple[Tensor, Tensor], z: Tensor, log_slope: Tensor) -> Told:
        """Condition members on standardized outcomes. Shape of `z` and `log_slope`: `(k x) (1 | h) x n`."""
        shape = (*z.shape[:-2], *prior[0].shape)
        return tell(*prior, self.noise(index, log_slope), z.expand(shape), self.side)
