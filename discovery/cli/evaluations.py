"""How good are the methods on this campaign: `backtest` replays it, `evaluate` scores few-shot predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from discovery.cli.options import (
    Device,
    DeviceOption,
    FileArgument,
    HtmlFile,
    JsonFlag,
    MethodsOption,
    OutFile,
    OverHistoryFlag,
    SeedsOption,
    Verbose,
    WorkersOption,
    whole_numbers,
    words,
)
from discovery.cli.output import note, print_json, progress_bar, write_json


def backtest(
    file: FileArgument,
    methods: MethodsOption = "belief,cold_gp,random",
    experiments: Annotated[int, typer.Option("--experiments", min=1, help="Experiments per run.")] = 50,
    initial: Annotated[int, typer.Option("--initial", min=0, help="Random starts, the same for all methods.")] = 0,
    seeds: SeedsOption = 10,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Experiments revealed together.")] = 1,
    workers: WorkersOption = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run baselines again, also where known.")] = False,
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
    names = _methods(methods, "METHODS")
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
    )
    spec, store = _open(file)
    from discovery.report.helped import replays_html
    from discovery.report.html import backtest_html
    from discovery.report.terminal import print_backtest, print_replays

    with progress_bar(verbose) as progress:
        if over_history:
            from discovery.evaluation.over_history import over_history as over

            def one(task: Any, n_rows: int, part: Any) -> Any:
                return replay_all(task, names, options, store=store, progress=part)

            result: Any = over(spec, one, store=store, progress=progress)
        else:
            result = replay_all(spec, names, options, store=store, progress=progress)
    if over_history:
        _answer(result, print_replays, replays_html, (out, html), as_json)
    else:
        _answer(result, print_backtest, backtest_html, (out, html), as_json)


def evaluate(
    file: FileArgument,
    methods: MethodsOption = "belief,no_transfer,cold_gp",
    support: Annotated[
        str, typer.Option("--support", metavar="NUMBERS", help="Measurements to predict from, with commas between.")
    ] = "5,10,20",
    seeds: SeedsOption = 10,
    workers: WorkersOption = None,
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
    names, supports = _methods(methods, "PREDICTORS"), whole_numbers(support, "--support")
    from discovery.evaluation.evaluate import EvaluateOptions
    from discovery.evaluation.evaluate import evaluate as score_all

    options = EvaluateOptions(supports=supports, seeds=tuple(range(seeds)), n_workers=workers, device=device)
    spec, store = _open(file)
    from discovery.report.helped import evaluate_html
    from discovery.report.terminal import print_evaluate

    with progress_bar(verbose) as progress:
        if over_history:
            from discovery.evaluation.over_history import over_history as over

            def one(task: Any, n_rows: int, part: Any) -> Any:
                return score_all(task, names, options.within(n_rows), store=store, progress=part)

            result: Any = over(spec, one, store=store, progress=progress)
        else:
            result = score_all(spec, names, options, store=store, progress=progress)
    _answer(result, print_evaluate, evaluate_html, (out, html), as_json)


def _methods(text: str, table: str) -> list[str]:
    """Read names of methods.

    Raises:
        typer.BadParameter: If one is unknown, or named twice.
    """
    from discovery.evaluation import methods as module

    names, known = words(text, "--methods"), getattr(module, table)
    unknown = [name for name in names if name not in known and name.partition(":")[0] not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}", param_hint="--methods")
    return names


def _open(file: Path) -> tuple[Any, Any]:
    """Read a campaign file; return the spec and its store, None where there is no store yet."""
    from discovery.campaign import load_spec
    from discovery.store import Store

    spec = load_spec(file)
    store = Store.of(spec)
    return spec, store if store.path.exists() else None


def _answer(
    result: Any,
    show: Callable[[Any], None],
    write: Callable[[Any, Path], Path],
    files: tuple[Path | None, Path | None],
    as_json: bool,
) -> None:
    """Write the result where it was asked for: a JSON file, a page, stdout as JSON, or tables."""
    (out, html), answer = files, _json(result)
    if out is not None:
        write_json(answer, out)
        note(f"Wrote {out}.")
    if html is not None:
        note(f"Wrote {write(result, html)}.")
    if as_json:
        print_json(answer)
    else:
        show(result)


def _json(result: Any) -> dict[str, Any]:
    """Return the result as JSON; a verdict stands beside what one can be made from."""
    from discovery.evaluation.results import BacktestResult
    from discovery.evaluation.verdict import judge

    plain: dict[str, Any] = result.to_json()
    found = None if isinstance(result, BacktestResult) else judge(result)
    return plain if found is None else plain | {"verdict": asdict(found)}
