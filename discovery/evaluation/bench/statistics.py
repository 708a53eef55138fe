"""What paired runs say: speed-ups with intervals over tasks, who wins, and how often transfer harms.

The unit of evidence is the task: seeds are averaged first, then tasks are compared with the reference on the same task,
and intervals come from drawing tasks anew. Counts include every experiment, random starts too; not reached counts as
the budget plus one.

Source:
    Definitions of the regret statistics, NTR, CVaR and of EF and AF: Liang et al. (2021) for the latter two, and the
    protocols that docs/benchmarks.md lists; departures: a floor of .001 under regret areas before their ratio is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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

AREA_FLOOR = 0.001
HARM = 0.01  # regret above the reference's by more than this is negative transfer
HARM_AT = (5, 10, 20, 30)
WORST_SHARE = 0.10  # of the tasks, whose mean excess is CVaR10
N_BOOTSTRAP = 2000
LEVEL = 0.90
REFERENCES = ("tanimoto_gp", "cold_gp")  # the first that was run on a family of molecules; elsewhere the second
METHOD = ["method", "start", "source"]
TASK = ["family", "task"]
ALL = "all"


@dataclass(frozen=True)
class Reference:
    """What methods are compared with.

    Attributes:
        method: Name of the method; None for `cold_gp`, and the Tanimoto GP where the family has one.
        start: `matched`, `none`, or None for the start of the method that is compared.
        source: History of the reference.
    """

    method: str | None = None
    start: str | None = "matched"
    source: str = "related"


def per_task(rows: pd.DataFrame) -> pd.DataFrame:
    """Average replays over seeds.

    Args:
        rows: Rows of `bench campaigns` or `bench harm`.

    Returns:
        One row per family, task, method, start (`none` or `matched`) and source: the measures of `SPEED_UPS`, regret
        after `HARM_AT` experiments, and the number of runs.
    """
    table = rows.assign(start=np.where(rows["n_initial"] > 0, "matched", "none"))
    for k in HARM_AT:
        table[f"regret_at_{k}"] = [float(regret[min(k, len(regret)) - 1]) for regret in table["regret"]]
    means = table.groupby([*TASK, *METHOD], sort=False, as_index=False)[
        [*SPEED_UPS, *map("regret_at_{}".format, HARM_AT)]
    ]
    counts = table.groupby([*TASK, *METHOD], sort=False).size().rename("n_runs").reset_index()
    return means.mean().merge(counts, on=[*TASK, *METHOD])


def paired(tasks: pd.DataFrame, reference: Reference | None = None) -> pd.DataFrame:
    """Put the reference on the same task beside every row.

    Returns:
        The rows with `<measure>_ref`; rows whose task the reference was not run on are left out, and so is the
        reference itself.
    """
    reference = reference or Reference()
    others = tasks[tasks["source"] == reference.source]
    chosen = others[others["method"] == _reference_method(others, reference)]
    on = list(TASK) if reference.start else [*TASK, "start"]
    chosen = chosen[chosen["start"] == reference.start] if reference.start else chosen
    measured = [column for column in tasks.columns if column not in (*TASK, *METHOD, "n_runs")]
    joined = tasks.merge(chosen[[*on, *measured]], on=on, suffixes=("", "_ref"))
    is_reference = joined[METHOD].apply(tuple, axis=1).isin(set(chosen[METHOD].apply(tuple, axis=1)))
    is_reference &= joined["method"] == _reference_method(joined, reference)
    return joined[~is_reference].reset_index(drop=True)


def _reference_method(table: pd.DataFrame, reference: Reference) -> pd.Series:
    """Return the name of the reference on each row's family."""
    if reference.method is not None:
        return pd.Series(reference.method, index=table.index)
    first, default = REFERENCES
    has_first = set(table.loc[table["method"] == first, "family"])
    return table["family"].isin(has_first).map({True: first, False: default})


def speed_ups(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compare methods with the reference.

    Args:
        pairs: What `paired` gave.

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
    return pd.DataFrame(found)


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
    """Return the two-sided p-value of Wilcoxon's signed-rank test over tasks; 1 where nothing differs."""
    return float(wilcoxon(differences).pvalue) if np.any(differences != 0) else 1.0


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
    return pd.DataFrame(found)


def enrichment(
    rows: pd.DataFrame, at: Sequence[int] = (10, 20, 30), shares: Sequence[float] = (0.5, 0.8)
) -> pd.DataFrame:
    """Return enrichment and acceleration over random search, of the best 5 % of the candidates (rounded up).

    `EF(i) = found(i) / (n_top * i / n)`; `AF(a) = a * n / i_a` with `i_a` the first experiment after which the share `a`
    of the top is found. A run that never finds so much counts as the budget plus one, which makes AF a lower bound.

    Returns:
        One row per method, start and source: `ef_<i>` and `af_<a in %>`, medians over seeds, then means over tasks.
    """
    table = rows.assign(start=np.where(rows["n_initial"] > 0, "matched", "none"))
    for k in at:
        table[f"ef_{k}"] = [_ef(row.top5_found, row.n_top5, row.n_candidates, k) for row in table.itertuples()]
    for share in shares:
        name = f"af_{100 * share:g}"
        table[name] = [_af(row.top5_found, row.n_top5, row.n_candidates, share) for row in table.itertuples()]
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
