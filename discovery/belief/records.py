"""What a belief says, as values: predictions per hypothesis, and the weights that hypotheses hold.

These records are stored when a proposal is made and are what calibration and the ledger are computed from: nobody can
be wise after the event. Next in the tour: `discovery.acquisition`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import erf, exp, log, pi, sqrt

import numpy as np


@dataclass(frozen=True)
class HypothesisPrediction:
    """What one hypothesis says about the next noisy outcome at one configuration: a Gaussian mixture in raw units.

    Attributes:
        hypothesis: Name of the hypothesis.
        weight: Its search weight when the prediction was made.
        log_weights: Log weights of the mixture's components; they sum to one after `exp`.
        means: Means of the components, raw units.
        sds: Standard deviations of the components (noise included), raw units.
        checkpoint_id: The checkpoint that made it.
        n_measurements: Number of measurements seen.
    """

    hypothesis: str
    weight: float
    log_weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]
    checkpoint_id: str
    n_measurements: int

    @property
    def mean(self) -> float:
        """Mean of the mixture, raw units."""
        return float(np.exp(self.log_weights) @ np.asarray(self.means))

    @property
    def sd(self) -> float:
        """Standard deviation of the mixture, raw units."""
        w, mu, sd = np.exp(self.log_weights), np.asarray(self.means), np.asarray(self.sds)
        return float(sqrt(w @ (sd**2 + (mu - w @ mu) ** 2)))

    def log_density(self, y: float) -> float:
        """Return the log density that the hypothesis gave to an outcome `y`, per raw unit."""
        mu, sd = np.asarray(self.means), np.asarray(self.sds)
        terms = np.asarray(self.log_weights) - 0.5 * ((y - mu) / sd) ** 2 - np.log(sd) - 0.5 * log(2 * pi)
        top = float(terms.max())
        return top + log(float(np.exp(terms - top).sum()))

    def cdf(self, y: float) -> float:
        """Return the probability that the outcome is at most `y` (the PIT value of a measured outcome)."""
        terms = [
            exp(lw) * 0.5 * (1 + erf((y - mu) / (sd * sqrt(2))))
            for lw, mu, sd in zip(self.log_weights, self.means, self.sds, strict=True)
        ]
        return float(sum(terms))


def mix(predictions: Sequence[HypothesisPrediction]) -> HypothesisPrediction:
    """Return the belief's prediction: the mixture of the hypotheses' mixtures by their weights."""
    log_weights, means, sds = [], [], []
    for p in predictions:
        for lw, mu, sd in zip(p.log_weights, p.means, p.sds, strict=True):
            log_weights.append(lw + log(max(p.weight, 1e-300)))
            means.append(mu)
            sds.append(sd)
    return HypothesisPrediction(
        hypothesis="belief",
        weight=1.0,
        log_weights=tuple(log_weights),
        means=tuple(means),
        sds=tuple(sds),
        checkpoint_id="+".join(p.checkpoint_id for p in predictions),
        n_measurements=predictions[0].n_measurements,
    )


@dataclass(frozen=True)
class BeliefSummary:
    """Where a belief stands after its measurements.

    Attributes:
        n_measurements: Number of measurements it is conditioned on.
        log_evidence: Joint log marginal likelihood per hypothesis: exact, independent of order.
        weights: Search weight per hypothesis (evidence and prior, after the floor and fixed share); sums to one.
        e_value: `prod p_no_transfer / p_transfer` over the measurements so far; 20 or more says that the
            experience does not fit this task.
        doubtful: Measurements that may be wild values, counted from 0.
        doubt: Weight of the members that take those for wild values.
        groups: Within a hypothesis that found groups of earlier tasks: the probability of each, by name.
    """

    n_measurements: int
    log_evidence: dict[str, float]
    weights: dict[str, float]
    e_value: float
    doubtful: tuple[int, ...] = ()
    doubt: float = 0.0
    groups: dict[str, dict[str, float]] = field(default_factory=dict)
