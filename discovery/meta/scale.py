"""Location and scale of an outcome: never estimated from the campaign's own measurements (DESIGN 4.3).

They come from the outcome's stated range, else from history, else from a grid of scales anchored at the first
measurement, which is then conditioned on but not scored. In every case members are told with several readings
(`discovery.meta.reading`): a sister whose yields reach half as far is still a sister, and yields that crowd at zero
are read on a bent axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import log, log1p, sqrt

import numpy as np
import torch

from discovery.errors import ConfigurationError
from discovery.meta.reading import Reading
from discovery.tasks.task import Task

LEAST_SPREAD = 1e-9  # of the largest outcome: what varies less is rounding
FACTORS = ((0.35, 0.1), (0.6, 0.2), (1.0, 0.5), (1.6, 0.2))  # a known scale is not this task's: factor and prior weight
PER_DECADE = 6  # scales of the anchored grid
DECADES = (-2.0, 2.0)  # its reach, in powers of ten of the first measurement's magnitude
TYPICAL, SPREAD = -0.5, 0.7  # log10 of the scale that is most expected, and how sharply (a Cauchy's centre and width)
DELTAS = (0.02, 0.1, 0.5)  # how sharply outcomes may crowd at an edge, in units of the range (or of a typical outcome)
WARPED = 0.5  # prior weight of all warped readings together
KNOWN = 2  # position of the scale as it is known among the factors
PLAIN_AXIS = (0.0, 1.0)
PLAIN = (0.0, 0.0, 1.0, 1.0, 1.0)  # sign, edge, unit, delta and reach of a reading without a warp
REACH, OPEN_REACH = 1.1, 50.0  # how far warped readings imagine outcomes: just beyond a range, else far
LOG_SPREADS = (0.1, 0.2, 0.4, 0.8, 1.6)  # standard deviations of log outcomes where nothing is known


@dataclass(frozen=True)
class OutcomeScale:
    """What zero and one mean in standardized units.

    Attributes:
        location: Raw outcome at zero, or None when anchored at the first measurement.
        scale: Raw units per standardized unit, or None when anchored.
        origin: `range`, `history` or `anchored`.
        low: Outcome that none can be below, or None where none is known.
        high: Outcome that none can be above, or None.
        sign: Warp of the axis that a hypothesis's features stand on (see `Reading`); 0 for the plain axis.
        delta: Sharpness of that warp.
    """

    location: float | None
    scale: float | None
    origin: str
    low: float | None = None
    high: float | None = None
    sign: float = 0.0
    delta: float = 1.0

    @property
    def is_anchored(self) -> bool:
        """Whether the first measurement has to fix the scale."""
        return self.scale is None

    @property
    def axes(self) -> tuple[tuple[float, float], ...]:
        """Axes that outcomes may be put on where the scale is known, as (sign, delta); the plain one first."""
        if self.low is None or (self.high is None and self.low >= self.location_scale[0]):
            return (PLAIN_AXIS,)
        signs = (1.0,) if self.high is None else (1.0, -1.0)
        return (PLAIN_AXIS, *((sign, delta) for sign in signs for delta in DELTAS))

    @property
    def location_scale(self) -> tuple[float, float]:
        """Location and scale.

        Raises:
            ConfigurationError: If the scale is anchored.
        """
        if self.location is None or self.scale is None:
            raise ConfigurationError(
                "outcomes[].range must be given where outcomes of the history do not vary.",
                "Add the range, or remove the history.",
            )
        return self.location, self.scale

    def n_anchoring(self, y: Sequence[float]) -> int:
        """Say how many measurements fix the scale and are not scored: those up to the first that is not zero.

        Args:
            y: Measured outcomes in order, raw units.
        """
        if not self.is_anchored:
            return 0
        return next((i + 1 for i, value in enumerate(y) if value != 0), len(y))

    def readings(
        self, anchor: Sequence[float] = (), *, on_all_axes: bool = True, device: torch.device | str = "cpu"
    ) -> Reading:
        """Return the readings that members are told with.

        Args:
            anchor: The measurements that fix the scale (`n_anchoring`), raw units; none where it is known.
            on_all_axes: Whether every axis is among them, or only the one that features stand on.
            device: Where they live.
        """
        if self.is_anchored:
            rows = [row for row in _anchored(anchor) if on_all_axes or row[0] == 0]
        else:
            axes = self.axes if on_all_axes else ((self.sign, self.delta),)
            rows = [(*self._row(axis, factor), weight) for axis in axes for factor, weight in FACTORS]
        table = torch.tensor(rows, dtype=torch.float64, device=device)
        plain, prior = table[:, 0] == 0, table[:, -1]
        share = torch.where(plain, prior / prior[plain].sum(), prior / prior[~plain].sum().clamp_min(1e-12))
        is_mixed = bool(plain.any()) and bool((~plain).any())
        weights = share * torch.where(plain, 1 - WARPED, WARPED) if is_mixed else prior / prior.sum()
        names = [f.name for f in fields(Reading) if f.name != "log_prior"]
        return Reading(**dict(zip(names, table.T[:-1], strict=True)), log_prior=weights.log())

    def own_reading(self, device: torch.device | str = "cpu") -> Reading:
        """Return the one reading that features are made with: their axis, the scale as it is known."""
        return self.readings(on_all_axes=False, device=device)[torch.tensor([KNOWN])]

    def _row(self, axis: tuple[float, float], factor: float) -> tuple[float, ...]:
        """Return (sign, edge, unit, delta, reach, center, spread) of an axis, its scale times a factor."""
        (location, scale), (sign, delta) = self.location_scale, axis
        if sign == 0:
            return (*PLAIN, location, scale * factor)
        low = 0.0 if self.low is None else self.low
        if self.high is not None:
            logs = np.log(np.linspace(0, 1, 101) + delta)
            edge = low if sign > 0 else self.high
            return sign, edge, self.high - low, delta, REACH, sign * float(logs.mean()), float(logs.std()) * factor
        variance = log1p((scale / (location - low)) ** 2 / (1 + delta) ** 2)  # as if log-normal
        center = log1p(delta) - variance / 2
        return sign, low, location - low, delta, OPEN_REACH, center, sqrt(variance) * factor


def _anchored(anchor: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Readings where nothing is known: scales over decades, and logarithms where no outcome is negative so far."""
    first, last = (anchor[0], anchor[-1]) if len(anchor) else (0.0, 1.0)
    magnitude = abs(last) if last != 0 else 1.0
    low, high = DECADES
    for decade in np.linspace(low, high, round((high - low) * PER_DECADE) + 1).tolist():
        weight = 1 / (1 + ((decade - TYPICAL) / SPREAD) ** 2)
        yield *PLAIN, first, magnitude * 10.0**decade, weight
    if first >= 0 and last >= 0:
        for delta in DELTAS:
            for spread in LOG_SPREADS:
                yield 1.0, 0.0, magnitude, delta, OPEN_REACH, log(first / magnitude + delta), spread, 1.0


def outcome_scale(outcome_range: Sequence[float] | None, history: Sequence[Task]) -> OutcomeScale:
    """Choose the scale of a campaign's outcome before its first measurement.

    Args:
        outcome_range: Stated lower and upper end, raw units, or None.
        history: Tasks whose outcomes (first column) are in the same unit.

    Returns:
        The middle and a quarter of the range, else the pooled mean and standard deviation of what was measured in
        history (bounds stand at their number only where nothing else is known), else anchored.
    """
    if outcome_range is not None:
        low, high = outcome_range
        return OutcomeScale((low + high) / 2, (high - low) / 4, "range", float(low), float(high))
    if history:
        every = np.concatenate([task.Y[:, 0] for task in history])
        is_measured = np.concatenate([task.is_measured for task in history])
        values = every[is_measured] if is_measured.any() else every
        spread = float(values.std())
        if spread > LEAST_SPREAD * float(np.abs(values).max()):
            floor = 0.0 if every.min() >= 0 else None
            return OutcomeScale(float(values.mean()), spread, "history", floor)
    return OutcomeScale(None, None, "anchored")
