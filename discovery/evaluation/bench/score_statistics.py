"""What scores of predictions say: means over tasks, and differences from the reference with intervals over tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from discovery.evaluation.bench.statistics import ALL, TASK, bootstrap, wilcoxon_p

CASE = ["support", "n_support"]
SCORES: Mapping[str, float] = {
    "delta_auprc": 1.0,
    "spearman": 1.0,
    "nlpd_scaled": -1.0,
    "crps_scaled": -1.0,
    "rmse_scaled": -1.0,
    "coverage90": 0.0,
    "coverage50": 0.0,
    "calibration_error": -1.0,
    "pit_ks": -1.0,
    "sharpness": 0.0,
}
"""Scores that are kept, and whether more (1) or less (-1) is better; 0 where neither is."""


def score_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Average scores over seeds, then over tasks.

    Args:
        rows: Rows of `bench few-shot` or `bench calibration`.

    Returns:
        One row per family (and `all`), method, support and number of measurements: `n_tasks` and the mean of every
        score, and of coverage also the lowest and highest over tasks.
    """
    tasks = _per_task(rows)
    families = [(str(name), part) for name, part in tasks.groupby("family", sort=False)]
    parts = families if len(families) == 1 else [*families, (ALL, tasks)]
    found = []
    for family, part in parts:
        groups = part.groupby(["method", *CASE], sort=False)
        table = groups[list(SCORES)].mean()
        ends = groups["coverage90"].agg(lowest_coverage90="min", highest_coverage90="max")
        found.append(table.join(ends).assign(family=family, n_tasks=groups.size()).reset_index())
    return pd.concat(found, ignore_index=True)


def score_gains(rows: pd.DataFrame, reference: str = "cold_gp") -> pd.DataFrame:
    """Compare predictors with a reference on the same tasks.

    Returns:
        One row per method, support, number of measurements and score: `n_tasks`, `gain` (mean difference, positive is
        better), `low` and `high` (90 %, over tasks), `p_value` (Wilcoxon), `win_rate`; empty without the reference.
    """
    tasks = _per_task(rows)
    on = [*TASK, *CASE]
    own, theirs = tasks[tasks["method"] != reference], tasks[tasks["method"] == reference]
    pairs = own.merge(theirs[[*on, *SCORES]], on=on, suffixes=("", "_ref"))
    found = []
    for key, part in pairs.groupby(["method", *CASE], sort=False):
        for score, sign in SCORES.items():
            gain = sign * (part[score] - part[f"{score}_ref"]).dropna().to_numpy(float)
            if sign and len(gain):
                found.append(dict(zip(["method", *CASE], key, strict=True)) | {"score": score} | _gain(gain))
    return pd.DataFrame(found)


def pit_histogram(rows: pd.DataFrame) -> pd.DataFrame:
    """Return shares of PIT values by bin, pooled with equal weight for every score; flat means calibrated.

    Returns:
        One row per method, support and number of measurements with `shares`, a list that sums to one.
    """
    shares = [np.asarray(counts, dtype=float) / max(1, int(np.sum(counts))) for counts in rows["pit_counts"]]
    table = rows.assign(shares=pd.Series(shares, index=rows.index, dtype=object))
    pooled = table.groupby(["method", *CASE], sort=False)["shares"].agg(
        lambda part: np.mean(np.stack(list(part)), axis=0)
    )
    return pooled.reset_index()


def _per_task(rows: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds."""
    return rows.groupby([*TASK, "method", *CASE], sort=False, as_index=False)[list(SCORES)].mean()


def _gain(gain: np.ndarray) -> dict[str, float | int]:
    low, high = bootstrap(gain)
    wins = float((gain > 0).mean() + 0.5 * (gain == 0).mean())
    return {
        "n_tasks": len(gain),
        "gain": float(gain.mean()),
        "low": low,
        "high": high,
        "p_value": wilcoxon_p(gain),
        "win_rate": wins,
    }
