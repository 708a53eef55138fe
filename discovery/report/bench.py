"""The report of a bench: tables in the terminal, and one HTML file with plots."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from discovery.errors import counted
from discovery.evaluation.bench.benches import BenchResult
from discovery.evaluation.bench.statistics import SPEED_UPS
from discovery.report import bench_figures as figures
from discovery.report import bench_grids as grids
from discovery.report.bench_fronts import front_grids, front_sections, front_words
from discovery.report.page import Page, Section, write_page
from discovery.report.terminal import console, table

SCORE_TITLES = {
    "delta_auprc": "Finding the better half",
    "spearman": "Ranking",
    "nlpd_scaled": "Log score (less is better)",
    "crps_scaled": "CRPS (less is better)",
    "coverage90": "Outcomes inside their 90 % intervals",
    "coverage50": "Outcomes inside their 50 % intervals",
}


def print_bench(result: BenchResult, to: Console | None = None) -> None:
    """Print what a bench says: a sentence, then its tables."""
    to = to or console()
    to.print(Text(bench_headline(result)))
    for grid in _grids(result):
        to.print()
        to.print(table(grid, is_plain=not to.is_terminal))


def bench_headline(result: BenchResult) -> str:
    """Return the result in a sentence or two."""
    n_tasks = result.run.rows[["family", "task"]].drop_duplicates().shape[0]
    head = f"{len(result.run.rows)} of {result.run.n_planned} runs on {counted(n_tasks, 'task')}"
    if result.measure == "hypervolume":
        return f"{head}. {front_words(result)}"
    if result.measure == "regret":
        return f"{head}. {_speed_words(result)}".rstrip()
    return f"{head}. {_score_words(result)}"


def bench_html(result: BenchResult, path: str | Path) -> Path:
    """Write a bench as one HTML file; return the file."""
    sections = SECTIONS[result.measure](result)
    page = Page("Bench", result.name, bench_headline(result), _facts(result), tuple([*sections, *_left_out(result)]))
    return write_page(page, path)


def _speed_words(result: BenchResult) -> str:
    """Say how the first method does over all tasks; nothing where there is none to compare it with."""
    speeds = grids.overall(result.summary["speed_ups"])
    own = speeds[(speeds["method"] == result.methods[0]) & (speeds["start"] == "matched")]
    if own.empty:
        return ""
    measures = own[own["source"] == own["source"].iloc[0]].set_index("measure")
    said = ", ".join(
        f"{measures.loc[m, 'speed_up']:.2f} to {words}" for m, words in SPEED_UPS.items() if m != "regret_auc"
    )
    history = "" if own["source"].iloc[0] == "related" else f" with {own['source'].iloc[0]} history"
    return f"Speed-up of {result.methods[0]}{history} over {result.reference}, same random starts: {said}."


def _score_words(result: BenchResult) -> str:
    """Say how the first method predicts over all tasks, from random measurements."""
    scores = grids.overall(result.summary["scores"])
    own = scores[(scores["method"] == result.methods[0]) & (scores["support"] == "random")]
    score, digits = ("delta_auprc", 3) if result.name == "few-shot" else ("coverage90", 2)
    said = ", ".join(f"{value:.{digits}f} at {n}" for n, value in zip(own["n_support"], own[score], strict=True))
    named = "Delta AUPRC" if result.name == "few-shot" else "Share inside 90 % intervals"
    return f"{named} of {result.methods[0]} from random measurements: {said}."


def _replay_sections(result: BenchResult) -> list[Section]:
    """Return the parts about replays."""
    regret = [
        Section(f"Regret, {words}", "Mean over tasks of the mean over seeds.", figures.regret_figure(result, start))
        for start, words in grids.STARTS.items()
        if figures.has_start(result, start)
    ]
    compared = _comparisons(result) if len(result.summary["speed_ups"]) else []
    return [
        *compared,
        *regret,
        *(Section(grid.title, grid=grid) for grid in grids.bench_grids(result)[len(compared) > 0 :]),
    ]


def _comparisons(result: BenchResult) -> list[Section]:
    """Return the parts that compare with the reference."""
    return [
        Section(
            "Speed-up over all tasks",
            "Points are geometric means over tasks, bars 90 % intervals; right of 1 is fewer experiments.",
            figures.speed_up_figure(result),
            grids.speed_up_grid(result),
        ),
        Section("Task by task", "Every point is a task; above 1 is better.", figures.tasks_figure(result)),
    ]


def _score_sections(result: BenchResult) -> list[Section]:
    """Return the parts about predictions."""
    sections = [
        Section(SCORE_TITLES[score], "", figures.score_figure(result, score))
        for score in grids.SHOWN_SCORES[result.name][:4]
    ]
    pit = Section(
        "Where outcomes fell",
        "Flat is calibrated; a hill means too wide, a bowl too narrow.",
        figures.pit_figure(result),
    )
    return [*sections, pit, *(Section(grid.title, grid=grid) for grid in grids.bench_grids(result))]


SECTIONS = {"regret": _replay_sections, "hypervolume": front_sections, "scores": _score_sections}


def _grids(result: BenchResult) -> list[grids.Grid]:
    """Return the tables of a bench."""
    return front_grids(result) if result.measure == "hypervolume" else grids.bench_grids(result)


def _left_out(result: BenchResult) -> list[Section]:
    """Say what was not run, and why."""
    reasons = {f"{family.name}/{task}": why for family in result.suite.families for task, why in family.skipped.items()}
    reasons |= {**result.run.skipped, **result.run.failed}
    if not reasons:
        return []
    grid = grids.Grid("What was not run", ("what", "why"), tuple(reasons.items()), n_text=2)
    return [Section("Not run", grid=grid)]


def _is_compared(result: BenchResult) -> bool:
    """Say whether a reference was run beside the methods."""
    if result.measure == "hypervolume":
        return len(result.summary["gains"]) > 0
    return result.measure != "regret" or len(result.summary["speed_ups"]) > 0


def _facts(result: BenchResult) -> tuple[tuple[str, str], ...]:
    """Return what a reader has to know first."""
    return (
        ("Question", result.question),
        ("Suite", f"{result.suite.name}, {counted(result.suite.n_seeds, 'seed')}"),
        ("Families", ", ".join(f"{family.name} ({len(family.tasks)})" for family in result.suite.families)),
        ("History", f"without the {result.suite.leave_out} of each task"),
        ("Compared with", result.reference if _is_compared(result) else "nothing: the reference was not run"),
        ("Versions", str(result.run.rows["versions"].iloc[-1])),
    )
