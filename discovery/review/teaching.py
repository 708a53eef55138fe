"""What an experiment would teach: how much better the best candidates would be known, and which hypothesis is true.

The belief is adapted to a few outcomes that it holds possible, one at a time, and asked again. Nothing is assumed about
the learners: what they would say after the experiment is what they say then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.discrimination import information
from discovery.acquisition.gaussians import noisy
from discovery.acquisition.mixture import mixture_quantile
from discovery.cycle import Observations, adapt
from discovery.review.foresight import Foresight

if TYPE_CHECKING:
    from discovery.belief.belief import Belief

N_BEST = 10  # candidates that one would like to know better
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the outcome that are imagined, a fifth of the probability each


@dataclass(frozen=True)
class Lesson:
    """What an experiment would teach.

    Attributes:
        n_best: Number of candidates that are looked at: those with the best mean.
        sd_now: Root mean variance of the true outcome there, raw units.
        sd_after: What is expected of it after the experiment.
        information: Expected information on which hypothesis is true, nats.
        open: What is open about it: the entropy of the weights, nats; the most that can be learned.
        by_hypothesis: Every hypothesis's part of the information.
    """

    n_best: int
    sd_now: float
    sd_after: float
    information: float
    open: float
    by_hypothesis: Mapping[str, float]

    @property
    def reduction(self) -> float:
        """Expected share of the standard deviation at the best candidates that goes away."""
        return 1 - self.sd_after / self.sd_now if self.sd_now > 0 else 0.0


def lesson_of(foresight: Foresight, x: np.ndarray, observed: Observations, field: np.ndarray) -> Lesson:
    """Return what an experiment would teach.

    Args:
        foresight: What is believed now.
        x: The experiment. Shape `d`; unit cube.
        observed: What has been measured.
        field: Candidates. Shape `n x d`.
    """
    worth = foresight.at(field).worth
    best = field[np.argsort(-worth, kind="stable")[:N_BEST]]
    parts = hypothesis_information(foresight.belief, x)
    weights = np.array([float(part.log_weight.exp().sum()) for part in foresight.belief.kept])
    return Lesson(
        n_best=len(best),
        sd_now=_spread(foresight, best),
        sd_after=_spread_after(foresight, x, observed, best),
        information=sum(parts.values()),
        open=float(-(weights * np.log(weights.clip(1e-300))).sum()),
        by_hypothesis=parts,
    )


@torch.no_grad()
def hypothesis_information(belief: Belief, x: np.ndarray) -> dict[str, float]:
    """Return the expected information on which hypothesis is true, nats, by hypothesis. `x` has shape `d`."""
    X = torch.as_tensor(x, dtype=torch.float64, device=belief.steps.device)[None]
    parts = information(noisy(belief.kept, X), [len(part.log_weight) for part in belief.kept])[0].clamp(min=0.0)
    return dict(zip((part.name for part in belief.kept), parts.tolist(), strict=True))


def _spread(foresight: Foresight, X: np.ndarray) -> float:
    return float(np.sqrt(np.mean(foresight.at(X).sd ** 2)))


def _spread_after(foresight: Foresight, x: np.ndarray, observed: Observations, best: np.ndarray) -> float:
    """Return the root mean variance to be expected after the experiment."""
    spreads = []
    for y in _imagined(foresight.belief, x):
        belief = adapt(foresight.belief.hypotheses, _with(observed, x, y))
        spreads.append(_spread(replace(foresight, belief=belief), best))
    return float(np.sqrt(np.mean(np.square(spreads))))


@torch.no_grad()
def _imagined(belief: Belief, x: np.ndarray) -> list[float]:
    """Return outcomes that the belief holds possible: the middles of equally probable fifths."""
    X = torch.as_tensor(x, dtype=torch.float64, device=belief.steps.device)[None].expand(len(LEVELS), -1)
    seen = noisy(belief.kept, X)
    found: list[float] = mixture_quantile(
        seen.mean, seen.sd, seen.log_weight.exp(), seen.mean.new_tensor(LEVELS)
    ).tolist()
    return found


def _with(observed: Observations, x: np.ndarray, y: float) -> Observations:
    """Return observations with one more, measured as exactly as the belief expects and in a block of its own."""
    return replace(
        observed,
        X=np.vstack([observed.X, x]),
        y=np.append(observed.y, y),
        yvar=None if observed.yvar is None else np.append(observed.yvar, 0.0),
        keys=(*observed.keys, "imagined"),
        limits=None if observed.limits is None else np.append(observed.limits, 0),
        blocks=tuple(np.append(block, block.max(initial=-1) + 1) for block in observed.blocks),
    )
