"""What paired runs say: speed-ups with intervals over tasks, who wins, and how often transfer harms.

The unit of evidence is the task: seeds are averaged first, then tasks are compared with the reference on the same task,
and intervals come from drawing tasks anew. Counts include every experiment, random starts too; not reached counts as
the budget plus one.

Source:
    Liang et al. (2021), npj Computational Materials 7, 188, for EF and AF; regret, NTR and CVaR as docs/benchmarks.md
    defines them. Departures: .01 is added to regret areas before their ratio is taken, so that two methods which both
    find the best at once tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from discovery import seeds

SPEED_UPS: Mapping[str, str] = {
    "experiments_to_top1pct": "top 1 %",
    "experiments_to_top5pct": "top 5 %",
    "experiments_to_5pct_regret": "regret 5 %",
    "experiments_to_10pct_regret": "regret 10 %",
    "regret_auc": "regret area",
}
"""Measures whose ratio to the reference is a speed-up, with their label; less is better."""

AREA_FLOOR = 0.01  # below this two regrets are the same for all that matters
HARM = 0.01  # regret above the reference's by more than this is negative transfer
HARM_AT = (5, 10, 20, 30)
WORST_SHARE = 0.10  # of the tasks, whose mean excess is CVaR10
N_BOOTSTRAP = 2000
LEVEL = 0.90
EXACT = 25  # tasks up to which the distribution of ranks is enumerated
REFERENCES = ("tanimoto_gp", "cold_gp")  # the first that was run on a family of molecules; elsewhere the second
METHOD = ["method", "start", "source"]
_SPEED_UP = ("measure", "n_tasks", "speed_up", "low", "high", "p_value", "win_rate", "worst", "worst_task")
_HARM = ("at", "n_tasks", "ntr", "better", "worst_excess", "worst_task", "cvar10")
TASK = ["family", "task"]
ALL = "all"


def per_task(rows: pd.DataFrame) -> pd.DataFrame:
    """Average replays over seeds.

    Args:
        rows: Rows of `bench campaigns` or `bench harm`.

    Returns:
        One row per family, task, method, start (`none` or `matched`) and source: the measures of `SPEED_UPS`, regret
        after `HARM_AT` experiments, and the number of runs.
    """
    table = with_start(rows)
    for k in HARM_AT:
        table[f"regret_at_{k}"] = [float(regret[min(k, len(regret)) - 1]) for regret in table["regret"]]
    means = table.groupby([*TASK, *METHOD], sort=False, as_index=False)[
        [*SPEED_UPS, *map("regret_at_{}".format, HARM_AT)]
    ]
    counts = table.groupby([*TASK, *METHOD], sort=False).size().rename("n_runs").reset_index()
    return means.mean().merge(counts, on=[*TASK, *METHOD])


def with_start(rows: pd.DataFrame) -> pd.DataFrame:
    """Return replays with a column `start`: `none`, or `matched` where there were random starts."""
    return rows.assign(start=np.where(rows["n_initial"] > 0, "matched", "none"))


def against_reference(tasks: pd.DataFrame, method: str | None = None) -> pd.DataFrame:
    """Put a reference at the matched start, with the real history, beside every row of the same task.

    Where nothing was run from random starts, the reference is the one without.

    Args:
        tasks: What `per_task` gave.
        method: The reference; default `cold_gp`, and the Tanimoto GP on families that it was run on.

    Returns:
        The rows with `<measure>_ref`, without the reference's own and without tasks that it was not run on.
    """
    wanted = pd.Series(method, index=tasks.index) if method else _usual_reference(tasks)
    start = "matched" if (tasks["start"] == "matched").any() else "none"
    is_reference = (tasks["method"] == wanted) & (tasks["start"] == start) & (tasks["source"] == "related")
    return _beside(tasks[~is_reference], tasks[is_reference], TASK)


def against_no_history(tasks: pd.DataFrame) -> pd.DataFrame:
    """Put the same method without history, from the same start, beside every row of the same task."""
    has_none = tasks["source"] == "none"
    return _beside(tasks[~has_none], tasks[has_none], [*TASK, "method", "start"])


def _beside(tasks: pd.DataFrame, reference: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    measured = [column for column in tasks.columns if column not in (*TASK, *METHOD, "n_runs")]
    return tasks.merge(reference[[*on, *measured]], on=on, suffixes=("", "_ref")).reset_index(drop=True)


def _usual_reference(tasks: pd.DataFrame) -> pd.Series:
    """Return the name of the reference on each row's family."""
    first, default = REFERENCES
    has_first = set(tasks.loc[tasks["method"] == first, "family"])
    return tasks["family"].isin(has_first).map({True: first, False: default})


def speed_ups(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compare methods with the reference.

    Args:
        pairs: What `against_reference` or `against_no_history` gave.

    Returns:
        One row per method, start, source, family (and `all`) and measure: `n_tasks`, `speed_up` (geometric mean of
        reference / method; above 1 is better), `low` and `high` (90 %, over tasks), `p_value` (Wilcoxon, two-sided,
        paired by task), `win_rate` (ties count half), `worst` and `worst_task`.
    """
    found = []
    for key, own in pairs.groupby(METHOD, sort=False):
        for family, part in _by_family(own):
            for measure in SPEED_UPS:
                found.append(dict(zip(METHOD, key, strict=True)) | {"family": family} | _speed_up(part, measure))
    return pd.DataFrame(found, columns=[*METHOD, "family", *_SPEED_UP])


def _by_family(own: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the parts by family, then all of them; one family alone is not repeated."""
    parts = [(str(name), part) for name, part in own.groupby("family", sort=False)]
    return parts if len(parts) == 1 else [*parts, (ALL, own)]


def _speed_up(part: pd.DataFrame, measure: str) -> dict[str, object]:
    floor = AREA_FLOOR if measure == "regret_auc" else 0.0
    log_ratio = np.log(part[f"{measure}_ref"].to_numpy(float) + floor) - np.log(part[measure].to_numpy(float) + floor)
    low, high = bootstrap(log_ratio)
    worst = int(log_ratio.argmin())
    return {
        "measure": measure,
        "n_tasks": len(part),
        "speed_up": float(np.exp(log_ratio.mean())),
        "low": float(np.exp(low)),
        "high": float(np.exp(high)),
        "p_value": wilcoxon_p(log_ratio),
        "win_rate": float((log_ratio > 0).mean() + 0.5 * (log_ratio == 0).mean()),
        "worst": float(np.exp(log_ratio[worst])),
        "worst_task": f"{part['family'].iloc[worst]}/{part['task'].iloc[worst]}",
    }


def bootstrap(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of the mean when the values (one per task) are drawn anew; same values, same interval."""
    rng = seeds.rng(0, "bootstrap over tasks")
    draws = rng.integers(len(values), size=(N_BOOTSTRAP, len(values)))
    low, high = np.quantile(np.asarray(values)[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilcoxon_p(differences: np.ndarray) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test over tasks; 1 where nothing differs.

    Exact for few tasks without ties, else by the normal approximation.
    """
    if not np.any(differences != 0):
        return 1.0
    is_exact = len(differences) <= EXACT and len(np.unique(np.abs(differences))) == len(differences)
    return float(wilcoxon(differences, method="exact" if is_exact else "approx").pvalue)


def harms(pairs: pd.DataFrame) -> pd.DataFrame:
    """Say how often, and by how much, methods are worse than the reference.

    Returns:
        One row per method, start, source, family (and `all`) and number of experiments: `ntr` (share of tasks whose
        regret is more than .01 above the reference's), `better` (more than .01 below), `worst_excess`, its task, and
        `cvar10` (mean excess of the worst tenth of the tasks, at least one).
    """
    found = []
    for key, own in pairs.groupby(METHOD, sort=False):
        for family, part in _by_family(own):
            for k in HARM_AT:
                excess = (part[f"regret_at_{k}"] - part[f"regret_at_{k}_ref"]).to_numpy(float)
                worst = int(excess.argmax())
                tail = np.sort(excess)[::-1][: max(1, round(WORST_SHARE * len(excess)))]
                found.append(
                    dict(zip(METHOD, key, strict=True))
                    | {"family": family, "at": k, "n_tasks": len(part), "ntr": float((excess > HARM).mean())}
                    | {"better": float((excess < -HARM).mean()), "worst_excess": float(excess[worst])}
                    | {"worst_task": f"{part['family'].iloc[worst]}/{part['task'].iloc[worst]}"}
                    | {"cvar10": float(tail.mean())}
                )
    return pd.DataFrame(found, columns=[*METHOD, "family", *_HARM])


def needed(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over tasks of every measure, by method, start, source and family (and `all`)."""
    found = []
    for key, own in tasks.groupby(METHOD, sort=False):
        for family, part in _by_family(own):
            means = part[list(SPEED_UPS)].mean().to_dict()
            found.append(dict(zip(METHOD, key, strict=True)) | {"family": family, "n_tasks": len(part)} | means)
    return pd.DataFrame(found)


def enrichment(
    rows: pd.DataFrame, at: Sequence[int] = (10, 20, 30), shares: Sequence[float] = (0.5, 0.8)
) -> pd.DataFrame:
    """Return enrichment and acceleration over random search, of the best 5 % of the candidates (rounded up).

    `EF(i) = found(i) / (n_top * i / n)`; `AF(a) = a * n / i_a` with `i_a` the first experiment after which the share
    `a` of the top is found. A run that never finds so much counts as the budget plus one, which makes AF a lower bound.

    Returns:
        One row per method, start and source: `ef_<i>` and `af_<a in %>`, medians over seeds, then means over tasks.
    """
    table = with_start(rows)
    runs = list(zip(table["top5_found"], table["n_top5"], table["n_candidates"], strict=True))
    for k in at:
        table[f"ef_{k}"] = [_ef(found, n_top, n, k) for found, n_top, n in runs]
    for share in shares:
        table[f"af_{100 * share:g}"] = [_af(found, n_top, n, share) for found, n_top, n in runs]
    columns = [column for column in table.columns if column.startswith(("ef_", "af_"))]
    medians = table.groupby([*TASK, *METHOD], sort=False)[columns].median()
    return medians.groupby(METHOD, sort=False).mean().reset_index()


def _ef(found: np.ndarray, n_top: int, n: int, k: int) -> float:
    last = min(k, len(found))
    return float(found[last - 1]) / (n_top * last / n)


def _af(found: np.ndarray, n_top: int, n: int, share: float) -> float:
    is_reached = np.asarray(found) >= share * n_top
    first = int(is_reached.argmax()) + 1 if is_reached.any() else len(found) + 1
    return share * n / first
