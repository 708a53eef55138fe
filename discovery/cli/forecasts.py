"""How many experiments will it take? `forecast` simulates the campaign before it is paid for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from discovery.cli.options import Device, DeviceOption, EngineName, FileArgument, JsonFlag, OutFile, Verbose
from discovery.cli.output import answer, note, of_steps, progress_bar
from discovery.errors import counted


def forecast(
    file: FileArgument,
    experiments: Annotated[
        int | None, typer.Option("--experiments", min=1, help="How many to simulate; default what the budget leaves.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=2, help="Worlds drawn from the belief.")] = 64,
    target: Annotated[
        float | None, typer.Option("--target", help="What is wanted; default stop.target of the file.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Number of processes; default 1, with --engine all cores.")
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option("--engine", help="What spreads the worlds: processes, dask or ray.")
    ] = None,
    device: DeviceOption = Device.AUTO,
    out: OutFile = None,
    report: Annotated[
        Path | None, typer.Option("--report", "--html", metavar="FILE", help="Write a page with plots.")
    ] = None,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Say how many experiments the campaign is likely to take.

    Simulates it on worlds drawn from the belief: before the first measurement, and again as results come in.
    Meta-trains first where that was not done yet.
    """
    from discovery.report.forecast import forecast_grid, forecast_html, forecast_sentence
    from discovery.report.terminal import print_parts
    from discovery.session import Campaign
    from flows.spread import spreading

    campaign = Campaign.open(file, device=device)
    progress = campaign.progress()
    n_left = progress.n_budget - progress.n_measurements
    if experiments is not None and experiments > n_left:
        note(f"The budget leaves {counted(n_left, 'experiment')}; {experiments} are simulated.")
    n_workers = workers or (1 if engine is None else os.cpu_count() or 1)
    with (
        progress_bar(verbose) as bar,
        spreading(engine or EngineName.PROCESSES, campaign.store.path.parent, is_verbose=verbose) as spread,
    ):
        campaign.meta_train(of_steps(bar))
        found = campaign.forecast(experiments, n_draws=draws, target=target, n_workers=n_workers, engine=spread)
    sentence = forecast_sentence(found, campaign.spec)
    facts = {"campaign": campaign.name, "outcome": campaign.spec.objective.name, "sentence": sentence}
    answer(
        facts | found.to_json(),
        lambda: print_parts(sentence, forecast_grid(found, campaign.spec)),
        lambda path: forecast_html(found, campaign.spec, path),
        as_json=as_json,
        out=out,
        page=report,
    )
