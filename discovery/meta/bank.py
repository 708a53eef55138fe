"""A bank: all members of one hypothesis conditioned on the same measurements, as one BoTorch model.

One batched Cholesky factorization gives every member's posterior and its evidence; the factor's rows are the one-step
densities, so the product of predictions before each measurement *is* the marginal likelihood. Next: `discovery.belief`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from botorch.models.model import FantasizeMixin, Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from discovery.errors import ShapeError
from discovery.meta.blocks import BlockEffects
from discovery.meta.components import Components, weighted
from discovery.meta.features import SourceFeatures
from discovery.meta.growing import GrowingGaussian
from discovery.meta.kernels import kumaraswamy, matern52, squared_distance
from discovery.meta.members import Members

LOG_2PI = math.log(2 * math.pi)
LEAST_VARIANCE = 1e-10  # GPyTorch takes less for an error, and says so; in units in which outcomes vary by about one
JITTER = 1e-11  # of the prior variance: two measurements of one configuration must not be singular to rounding


class Inputs(NamedTuple):
    """Configurations as every member sees them."""

    encoded: Tensor  # as they came: * x (1 | h) x q x d
    scaled: Tensor  # smooth columns, warped, divided by lengthscales: * x h x q x d'
    features: Tensor  # times slope sds, and the random intercept's: * x h x q x (j + 1)
    mean: Tensor  # prior mean: * x h x q


class Bank(FantasizeMixin, Model):
    """Members conditioned on a support, batch shape `[h]` (or `[..., h]` after fantasies).

    Inputs of `posterior` have shape `* x q x d` where the batch dimensions broadcast against `h`, for example
    `b x 1 x q x d`. Inputs may carry their feature values in extra columns (`d + j` in all, made by `with_features`);
    features are then not computed again, which is how a pool is scored cheaply.

    Args:
        members: Members in raw outcome units.
        features: The hypothesis's features.
        components: Correlation functions that the members share.
        X: Support configurations. Shape `n x d` or `* x n x d`; `n` may be zero.
        Y: Measured outcomes, raw units. Shape `n`, or `* x h x n` with one value per member.
        Yvar: Known noise variances, shape `n` or `h x n`, added to each member's own noise; None where none are known.
        effects: Shifts that measurements of one block share; None without blocks.
    """

    def __init__(
        self,
        members: Members,
        features: SourceFeatures,
        components: Components,
        X: Tensor,
        Y: Tensor,
        Yvar: Tensor | None = None,
        effects: BlockEffects | None = None,
    ) -> None:
        super().__init__()
        self.members, self.features, self.components = members, features, components
        self.n_dims = int(components.factor.shape[-1])
        self.X = X if X.ndim > 2 else X[None]  # * x (1 | h) x n x d
        self.Y = Y if Y.ndim > 1 else Y.expand(members.n_members, -1)  # * x h x n
        self.Yvar, self.effects = Yvar, effects
        self.noise_variance = members.noise.square() if effects is None else members.noise.square() + effects.total
        self._is_warped = members.is_warped
        if self.X.shape[-2] != self.Y.shape[-1]:
            raise ShapeError(f"Y must hold one outcome per row of X; got {self.Y.shape[-1]} for {self.X.shape[-2]}.")
        self.likelihood = None  # BoTorch's `fantasize` asks for one; the members' noise is their own
        self._condition()

    @property
    def num_outputs(self) -> int:
        """One outcome per bank."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Members last: `[h]`, or `[..., h]` for fantasies."""
        return torch.broadcast_shapes(self.Y.shape[:-1], self._factor.shape[:-2])

    @property
    def prior_sd(self) -> Tensor:
        """Prior standard deviation of the latent outcome under every member, features left out. Shape `h`."""
        return self.members.prior_variance.sqrt()

    def with_features(self, X: Tensor) -> Tensor:
        """Append the feature columns to configurations. Shape `* x d` to `* x (d + j)`."""
        return torch.cat([X, self.features(X)], dim=-1)

    def _split(self, X: Tensor) -> tuple[Tensor, Tensor]:
        d, j = self.n_dims, self.features.n_features
        if X.shape[-1] == d + j and j:
            return X[..., :d], X[..., d:]
        if X.shape[-1] != d:
            raise ShapeError(f"X must have {d} columns (or {d + j} with features); got {X.shape[-1]}.")
        return X, self.features(X)

    def _inputs(self, X: Tensor) -> Inputs:
        X, F = self._split(X)
        X = X if X.ndim > 2 else X[None]
        m, smooth = self.members, self.components.smooth_columns(X)
        if self._is_warped:
            smooth = kumaraswamy(smooth, m.warp_a[:, None, :], m.warp_b[:, None, :])
        mean = m.offset[:, None] + (F @ m.slope[:, :, None])[..., 0]
        linear = F * m.slope_sd[:, None, :]
        intercept = m.offset_sd[:, None, None].expand(*linear.shape[:-1], 1)
        return Inputs(X, smooth * m.inverse_lengthscale[:, None, :], torch.cat([linear, intercept], dim=-1), mean)

    def _covariance(self, left: Inputs, right: Inputs) -> Tensor:
        m = self.members
        K = left.features @ right.features.transpose(-1, -2)
        if self.components.n_components:
            K += weighted(m.component_sd.square(), self.components(left.encoded, right.encoded))
        signal = m.signal[:, None, None].square()
        return K.addcmul_(signal, matern52(squared_distance(left.scaled, right.scaled)))

    def _condition(self) -> None:
        inputs = self._inputs(self.X)
        noise = self.members.noise.square()[:, None].expand(-1, self.X.shape[-2])
        if self.Yvar is not None:
            noise = noise + self.Yvar
        self._train = inputs
        K = self.prior()[1]
        K = K + torch.diag_embed(noise + JITTER * torch.diagonal(K, dim1=-2, dim2=-1))
        self._factor = torch.linalg.cholesky(K)  # * x h x n x n
        self._whitened = self._whiten(self.Y - inputs.mean)

    def prior(self) -> tuple[Tensor, Tensor]:
        """Prior mean, `* x h x n`, and covariance, `* x h x n x n`, of what is measured there, without noise."""
        K = self._covariance(self._train, self._train)
        return self._train.mean, K if self.effects is None else K + self.effects.covariance(K.shape[-1])

    def _whiten(self, residual: Tensor) -> Tensor:
        """Solve with the factor; outcomes that share a factor are its columns. Shape `* x h x n`."""
        lead = residual.ndim - 2
        if lead == 0 or self._factor.ndim > 3:
            return torch.linalg.solve_triangular(self._factor, residual[..., None], upper=False)[..., 0]
        columns = residual.flatten(0, lead - 1).permute(1, 2, 0)  # h x n x f
        solved = torch.linalg.solve_triangular(self._factor, columns, upper=False)
        return solved.permute(2, 0, 1).reshape(residual.shape)

    def one_step_log_densities(self) -> Tensor:
        """Log density of each measurement given those before it. Shape `* x h x n`; per raw unit."""
        scale = torch.diagonal(self._factor, dim1=-2, dim2=-1)
        return -0.5 * self._whitened.square() - scale.log() - 0.5 * LOG_2PI

    def log_evidence(self) -> Tensor:
        """Joint log marginal likelihood of the support under every member. Shape `* x h`."""
        return self.one_step_log_densities().sum(-1)

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and variance of the latent outcome at single points, without joint covariances.

        Args:
            X: Configurations, with or without feature columns. Shape `N x d`.

        Returns:
            Mean, shape `* x h x N`, and variance, shape `h x N`, raw units.
        """
        test = self._inputs(X)  # h x N x d
        prior, m = self.members.prior_variance, self.members
        variance = (prior - m.offset_sd.square())[:, None] + test.features.square().sum(-1)
        cross = self._covariance(self._train, test)  # h x n x N
        half = torch.linalg.solve_triangular(self._factor, cross, upper=False)
        mean = test.mean + (self._whitened[..., None, :] @ half)[..., 0, :]
        return mean, torch.maximum(variance - half.square().sum(-2), 1e-12 * prior[:, None])

    def predictive(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the next noisy outcome at single points. Shapes as for `marginals`."""
        mean, variance = self.marginals(X)
        return mean, variance + self.noise_variance[:, None]

    def growing(self, X: Tensor) -> GrowingGaussian:
        """Prepare for imagined outcomes at some of `N` points, with or without feature columns. Shape `N x d`."""
        test = self._inputs(X)
        half = torch.linalg.solve_triangular(self._factor, self._covariance(self._train, test), upper=False)
        mean, variance = self.marginals(X)

        def covariances(row: int) -> Tensor:
            columns = slice(row, row + 1)
            points = (test.encoded[..., columns, :], test.scaled[..., columns, :], test.features[..., columns, :])
            one = Inputs(*points, test.mean[..., columns])
            return (self._covariance(one, test) - half[..., columns].transpose(-1, -2) @ half)[..., 0, :]

        least = 1e-12 * self.members.prior_variance[:, None]
        return GrowingGaussian(mean[None], variance, self.noise_variance[:, None], least, covariances)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any | None = None,
    ) -> Any:
        """Return the joint posterior of `q` points under every member.

        Args:
            X: Configurations. Shape `* x q x d`; batch dimensions broadcast against the batch shape.
            output_indices: Not used: a bank has one outcome.
            observation_noise: Whether to add the members' noise (or the variances given).
            posterior_transform: A BoTorch posterior transform.

        Returns:
            A `GPyTorchPosterior` with event shape `* x h x q x 1`.
        """
        if self.is_pool(X):
            mean, variance = self._pool(X)
            if observation_noise is not False:
                variance = variance + self._noise(observation_noise, mean)
            normal = MultivariateNormal(mean, DiagLinearOperator(variance.clamp_min(LEAST_VARIANCE)))
        else:
            mean, covariance = self._joint(X)
            if observation_noise is not False:
                covariance = covariance + torch.diag_embed(self._noise(observation_noise, mean))
            normal = MultivariateNormal(mean, to_linear_operator(covariance))
        posterior = GPyTorchPosterior(normal)
        return posterior_transform(posterior) if posterior_transform is not None else posterior

    def is_pool(self, X: Tensor) -> bool:
        """Say whether inputs are single points, the same for every member: no joint covariances are needed."""
        return X.ndim == self.Y.ndim + 2 and self.X.ndim == 3 and all(size == 1 for size in X.shape[1:-1])

    def _noise(self, given: bool | Tensor, mean: Tensor) -> Tensor:
        """Noise variances for points with means of shape `* x h x q`: those given, or the members' own."""
        noise = given[..., 0] if isinstance(given, Tensor) else self.noise_variance[:, None]
        return noise.expand(mean.shape)

    def _pool(self, X: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self.marginals(X.reshape(X.shape[0], X.shape[-1]))
        mean = mean.movedim(-1, 0)[..., None]  # N x * x h x 1
        variance = variance.T.reshape(X.shape[0], *[1] * (mean.ndim - 3), -1, 1)
        return mean, variance.expand(mean.shape)

    def _joint(self, X: Tensor) -> tuple[Tensor, Tensor]:
        if X.ndim == 2:
            X = X[None]  # 1 x q x d: every member at the same points
        test = self._inputs(X)
        cross = self._covariance(self._train, test)  # * x h x n x q
        factor = self._factor.expand(*cross.shape[:-2], *self._factor.shape[-2:])
        half = torch.linalg.solve_triangular(factor, cross, upper=False)
        whitened = self._whitened[..., None, :]
        mean = test.mean + (whitened @ half)[..., 0, :]
        covariance = self._covariance(test, test) - half.transpose(-1, -2) @ half
        jitter = 1e-9 * self.members.prior_variance
        covariance = covariance + jitter[:, None, None] * torch.eye(X.shape[-2], dtype=X.dtype, device=X.device)
        return mean, covariance.expand(*mean.shape, X.shape[-2])

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> Bank:
        """Return the bank with further outcomes, one per member where they differ.

        Args:
            X: New configurations. Shape `q x d`, or `* x q x d` with batch dimensions that broadcast against `h`.
            Y: New outcomes. Shape `q x 1`, or `* x h x q x 1` (leading dimensions are fantasies).
            **kwargs: `noise` (variances, as BoTorch passes them) is not used: every member has its own noise.

        Returns:
            A new bank; this one is unchanged.
        """
        X = X[..., : self.n_dims]
        X_new = X if X.ndim > 2 else X[None]
        batch = torch.broadcast_shapes(self.X.shape[:-2], X_new.shape[:-2])
        X_all = torch.cat([self.X.expand(*batch, *self.X.shape[-2:]), X_new.expand(*batch, *X_new.shape[-2:])], dim=-2)
        Y_new = Y[..., 0]
        lead = torch.broadcast_shapes(self.Y.shape[:-1], Y_new.shape[:-1])
        Y_all = torch.cat([self.Y.expand(*lead, -1), Y_new.expand(*lead, -1)], dim=-1)
        Yvar = self.Yvar
        if Yvar is not None:
            Yvar = torch.cat([Yvar, Yvar.new_zeros(*Yvar.shape[:-1], Y_new.shape[-1])], dim=-1)
        return Bank(self.members, self.features, self.components, X_all, Y_all, Yvar, self.effects)

    def with_outcomes(self, Y: Tensor) -> Bank:
        """Return the bank with other outcomes at the same configurations. Shape `n`, or `* x h x n`."""
        return Bank(self.members, self.features, self.components, self.X, Y, self.Yvar, self.effects)

    def member_weights(self, log_weight: Tensor) -> Tensor:
        """Return log weights per batch element: here every member is one."""
        return log_weight

    def scaled(self, factor: float) -> Bank:
        """Return the bank with outcomes in another unit: `factor` new units are one old unit."""
        Yvar = None if self.Yvar is None else self.Yvar * factor**2
        members = self.members.in_units(self.Y.new_tensor(0.0), self.Y.new_tensor(factor))
        effects = None if self.effects is None else self.effects.scaled(factor)
        return Bank(members, self.features, self.components, self.X, self.Y * factor, Yvar, effects)

    def transform_inputs(self, X: Tensor, input_transform: Any | None = None) -> Tensor:
        """Return the inputs: warping is part of the members."""
        return X
