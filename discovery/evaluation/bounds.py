"""What outcomes count as that are only bounds: `< 5` and `> 100` in the table of a campaign that is replayed.

A method that chooses such a row is told the bound and its side. What it has found counts by what is known: *at least
100* is as good as 100 where more is better, *at most 5* is as bad as the worst row of the table, since it may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from discovery import metrics
from discovery.standing import distance, signed

if TYPE_CHECKING:
    from discovery.campaign import Objective
    from discovery.evaluation.methods import Prediction

LEAST = 1e-300  # smallest probability whose logarithm is taken


def counted(outcomes: np.ndarray, sides: np.ndarray, sign: float) -> np.ndarray:
    """Return what outcomes count as: bounds on the bad side count as the worst row.

    Args:
        outcomes: Measured values and bounds, raw units. Shape `n`.
        sides: -1 where the true value is at most the outcome, 1 where at least, 0 where it was measured. Shape `n`.
        sign: 1 where more is better, -1 where less is.

    Returns:
        Shape `n`, raw units; the outcomes themselves where all were measured.
    """
    return np.where(sides * sign < 0, sign * np.min(sign * outcomes), outcomes)


@dataclass(frozen=True)
class Rows:
    """Held-out rows of a table, some of which may be bounds.

    Attributes:
        y: Measured values and bounds, raw units. Shape `r`.
        sides: -1, 0 or 1 as for `counted`; empty where all were measured.
    """

    y: np.ndarray
    sides: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int8))

    @property
    def is_measured(self) -> np.ndarray:
        """Which rows were measured. Shape `r`."""
        return self.sides == 0 if len(self.sides) else np.ones(len(self.y), dtype=bool)

    def nlpd(self, prediction: Prediction) -> float:
        """Return the mean negative log score, in nats: of a value its density, of a bound the probability of its side.

        Source:
            Tobin (1958), Econometrica 26, 24, equation 5, as a score; departures: none.
        """
        mixture = (prediction.log_weights, prediction.means, prediction.sds)
        if self.is_measured.all():
            return metrics.nlpd(self.y, *mixture)
        density = metrics.log_density(self.y, *mixture)
        below = metrics.pit(self.y, *mixture)
        side = np.where(self.sides < 0, below, 1 - below)
        return float(-np.where(self.is_measured, density, np.log(np.maximum(side, LEAST))).mean())


def actives(objective: Objective, rows: Rows, every: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Say which rows are what the campaign looks for, and of which rows that is known. Shape `r` each.

    Active is a hit; an outcome within the window; else what lies on the wanted side of the median of all rows, or
    nearer to the target than half of them.

    Args:
        objective: What is wanted of the outcome.
        rows: The rows.
        every: All rows of the campaign.
    """
    if objective.goal == "match":
        far = distance(objective, rows.y)
        half = float(np.median(distance(objective, every.y)))
        return far <= 0 if objective.window is not None else far < half, rows.is_measured
    if objective.goal == "hits":
        sign, found = (1.0 if objective.above else -1.0), signed(objective, rows.y) > 0
    else:
        sign = -1.0 if objective.goal == "minimize" else 1.0
        found = sign * rows.y > sign * float(np.median(every.y))
    if not len(rows.sides):
        return found, rows.is_measured
    return found, (rows.sides == 0) | ((rows.sides * sign > 0) & found) | ((rows.sides * sign < 0) & ~found)


def ranking(objective: Objective, prediction: Prediction) -> np.ndarray:
    """Return what predictions rank rows by, more is likelier active: probability of a hit, nearness, or the mean."""
    if objective.goal == "hits":
        level = np.full(len(prediction.means), float(objective.threshold or 0.0))
        below = metrics.pit(level, prediction.log_weights, prediction.means, prediction.sds)
        return 1 - below if objective.above else below
    return signed(objective, prediction.mean)
