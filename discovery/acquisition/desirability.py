"""Several objectives as one number between 0 and 1: ramps, multiplied by weight, and their expected improvement.

The product of ramps has no closed expectation, so it is averaged over fixed quasi-random samples of the outcomes'
mixtures: members in proportion to their weights, evenly spread, the same ones for every configuration and every call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from botorch.utils.safe_math import log_fatplus
from torch import Tensor

from discovery.acquisition.gaussians import Mixture, chosen_members, quasi_random
from discovery.errors import ConfigurationError

if TYPE_CHECKING:
    from discovery.acquisition.aims import Want

N_SAMPLES = 256
FLOOR = 1e-3  # least desirability; below its ramp an outcome loses a little more, so that bad ones are told apart
STEEP = 0.1  # width of the ramp before a threshold of hits, in units in which the outcome varies by about one
SMOOTHING = 1e-4  # width over which improvements are smoothed, of a scale from 0 to 1


@dataclass(frozen=True)
class Ramp:
    """How desirable an outcome is: 0 before `start`, rising to 1 at `full`; two-sided where `end` is given.

    Attributes:
        start: Where desirability begins, raw units.
        full: Where it is complete; below `start` for outcomes that are to be low.
        full_to: For two sides: where it begins to fall again.
        end: For two sides: where it is gone.
    """

    start: float
    full: float
    full_to: float | None = None
    end: float | None = None

    def log_of(self, y: Tensor) -> Tensor:
        """Logarithm of the desirability. Any shape."""
        height = (y - self.start) / (self.full - self.start)
        if self.full_to is not None and self.end is not None:
            height = torch.minimum(height, (self.end - y) / (self.end - self.full_to))
        height = height.clamp_max(1.0)
        return torch.where(height > FLOOR, height.clamp_min(FLOOR).log(), math.log(FLOOR) + height - FLOOR)


def ramp_of(want: Want, unit: float = 1.0) -> Ramp:
    """Return the ramp of a want.

    Args:
        want: What is wanted; hits without a span get a steep ramp that ends at the threshold.
        unit: Unit in which the outcome varies by about one, raw units.

    Raises:
        ConfigurationError: If it has no span, or the span does not hold what is to be matched.
    """
    if want.goal == "hits" and want.span is None and want.threshold is not None:
        return Ramp(want.threshold - (STEEP if want.above else -STEEP) * unit, want.threshold)
    if want.span is None:
        raise ConfigurationError(
            f"Objective {want.outcome} must come with `desirability: [low, high]` to be combined as a desirability."
        )
    low, high = want.span
    if want.goal != "match":
        is_rising = want.goal == "maximize" or (want.goal == "hits" and want.above)
        return Ramp(low, high) if is_rising else Ramp(high, low)
    inner = want.window if want.window is not None else (want.target or 0.0, want.target or 0.0)
    if not low < inner[0] <= inner[1] < high:
        raise ConfigurationError(
            f"desirability of {want.outcome} must lie around what is to be matched; got {want.span} around {inner}."
        )
    return Ramp(low, inner[0], inner[1], high)


@dataclass(frozen=True)
class Desirability:
    """Logarithm of the expected improvement of the desirability, by `N_SAMPLES` fixed samples.

    Attributes:
        ramps: Name of the outcome, ramp and exponent of every objective; exponents sum to one.
        best: Best desirability so far. Scalar, or shape `f`.
        seed: Seed of the samples.

    Source:
        Derringer and Suich (1980), Simultaneous optimization of several response variables; departures: `FLOOR`
        instead of 0. Smoothing: Ament et al. (2023), Unexpected improvements to expected improvement.
    """

    ramps: tuple[tuple[str, Ramp, float], ...]
    best: Tensor
    seed: int = 0

    is_linear: ClassVar[bool] = False
    is_success: ClassVar[bool] = False

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate at mixtures. Shape `[f x] n`."""
        some = next(iter(at.values())).mean
        u = quasi_random(N_SAMPLES, 2 * len(self.ramps), self.seed, some)
        logs, weights = [], []
        for k, (name, ramp, exponent) in enumerate(self.ramps):
            part = chosen_members(at[name], u[:, 2 * k])
            y = part.mean + part.sd * torch.special.ndtri(u[:, 2 * k + 1])  # [f x] n x s
            logs.append(exponent * ramp.log_of(y))
            weights.append(part.log_weight + math.log(N_SAMPLES))
        total, weight = torch.stack(logs).sum(0), torch.stack(weights).sum(0)
        best = self.best[..., None, None] if self.best.ndim else self.best
        gain = log_fatplus(total.exp() - best, tau=SMOOTHING)
        return torch.logsumexp(weight + gain, dim=-1) - math.log(N_SAMPLES)


def desirability_of(ramps: tuple[tuple[str, Ramp, float], ...], values: Mapping[str, Tensor]) -> Tensor:
    """Return the desirability of outcomes: the weighted geometric mean of the ramps. Any shape."""
    return torch.stack([exponent * ramp.log_of(values[name]) for name, ramp, exponent in ramps]).sum(0).exp()
