"""The tables of a bench, as plain text in cells: made once, shown in the terminal and in HTML alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from discovery.evaluation.bench.benches import BenchResult
from discovery.evaluation.bench.statistics import ALL, SPEED_UPS
from discovery.report.grids import Grid
from discovery.report.style import number

STARTS = {"none": "no start", "matched": "same start"}
SHOWN_AT = (10, 20)  # experiments after which negative transfer is shown
SIGNIFICANT = 0.05
SHOWN_SCORES = {
    "few-shot": ("delta_auprc", "spearman", "nlpd_scaled", "crps_scaled", "coverage90"),
    "calibration": ("coverage90", "coverage50", "nlpd_scaled", "crps_scaled", "calibration_error", "pit_ks"),
}
LABELS = {
    "delta_auprc": "delta AUPRC",
    "spearman": "Spearman",
    "nlpd_scaled": "NLPD",
    "crps_scaled": "CRPS",
    "coverage90": "inside 90 %",
    "coverage50": "inside 50 %",
    "calibration_error": "CE",
    "pit_ks": "PIT KS",
}


def bench_grids(result: BenchResult) -> list[Grid]:
    """Return the tables of a bench, the most telling first."""
    if result.name in ("campaigns", "harm"):
        grids = [speed_up_grid(result), needed_grid(result), family_grid(result), harm_grid(result)]
        grids += [enrichment_grid(result)] if "enrichment" in result.summary else []
    else:
        grids = [score_grid(result), gain_grid(result)]
        grids[1:1] = [coverage_grid(result)] if result.name == "calibration" else []
    return [grid for grid in grids if grid.rows]


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows over all families, or of the only one."""
    return table[table["family"] == ALL] if (table["family"] == ALL).any() else table


def label(method: str, start: str, source: str) -> str:
    """Return a method with its start, and with its history where that is not the real one."""
    history = "" if source == "related" else f", {source} history"
    return f"{method} ({STARTS[start]}{history})"


def speed_up_grid(result: BenchResult) -> Grid:
    """Return geometric-mean speed-ups over all tasks, with intervals, by method and measure."""
    rows, keys = [], []
    for (method, start, source), by_measure in _methods(overall(result.summary["speed_ups"])):
        area = by_measure["regret_auc"]
        cells = (_with_interval(by_measure[measure]) for measure in SPEED_UPS)
        rows.append((label(method, start, source), str(area["n_tasks"]), *cells, f"{area['worst']:.2f}"))
        keys.append(method)
    return Grid(
        title=f"Speed-up over {result.reference}",
        columns=("method", "tasks", *SPEED_UPS.values(), "worst area"),
        rows=tuple(rows),
        keys=tuple(keys),
        note="Experiments of the reference over those of the method, geometric mean over tasks, 90 % interval from "
        "drawing tasks anew; above 1 is better. * Wilcoxon over tasks p < .05. Not reached counts as the budget plus "
        "one; random starts count. The worst is the lowest ratio of regret areas (.01 added to both).",
    )


def needed_grid(result: BenchResult) -> Grid:
    """Return the experiments that methods needed, means over all tasks."""
    table = overall(result.summary["needed"])
    rows = [
        (
            label(row["method"], row["start"], row["source"]),
            str(row["n_tasks"]),
            *(f"{row[measure]:.3f}" if measure == "regret_auc" else f"{row[measure]:.1f}" for measure in SPEED_UPS),
        )
        for row in table.to_dict("records")
    ]
    return Grid(
        title="Experiments needed, means over tasks",
        columns=("method", "tasks", *SPEED_UPS.values()),
        rows=tuple(rows),
        keys=tuple(table["method"]),
        note="Means over seeds, then over tasks; not reached counts as the budget plus one. A task that needs many "
        "experiments weighs more here than in a speed-up.",
    )


def family_grid(result: BenchResult) -> Grid:
    """Return speed-ups and win rates by family; nothing where there is one family only."""
    table = result.summary["speed_ups"]
    has_many = (table["family"] == ALL).any()
    rows, keys = [], []
    for family, own in table[table["family"] != ALL].groupby("family", sort=False) if has_many else []:
        for (method, start, source), by_measure in _methods(own):
            ratios = [f"{by_measure[measure]['speed_up']:.2f}" for measure in SPEED_UPS]
            area = by_measure["regret_auc"]
            named = (label(method, start, source), str(family), str(area["n_tasks"]))
            rows.append((*named, *ratios, _share(area["win_rate"])))
            keys.append(method)
    return Grid(
        title="Speed-up by family",
        columns=("method", "family", "tasks", *SPEED_UPS.values(), "better area"),
        rows=tuple(rows),
        keys=tuple(keys),
        n_text=2,
        note="Better area: share of tasks with less regret area than the reference, ties half.",
    )


def harm_grid(result: BenchResult) -> Grid:
    """Return how often, and by how much, methods are worse than the reference."""
    rows, keys = [], []
    for (method, start, source), by_count in _methods(overall(result.summary["harms"]), "at"):
        for k in SHOWN_AT:
            row = by_count[k]
            cells = (str(k), _share(row["ntr"]), _share(row["better"]), f"{row['cvar10']:+.3f}")
            rows.append((label(method, start, source), *cells, f"{row['worst_excess']:+.3f}", str(row["worst_task"])))
            keys.append(method)
    return Grid(
        title=f"Negative transfer against {result.reference}",
        columns=("method", "after", "worse", "better", "CVaR10", "worst", "on task"),
        rows=tuple(rows),
        keys=tuple(keys),
        note="Worse: share of tasks whose regret is more than .01 above the reference's after so many experiments "
        "(NTR); better: more than .01 below. CVaR10: mean excess over the worst tenth of the tasks.",
    )


def enrichment_grid(result: BenchResult) -> Grid:
    """Return enrichment and acceleration over random search."""
    table = result.summary["enrichment"]
    measures = [column for column in table.columns if column.startswith(("ef_", "af_"))]
    named = [f"EF at {m[3:]}" if m.startswith("ef_") else f"AF at {m[3:]} %" for m in measures]
    rows = [
        (label(row["method"], row["start"], row["source"]), *(f"{row[m]:.2f}" for m in measures))
        for row in table.to_dict("records")
    ]
    return Grid(
        title="Enrichment of the best 5 %, and acceleration, over random search",
        columns=("method", *named),
        rows=tuple(rows),
        keys=tuple(table["method"]),
        note="EF: share of the top found over the share of candidates run. AF: experiments that random search needs to "
        "find so much of the top over those of the method; a lower bound where runs end before.",
    )


def score_grid(result: BenchResult) -> Grid:
    """Return scores of predictions over all tasks."""
    scores = SHOWN_SCORES[result.name]
    table = overall(result.summary["scores"])
    rows = []
    for row in table.to_dict("records"):
        spread = f"{row['lowest_coverage90']:.2f} to {row['highest_coverage90']:.2f}"
        cells = (number(row[s], 3) if pd.notna(row[s]) else "-" for s in scores)
        rows.append((row["method"], row["support"], str(row["n_support"]), str(row["n_tasks"]), *cells, spread))
    return Grid(
        title=result.question,
        columns=("method", "measured", "n", "tasks", *(LABELS[s] for s in scores), "90 % over tasks"),
        rows=tuple(rows),
        keys=tuple(table["method"]),
        n_text=2,
        note="Means over seeds, then over tasks. NLPD and CRPS with outcomes in units of their spread over all "
        "candidates. Measured at random; by the method's own search, scored on all others; or on the next ten visited.",
    )


def gain_grid(result: BenchResult) -> Grid:
    """Return differences from the reference, with intervals."""
    scores = [score for score in SHOWN_SCORES[result.name] if not score.startswith("coverage")]
    cases: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in result.summary["gains"].to_dict("records"):
        cell = f"{row['gain']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" + _star(row["p_value"])
        cases.setdefault((row["method"], row["support"], str(row["n_support"])), {})[str(row["score"])] = cell
    return Grid(
        title=f"Better than {result.reference} by",
        columns=("method", "measured", "n", *(LABELS[score] for score in scores)),
        rows=tuple((*case, *(cells.get(score, "-") for score in scores)) for case, cells in cases.items()),
        keys=tuple(case[0] for case in cases),
        n_text=2,
        note="Mean over tasks, 90 % interval from drawing tasks anew; positive is better. * Wilcoxon p < .05.",
    )


def coverage_grid(result: BenchResult) -> Grid:
    """Return the share of outcomes inside their 90 % intervals by family and number of measurements."""
    table = result.summary["scores"]
    counts = sorted(int(n) for n in table["n_support"].unique())
    cases: dict[tuple[str, str, str], dict[int, str]] = {}
    for row in table[table["family"] != ALL].to_dict("records"):
        case = (row["method"], row["family"], row["support"])
        cases.setdefault(case, {})[int(row["n_support"])] = f"{row['coverage90']:.2f}"
    return Grid(
        title="Inside their 90 % intervals, by family and number of measurements",
        columns=("method", "family", "measured", *(str(n) for n in counts)),
        rows=tuple((*case, *(cells.get(n, "-") for n in counts)) for case, cells in cases.items()),
        keys=tuple(case[0] for case in cases),
        n_text=3,
    )


def _methods(table: pd.DataFrame, by: str = "measure") -> list[tuple[tuple[str, str, str], dict[Any, dict[str, Any]]]]:
    """Return the rows of each method, start and source by one of their columns, those with the same start first."""
    found: dict[tuple[str, str, str], dict[Any, dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        found.setdefault((row["method"], row["start"], row["source"]), {})[row[by]] = {
            str(k): v for k, v in row.items()
        }
    return sorted(found.items(), key=lambda item: item[0][1])


def _with_interval(row: Mapping[str, Any]) -> str:
    low, high = (f"{row[end]:.2f}".removeprefix("0") for end in ("low", "high"))
    return f"{row['speed_up']:.2f} [{low}, {high}]" + _star(row["p_value"])


def _star(p_value: float) -> str:
    return "*" if p_value < SIGNIFICANT else ""


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
