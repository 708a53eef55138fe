"""How good are the methods over whole families of measured campaigns: `discovery bench`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.bench_meta import MetaChoice, check_meta
from discovery.cli.options import (
    METHODS_HELP,
    Device,
    DeviceOption,
    EngineName,
    EngineOption,
    JsonFlag,
    Verbose,
    WorkersOption,
    method_names,
    whole_numbers,
    words,
)
from discovery.cli.output import answer, note, progress_bar
from discovery.evaluation.bench.meta.frame import CHECKS
from discovery.evaluation.method_table import METHODS, PREDICTORS, named

if TYPE_CHECKING:
    from discovery.evaluation.bench.benches import BenchResult


class BenchName(StrEnum):
    """What is measured."""

    CAMPAIGNS = "campaigns"
    FEW_SHOT = "few-shot"
    CALIBRATION = "calibration"
    HARM = "harm"
    META = "meta"


CheckName = StrEnum("CheckName", {name.upper().replace("-", "_"): name for name in CHECKS})  # type: ignore[misc]
"""A check of `bench meta`."""


class SuiteName(StrEnum):
    """How much is run."""

    SMALL = "small"
    FULL = "full"


class SplitName(StrEnum):
    """Families that settings are chosen on, and families that figures are reported on."""

    DEVELOPMENT = "development"
    REPORTED = "reported"


class LeaveOutName(StrEnum):
    """What is left out of a task's history with it."""

    GROUP = "group"
    TASK = "task"


WhatArgument = Annotated[
    BenchName, typer.Argument(metavar="WHAT", help="campaigns, few-shot, calibration, harm or meta.")
]
SuiteOption = Annotated[SuiteName, typer.Option("--suite", help="small: minutes; full: every family, hours.")]
FamiliesOption = Annotated[
    str | None, typer.Option("--families", metavar="NAMES", help="Families, with commas between.")
]
SplitOption = Annotated[
    SplitName | None, typer.Option("--split", help="Families that settings are chosen on, or those reported.")
]
_SEARCHES = named(name for name in METHODS if name not in PREDICTORS)
MethodsOption = Annotated[
    str | None,
    typer.Option("--methods", metavar="NAMES", help=f"{METHODS_HELP}; few-shot and calibration know no {_SEARCHES}."),
]
SeedsOption = Annotated[int | None, typer.Option("--seeds", min=1, help="Seeds per task; default the suite's.")]
TasksOption = Annotated[int | None, typer.Option("--tasks", min=1, help="At most so many tasks of a family.")]
ExperimentsOption = Annotated[int | None, typer.Option("--experiments", min=1, help="Experiments per run.")]
InitialOption = Annotated[
    str | None, typer.Option("--initial", metavar="NUMBERS", help="Random starts, such as 0,5; for all methods.")
]
LeaveOutOption = Annotated[LeaveOutName, typer.Option("--leave-out", help="task: close relatives stay in the history.")]
ReferenceOption = Annotated[
    str | None, typer.Option("--reference", metavar="NAME", help="Method that others are compared with.")
]
KeepFlag = Annotated[bool, typer.Option("--keep", help="Keep finished runs though the code has changed since.")]
RunsFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Parquet file of all runs, what is in it is not rerun; of meta, JSON."),
]
CheckOption = Annotated[
    CheckName | None, typer.Option("--check", help="Of meta: what the families of meta-learning are held to.")
]
QuickFlag = Annotated[bool, typer.Option("--quick", help="Of meta: a small version that proves nothing, in seconds.")]
ReportFile = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a report with plots.")]


def bench(
    what: WhatArgument,
    suite: SuiteOption = SuiteName.SMALL,
    families: FamiliesOption = None,
    split: SplitOption = None,
    methods: MethodsOption = None,
    seeds: SeedsOption = None,
    tasks: TasksOption = None,
    experiments: ExperimentsOption = None,
    initial: InitialOption = None,
    leave_out: LeaveOutOption = LeaveOutName.GROUP,
    reference: ReferenceOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    device: DeviceOption = Device.AUTO,
    keep: KeepFlag = False,
    check: CheckOption = None,
    quick: QuickFlag = False,
    out: RunsFile = None,
    report: ReportFile = None,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Compare methods over families of measured campaigns.

    A task's own group is never in its history. Runs are kept as they finish; the same command goes on after a stop.
    Meta holds the families of meta-learning to one check: --check, --methods (learners), --seeds, --quick, --out.
    """
    if what == BenchName.META:
        check_meta(check, MetaChoice(methods, seeds, quick, device), out, as_json=as_json, verbose=verbose)
        return
    if check is not None or quick:
        raise typer.BadParameter(f"is for `bench meta`; got {what}.", param_hint="--check" if check else "--quick")
    known = METHODS if what in (BenchName.CAMPAIGNS, BenchName.HARM) else PREDICTORS
    chosen = tuple(method_names(methods, known)) if methods else None
    named = tuple(words(families, "--families")) if families else None
    starts = whole_numbers(initial, "--initial") if initial else None
    from discovery.evaluation.bench.benches import run_bench
    from discovery.evaluation.bench.runner import RunOptions
    from discovery.evaluation.bench.suites import SuiteOptions
    from discovery.settings import cache_dir
    from flows.spread import spreading

    path = out or cache_dir() / "bench" / f"{what}-{suite}.parquet"
    options = SuiteOptions(
        suite=suite,
        families=named,
        split=split.value if split else None,
        n_seeds=seeds,
        n_tasks=tasks,
        n_experiments=experiments,
        starts=starts,
        leave_out=leave_out.value,
    )
    try:
        with (
            progress_bar(verbose) as progress,
            spreading(engine, cache_dir() / "bench", is_verbose=verbose) as spread,
        ):
            running = RunOptions(workers, device, keep, spread)
            result = run_bench(what, chosen, options, path, run_options=running, reference=reference, progress=progress)
    except KeyboardInterrupt:
        note(f"Stopped. Finished runs stay in {path}. Go on: the same command once more.")
        raise
    note(f"{result.run.n_made} new runs, {len(result.run.rows)} of {result.run.n_planned} in {path}.")
    _answer(result, report, as_json)


def _answer(result: BenchResult, report: Path | None, as_json: bool) -> None:
    """Write the result where it was asked for, and name what did not run; exit code 1 where a method broke."""
    from discovery.report.bench import bench_html, print_bench

    answer(
        result.to_json(),
        lambda: print_bench(result),
        lambda path: bench_html(result, path),
        as_json=as_json,
        page=report,
    )
    by_reason: dict[str, list[str]] = {}
    for unit, reason in {**result.run.skipped, **result.run.failed}.items():
        by_reason.setdefault(reason, []).append(unit)
    for reason, units in by_reason.items():
        more = f" and {len(units) - 1} more" if len(units) > 1 else ""
        note(f"Not run: {units[0]}{more}: {reason}")
    if result.run.failed:
        raise typer.Exit(1)
