"""Gaussian processes whose hyperparameters a network sets: exact, differentiable, and small.

They give the in-context network what it would otherwise have to learn: how to interpolate. Their posterior
correlations also tie its predictions at several points together. Next in the tour:
`discovery.meta.in_context_network`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from discovery.meta.kernels import matern52

LEAST_NOISE = 0.02  # own units
JITTER = 1e-4  # of the prior variance


class Hyperparameters(NamedTuple):
    """`g` processes per task: `o^2 + sg^2 M52(joint) + sum_p a_p^2 M52(p)` with a constant mean.

    Attributes:
        inverse_square: Inverse squared lengthscales of the joint kernel. Shape `t x p x g`.
        inverse_own: Inverse squared lengthscales of the main effects. Shape `t x p`.
        effect: Variances of the main effects. Shape `t x p x g`.
        signal: Variance of the joint kernel. Shape `t x g`.
        offset: Variance of the constant. Shape `t x g`.
        noise: Variance of the noise. Shape `t x g`.
        center: Mean. Shape `t x g`.
    """

    inverse_square: Tensor
    inverse_own: Tensor
    effect: Tensor
    signal: Tensor
    offset: Tensor
    noise: Tensor
    center: Tensor

    @property
    def prior(self) -> Tensor:
        """Prior variance at a point. Shape `t x g`."""
        return self.signal + self.offset + self.effect.sum(1)

    def scaled(self, squared: Tensor) -> Tensor:
        """Scale squared distances per parameter to those of the joint kernels. `t x n x m x p` to `t x g x n x m`."""
        return (squared @ self.inverse_square[:, None]).permute(0, 3, 1, 2)

    def covariance(self, squared: Tensor, scaled: Tensor) -> Tensor:
        """Evaluate the kernels. Shapes `t x n x m x p` and `t x g x n x m` to `t x g x n x m`."""
        effects = matern52(squared * self.inverse_own[:, None, None]) @ self.effect[:, None]
        joint = self.signal[..., None, None] * matern52(scaled)
        return joint + effects.permute(0, 3, 1, 2) + self.offset[..., None, None]


class Said(NamedTuple):
    """What the processes say of some rows, in own units.

    Attributes:
        mean: Shape `t x g x n`.
        sd: Noise included. Same shape.
        squared: Squared scaled distances of the rows to the measurements. Shape `t x g x n x s`.
    """

    mean: Tensor
    sd: Tensor
    squared: Tensor


class Conditioned(NamedTuple):
    """The processes after the measurements.

    Attributes:
        hyper: Their hyperparameters.
        mask: True for real measurements. Shape `t x s`.
        whitener: Inverse of the covariance's Cholesky factor. Shape `t x g x s x s`.
        weights: Inverse covariance, applied to the centered outcomes. Shape `t x g x s`.
        left_out: What they say of each measurement from all others.
        fit: Mean log density of the measurements, each left out. Shape `t x g`.
    """

    hyper: Hyperparameters
    mask: Tensor
    whitener: Tensor
    weights: Tensor
    left_out: Said
    fit: Tensor

    def cross(self, squared: Tensor) -> tuple[Tensor, Tensor]:
        """Return prior covariances of rows with measurements, and the squared scaled distances behind them."""
        scaled = self.hyper.scaled(squared)
        return self.hyper.covariance(squared, scaled) * self.mask.to(squared.dtype)[:, None, None], scaled

    def explained(self, cross: Tensor) -> Tensor:
        """Return what measurements explain of rows, as vectors whose products are covariances. `t x g x n x s`."""
        return cross @ self.whitener.transpose(-1, -2)

    def latent_variance(self, cross: Tensor) -> Tensor:
        """Return posterior variances of rows from their covariances with measurements. Shape `t x g x n`."""
        prior = self.hyper.prior[..., None]
        return torch.maximum(prior - self.explained(cross).square().sum(-1), JITTER * prior)

    def predict(self, squared: Tensor) -> Said:
        """Predict queries at squared distances `t x r x s x p` from the measurements."""
        cross, scaled = self.cross(squared)
        mean = (cross @ self.weights[..., None])[..., 0] + self.hyper.center[..., None]
        latent = self.latent_variance(cross)
        return Said(mean, (latent + self.hyper.noise[..., None]).clamp_min(1e-6).sqrt(), scaled)


class ProcessHead(nn.Module):
    """Sets the hyperparameters of `n` processes from what is known of parameters and task.

    Args:
        n: Number of processes.
        cell: Width of what is known of a parameter.
        row: Width of what is known of the task.
    """

    def __init__(self, n: int, cell: int, row: int) -> None:
        super().__init__()
        self.n = n
        self.of_block, self.of_task = nn.Linear(cell + row, 2 * n + 1), nn.Linear(row, 4 * n)
        spread, noise = torch.linspace(-0.8, 0.8, n), torch.tensor([-1.0, -2.0]).repeat(n)[:n]
        with torch.no_grad():
            self.of_block.weight.mul_(0.1)
            self.of_task.weight.mul_(0.1)
            self.of_block.bias.copy_(torch.cat([spread - 0.5, torch.full((n,), -1.2), torch.tensor([-0.5])]))
            self.of_task.bias.copy_(torch.cat([torch.full((n,), -0.2), noise, torch.zeros(n), torch.full((n,), -0.5)]))

    def forward(self, blocks: Tensor, task: Tensor) -> Hyperparameters:
        """Set hyperparameters. Shapes: blocks `t x p x c`, task `t x w`."""
        t, p, g = blocks.shape[0], blocks.shape[1], self.n
        each = self.of_block(torch.cat([blocks, task[:, None].expand(-1, p, -1)], dim=-1))
        length = (each[..., :g] + 0.5 * math.log(p)).clamp(-4, 5)
        effect, own_length = each[..., g : 2 * g].clamp(-6, 2), each[..., 2 * g].clamp(-3, 3)
        signal, noise, center, offset = self.of_task(task).view(t, 4, g).clamp(-5, 3).unbind(1)
        return Hyperparameters(
            inverse_square=torch.exp(-2 * length),
            inverse_own=torch.exp(-2 * own_length),
            effect=(2 * effect - math.log(p)).exp(),
            signal=(2 * signal).exp(),
            offset=(2 * offset).exp(),
            noise=(2 * noise).exp() + LEAST_NOISE**2,
            center=center,
        )


def condition(hyper: Hyperparameters, squared: Tensor, u: Tensor, mask: Tensor) -> Conditioned:
    """Condition processes on measurements.

    Args:
        hyper: Their hyperparameters.
        squared: Squared distances between measurements, per parameter. Shape `t x s x s x p`.
        u: Outcomes in own units. Shape `t x s`.
        mask: True for real measurements. Shape `t x s`.
    """
    scaled, real = hyper.scaled(squared), mask.to(u.dtype)[:, None, None]
    K = hyper.covariance(squared, scaled) * real * real.transpose(-1, -2)
    diagonal = torch.where(mask[:, None], (hyper.noise + JITTER * hyper.prior)[..., None], 1.0)
    factor = torch.linalg.cholesky(K + torch.diag_embed(diagonal))
    eye = torch.eye(u.shape[1], dtype=u.dtype, device=u.device).expand_as(K)
    whitener = torch.linalg.solve_triangular(factor, eye, upper=False)
    residual = ((u[:, None] - hyper.center[..., None]) * mask[:, None])[..., None]
    weights = (whitener.transpose(-1, -2) @ (whitener @ residual))[..., 0]  # t x g x s
    variance = 1 / whitener.square().sum(-2).clamp_min(1e-6)
    missed = weights * variance
    log_density = -0.5 * (missed.square() / variance + variance.log()) * mask[:, None]
    fit = log_density.sum(-1) / mask.sum(-1).clamp_min(1)[:, None]
    mean = residual[..., 0] - missed + hyper.center[..., None]
    left_out = Said(mean, variance.clamp_min(1e-6).sqrt(), scaled)
    return Conditioned(hyper, mask, whitener, weights, left_out, fit)
