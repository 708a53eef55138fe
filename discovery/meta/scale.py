"""Location and scale of an outcome: never estimated from the campaign's own measurements (DESIGN 4.3).

They come from the outcome's stated range, else from history, else from a grid of scales anchored at the first
measurement, which is then conditioned on but not scored. In every case a member is told with several scales, and the
evidence says which one this task has: a sister whose yields reach half as far is still a sister.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discovery.tasks.task import Task

LEAST_SPREAD = 1e-9  # of the largest outcome: what varies less is rounding
FACTORS = ((0.35, 0.1), (0.6, 0.2), (1.0, 0.5), (1.6, 0.2))  # a known scale is not this task's: factor and prior weight
PER_DECADE = 6  # scales of the anchored grid
DECADES = (-4.0, 3.0)  # its reach, in powers of ten of the first measurement's magnitude
TYPICAL, SPREAD = -0.5, 0.7  # log10 of the scale that is most expected, and how sharply (a Cauchy's centre and width)


@dataclass(frozen=True)
class Grid:
    """Scales that every member is told with.

    Attributes:
        location: Raw outcome that stands for zero.
        scales: Raw units per standardized unit. Shape `k`.
        log_prior: Log prior weight of each scale; normalized. Shape `k`.
    """

    location: float
    scales: np.ndarray
    log_prior: np.ndarray


@dataclass(frozen=True)
class OutcomeScale:
    """What zero and one mean in standardized units.

    Attributes:
        location: Raw outcome at zero, or None when anchored at the first measurement.
        scale: Raw units per standardized unit, or None when anchored.
        origin: `range`, `history` or `anchored`.
    """

    location: float | None
    scale: float | None
    origin: str

    @property
    def is_anchored(self) -> bool:
        """Whether the first measurement has to fix the scale."""
        return self.scale is None

    def grid(self, first: float) -> Grid:
        """Return the scales that members are told with: a scale is a random effect of the task.

        Args:
            first: The first measurement, raw units; used only when anchored.
        """
        if self.location is not None and self.scale is not None:
            factors, weights = np.array(FACTORS).T
            return Grid(self.location, self.scale * factors, np.log(weights))
        magnitude = abs(first) if first != 0 else 1.0
        low, high = DECADES
        decades = np.linspace(low, high, round((high - low) * PER_DECADE) + 1)
        weights = 1 / (1 + ((decades - TYPICAL) / SPREAD) ** 2)
        return Grid(first, magnitude * 10.0**decades, np.log(weights / weights.sum()))


def outcome_scale(outcome_range: Sequence[float] | None, history: Sequence[Task]) -> OutcomeScale:
    """Choose the scale of a campaign's outcome before its first measurement.

    Args:
        outcome_range: Stated lower and upper end, raw units, or None.
        history: Tasks whose outcomes (first column) are in the same unit.

    Returns:
        The middle and a quarter of the range, else the pooled mean and standard deviation of history, else anchored.
    """
    if outcome_range is not None:
        low, high = outcome_range
        return OutcomeScale((low + high) / 2, (high - low) / 4, "range")
    if history:
        values = np.concatenate([task.Y[:, 0] for task in history])
        spread = float(values.std())
        if spread > LEAST_SPREAD * float(np.abs(values).max()):
            return OutcomeScale(float(values.mean()), spread, "history")
    return OutcomeScale(None, None, "anchored")
