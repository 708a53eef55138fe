"""The tables of a backtest, as plain text in cells: made once, shown in the terminal and in HTML alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discovery import metrics
from discovery.evaluation.evaluate import EvaluateResult
from discovery.evaluation.results import BacktestResult, MethodResult, regret_counts
from discovery.report.style import count, labeled, number, seconds

LEDGER_AT = (1, 2, 3, 5, 10, 15, 20, 30, 40, 50, 75, 100)  # experiments whose weights are shown


@dataclass(frozen=True)
class Grid:
    """A table ready to be shown.

    Attributes:
        title: What it shows.
        columns: Column heads.
        rows: Cells, as text.
        note: What a reader has to know; may be empty.
        keys: Method or hypothesis that each row is about, for its color; empty where rows are about something else.
        n_text: How many columns from the left are text; the others are numbers and stand to the right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    keys: tuple[str, ...] = ()
    n_text: int = 1


def methods_grid(result: BacktestResult) -> Grid:
    """Return experiments needed, regret and times by method."""
    summary = result.summary()
    rows = [
        (
            name,
            str(len(method.runs)),
            _regret_cell(result, method, 0.05),
            _regret_cell(result, method, 0.10),
            *(_top_cell(summary[name][key], method) for key in ("experiments_to_top5pct", "experiments_to_best")),
            f"{summary[name]['regret_auc']:.3f}",
            seconds(method.seconds_per_proposal),
            seconds(method.adapt_propose_s_at_40),
            seconds(method.meta_train_s) if method.meta_train_s >= 0.05 else "-",
        )
        for name, method in result.methods.items()
    ]
    counts = ("method", "runs", "to within 5 %", "to within 10 %", "to top 5 %", "to the best")
    columns = (*counts, "regret AUC", "per proposal", "at 40 points", "learning before")
    known = [k for k in range(len(columns)) if any(row[k] != "-" for row in rows)]  # times that nobody has say nothing
    return Grid(
        title="Experiments needed, by method",
        columns=tuple(columns[k] for k in known),
        rows=tuple(tuple(row[k] for k in known) for row in rows),
        keys=tuple(result.methods),
        note=_methods_note(result),
    )


def found_grid(result: BacktestResult, name: str, n: int = 5) -> Grid:
    """Return the best conditions that the first run of a method found."""
    run = result.methods[name].runs[0]
    sign = -1.0 if result.goal == "maximize" else 1.0
    order = np.argsort(sign * np.asarray(run.outcomes), kind="stable")[:n]
    position = {int(row): i for i, row in enumerate(result.pool_rows)}
    ranked = np.sort(sign * result.pool_outcomes)
    rows = []
    for place, k in enumerate(order, start=1):
        configuration = result.pool.iloc[position[run.chosen[k]]]
        rank = int(np.searchsorted(ranked, sign * run.outcomes[k])) + 1
        found = (number(run.outcomes[k]), f"{rank} of {result.n_candidates}", str(int(k) + 1))
        rows.append((str(place), *(number(_plain(v)) for v in configuration), *found))
    names = tuple(str(c) for c in result.pool.columns)
    at_seed = "" if result.methods[name].is_deterministic else f" (seed {run.seed})"
    return Grid(
        title=f"Best conditions that {name} found{at_seed}",
        columns=(
            "",
            *(labeled(p, result.parameter_units.get(p, "")) for p in names),
            labeled(result.outcome, result.unit),
            "rank of all",
            "found at experiment",
        ),
        rows=tuple(rows),
        n_text=1 + len(names),
    )


def weights_grid(result: BacktestResult, name: str) -> Grid | None:
    """Return the weights of a method's hypotheses over time, or None where it has fewer than two."""
    weights = mean_weights(result.methods[name])
    if len(weights) < 2:
        return None
    n = len(next(iter(weights.values())))
    shown = [k for k in LEDGER_AT if k < n] + [n]
    return Grid(
        title=f"Hypothesis weights of {name} over time",
        columns=("hypothesis", *(f"exp. {k}" for k in shown)),
        rows=tuple((h, *(f"{values[k - 1]:.2f}" for k in shown)) for h, values in weights.items()),
        keys=tuple(weights),
        note="Weight of each hypothesis when the experiment was chosen" + _mean_over(result.methods[name]) + ".",
    )


ACTIVE = {"maximize": "the better half", "hits": "hits", "match": "what is within the window, or the nearer half"}
"""What counts as active in predictions, by goal; the better half for others."""


def evaluate_grid(result: EvaluateResult) -> Grid:
    """Return scores of predictions by method and number of measurements."""
    rows = tuple(
        (name, support, *(_score(values[score]) for score in ("nlpd", "rmse", "spearman", "coverage90", "delta_auprc")))
        for name, by_support in result.summary().items()
        for support, values in by_support.items()
    )
    columns = ("method", "measurements", "NLPD", labeled("RMSE", result.unit), "Spearman", "inside 90 %", "delta AUPRC")
    return Grid(
        title=f"Predicting {result.outcome} of {result.campaign} from a few measurements",
        columns=columns,
        rows=rows,
        keys=tuple(row[0] for row in rows),
        note=f"Means over {len(result.seeds)} random supports; the query is all other candidates. Delta AUPRC: average "
        f"precision for {ACTIVE.get(result.goal, ACTIVE['maximize'])} less what chance gives. - where a method cannot "
        "predict from so few." + (f" {result.n_bounds} candidates are bounds." if result.n_bounds else ""),
    )


def _score(value: float | None) -> str:
    """Write a score, or a dash where it does not exist."""
    return "-" if value is None else f"{value:.3f}"


def mean_weights(method: MethodResult) -> dict[str, np.ndarray]:
    """Return weights by hypothesis and experiment, mean over runs; empty where the method has no hypotheses."""
    known = [run.weights for run in method.runs if run.weights]
    return {name: np.mean([weights[name] for weights in known], axis=0) for name in known[0]} if known else {}


def _regret_cell(result: BacktestResult, method: MethodResult, level: float) -> str:
    """Write the mean count to a regret; a star where a run did not reach it."""
    counts, n = regret_counts(result, method.runs, level), len(method.runs[0].chosen)
    missed = sum(c > n for c in counts)
    if missed == len(counts):
        return f"> {n}"
    return count(float(np.mean(counts))) + ("*" if missed else "")


def _top_cell(value: float, method: MethodResult) -> str:
    """Write a median count to the top."""
    n = len(method.runs[0].chosen)
    return f"> {n}" if value > n else count(value)


def _methods_note(result: BacktestResult) -> str:
    """Say what the columns mean, and what a star means where there is one."""
    n, first, last = result.n_experiments, metrics.AUC_FIRST, metrics.AUC_LAST
    parts = [
        "Within 5 %: (best - best so far) / (best - worst) of all candidates is at most 0.05; means over runs.",
        "To top 5 % and to the best: medians over runs.",
        f"Regret AUC: mean of that regret over experiments {min(first, n)} to {min(last, n)}.",
    ]
    has_star = any(
        any(c > n for c in regret_counts(result, m.runs, level))
        for m in result.methods.values()
        for level in (0.05, 0.1)
    )
    if has_star:
        parts.append(f"* or > {n}: not reached by some or all runs within {n} experiments; counted as {n + 1}.")
    parts += [f"{name} is deterministic: one run stands for every seed." for name in _run_once(result)]
    return " ".join(parts)


def _run_once(result: BacktestResult) -> list[str]:
    """Return the methods whose single run stands for every seed."""
    return [name for name, method in result.methods.items() if method.is_deterministic]


def _mean_over(method: MethodResult) -> str:
    """Say over how many runs a mean was taken."""
    return "" if len(method.runs) == 1 else f", mean over {len(method.runs)} runs"


def _plain(value: object) -> object:
    """Return a NumPy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
