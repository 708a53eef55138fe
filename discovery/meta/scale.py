"""Location and scale of an outcome: never estimated from the campaign's own measurements (DESIGN 4.3).

They come from the outcome's stated range, else from history, else from a grid of scales anchored at the first
measurement, which is then conditioned on but not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discovery.tasks.task import Task

LEAST_SPREAD = 1e-9  # of the largest outcome: what varies less is rounding
GRID_DECADES = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5)  # scale members: 10^k times the first measurement's magnitude


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

    def grid(self, first: float) -> tuple[np.ndarray, np.ndarray]:
        """Return locations and scales of the scale members.

        Args:
            first: The first measurement, raw units; used only when anchored.

        Returns:
            Two arrays of shape `k`; `k` is one unless anchored.
        """
        if self.location is not None and self.scale is not None:
            return np.array([self.location]), np.array([self.scale])
        magnitude = abs(first) if first != 0 else 1.0
        scales = magnitude * 10.0 ** np.asarray(GRID_DECADES)
        return np.full_like(scales, first), scales


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
