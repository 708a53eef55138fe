"""What the report of a stored campaign is made of: plain tables in, grids and predictions out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discovery import metrics
from discovery.campaign import CampaignSpec
from discovery.metrics import Goal
from discovery.report.grids import Grid
from discovery.report.style import labeled, number

Mixture = tuple[np.ndarray, np.ndarray, np.ndarray]  # log weights, means, sds; each r x k


@dataclass(frozen=True)
class CampaignFrames:
    """A stored campaign as tables.

    Attributes:
        spec: The campaign.
        measurements: One row per measurement in order: parameter and outcome columns, `measurement_id`, `position`,
            `proposal_id`, `ingested_at`.
        proposals: One row per proposal: `proposal_id`, `cycle`, `status` and more.
        evidence: One row per cycle and hypothesis: `cycle`, `hypothesis`, `weight`, `log_evidence`, `e_value`,
            `n_measurements`.
        calibration: One row per measurement and hypothesis, as stored when the proposal was made:
            `measurement_id`, `proposal_id`, `hypothesis`, `weight`, `log_weights`, `means`, `sds` (lists, or JSON
            text), `outcome`.
    """

    spec: CampaignSpec
    measurements: pd.DataFrame
    proposals: pd.DataFrame
    evidence: pd.DataFrame
    calibration: pd.DataFrame

    @property
    def outcome(self) -> str:
        """Name of the outcome that is optimized."""
        return self.spec.objective.name

    @property
    def unit(self) -> str:
        """Unit of that outcome; may be empty."""
        return self.spec.outcome(self.outcome).unit

    @property
    def goal(self) -> Goal:
        """What is wanted of it."""
        return "minimize" if self.spec.objective.goal == "minimize" else "maximize"

    @property
    def measured(self) -> pd.DataFrame:
        """Measurements that have the outcome, in order."""
        return self.measurements.dropna(subset=[self.outcome]).reset_index(drop=True)

    @property
    def outcomes(self) -> np.ndarray:
        """Measured outcomes in order, raw units."""
        return self.measured[self.outcome].to_numpy(dtype=float)


def campaign_headline(frames: CampaignFrames) -> str:
    """Say in a sentence what the campaign has found so far."""
    y = frames.outcomes
    if len(y) == 0:
        return "Nothing has been measured yet."
    best = float(metrics.best_so_far(y, frames.goal)[-1])
    at = int(np.flatnonzero(y == best)[0]) + 1
    word = "highest" if frames.goal == "maximize" else "lowest"
    unit = f" {frames.unit}" if frames.unit else ""
    noun = "experiment" if len(y) == 1 else "experiments"
    return f"The {word} {frames.outcome} so far is {number(best)}{unit}, at experiment {at}; {len(y)} {noun} were made."


def conditions_grid(frames: CampaignFrames, n: int = 5) -> Grid:
    """Return the best measured configurations."""
    table, names = frames.measured, frames.spec.parameter_names
    table = table.assign(experiment=np.arange(1, len(table) + 1))
    best = table.sort_values(frames.outcome, ascending=frames.goal == "minimize", kind="stable").head(n)
    shown = best[[*names, frames.outcome, "experiment"]].astype(object).itertuples(index=False)
    return Grid(
        title="Best conditions found",
        columns=(
            "",
            *(labeled(p.name, getattr(p, "unit", "")) for p in frames.spec.parameters),
            labeled(frames.outcome, frames.unit),
            "experiment",
        ),
        rows=tuple((str(i), *(number(v) for v in row)) for i, row in enumerate(shown, start=1)),
        n_text=1 + len(names),
    )


def ledger(frames: CampaignFrames) -> pd.DataFrame:
    """Return hypothesis weights, one row per cycle and one column per hypothesis."""
    table = frames.evidence.pivot_table(index="cycle", columns="hypothesis", values="weight", sort=False)
    return table.sort_index().fillna(0.0)


def ledger_grid(frames: CampaignFrames) -> Grid:
    """Return the weights of the last cycle with the evidence of each hypothesis."""
    last = frames.evidence[frames.evidence["cycle"] == frames.evidence["cycle"].max()]
    rows = tuple(
        (str(row.hypothesis), f"{row.weight:.3f}", f"{row.log_evidence:.2f}")
        for row in last.sort_values("weight", ascending=False).itertuples(index=False)
    )
    e_value, n = float(last["e_value"].max()), int(last["n_measurements"].max())
    verdict = "this task is unlike the experience" if e_value >= 20 else "no sign that the experience misleads"
    return Grid(
        title=f"What explains the measurements (cycle {int(last['cycle'].max())}, {n} measurements)",
        columns=("hypothesis", "weight", "log evidence"),
        rows=rows,
        keys=tuple(row[0] for row in rows),
        note=f"e-value against the experience: {number(e_value, 3)} ({verdict}; the alarm is at 20).",
    )


def calibration_grid(frames: CampaignFrames) -> Grid:
    """Return how well each hypothesis, and the belief, had predicted what was then measured."""
    named = [("belief", frames.calibration)]
    named += [(str(name), rows) for name, rows in frames.calibration.groupby("hypothesis", sort=False)]
    return Grid(
        title="Predictions made before the measurement, scored after it",
        columns=("", "predictions", "NLPD", f"RMSE{f' ({frames.unit})' if frames.unit else ''}", "inside 90 %"),
        rows=tuple((name, *_scores(rows, is_mixed=name == "belief")) for name, rows in named),
        keys=tuple(name for name, _ in named),
        note="NLPD: mean negative log density of the outcome, less is better. Inside 90 %: share of outcomes in the "
        "central 90 % interval; 0.90 when calibrated.",
    )


def predictions(frames: CampaignFrames) -> pd.DataFrame:
    """Return the belief's stored predictions beside what was measured, in raw units.

    Returns:
        One row per measurement: `proposal_id`, `outcome`, `mean`, `lower`, `upper` (the central 90 %), `pit`.
    """
    mixture = belief_mixtures(frames.calibration)
    first = frames.calibration.groupby("measurement_id", sort=False).first()
    y = first["outcome"].to_numpy(dtype=float)
    log_weights, means, _ = mixture
    return pd.DataFrame(
        {
            "proposal_id": first["proposal_id"].to_numpy(),
            "outcome": y,
            "mean": (np.exp(log_weights) * means).sum(axis=1),
            "lower": metrics.quantile(0.05, *mixture),
            "upper": metrics.quantile(0.95, *mixture),
            "pit": metrics.pit(y, *mixture),
        }
    )


def belief_mixtures(calibration: pd.DataFrame) -> Mixture:
    """Mix the hypotheses' stored predictions by their stored weights.

    Returns:
        Log weights, means and sds, each of shape `r x k`: a row per measurement in order of appearance, components of
        all hypotheses side by side, padded with components of no weight.
    """
    parts = pd.DataFrame({name: calibration[name].map(_cell) for name in ("log_weights", "means", "sds")})
    log_prior = np.log(np.maximum(calibration["weight"].to_numpy(dtype=float), 1e-300))
    parts["log_weights"] = [np.asarray(w) + p for w, p in zip(parts["log_weights"], log_prior, strict=True)]
    joined = parts.groupby(calibration["measurement_id"].to_numpy(), sort=False).agg(list)
    log_weights = _padded([np.concatenate(cells) for cells in joined["log_weights"]], -np.inf)
    totals = np.logaddexp.reduce(log_weights, axis=1, keepdims=True)  # weights stored to few digits
    means = _padded([np.concatenate(cells) for cells in joined["means"]], 0.0)
    return log_weights - totals, means, _padded([np.concatenate(cells) for cells in joined["sds"]], 1.0)


def _scores(rows: pd.DataFrame, *, is_mixed: bool) -> tuple[str, str, str, str]:
    """Score stored predictions: of the belief where hypotheses are mixed, else of the one hypothesis in the rows."""
    mixture = belief_mixtures(rows if is_mixed else rows.assign(weight=1.0))
    y = rows.groupby("measurement_id", sort=False)["outcome"].first().to_numpy(dtype=float)
    mean = (np.exp(mixture[0]) * mixture[1]).sum(axis=1)
    inside = metrics.coverage(metrics.pit(y, *mixture), 0.9)
    return str(len(y)), f"{metrics.nlpd(y, *mixture):.2f}", number(metrics.rmse(y, mean), 3), f"{inside:.2f}"


def _cell(value: object) -> np.ndarray:
    """Return the numbers of a stored list, which a database may hand over as JSON text."""
    return np.asarray(json.loads(value) if isinstance(value, str) else value, dtype=float)


def _padded(rows: Sequence[np.ndarray], fill: float) -> np.ndarray:
    """Stack rows of different lengths. Shape `r x k`."""
    table = np.full((len(rows), max((len(row) for row in rows), default=1)), fill)
    is_real = np.arange(table.shape[1]) < np.array([len(row) for row in rows], dtype=int)[:, None]
    table[is_real] = np.concatenate(rows) if len(rows) else []
    return table
