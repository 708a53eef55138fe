"""Measurements of which only a bound is known, conditioned on by expectation propagation, batched over members.

A member says `y = f(x) + e`; of a censored measurement all that is known is `y <= b` (or `>=`), which has the
probability `Phi((b - f) / sn)`. Each such factor is replaced by the Gaussian that has the same moments beside all
others: by a value of its own and a variance of its own, per member. With one censored measurement that is exact; the
log-concave factors make it accurate with many. Next in the tour: `discovery.meta.bank`.

Source:
    Minka (2001), Expectation propagation for approximate Bayesian inference; Rasmussen and Williams (2006), sections
    3.6 and 3.9, for the probit factor. Departures: the factor's width is the member's noise.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
MOST_SWEEPS = 20
CONVERGED = 1e-6  # of a predictive standard deviation: means that move less are settled
LEAST_CURVATURE = 1e-9  # of the greatest that there can be: a bound that says nothing keeps a site that says nothing
JITTER, LEAST = 1e-9, 1e-11  # of the variance at a point: added where a bound stands, and where a value does


class Told(NamedTuple):
    """What members make of measurements, some of them bounds.

    Attributes:
        y: Values to condition on: those measured, and the sites' where there is a bound. Shape `* x h x n`.
        variance: Variance of each around the latent outcome, noise included. Shape `* x h x n`.
        log_steps: Log density of what was measured, then log probability of each bound, given what stands before it
            (measured values before bounds). Their sum is the log evidence. Shape `* x h x n`.
    """

    y: Tensor
    variance: Tensor
    log_steps: Tensor


class _Moments(NamedTuple):
    """What one factor makes of the posterior without its site (the cavity)."""

    log_mass: Tensor  # log probability of the bound
    slope: Tensor  # its derivative by the cavity's mean
    curvature: Tensor  # minus its second derivative


def tell(mean: Tensor, covariance: Tensor, noise: Tensor, z: Tensor, side: Tensor) -> Told:
    """Condition on measured values exactly, and on bounds by expectation propagation.

    Args:
        mean: Prior mean of the latent outcome at every measurement. Shape `h x n`.
        covariance: Its prior covariance. Shape `h x n x n`.
        noise: Noise variances. Shape `h x n`, or `* x h x n`.
        z: Measured values and bounds, in the members' units. Shape `* x h x n`.
        side: -1 where the true value is at most `z`, 1 where at least, 0 where it is `z`. Shape `n`.

    Returns:
        What to condition an ordinary Gaussian process on, and the evidence.
    """
    m, c = torch.nonzero(side == 0)[:, 0], torch.nonzero(side)[:, 0]
    steps, diagonal = torch.empty_like(z), torch.diagonal(covariance, dim1=-2, dim2=-1)
    center, inner = mean[:, c], covariance[:, c[:, None], c]
    if len(m):
        K = covariance[:, m[:, None], m] + torch.diag_embed(noise[..., m] + LEAST * diagonal[:, m])
        factor = torch.linalg.cholesky(K)
        whitened = torch.linalg.solve_triangular(factor, (z - mean)[..., m, None], upper=False)[..., 0]
        half = torch.linalg.solve_triangular(factor, covariance[:, m[:, None], c], upper=False)
        steps[..., m] = _log_densities(whitened, factor)
        center = center + (whitened[..., None, :] @ half)[..., 0, :]
        inner = inner - half.transpose(-1, -2) @ half
    y, variance = z.clone(), noise.expand_as(z).clone()
    if len(c):
        inner = inner + JITTER * torch.diag_embed(diagonal[:, c])
        y[..., c], variance[..., c], steps[..., c] = match(center, inner, noise[..., c], z[..., c], side[c])
    return Told(y, variance, steps)


def match(mean: Tensor, covariance: Tensor, noise: Tensor, bound: Tensor, side: Tensor) -> Told:
    """Find the Gaussian sites of `c` bounds under a Gaussian prior of the latent outcome.

    Args:
        mean: Prior mean. Shape `* x c`.
        covariance: Prior covariance. Shape `* x c x c`.
        noise: Noise variances. Shape `* x c`.
        bound: The bounds. Shape `* x c`; the others broadcast against it.
        side: -1 where the true value is at most the bound, 1 where at least. Shape `c`.
    """
    sign = side.to(bound.dtype)
    precision, shift = torch.zeros_like(bound), torch.zeros_like(bound)
    center, inner = mean.expand(bound.shape).clone(), covariance.expand(*bound.shape, -1).clone()  # posterior so far
    for _ in range(MOST_SWEEPS):
        before = center.clone()
        for i in range(bound.shape[-1]):  # a recursion: every site is matched beside all others as they are by now
            left = 1 - precision[..., i] * inner[..., i, i]
            cavity = (center[..., i] - inner[..., i, i] * shift[..., i]) / left, inner[..., i, i] / left
            found = _moments(*cavity, noise[..., i], bound[..., i], sign[i])
            rest = 1 - found.curvature * cavity[1]
            more = found.curvature / rest - precision[..., i]
            pull = (found.slope + cavity[0] * found.curvature) / rest - shift[..., i]
            precision[..., i] += more
            shift[..., i] += pull
            column = inner[..., i].clone()
            scale = 1 + more * column[..., i]
            center += ((pull - more * center[..., i]) / scale)[..., None] * column
            inner.addcmul_((more / scale)[..., None, None] * column[..., :, None], column[..., None, :], value=-1)
        if bool(((center - before).square() < CONVERGED**2 * (torch.diagonal(inner, dim1=-2, dim2=-1) + noise)).all()):
            break
    variance = torch.diagonal(inner, dim1=-2, dim2=-1)
    left = 1 - precision * variance
    cavity = (center - variance * shift) / left, variance / left
    found = _moments(*cavity, noise, bound, sign)
    y, own = shift / precision, 1 / precision
    factor = torch.linalg.cholesky(covariance + torch.diag_embed(own))
    whitened = torch.linalg.solve_triangular(factor, (y - mean)[..., None], upper=False)[..., 0]
    beside = cavity[1] + own  # variance of the site's value, as the cavity expects it
    correction = found.log_mass + 0.5 * (LOG_2PI + beside.log() + (y - cavity[0]).square() / beside)
    return Told(y, own, _log_densities(whitened, factor) + correction)


def _moments(mean: Tensor, variance: Tensor, noise: Tensor, bound: Tensor, sign: Tensor) -> _Moments:
    """See what a factor says of the posterior without its site."""
    total = variance + noise
    z = sign * (mean - bound) / total.sqrt()
    log_mass = torch.special.log_ndtr(z)
    ratio = (-0.5 * z.square() - 0.5 * LOG_2PI - log_mass).exp()
    curvature = (ratio * (z + ratio)).clamp(LEAST_CURVATURE, 1 - 1e-9) / total
    return _Moments(log_mass, sign * ratio / total.sqrt(), curvature)


def _log_densities(whitened: Tensor, factor: Tensor) -> Tensor:
    """One-step log densities of a Gaussian vector. Shape `* x n`."""
    return -0.5 * whitened.square() - torch.diagonal(factor, dim1=-2, dim2=-1).log() - 0.5 * LOG_2PI
