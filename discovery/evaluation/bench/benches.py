"""The four benches by name: what each runs, what it compares, and the result as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from discovery.errors import ConfigurationError, NotEnoughDataError
from discovery.evaluation.aimed_methods import load_aimed
from discovery.evaluation.bench import front_statistics, score_statistics, statistics
from discovery.evaluation.bench.campaigns import execute_campaigns, plan_campaigns, plan_harm
from discovery.evaluation.bench.fronts import execute_fronts
from discovery.evaluation.bench.predictions import execute_predictions, plan_calibration, plan_few_shot
from discovery.evaluation.bench.rows import ResultsFile
from discovery.evaluation.bench.runner import BenchRun, Execute, RunOptions, Unit, missing_experience, run_units
from discovery.evaluation.bench.suites import Suite, SuiteOptions, open_suite
from discovery.evaluation.cache import versions
from discovery.evaluation.methods import Progress, load_method, load_predictor

Summary = dict[str, pd.DataFrame]
FRONT_REFERENCE = "cold_nehvi"


@dataclass(frozen=True)
class Bench:
    """One of the four.

    Attributes:
        question: What it answers.
        plan: Units of a suite for some methods.
        execute: Makes a unit's rows.
        summarize: Tables from all rows and the name of the reference (None for the usual one).
        check: Makes a method by name, or says that there is none.
        methods: What is run where nothing is asked for.
    """

    question: str
    plan: Callable[[Suite, Sequence[str]], list[Unit]]
    execute: Execute
    summarize: Callable[[pd.DataFrame, str | None], Summary]
    check: Callable[[str], object]
    methods: tuple[str, ...]


def summarize_campaigns(rows: pd.DataFrame, reference: str | None) -> Summary:
    """Compare replays with a reference at the matched start, all experiments counted."""
    tasks = statistics.per_task(rows)
    pairs = statistics.against_reference(tasks, reference)
    return {
        "speed_ups": statistics.speed_ups(pairs),
        "harms": statistics.harms(pairs),
        "needed": statistics.needed(tasks),
        "enrichment": statistics.enrichment(rows),
        "tasks": tasks,
    }


def summarize_harm(rows: pd.DataFrame, reference: str | None) -> Summary:
    """Compare replays with each history with the same method without any, from the same start."""
    tasks = statistics.per_task(rows)
    pairs = statistics.against_no_history(tasks)
    return {
        "speed_ups": statistics.speed_ups(pairs),
        "harms": statistics.harms(pairs),
        "needed": statistics.needed(tasks),
        "tasks": tasks,
    }


def summarize_fronts(rows: pd.DataFrame, reference: str | None) -> Summary:
    """Average shares of the hypervolume, and compare them with a reference at the matched start."""
    return {
        "fronts": front_statistics.fronts(rows),
        "gains": front_statistics.front_gains(rows, reference or FRONT_REFERENCE),
        "tasks": front_statistics.front_tasks(rows),
    }


def summarize_scores(rows: pd.DataFrame, reference: str | None) -> Summary:
    """Average scores of predictions, and compare them with a reference."""
    return {
        "scores": score_statistics.score_table(rows),
        "gains": score_statistics.score_gains(rows, reference or "cold_gp"),
        "pit": score_statistics.pit_histogram(rows),
    }


BENCHES: Mapping[str, Bench] = {
    "campaigns": Bench(
        "How many experiments does each method need?",
        plan_campaigns,
        execute_campaigns,
        summarize_campaigns,
        load_method,
        ("belief", "history", "no_transfer", "cold_gp", "random"),
    ),
    "few-shot": Bench(
        "How well is the rest of a campaign predicted from a few measurements?",
        plan_few_shot,
        execute_predictions,
        summarize_scores,
        load_predictor,
        ("belief", "history", "no_transfer", "cold_gp"),
    ),
    "calibration": Bench(
        "Are stated uncertainties right, on random measurements and where a search goes?",
        plan_calibration,
        execute_predictions,
        summarize_scores,
        load_predictor,
        ("belief", "no_transfer", "cold_gp"),
    ),
    "harm": Bench(
        "What does a history cost that misleads, and what does it save that does not?",
        plan_harm,
        execute_campaigns,
        summarize_harm,
        load_method,
        ("belief",),
    ),
}
FRONTS = Bench(
    "How much of the best compromises does each method find?",
    plan_campaigns,
    execute_fronts,
    summarize_fronts,
    load_aimed,
    ("belief", "no_transfer", "cold_nehvi", "baybe", "random"),
)
"""What `campaigns` is on families of several objectives."""


@dataclass(frozen=True, eq=False)
class BenchResult:
    """What a bench says.

    Attributes:
        name: Name of the bench.
        suite: What was run.
        methods: Names of the methods, in the order asked for.
        run: The rows, and what did not work.
        summary: Tables by name.
        reference: What methods are compared with, in words.
    """

    name: str
    suite: Suite
    methods: tuple[str, ...]
    run: BenchRun
    summary: Summary
    reference: str

    @property
    def question(self) -> str:
        """What the bench answers."""
        return bench_of(self.name, self.suite).question

    @property
    def measure(self) -> str:
        """What methods are measured by: `regret`, `hypervolume`, or `scores` of predictions."""
        if self.name not in ("campaigns", "harm"):
            return "scores"
        return "hypervolume" if self.suite.is_front else "regret"

    def to_json(self) -> dict[str, Any]:
        """Return the tables and what was run; the runs themselves are in the Parquet file."""
        return {
            "bench": self.name,
            "measure": self.measure,
            "suite": self.suite.name,
            "leave_out": self.suite.leave_out,
            "n_seeds": self.suite.n_seeds,
            "methods": list(self.methods),
            "reference": self.reference,
            "families": [
                {"family": f.name, "n_tasks": len(f.tasks), "skipped": dict(f.skipped)} for f in self.suite.families
            ],
            "n_planned": self.run.n_planned,
            "n_runs": len(self.run.rows),
            "skipped": dict(self.run.skipped),
            "failed": dict(self.run.failed),
            "summary": {name: _records(table) for name, table in self.summary.items()},
            "versions": versions(),
        }


def run_bench(
    name: str,
    methods: Sequence[str] | None,
    options: SuiteOptions,
    path: Path,
    *,
    run_options: RunOptions | None = None,
    reference: str | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Run what is missing of a bench and say what all of it shows.

    Args:
        name: A key of `BENCHES`.
        methods: Names of methods; default the bench's.
        options: What to run them on.
        path: The Parquet file that grows.
        run_options: How to run.
        reference: What methods are compared with; default `cold_gp` (on molecules the Tanimoto GP where it was run).
        progress: Called with what has finished and the fraction done.

    Raises:
        ConfigurationError: If a method, family or suite is unknown.
        NotEnoughDataError: If nothing could be run.
        InputError: If the file holds something else.
    """
    suite = open_suite(options)
    bench = bench_of(name, suite)
    chosen = tuple(dict.fromkeys(methods or bench.methods))
    for method in chosen:
        bench.check(method)
    if reference is not None and reference not in chosen:
        raise ConfigurationError(f"The reference must be one of the methods that are run; got {reference!r}.")
    run = run_units(bench.plan(suite, chosen), bench.execute, ResultsFile(path), run_options or RunOptions(), progress)
    run = replace(run, skipped={**_unable(suite, chosen), **run.skipped})
    if run.rows.empty:
        reasons = [
            *run.failed.values(),
            *run.skipped.values(),
            *(r for f in suite.families for r in f.skipped.values()),
        ]
        raise NotEnoughDataError(f"A bench must have at least one run; got none: {(reasons or ['nothing to run'])[0]}")
    summary = bench.summarize(run.rows, reference)
    return BenchResult(name, suite, chosen, run, summary, _reference_words(bench, reference, run.rows))


def _unable(suite: Suite, methods: Sequence[str]) -> dict[str, str]:
    """Return what is not in the plan because a task lacks the experience, with the reason."""
    return {
        f"{method} on {task.family}/{task.name}": reason
        for method in methods
        for task in suite.tasks
        if (reason := missing_experience(task, method))
    }


def bench_of(name: str, suite: Suite) -> Bench:
    """Return a bench; of campaigns with several objectives the one by hypervolume.

    Raises:
        ConfigurationError: If predictions, or harm, of several objectives are asked for.
    """
    if not suite.is_front:
        return BENCHES[name]
    if name != "campaigns":
        raise ConfigurationError(
            f"bench {name} must have families of one objective; got {', '.join(f.name for f in suite.families)}.",
            "Families of several objectives are for bench campaigns.",
        )
    return FRONTS


def _reference_words(bench: Bench, reference: str | None, rows: pd.DataFrame) -> str:
    """Say what methods are compared with."""
    if bench is FRONTS:
        return reference or FRONT_REFERENCE
    if bench is BENCHES["harm"]:
        return "the same method without history"
    first, default = statistics.REFERENCES
    is_split = bench is BENCHES["campaigns"] and (rows["method"] == first).any()
    return reference or (f"{default} (on molecules {first})" if is_split else default)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as one mapping per row."""
    return [{str(name): cell for name, cell in row.items()} for row in table.to_dict("records")]
