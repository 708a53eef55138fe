"""What a belief says of any configurations, as numbers that a person can read: mean, spread, interval, gain.

Everything that explains a proposal asks the belief through here, many configurations at once. Next in the tour:
`discovery.review.explanation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.gaussians import Mixture, latent, noisy
from discovery.acquisition.goals import Rising
from discovery.acquisition.hits import Hit
from discovery.acquisition.matching import Matching
from discovery.acquisition.mixture import mixture_quantile
from discovery.standing import signed

if TYPE_CHECKING:
    from discovery.acquisition.goals import Score
    from discovery.belief.belief import Belief
    from discovery.campaign import Objective

LEVEL = 0.9  # of the central intervals
CHUNK = 512  # configurations predicted at once


@dataclass(frozen=True)
class Foreseen:
    """What is foreseen of `n` configurations; raw units, shape `n` each.

    Attributes:
        mean: Mean of the next measured outcome: the prediction that is stored with proposals.
        sd: Standard deviation of the true outcome: what is not known, noise left out.
        worth: How good the mean is, more is better: the mean, its negative, minus the distance to what is to be
            matched, or the probability of a hit.
        gain: Expected improvement on the best measured; for hits the probability of one; NaN before any measurement.
    """

    mean: np.ndarray
    sd: np.ndarray
    worth: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Foresight:
    """A belief in one outcome, and what is wanted of it.

    Attributes:
        belief: The belief.
        objective: What is wanted.
        best: The best worth measured so far; None before any measurement, and for hits.
    """

    belief: Belief
    objective: Objective
    best: float | None

    @classmethod
    def of(cls, belief: Belief, objective: Objective, y: np.ndarray) -> Foresight:
        """Return what a belief foresees beside the outcomes measured so far, shape `n`, raw units."""
        is_open = objective.goal == "hits" or len(y) == 0
        return cls(belief, objective, None if is_open else float(signed(objective, y).max()))

    @torch.no_grad()
    def at(self, X: np.ndarray) -> Foreseen:
        """Foresee configurations. Shape `n x d`; unit cube."""
        parts = [self._at(part) for part in self._tensor(X).split(CHUNK)]
        return Foreseen(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))

    @torch.no_grad()
    def interval(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the central interval of the next measured outcome, noise included. Shape `n x d` to two of `n`."""
        ends: list[tuple[torch.Tensor, torch.Tensor]] = []
        for part in self._tensor(X).split(CHUNK):
            seen = noisy(self.belief.kept, part)
            tails = (seen.mean.new_full((len(part),), tail) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
            low, high = (mixture_quantile(seen.mean, seen.sd, seen.log_weight.exp(), tail) for tail in tails)
            ends.append((low, high))
        lows, highs = (torch.cat(column).cpu().numpy() for column in zip(*ends, strict=True))
        return lows, highs

    def _tensor(self, X: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(X, dtype=torch.float64, device=self.belief.steps.device)

    def _at(self, X: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen = latent(self.belief.kept, X)
        mean, score = noisy(self.belief.kept, X).expected, _score(self.objective)  # on a bent axis noise moves the mean
        if score is None:
            chance = _chance(self.objective, seen)
            return mean, _sd(seen), chance, chance
        gain = torch.full_like(mean, torch.nan)
        if self.best is not None:
            gain = score.log_excess(seen, mean.new_tensor([self.best]))[..., 0].exp()
        return mean, _sd(seen), score.of(mean), gain


def _score(objective: Objective) -> Score | None:
    """Return what makes an outcome good; None for hits, which are counted and not improved on."""
    if objective.goal == "match":
        low, high = objective.window or (objective.target or 0.0, objective.target or 0.0)
        return Matching(low, high)
    return None if objective.goal == "hits" else Rising(-1.0 if objective.goal == "minimize" else 1.0)


def _chance(objective: Objective, seen: Mixture) -> torch.Tensor:
    """Return the probability of a hit. Shape `n`."""
    hit = Hit(objective.name, objective.threshold or 0.0, objective.above)
    return hit({objective.name: seen}).exp()


def _sd(seen: Mixture) -> torch.Tensor:
    """Return the standard deviation of a mixture. Shape `n`."""
    weight = seen.log_weight.exp()
    around = seen.mean - seen.expected[..., None]
    return (weight * (seen.sd.square() + around.square())).sum(-1).sqrt()
