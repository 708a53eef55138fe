"""What paired runs on fronts say: the share of the hypervolume by method, and how much more than the reference.

Intervals draw tasks anew, and within each task its seeds: with four tasks the drawing of tasks alone would say little.
Seeds are paired, because every method has the same random starts at the same seed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from discovery import seeds
from discovery.evaluation.bench.statistics import ALL, LEVEL, METHOD, N_BOOTSTRAP, TASK, with_start

MEASURES = {
    "hypervolume_auc": "so far, mean",
    "hypervolume": "at the end",
    "experiments_to_50pct": "experiments to 50 %",
    "experiments_to_80pct": "experiments to 80 %",
}
"""What is shown of a run, with its label; of the first two more is better, of the others less."""
SHARES = ("hypervolume_auc", "hypervolume")


def fronts(rows: pd.DataFrame) -> pd.DataFrame:
    """Average replays over seeds, then over tasks.

    Args:
        rows: Rows of `bench campaigns` on families of several objectives.

    Returns:
        One row per method, start, source, family (and `all`): `n_tasks`, `n_runs` and the means of `MEASURES`, each
        with the ends `<measure>_low` and `<measure>_high` of its 90 % interval.
    """
    found = []
    for key, own in with_start(rows).groupby(METHOD, sort=False):
        for family, part in _by_family(own):
            row = dict(zip(METHOD, key, strict=True)) | {"family": family, "n_runs": len(part)}
            row["n_tasks"] = len(part[TASK].drop_duplicates())
            for measure in MEASURES:
                mean, low, high = interval(_by_task(part, measure))
                row |= {measure: mean, f"{measure}_low": low, f"{measure}_high": high}
            found.append(row)
    return pd.DataFrame(found)


def front_gains(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compare methods with a reference at its matched start, seed by seed on the same task.

    A method without a random start is compared with the mean over the seeds of the reference.

    Returns:
        One row per method, start, source, family (and `all`) and share: `gain` (above 0 is better) with `low` and
        `high`, `n_tasks`, and on how many of them the method is ahead. Empty where the reference was not run.
    """
    table = with_start(rows)
    start = "matched" if (table["start"] == "matched").any() else "none"
    is_reference = (table["method"] == reference) & (table["start"] == start)
    found = []
    for key, own in table[~is_reference].groupby(METHOD, sort=False):
        on = [*TASK, "seed"] if key[1] == start else TASK
        against = table[is_reference].groupby(on, sort=False)[list(SHARES)].mean().reset_index()
        pairs = own.merge(against, on=on, suffixes=("", "_ref"))
        for family, part in _by_family(pairs) if len(pairs) else []:
            for measure in SHARES:
                gains = _by_task(part.assign(gain=part[measure] - part[f"{measure}_ref"]), "gain")
                mean, low, high = interval(gains)
                n_ahead = sum(float(values.mean()) > 0 for values in gains)
                shown = {"family": family, "measure": measure, "n_tasks": len(gains), "gain": mean, "low": low}
                found.append(dict(zip(METHOD, key, strict=True)) | shown | {"high": high, "n_ahead": n_ahead})
    columns = [*METHOD, "family", "measure", "n_tasks", "gain", "low", "high", "n_ahead"]
    return pd.DataFrame(found, columns=columns)


def front_tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the means over seeds by family, task, method, start and source."""
    return with_start(rows).groupby([*TASK, *METHOD], sort=False)[list(MEASURES)].mean().reset_index()


def interval(by_task: list[np.ndarray]) -> tuple[float, float, float]:
    """Return the mean over tasks of means over seeds, and its interval when tasks and their seeds are drawn anew.

    Args:
        by_task: Values of each task's runs. Shape `s` each.

    Returns:
        Mean, low and high end; the same values, the same interval.
    """
    counts = np.array([len(values) for values in by_task])
    padded = np.zeros((len(by_task), counts.max()))
    for row, values in zip(padded, by_task, strict=True):
        row[: len(values)] = values
    rng = seeds.rng(0, "bootstrap over tasks and seeds")
    tasks = rng.integers(len(by_task), size=(N_BOOTSTRAP, len(by_task)))  # b x t
    drawn = (rng.random((*tasks.shape, counts.max())) * counts[tasks][..., None]).astype(int)  # b x t x s
    is_drawn = np.arange(counts.max()) < counts[tasks][..., None]
    means = (padded[tasks[..., None], drawn] * is_drawn).sum(-1) / counts[tasks]
    low, high = np.quantile(means.mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(np.mean([values.mean() for values in by_task])), float(low), float(high)


def _by_task(part: pd.DataFrame, measure: str) -> list[np.ndarray]:
    return [own[measure].to_numpy(float) for _, own in part.groupby(TASK, sort=False)]


def _by_family(own: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the parts by family, then all of them; one family alone is not repeated."""
    parts = [(str(name), part) for name, part in own.groupby("family", sort=False)]
    return parts if len(parts) == 1 else [*parts, (ALL, own)]
