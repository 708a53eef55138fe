"""What baselines share that learn nothing before a campaign: two measurements are the least that they can use.

With fewer, the spread of outcomes is not defined: a search goes on at random, and nothing is predicted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from discovery.errors import NotEnoughDataError
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen, random_indices

MIN_MEASUREMENTS = 2


@dataclass
class ColdMethod(ABC):
    """A search that begins at random."""

    name: str
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:  # noqa: B027  (most have nothing to do here)
        """There is nothing to learn before the campaign."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates; at random with fewer than two measurements."""
        if seen.n < MIN_MEASUREMENTS:
            return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))
        return Choice(indices=self.search(context, seen, n, seed))

    @abstractmethod
    def search(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> tuple[int, ...]:
        """Return the next `n` candidates from two measurements on; arguments as for `choose`."""


@dataclass
class ColdPredictor(ABC):
    """A predictor with one Gaussian per candidate."""

    name: str

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:  # noqa: B027  (most have nothing to do here)
        """There is nothing to learn before the campaign."""

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict noisy outcomes.

        Raises:
            NotEnoughDataError: If there are fewer than two measurements.
        """
        if support.n < MIN_MEASUREMENTS:
            raise NotEnoughDataError(f"{self.name} needs at least two measurements to predict; got {support.n}.")
        mean, sd = self.moments(context, support, query, seed)
        return Prediction(np.zeros(1), mean[:, None], sd[:, None])

    @abstractmethod
    def moments(
        self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return means and standard deviations, noise included, raw units; arguments as for `predict`. Shape `r`."""
