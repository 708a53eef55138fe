"""Were the stated uncertainties right? Scores of predictions that were frozen when each proposal was made.

What goes in are the rows of the view `v_calibration_inputs`; nothing is computed again and nothing known afterwards
enters. Besides scores there is an alarm for drift: a bet against calibration that a calibrated forecaster lets grow to
20 in at most one campaign out of twenty, however often one looks. Next in the tour: `discovery.report.calibration`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from discovery import metrics
from discovery.errors import counted

BELIEF = "belief"
LEVELS = (0.5, 0.8, 0.9, 0.95)  # central intervals whose coverage is reported
ALARM = 20.0  # e-value of the drift alarm: false in at most one calibrated campaign out of twenty (Ville)
N_RECENT = 20  # predictions that the words about drift look at
MEAN_ONSET = 20.0  # a bet starts at any prediction with probability one in so many, if not at the first
CLIP = 0.005  # PIT values count as no nearer to 0 and 1 than this, so that one outlier cannot raise the alarm alone
BETS = ("higher", "lower", "wider", "narrower")  # how outcomes may differ from what was predicted


@dataclass(frozen=True)
class StoredPredictions:
    """What one hypothesis, or the belief, had said about `r` measurements before they were made.

    Attributes:
        name: The hypothesis, or `belief`.
        outcome: What was measured, raw units, in the order of measurement. Shape `r`.
        position: Position of each measurement in the campaign, from 1. Shape `r`.
        n_seen: Number of measurements that each prediction was made from. Shape `r`.
        proposal_ids: Which proposal each prediction belongs to.
        log_weights: Log weights of the mixture's components. Shape `r x k`.
        means: Their means, raw units. Shape `r x k`.
        sds: Their standard deviations, noise included. Shape `r x k`.
    """

    name: str
    outcome: np.ndarray
    position: np.ndarray
    n_seen: np.ndarray
    proposal_ids: tuple[str, ...]
    log_weights: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    @property
    def mixture(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log weights, means and standard deviations."""
        return self.log_weights, self.means, self.sds

    @property
    def mean(self) -> np.ndarray:
        """Predicted mean, raw units. Shape `r`."""
        return np.asarray((np.exp(self.log_weights) * self.means).sum(axis=1))

    @property
    def pit(self) -> np.ndarray:
        """Predicted probability of at most what was measured. Shape `r`."""
        return metrics.pit(self.outcome, *self.mixture)

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the central interval of a level, raw units. Shape `r` each."""
        tail = (1.0 - level) / 2.0
        return metrics.quantile(tail, *self.mixture), metrics.quantile(1.0 - tail, *self.mixture)

    def scores(self) -> dict[str, float]:
        """Return `n`, `nlpd`, `crps`, `rmse` and `coverage50` to `coverage95`; raw units where there are units."""
        pit = self.pit
        scores = {
            "n": float(len(self.outcome)),
            "nlpd": metrics.nlpd(self.outcome, *self.mixture),
            "crps": float(metrics.crps_gaussian_mixture(self.outcome, *self.mixture).mean()),
            "rmse": metrics.rmse(self.outcome, self.mean),
        }
        return scores | {f"coverage{100 * level:g}": metrics.coverage(pit, level) for level in LEVELS}


@dataclass(frozen=True)
class Drift:
    """Whether measured outcomes have ceased to be what was predicted.

    Attributes:
        e_value: What a bet against calibration has made of 1; 20 or more is an alarm.
        kind: The bet that gained most: outcomes are `higher`, `lower`, spread `wider` or `narrower` than predicted.
        since: Position of the measurement from which that bet gained most, from 1; 0 where nothing was predicted.
        n: Number of predictions.
        coverage90: Share of the last `N_RECENT` outcomes inside their 90 % interval; NaN where there are none.
    """

    e_value: float
    kind: str
    since: int
    n: int
    coverage90: float

    @property
    def is_alarm(self) -> bool:
        """Whether the alarm is raised."""
        return self.e_value >= ALARM


def read_predictions(frame: pd.DataFrame) -> dict[str, StoredPredictions]:
    """Read what was stored when proposals were made.

    Args:
        frame: Rows of `v_calibration_inputs`: one per measurement and hypothesis, with `measurement_id`, `position`,
            `proposal_id`, `hypothesis`, `weight`, `outcome`, `n_measurements`, and the lists `log_weights`, `means`
            and `sds` (or their JSON).

    Returns:
        The belief first (the hypotheses mixed by the weights that they had), then each hypothesis; empty where
        nothing was measured yet. A bound has neither a density nor a place among predicted outcomes: it is left out
        here, and counts in the evidence by its probability.
    """
    rows = frame.dropna(subset=["outcome"])
    rows = rows[rows["side"] == ""] if "side" in rows else rows
    if rows.empty:
        return {}
    rows = rows.sort_values("position", kind="stable") if "position" in rows else rows
    parts = [(BELIEF, rows), *((str(name), own) for name, own in rows.groupby("hypothesis", sort=False))]
    return {name: _stored(name, own, is_mixed=name == BELIEF) for name, own in parts}


def drift(predictions: StoredPredictions) -> Drift:
    """Bet against calibration with the PIT values in order, and say what the bets have gained."""
    return drift_of(predictions.pit, predictions.n_seen, predictions.position)


def drift_of(pit: np.ndarray, n_seen: np.ndarray | None = None, position: np.ndarray | None = None) -> Drift:
    """Bet against calibration with PIT values.

    Four bets say how outcomes may differ from what was predicted: they are higher, lower, spread wider or narrower,
    `b(u) = 1 / (2 sqrt(1 - u)), 1 / (2 sqrt(u)), 1 / (pi sqrt(u(1 - u))), 6u(1 - u)`. Half of the money is bet from
    the first prediction on, the rest little by little. With uniform PIT values what it becomes is a martingale, so
    that the probability that it ever reaches 20 is at most 1/20. Predictions made from the same measurements (a batch)
    may err together: their bets are averaged, not multiplied.

    Args:
        pit: PIT values in the order of measurement. Shape `r`.
        n_seen: Number of measurements that each prediction was made from; default all different.
        position: Position of each measurement in the campaign, from 1; default `1 .. r`.

    Source:
        Vovk and Wang (2021), E-values, and Shafer (2021), Testing by betting; departures: a mixture over four
        densities and over the time of onset.
    """
    u = np.clip(np.asarray(pit, dtype=float), CLIP, 1.0 - CLIP)
    if len(u) == 0:
        return Drift(1.0, BETS[0], 0, 0, float("nan"))
    where = np.arange(1, len(u) + 1) if position is None else np.asarray(position)
    batch, labels = pd.factorize(where if n_seen is None else np.asarray(n_seen))
    bets = np.stack([0.5 / np.sqrt(1 - u), 0.5 / np.sqrt(u), 1 / (np.pi * np.sqrt(u * (1 - u))), 6 * u * (1 - u)])
    is_in = batch == np.arange(len(labels))[:, None]  # g x r
    log_bets = np.log(bets @ is_in.T / is_in.sum(axis=1))  # 4 x g
    log_begun, log_waiting = _onsets(len(labels))
    gained = log_bets[:, ::-1].cumsum(axis=1)[:, ::-1] + log_begun  # by what was bet from each batch on
    log_e = logsumexp([*gained.ravel(), np.log(len(BETS)) + log_waiting]) - np.log(len(BETS))
    kind = int(logsumexp(gained, axis=1).argmax())
    since = int(where[batch == gained[kind].argmax()].min())
    recent = metrics.coverage(np.asarray(pit)[-N_RECENT:], 0.9)
    return Drift(float(np.exp(min(log_e, 700.0))), BETS[kind], since, len(u), recent)


def drift_sentence(found: Drift) -> str:
    """Say in words what the predictions have been worth lately, and what to do about it."""
    recent = f"{100 * found.coverage90:.0f} % of the last {counted(min(found.n, N_RECENT), 'outcome')}"
    if found.n == 0:
        return "No prediction has been tested by a measurement yet."
    if not found.is_alarm:
        return f"No sign of drift: {recent} lay in their 90 % intervals (e-value {found.e_value:.2g}; alarm at 20)."
    said, advice = _WORDS[found.kind]
    return (
        f"Predictions are off since experiment {found.since}: {said}; {recent} lay in their 90 % intervals "
        f"(e-value {found.e_value:.3g}; alarm at 20). {advice}"
    )


_WORDS = {
    "higher": (
        "outcomes are higher than predicted",
        "Look for what changed then (lot, instrument, operator), and measure an earlier configuration again.",
    ),
    "lower": (
        "outcomes are lower than predicted",
        "Look for what changed then (lot, instrument, operator), and measure an earlier configuration again.",
    ),
    "wider": (
        "outcomes lie outside their intervals more often than they should",
        "Take intervals as too narrow; measure one configuration twice to see the noise, and check outliers.",
    ),
    "narrower": (
        "outcomes lie nearer to the predictions than stated",
        "Intervals are wider than need be, which costs experiments and misleads nobody; nothing has to be done.",
    ),
}


def _onsets(n: int) -> tuple[np.ndarray, float]:
    """Return the log share of the money that is begun to bet at each of `n` predictions, and what still waits."""
    step = np.arange(n, dtype=float)
    later = np.log(0.5) - np.log(MEAN_ONSET) + (step - 1) * np.log1p(-1 / MEAN_ONSET)
    return np.where(step == 0, np.log(0.5), later), float(np.log(0.5) + (n - 1) * np.log1p(-1 / MEAN_ONSET))


def _stored(name: str, rows: pd.DataFrame, *, is_mixed: bool) -> StoredPredictions:
    """Put the mixtures of all rows of a measurement side by side, weighted where they are mixed."""
    parts = pd.DataFrame({column: rows[column].map(_cell) for column in ("log_weights", "means", "sds")})
    if is_mixed:
        log_prior = np.log(np.maximum(rows["weight"].to_numpy(dtype=float), 1e-300))
        parts["log_weights"] = [w + p for w, p in zip(parts["log_weights"], log_prior, strict=True)]
    groups = rows["measurement_id"].to_numpy()
    joined, first = parts.groupby(groups, sort=False).agg(list), rows.groupby(groups, sort=False).first()
    log_weights = _padded([np.concatenate(cells) for cells in joined["log_weights"]], -np.inf)
    totals = logsumexp(log_weights, axis=1, keepdims=True)  # weights are stored to few digits
    order = pd.Series(range(1, len(first) + 1))
    return StoredPredictions(
        name=name,
        outcome=first["outcome"].to_numpy(dtype=float),
        position=first.get("position", order).to_numpy(dtype=int),
        n_seen=first.get("n_measurements", order).to_numpy(dtype=int),
        proposal_ids=tuple(str(i) for i in first["proposal_id"]),
        log_weights=log_weights - totals,
        means=_padded([np.concatenate(cells) for cells in joined["means"]], 0.0),
        sds=_padded([np.concatenate(cells) for cells in joined["sds"]], 1.0),
    )


def _cell(value: object) -> np.ndarray:
    """Return the numbers of a stored list, which a database may hand over as JSON text."""
    return np.asarray(json.loads(value) if isinstance(value, str) else value, dtype=float)


def _padded(rows: Sequence[np.ndarray], fill: float) -> np.ndarray:
    """Stack rows of different lengths. Shape `r x k`."""
    table = np.full((len(rows), max((len(row) for row in rows), default=1)), fill)
    is_real = np.arange(table.shape[1]) < np.array([len(row) for row in rows], dtype=int)[:, None]
    table[is_real] = np.concatenate(rows) if len(rows) else []
    return table
