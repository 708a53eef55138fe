"""How good are the methods on this campaign: `backtest` replays it, `evaluate` scores few-shot predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import (
    Device,
    DeviceOption,
    EngineName,
    EngineOption,
    FileArgument,
    GivenOption,
    HtmlFile,
    JsonFlag,
    MethodsOption,
    OutFile,
    OverHistoryFlag,
    PredictorsOption,
    SeedsOption,
    Verbose,
    WorkersOption,
    given_values,
    method_names,
    whole_numbers,
)
from discovery.cli.output import answer, progress_bar
from discovery.evaluation.method_table import METHODS, PREDICTORS

if TYPE_CHECKING:
    from discovery.evaluation.aimed_backtest import AimedResult


def backtest(
    file: FileArgument,
    methods: MethodsOption = "belief,cold_gp,random",
    experiments: Annotated[int, typer.Option("--experiments", min=1, help="Experiments per run.")] = 50,
    initial: Annotated[int, typer.Option("--initial", min=0, help="Random starts, the same for all methods.")] = 0,
    seeds: SeedsOption = 10,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Experiments revealed together.")] = 1,
    workers: WorkersOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run baselines again, also where known.")] = False,
    given: GivenOption = None,
    device: DeviceOption = Device.AUTO,
    over_history: OverHistoryFlag = False,
    out: OutFile = None,
    html: HtmlFile = None,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Replay a measured campaign by several methods.

    How many experiments does each need? A method sees the outcomes of the rows that it has chosen and no others.
    With --over-history each earlier campaign in turn is the new one.
    """
    names = method_names(methods, METHODS)
    from discovery.evaluation.backtest import BacktestOptions
    from discovery.evaluation.backtest import backtest as replay_all

    options = BacktestOptions(
        n_experiments=experiments,
        n_initial=initial,
        seeds=tuple(range(seeds)),
        batch_size=batch_size,
        n_workers=workers,
        use_cache=not no_cache,
        device=device,
        given=given_values(given),
    )

    def one(task: Any, store: Any, n_rows: int | None, progress: Any, spread: Any) -> Any:
        if task.is_plain:
            return replay_all(task, names, replace(options, engine=spread), store=store, progress=progress)
        from discovery.evaluation.aimed_backtest import aimed_backtest

        return aimed_backtest(task, names, replace(options, engine=spread), store=store, progress=progress)

    result = _run(file, over_history, verbose, one, engine)
    from discovery.evaluation.aimed_backtest import AimedResult

    if isinstance(result, AimedResult):
        _answer_aimed(result, as_json, out, html)
        return
    from discovery.report.helped import replays_html
    from discovery.report.html import backtest_html
    from discovery.report.terminal import print_backtest, print_replays

    show, write = (print_replays, replays_html) if over_history else (print_backtest, backtest_html)
    answer(_json(result), lambda: show(result), lambda path: write(result, path), as_json=as_json, out=out, page=html)


def _answer_aimed(result: AimedResult, as_json: bool, out: Path | None, html: Path | None) -> None:
    """Answer with a backtest of several objectives, targets, hits or limits."""
    from discovery.report.aimed_backtest import aimed_html, aimed_parts
    from discovery.report.terminal import print_parts

    answer(
        result.to_json(),
        lambda: print_parts(*aimed_parts(result)),
        lambda path: aimed_html(result, path),
        as_json=as_json,
        out=out,
        page=html,
    )


def evaluate(
    file: FileArgument,
    methods: PredictorsOption = "belief,no_transfer,cold_gp",
    support: Annotated[
        str, typer.Option("--support", metavar="NUMBERS", help="Measurements to predict from, with commas between.")
    ] = "5,10,20",
    seeds: SeedsOption = 10,
    workers: WorkersOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    device: DeviceOption = Device.AUTO,
    over_history: OverHistoryFlag = False,
    out: OutFile = None,
    html: HtmlFile = None,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Score predictions made from a few measurements: would your experience have helped?

    All other rows of the measured campaign are predicted and scored. With --over-history each earlier campaign in
    turn is the new one, so that nothing of the campaign itself has to be measured.
    """
    names, supports = method_names(methods, PREDICTORS), whole_numbers(support, "--support")
    from discovery.evaluation.evaluate import EvaluateOptions
    from discovery.evaluation.evaluate import evaluate as score_all

    options = EvaluateOptions(supports=supports, seeds=tuple(range(seeds)), n_workers=workers, device=device)

    def one(task: Any, store: Any, n_rows: int | None, progress: Any, spread: Any) -> Any:
        fitting = replace(options if n_rows is None else options.within(n_rows), engine=spread)
        if len(task.believed) > 1:
            from discovery.evaluation.each_outcome import evaluate_outcomes

            return evaluate_outcomes(task, names, fitting, store=store, progress=progress)
        return score_all(task, names, fitting, store=store, progress=progress)

    result = _run(file, over_history, verbose, one, engine, may_be_aimed=True)
    from discovery.report.helped import evaluate_html
    from discovery.report.terminal import print_evaluate

    answer(
        _json(result),
        lambda: print_evaluate(result),
        lambda path: evaluate_html(result, path),
        as_json=as_json,
        out=out,
        page=html,
    )


def _run(
    file: Path,
    over_history: bool,
    verbose: bool,
    one: Callable[..., Any],
    engine: EngineName,
    may_be_aimed: bool = False,
) -> Any:
    """Run the campaign of a file, or each earlier one in turn as the new campaign.

    Args:
        file: The campaign file.
        over_history: Whether the earlier campaigns are run.
        verbose: Whether progress is shown where no one watches.
        one: Runs a campaign, given its spec, the store (None where there is none yet), the number of its rows where
            it is an earlier one, what reports progress, and what spreads the work.
        engine: Name of what spreads the work.
        may_be_aimed: Whether earlier campaigns may be run for a goal such as hits, of one outcome.
    """
    from discovery.campaign import load_spec
    from discovery.errors import NotSupportedError
    from discovery.evaluation.over_history import over_history as over
    from discovery.store import Store
    from flows.spread import spreading

    spec = load_spec(file)
    may_run = spec.is_plain or (may_be_aimed and len(spec.believed) == 1 and spec.cost is None)
    if over_history and not may_run:
        what = "one outcome" if may_be_aimed else "one outcome that is high or low"
        raise NotSupportedError(
            f"--over-history must have {what}; {spec.name} wants more.",
            "Leave --over-history out, or ask of one objective alone.",
        )
    store = Store.of(spec)
    kept = store if store.path.exists() else None
    with progress_bar(verbose) as progress, spreading(engine, store.path.parent, is_verbose=verbose) as spread:
        if not over_history:
            return one(spec, kept, None, progress, spread)
        return over(
            spec, lambda task, n_rows, part: one(task, kept, n_rows, part, spread), store=kept, progress=progress
        )


def _json(result: Any) -> dict[str, Any]:
    """Return the result as JSON; a verdict stands beside what one can be made from."""
    from discovery.evaluation.each_outcome import OutcomeResults
    from discovery.evaluation.results import BacktestResult
    from discovery.evaluation.verdict import judge

    plain: dict[str, Any] = result.to_json()
    if isinstance(result, OutcomeResults):
        verdicts = {name: judge(part) for name, part in result.results.items()}
        for name, said in verdicts.items():
            plain["outcomes"][name] |= {} if said is None else {"verdict": asdict(said)}
        return plain
    found = None if isinstance(result, BacktestResult) else judge(result)
    return plain if found is None else plain | {"verdict": asdict(found)}
