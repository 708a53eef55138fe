"""Expectations of Gaussian mixtures in closed form, in logarithms, differentiable in their means and deviations.

What is wanted of an outcome is told by hinges `max(y - level, 0)`: every goal that is piecewise linear in the outcome
is a sum of them, and a hinge's expectation is exact for every member of a belief. Next: `discovery.acquisition.aims`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.acquisition.mixture import own_columns
from discovery.belief.belief import KeptBank

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
SQRT_HALF = math.sqrt(0.5)
FAR = 25.0  # standard deviations beyond which the hinge's series is more exact than its closed form
LEAST = 1e-300  # smallest number whose logarithm is taken


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture over members at every configuration; a leading dimension `f` holds fantasies.

    Attributes:
        mean: Means of the components, raw units. Shape `[f x] n x H`.
        sd: Their standard deviations. Shape `[f x] n x H`.
        log_weight: Log weights. Shape `H` or `f x 1 x H`.
    """

    mean: Tensor
    sd: Tensor
    log_weight: Tensor

    @property
    def expected(self) -> Tensor:
        """Mean of the mixture. Shape `[f x] n`."""
        return (self.log_weight.exp() * self.mean).sum(-1)

    def flipped(self) -> Mixture:
        """Return the mixture of the negative outcome."""
        return Mixture(-self.mean, self.sd, self.log_weight)

    def log_excess(self, level: Tensor) -> Tensor:
        """Logarithm of `E[max(y - level, 0)]`.

        Args:
            level: Levels, raw units; finite. Shape `k`, or `f x k`.

        Returns:
            Shape `[f x] n x k`.
        """
        z, sd = self._standardized(level)
        return torch.logsumexp(self._weights_for_levels() + sd.log() + log_hinge(z), dim=-1)

    def log_above(self, level: Tensor) -> Tensor:
        """Logarithm of `P(y > level)`. Shapes as for `log_excess`."""
        z, _ = self._standardized(level)
        return torch.logsumexp(self._weights_for_levels() + log_cdf(z), dim=-1)

    def log_between(self, low: float, high: float) -> Tensor:
        """Logarithm of `P(low < y < high)`; either may be infinite. Shape `[f x] n`."""
        if math.isinf(high):
            return self.log_above(self.mean.new_tensor([low]))[..., 0]
        if math.isinf(low):
            return self.flipped().log_above(self.mean.new_tensor([-high]))[..., 0]
        above, below = (low - self.mean) / self.sd, (high - self.mean) / self.sd
        is_turned = above + below > 0  # measure in the lower tail, where nothing cancels
        left, right = torch.where(is_turned, -below, above), torch.where(is_turned, -above, below)
        inside = log_difference(log_cdf(right), log_cdf(left))
        return torch.logsumexp(self.log_weight + inside, dim=-1)

    def _standardized(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """How many deviations the mean lies above levels, and the deviations. Shape `[f x] n x k x H`."""
        sd = self.sd[..., None, :]
        return (self.mean[..., None, :] - level[..., None, :, None]) / sd, sd

    def _weights_for_levels(self) -> Tensor:
        return self.log_weight if self.log_weight.ndim == 1 else self.log_weight[..., None, :]


def latent(kept: Sequence[KeptBank], X: Tensor, log_weights: Tensor | None = None) -> Mixture:
    """Return the mixture of the true outcome at some configurations.

    Args:
        kept: Banks with weights, possibly with fantasies.
        X: Configurations, with all feature columns or none. Shape `n x d`.
        log_weights: Weights to take instead of the banks' own. Shape `[f x] H`.
    """
    return _mixture(kept, X, log_weights, is_noisy=False)


def noisy(kept: Sequence[KeptBank], X: Tensor, log_weights: Tensor | None = None) -> Mixture:
    """Return the mixture of the next measured outcome at some configurations. Arguments as for `latent`."""
    return _mixture(kept, X, log_weights, is_noisy=True)


def _mixture(kept: Sequence[KeptBank], X: Tensor, log_weights: Tensor | None, *, is_noisy: bool) -> Mixture:
    banks, means, sds = [part.bank for part in kept], [], []
    for i, bank in enumerate(banks):
        own = own_columns(banks, i, X)
        mean, variance = bank.predictive(own) if is_noisy else bank.marginals(own)
        means.append(mean.transpose(-1, -2))
        sds.append(variance.sqrt().transpose(-1, -2).expand_as(means[-1]))
    weight = joint_weights(kept) if log_weights is None else log_weights
    return Mixture(torch.cat(means, -1), torch.cat(sds, -1), weight if weight.ndim == 1 else weight[:, None, :])


def joint_weights(kept: Sequence[KeptBank]) -> Tensor:
    """Log weights of the members of all banks. Shape `[f x] H`."""
    return torch.cat([part.log_weight for part in kept], dim=-1)


def quasi_random(n: int, d: int, seed: int, like: Tensor) -> Tensor:
    """Return fixed quasi-random numbers within (0, 1). Shape `n x d`; type and device of `like`."""
    drawn = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed % 2**31).draw(n, dtype=torch.float64)
    return drawn.clamp(1e-9, 1 - 1e-9).to(like)


def chosen_members(mixture: Mixture, u: Tensor) -> Mixture:
    """Choose members in proportion to their weights.

    Args:
        mixture: The mixture. Components `H`.
        u: Numbers within (0, 1); evenly spread ones stratify the choice. Shape `s`.

    Returns:
        The mixture of `s` chosen components with weights of about `1 / s`: a member's weight moves that of its
        copies, so that what a choice owes to a member can be told by a gradient.
    """
    weight = mixture.log_weight.detach().exp()
    cumulative = weight.cumsum(-1)
    index = torch.searchsorted(cumulative / cumulative[..., -1:], u.expand(*weight.shape[:-1], -1).contiguous())
    index = index.clamp_max(weight.shape[-1] - 1)  # s, or f x 1 x s
    own = mixture.log_weight.gather(-1, index)
    shape = (*mixture.mean.shape[:-1], len(u))
    mean, sd = (part.gather(-1, index.expand(shape)) for part in (mixture.mean, mixture.sd))
    return Mixture(mean, sd, own - own.detach() - math.log(len(u)))


def log_hinge(z: Tensor) -> Tensor:
    """Logarithm of `E[max(z + e, 0)]`, `e` standard normal: `log(pdf(z) + z cdf(z))`, exact in both tails.

    The two terms nearly cancel below zero, by a factor `z²`, which leaves twelve digits down to `-FAR`.

    Source:
        Ament et al. (2023), Unexpected improvements to expected improvement, equation 9; departures: beyond `FAR`
        the asymptotic series of Mills' ratio, so that gradients stay exact too, and no scaled error function before.
    """
    near = z.clamp_min(-FAR)
    value = torch.log(torch.exp(-0.5 * near.square() - LOG_SQRT_2PI) + near * _cdf(near))
    is_far = z <= -FAR
    if not bool(is_far.any()):
        return value
    far = -z[is_far]
    u = far.square().reciprocal()
    series = 1 - u * (3 - u * (15 - u * (105 - u * (945 - u * 10395))))
    beyond = -0.5 * far.square() - LOG_SQRT_2PI - 2 * far.log() + series.log()
    return value.masked_scatter(is_far, beyond)


def log_cdf(z: Tensor) -> Tensor:
    """Logarithm of the standard normal distribution function, exact in the lower tail."""
    value = torch.log(_cdf(z.clamp_min(-FAR)))
    return value if bool((z > -FAR).all()) else torch.where(z > -FAR, value, torch.special.log_ndtr(z.clamp_max(-FAR)))


def _cdf(z: Tensor) -> Tensor:
    """Standard normal distribution function, faster than `torch.special.ndtr` and as exact in the lower tail."""
    return 0.5 * torch.special.erfc(-z * SQRT_HALF)


def log_difference(larger: Tensor, smaller: Tensor) -> Tensor:
    """Logarithm of `exp(larger) - exp(smaller)`; where nothing is left, of the smallest share that can be told."""
    return larger + torch.log((-torch.expm1(smaller - larger)).clamp_min(LEAST))


def log_mean(values: Tensor) -> Tensor:
    """Average over fantasies, in logarithms. Shape `[f x] n` to `n`."""
    return values if values.ndim == 1 else torch.logsumexp(values, dim=0) - math.log(len(values))
