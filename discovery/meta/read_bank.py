"""A bank whose members read the outcome in their own ways: standardized inside, raw outcomes outside.

Inside stands an ordinary `Bank` in standardized units. A warped member's prediction is not Gaussian in raw units, so it
is told as a few Gaussian slices (`discovery.meta.slices`).
"""

from __future__ import annotations

from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from discovery.meta.bank import LEAST_VARIANCE, Bank
from discovery.meta.features import SourceFeatures
from discovery.meta.growing import GrowingRead
from discovery.meta.reading import Reading
from discovery.meta.slices import Slices


class ReadBank(Model):
    """Members with a reading each; batch shape `[h']`, where a warped member counts once per slice.

    Args:
        bank: The members in standardized units, outcomes as each reads them.
        reading: One reading per member of the bank. Shape `h`.
    """

    def __init__(self, bank: Bank, reading: Reading) -> None:
        super().__init__()
        self.bank, self.own_reading = bank, reading
        self.slices = Slices.of(reading)

    @property
    def num_outputs(self) -> int:
        """One outcome per bank."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Slices last."""
        return torch.Size((*self.bank.batch_shape[:-1], len(self.slices.owner)))

    @property
    def n_dims(self) -> int:
        """Encoded dimensions."""
        return self.bank.n_dims

    @property
    def features(self) -> SourceFeatures:
        """The hypothesis's features."""
        return self.bank.features

    @property
    def X(self) -> Tensor:
        """Support configurations. Shape `* x (1 | h) x n x d`."""
        return self.bank.X

    @property
    def Y(self) -> Tensor:
        """Support outcomes, raw units. Shape `* x h' x n`."""
        return self.slices.reading.raw(self.bank.Y[..., self.slices.owner, :])

    @property
    def prior_sd(self) -> Tensor:
        """Prior standard deviation of the latent outcome at the center of every reading, raw units. Shape `h'`."""
        at_center = torch.zeros(
            len(self.slices.owner), 1, dtype=self.slices.shift.dtype, device=self.slices.shift.device
        )
        return self.bank.prior_sd[self.slices.owner] * self.slices.reading.slope(at_center)[:, 0]

    def member_weights(self, log_weight: Tensor) -> Tensor:
        """Spread log weights of the members over their slices. Shape `h` to `h'`."""
        return self.slices.spread(log_weight)

    def with_features(self, X: Tensor) -> Tensor:
        """Append the feature columns to configurations. Shape `* x d` to `* x (d + j)`."""
        return self.bank.with_features(X)

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the latent outcome at single points, raw units.

        Args:
            X: Configurations, with or without feature columns. Shape `N x d`.

        Returns:
            Mean and variance, shape `* x h' x N`.
        """
        return self._in_raw_units(*self.bank.marginals(X))

    def predictive(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the next noisy outcome at single points, raw units. Shapes as for `marginals`."""
        return self._in_raw_units(*self.bank.predictive(X))

    def _in_raw_units(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        sd = variance.sqrt()
        raw, tangent = self.slices.raw(mean, sd)
        return raw, (tangent * sd[..., self.slices.owner, :]).square()

    def growing(self, X: Tensor) -> GrowingRead:
        """Prepare for imagined outcomes at some of `N` points, with or without feature columns. Shape `N x d`."""
        return GrowingRead(self.bank.growing(X), self.own_reading, self.slices)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any | None = None,
    ) -> Any:
        """Return the joint posterior of `q` points under every slice, by the tangents of the readings.

        Args:
            X: Configurations. Shape `* x q x d`; batch dimensions broadcast against the batch shape.
            output_indices: Not used: a bank has one outcome.
            observation_noise: Whether to add the members' noise.
            posterior_transform: A BoTorch posterior transform.

        Returns:
            A `GPyTorchPosterior` with event shape `* x h' x q x 1`.
        """
        inside = self.bank.posterior(X, observation_noise=bool(observation_noise)).distribution
        sd = inside.variance.clamp_min(1e-18).sqrt()
        raw, tangent = self.slices.raw(inside.mean, sd)
        if self.bank.is_pool(X):
            variance = (tangent * sd[..., self.slices.owner, :]).square()
            covariance = DiagLinearOperator(variance.clamp_min(LEAST_VARIANCE))
        else:
            inner = inside.covariance_matrix[..., self.slices.owner, :, :]
            covariance = to_linear_operator(tangent[..., :, None] * inner * tangent[..., None, :])
        posterior = GPyTorchPosterior(MultivariateNormal(raw, covariance))
        return posterior_transform(posterior) if posterior_transform is not None else posterior

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> ReadBank:
        """Return the bank with further outcomes, one per slice where they differ (a member takes its first slice's).

        Args:
            X: New configurations. Shape `q x d`, or `* x q x d`.
            Y: New outcomes, raw units. Shape `q x 1`, or `* x h' x q x 1`.
            **kwargs: Not used.
        """
        own = Y[..., 0] if Y.ndim == 2 else Y[..., self.slices.first, :, 0]
        return ReadBank(
            self.bank.condition_on_observations(X, self.own_reading.read(own)[0][..., None]), self.own_reading
        )

    def with_outcomes(self, Y: Tensor) -> ReadBank:
        """Return the bank with other outcomes at the same configurations, raw units. Shape `* x h' x n`."""
        return ReadBank(
            self.bank.with_outcomes(self.own_reading.read(Y[..., self.slices.first, :])[0]), self.own_reading
        )

    def scaled(self, factor: float) -> ReadBank:
        """Return the bank with outcomes in another unit: `factor` new units are one old unit."""
        return ReadBank(self.bank, self.own_reading.scaled(factor))
