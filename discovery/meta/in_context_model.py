"""The in-context network after its measurements, as a BoTorch model whose members are the components of its mixture.

Marginals are the network's. Several points are tied together by the posterior correlation of the Gaussian process that
each component grew from, so that a component is a joint Gaussian, and imagined outcomes condition it exactly, without
asking the network again. Next in the tour: `discovery.meta.in_context`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from botorch.models.model import FantasizeMixin, Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

from discovery.errors import ShapeError
from discovery.meta.features import SourceFeatures
from discovery.meta.growing import GrowingGaussian
from discovery.meta.in_context_inputs import Layout
from discovery.meta.in_context_network import Encoding, InContextNetwork, Mixture
from discovery.meta.in_context_processes import Conditioned

JITTER = 1e-6  # of a component's variance
LEAST_LATENT = 1e-3  # of a component's variance: what is never noise
MOST_NOISE = 0.9  # of the narrowest prediction at a measured point


@dataclass(frozen=True)
class Context:
    """What the network has read, and in which units it may have been told.

    Attributes:
        network: The network.
        layout: Blocks of the space.
        X: Measured configurations that were read. Shape `n x d`.
        read: What the network made of them.
        location: Raw outcome at the network's zero. Scalar.
        scales: Raw units per unit of the network, one per telling. Shape `j`.
    """

    network: InContextNetwork
    layout: Layout
    X: Tensor
    read: Encoding
    location: Tensor
    scales: Tensor

    def predict(self, X: Tensor) -> Mixture:
        """Predict the noisy outcome at `N` points, network's units. Mean and sd have shape `1 x N x k`."""
        squared = self.layout.squared_distances(X, self.X)[None]
        return self.network.decode(self.read, squared, self.layout.numbers(X)[None])

    def scaled(self, factor: float) -> Context:
        """Return the context with outcomes in another unit."""
        return replace(self, location=self.location * factor, scales=self.scales * factor)


class InContextModel(FantasizeMixin, Model):
    """Components of the network's mixture as members, batch shape `[h]` (or `[..., h]` after fantasies).

    Args:
        context: What the network has read.
        index: Members kept, each `telling * k + component`. Shape `h`.
        X: All configurations: those measured, then those imagined. Shape `n x d`.
        Y: Their outcomes, raw units. Shape `n`, or `* x h x n`.
        n_real: Number of measured configurations.
    """

    def __init__(self, context: Context, index: Tensor, X: Tensor, Y: Tensor, n_real: int) -> None:
        super().__init__()
        self.context, self.index, self.n_real = context, index, n_real
        self.n_dims = int(X.shape[-1])
        self.X = X[None]  # 1 x n x d
        self.Y = Y if Y.ndim > 1 else Y.expand(len(index), -1)  # * x h x n
        if self.X.shape[-2] != self.Y.shape[-1]:
            raise ShapeError(f"Y must hold one outcome per row of X; got {self.Y.shape[-1]} for {self.X.shape[-2]}.")
        k = context.network.sizes.components
        self._component = index % k
        self._process = self._component % context.network.sizes.processes
        self._scale = context.scales[index // k]
        self.likelihood = None
        self._noise_variance = self._typical_noise().square()
        self._condition()

    @property
    def num_outputs(self) -> int:
        """One outcome."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Members last."""
        return self.Y.shape[:-1]

    @property
    def features(self) -> SourceFeatures:
        """None: the network refers to no other task."""
        return SourceFeatures.empty(self.n_dims, self.Y.device)

    @property
    def prior_sd(self) -> Tensor:
        """Spread of outcomes as every member was told it, raw units. Shape `h`."""
        return self._scale

    def with_features(self, X: Tensor) -> Tensor:
        """Return the configurations: there are no features."""
        return X

    def _typical_noise(self) -> Tensor:
        """Return the noise per member: the network's estimate, or less than any prediction at a measured point."""
        noise = self.context.read.noise_sd.to(self._scale.dtype)[0]
        if not self.n_real:
            return noise * self._scale
        with torch.no_grad():
            narrow = MOST_NOISE * self.context.predict(self.X[0, : self.n_real]).sd[0].amin(0)
        return torch.minimum(narrow[self._component].to(noise.dtype), noise) * self._scale

    def _latent(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the network says: means, latent variances, and what noise adds. `N x d` to `h x N` each."""
        mixture = self.context.predict(X)
        mean = mixture.mean[0, :, self._component].T.to(self.Y.dtype)
        total = mixture.sd[0, :, self._component].T.to(self.Y.dtype).square() * self._scale.square()[:, None]
        latent = torch.maximum(total - self._noise_variance[:, None], LEAST_LATENT * total)
        return self.context.location + self._scale[:, None] * mean, latent, total - latent

    def _correlation(self, A: Tensor, B: Tensor) -> Tensor:
        """Return posterior correlations of the members' processes. `* x n x d`, `* x m x d` to `* x h x n x m`."""
        fitted = self.context.read.fitted
        covariance = _posterior_covariance(self.context, fitted, A, B)
        of_a, of_b = (_posterior_variance(self.context, fitted, Z).sqrt() for Z in (A, B))
        correlation = covariance / (of_a[..., :, None] * of_b[..., None, :])
        return correlation[..., self._process, :, :].clamp(-1, 1)

    def _condition(self) -> None:
        """Condition the members' joint Gaussians on imagined outcomes."""
        imagined = self.X[0, self.n_real :]
        if not len(imagined):
            return
        mean, variance, noise = self._latent(imagined)
        self._sd = variance.sqrt()
        K = self._sd[:, :, None] * self._sd[:, None, :] * self._correlation(imagined, imagined)
        factor = torch.linalg.cholesky(K + torch.diag_embed(noise + JITTER * variance))
        self._inverse = torch.cholesky_inverse(factor)  # h x m x m
        residual = self.Y[..., self.n_real :] - mean
        self._dual = (self._inverse @ residual[..., None])[..., 0]  # * x h x m

    def _covariance_with_imagined(self, X: Tensor, sd: Tensor) -> Tensor:
        """Shapes `* x q x d`, `* x h x q` to `* x h x q x m`."""
        imagined = self.X[0, self.n_real :].expand(*X.shape[:-2], -1, -1)
        return sd[..., None] * self._sd[:, None, :] * self._correlation(X, imagined)

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent outcome at single points.

        Args:
            X: Configurations. Shape `N x d`.

        Returns:
            Mean, shape `* x h x N`, and variance, shape `h x N`, raw units.
        """
        mean, variance, _ = self._marginals(X)
        return mean, variance

    def predictive(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the next noisy outcome; without imagined outcomes exactly the network's."""
        mean, variance, noise = self._marginals(X)
        return mean, variance + noise

    def member_weights(self, log_weight: Tensor) -> Tensor:
        """Return the weights: every member is one batch element."""
        return log_weight

    def _marginals(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance, noise = self._latent(X)
        if self.X.shape[-2] == self.n_real:
            return mean.expand(*self.batch_shape, -1), variance, noise
        cross = self._covariance_with_imagined(X, variance.sqrt())  # h x N x m
        explained = ((cross @ self._inverse) * cross).sum(-1)
        mean = mean + (cross @ self._dual[..., None])[..., 0]
        return mean, torch.maximum(variance - explained, LEAST_LATENT * variance), noise

    def growing(self, X: Tensor) -> GrowingGaussian:
        """Prepare for imagined outcomes at some of `N` points; none are imagined so far. Shape `N x d`."""
        X = X[..., : self.n_dims]
        mean, variance, noise = self._latent(X)
        sd = variance.sqrt()

        def covariances(row: int) -> Tensor:
            columns = slice(row, row + 1)
            return sd[:, columns] * sd * self._correlation(X[columns], X)[..., 0, :]

        return GrowingGaussian(mean[None], variance, noise, LEAST_LATENT * variance, covariances)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any | None = None,
    ) -> Any:
        """Return the joint posterior of `q` points under every member.

        Args:
            X: Configurations. Shape `* x q x d`; batch dimensions broadcast against the batch shape, all of them one.
            output_indices: Not used: there is one outcome.
            observation_noise: Whether to add the members' noise (or the variances given).
            posterior_transform: A BoTorch posterior transform.

        Returns:
            A `GPyTorchPosterior` with event shape `* x h x q x 1`.
        """
        mean, covariance, noise = self._joint(X)
        if isinstance(observation_noise, Tensor):
            noise = observation_noise[..., 0].expand(mean.shape)
        if observation_noise is not False:
            covariance = covariance + torch.diag_embed(noise)
        posterior = GPyTorchPosterior(MultivariateNormal(mean, covariance))
        return posterior_transform(posterior) if posterior_transform is not None else posterior

    def _joint(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, covariance and noise. Shapes `* x h x q`, `* x h x q x q`, `* x h x q`."""
        own, lead = len(self.batch_shape), X.shape[:-2]
        if math.prod(lead[-own:]) != 1:
            raise ShapeError(f"X must be the same for all members (`* x 1 x q x d`); got batch {tuple(lead)}.")
        groups, (q, d), h = lead[:-own], X.shape[-2:], len(self.index)
        points = X.reshape(-1, q, d)  # g x q x d
        said = self._latent(points.reshape(-1, d))
        mean, variance, noise = (value.view(h, -1, q).transpose(0, 1) for value in said)  # g x h x q
        sd = variance.sqrt()
        covariance = variance[..., None]
        if q > 1:
            covariance = sd[..., :, None] * sd[..., None, :] * self._correlation(points, points)
            covariance = covariance + JITTER * torch.diag_embed(variance)
        shape = (*groups, *[1] * (own - 1), h, q)
        mean, covariance, noise = mean.reshape(shape), covariance.reshape(*shape, q), noise.reshape(shape)
        if self.X.shape[-2] > self.n_real:
            cross = self._covariance_with_imagined(points, sd)
            explained = cross @ self._inverse @ cross.transpose(-1, -2)
            floor = LEAST_LATENT * torch.diag_embed(variance)
            covariance = covariance - (explained - floor).reshape(*shape, q)
            mean = mean + (cross.reshape(*shape, -1) @ self._dual[..., None])[..., 0]
        mean = mean.expand(*groups, *self.batch_shape, q)
        return mean, covariance.expand(*mean.shape, q), noise.expand(mean.shape)

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> InContextModel:
        """Return the model with imagined outcomes.

        Args:
            X: Configurations. Shape `q x d`, or `* x q x d` with batch dimensions of one.
            Y: Outcomes. Shape `q x 1`, or `* x h x q x 1` (leading dimensions are fantasies).
            **kwargs: `noise` (as BoTorch passes it) is not used: the members have their own.

        Raises:
            ShapeError: If fantasies are to lie at different configurations.
        """
        if X.shape[:-2].numel() != 1:
            raise ShapeError(f"X must be shared by all fantasies (`q x d`); got {tuple(X.shape)}.")
        X_all = torch.cat([self.X[0], X.reshape(X.shape[-2:])[:, : self.n_dims]])
        Y_new = Y[..., 0]
        lead = torch.broadcast_shapes(self.Y.shape[:-1], Y_new.shape[:-1])
        Y_all = torch.cat([self.Y.expand(*lead, -1), Y_new.expand(*lead, -1)], dim=-1)
        return InContextModel(self.context, self.index, X_all, Y_all, self.n_real)

    def with_outcomes(self, Y: Tensor) -> InContextModel:
        """Return the model with other imagined outcomes; those measured stay. Shape `n`, or `* x h x n`."""
        return InContextModel(self.context, self.index, self.X[0], Y, self.n_real)

    def scaled(self, factor: float) -> InContextModel:
        """Return the model with outcomes in another unit: `factor` new units are one old unit."""
        return InContextModel(self.context.scaled(factor), self.index, self.X[0], self.Y * factor, self.n_real)

    def transform_inputs(self, X: Tensor, input_transform: Any | None = None) -> Tensor:
        """Return the inputs: the network sees distances."""
        return X


def _posterior_covariance(context: Context, fitted: Conditioned, A: Tensor, B: Tensor) -> Tensor:
    """Return posterior covariances of all processes, own units. Shape `* x g x n x m`."""
    hyper, layout = fitted.hyper, context.layout
    a, b = (Z.reshape(-1, *Z.shape[-2:]) for Z in (A, B))
    between = layout.squared_distances(a, b)
    prior = hyper.covariance(between, hyper.scaled(between))
    left, right = (fitted.explained(fitted.cross(layout.squared_distances(Z, context.X))[0]) for Z in (a, b))
    posterior = prior - left @ right.transpose(-1, -2)
    return posterior.reshape(*A.shape[:-2], *posterior.shape[-3:]).to(A.dtype)


def _posterior_variance(context: Context, fitted: Conditioned, A: Tensor) -> Tensor:
    """Return posterior variances of all processes, own units. Shape `* x g x n`."""
    a = A.reshape(-1, *A.shape[-2:])
    cross = fitted.cross(context.layout.squared_distances(a, context.X))[0]
    variance = fitted.latent_variance(cross)
    return variance.reshape(*A.shape[:-2], *variance.shape[-2:]).to(A.dtype)
