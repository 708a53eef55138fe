"""What a cheap outcome says of a dear one: members whose mean and covariance come from a belief about the other.

A member says `dear(x) = b0 + a + rho cheap(x) + rest(x) + noise`, where `cheap` is what the belief in the cheap outcome
says of it everywhere, its own measurements included, and `rest` a Gaussian process of its own. So the dear outcome at a
configuration and the next cheap measurement there are jointly Gaussian. Next in the tour: `discovery.belief.links`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from discovery.meta.bank import Bank, Inputs
from discovery.meta.components import Components, weighted
from discovery.meta.design import normal_quantiles, uniform_design
from discovery.meta.features import SourceFeatures
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.members import Members
from discovery.meta.meta_gp import MetaGP
from discovery.meta.process import Process
from discovery.meta.read_bank import ReadBank
from discovery.meta.reading import Reading
from discovery.meta.rows import Rows

SLOPE = (-0.35, 0.45)  # mean and sd of the logarithm of `rho`, standardized units on both sides
OPPOSED = 0.1  # share of members in which the dear outcome falls where the cheap one rises
REST = (-0.6, 0.5)  # mean and sd of the logarithm of what the cheap outcome leaves unsaid; at most all of it
DESIGN_SEED = 23


@dataclass(frozen=True)
class LinkedMean(SourceFeatures):
    """The mean of the cheap outcome as the one feature of a bank; there are no source configurations.

    Attributes:
        process: What is believed of the cheap outcome.
    """

    process: Process = None  # type: ignore[assignment]  # follows fields with defaults; always given

    @classmethod
    def of(cls, process: Process) -> LinkedMean:
        """Wrap a process."""
        none = process.log_weights[0].new_zeros(0)
        return cls(X=none, dual=none, inverse_lengthscale=none, constant=none, process=process)

    @property
    def n_features(self) -> int:
        """One."""
        return 1

    def __call__(self, X: Tensor) -> Tensor:
        """Evaluate the mean. Shape `* x d` to `* x 1`."""
        return self.process.mean(X)[..., None]


@dataclass(frozen=True)
class LinkedComponents(Components):
    """A space's own components, and last what is not yet known of the cheap outcome: its variance is not one.

    Attributes:
        process: What is believed of the cheap outcome.
    """

    process: Process

    @classmethod
    def beside(cls, plain: Components, process: Process) -> LinkedComponents:
        """Add a process to a space's own components."""
        return cls(plain.factor, plain.is_tanimoto, plain.smooth, process, mixing=plain.mixing)

    @property
    def n_components(self) -> int:
        """One more than the space's own."""
        return super().n_components + 1

    def plain(self, A: Tensor, B: Tensor) -> Tensor:
        """Evaluate the space's own components; see `__call__`."""
        return super().__call__(A, B)

    def __call__(self, A: Tensor, B: Tensor) -> Tensor:
        """Evaluate all components. Shapes `* x 1 x n x d`, `* x 1 x m x d` to `c x * x 1 x n x m`."""
        return torch.cat([self.plain(A, B), self.process.covariance(A, B)[None]])


class Joint(NamedTuple):
    """The dear and the cheap outcome at `n` points under every member, each in the unit of its bank. Shape `h x n`."""

    mean: Tensor
    variance: Tensor
    cheap_mean: Tensor
    cheap_variance: Tensor  # noise left out
    covariance: Tensor


class LinkedBank(Bank):
    """A bank whose last component is the process of a cheap outcome."""

    components: LinkedComponents

    @classmethod
    def of(cls, bank: Bank, process: Process | None = None) -> LinkedBank:
        """Take the place of a bank with linked components, with another process where one is given."""
        features, components = bank.features, bank.components
        if process is not None:
            features, components = LinkedMean.of(process), LinkedComponents.beside(components, process)
        return cls(bank.members, features, components, bank.X, bank.Y, bank.Yvar, bank.effects)

    @property
    def process(self) -> Process:
        """What is believed of the cheap outcome."""
        return self.components.process

    def variance_before(self, inputs: Inputs) -> Tensor:
        """Prior variance at points. Shape `* x h x n`."""
        m = self.members
        own = m.signal.square() + m.component_sd[:, :-1].square().sum(-1)
        points = inputs.encoded
        unknown = self.process.moments(points.reshape(-1, points.shape[-1])).variance.reshape(points.shape[:-1])
        return own[:, None] + m.component_sd[:, -1:].square() * unknown + inputs.features.square().sum(-1)

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the latent outcome at single points. Shape `N x d` to `* x h x N`, `h x N`."""
        told = self.joint(X)
        return told.mean, told.variance

    def joint(self, X: Tensor) -> Joint:
        """Return the dear and the cheap outcome at single points. Shape `N x d`."""
        test, m = self._inputs(X), self.members
        rho, cheap = m.slope[:, :1], self.process.moments(test.encoded[0])
        own = m.signal.square() + m.component_sd[:, :-1].square().sum(-1)
        before = own[:, None] + rho.square() * cheap.variance + test.features.square().sum(-1)
        unknown = self.process.covariance(self._train.encoded, test.encoded)  # 1 x n x N
        cross = self._without_process(test) + rho.square()[..., None] * unknown
        half = torch.linalg.solve_triangular(self._factor, cross, upper=False)
        half_cheap = torch.linalg.solve_triangular(self._factor, rho[..., None] * unknown, upper=False)
        whitened = self._whitened[..., None, :]
        return Joint(
            mean=test.mean + (whitened @ half)[..., 0, :],
            variance=torch.maximum(before - half.square().sum(-2), 1e-12 * m.prior_variance[:, None]),
            cheap_mean=cheap.mean + (whitened @ half_cheap)[..., 0, :],
            cheap_variance=(cheap.variance - half_cheap.square().sum(-2)).clamp_min(1e-12),
            covariance=rho * cheap.variance - (half * half_cheap).sum(-2),
        )

    def _without_process(self, test: Inputs) -> Tensor:
        """Prior covariance of measured points with others, the cheap outcome left out. Shape `h x n x N`."""
        m, train = self.members, self._train
        K = train.features @ test.features.transpose(-1, -2)
        K = K + m.signal[:, None, None].square() * matern52(squared_distance(train.scaled, test.scaled))
        if self.components.n_components > 1:
            K = K + weighted(m.component_sd[:, :-1].square(), self.components.plain(train.encoded, test.encoded))
        return K

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: object) -> LinkedBank:
        """Return the bank with further outcomes; shapes as in `Bank`."""
        return self.of(super().condition_on_observations(X, Y, **kwargs))

    def with_outcomes(self, Y: Tensor) -> LinkedBank:
        """Return the bank with other outcomes at the same configurations."""
        return self.of(super().with_outcomes(Y))


@dataclass(frozen=True)
class LinkedGP(MetaGP):
    """A prior that follows a cheap outcome, ready to adapt. It lives for one cycle and is never stored."""

    @classmethod
    def to(cls, cold: MetaGP, process: Process) -> LinkedGP:
        """Link the prior of a campaign without experience to a cheap outcome."""
        return cls(
            members=linked_members(cold.members),
            features=LinkedMean.of(process),
            components=LinkedComponents.beside(cold.components, process),
            scale=cold.scale,
            device=cold.device,
        )

    def _condition(self, rows: Rows, reading: Reading, index: Tensor) -> ReadBank:
        read = super()._condition(rows, reading, index)
        return ReadBank(LinkedBank.of(read.bank), read.own_reading)


def linked_members(members: Members) -> Members:
    """Give members without features a slope each, and as much of their own freedom as the slope leaves."""
    uniform = uniform_design(members.n_members, 3, DESIGN_SEED, members.signal.device)
    normal = normal_quantiles(uniform)
    slope = torch.where(uniform[:, 2:] < OPPOSED, -1.0, 1.0) * (SLOPE[0] + SLOPE[1] * normal[:, :1]).exp()
    rest = (REST[0] + REST[1] * normal[:, 1]).exp().clamp_max(1.0)
    return replace(
        members,
        component_sd=torch.cat([rest[:, None] * members.component_sd, slope.abs()], dim=1),
        signal=rest * members.signal,
        slope=slope,
        slope_sd=torch.zeros_like(slope),
    )
