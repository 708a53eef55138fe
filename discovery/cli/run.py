"""Running a campaign: `run` as Prefect flows, and `meta-train` alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import (
    Device,
    DeviceOption,
    FileArgument,
    GivenOption,
    GoOn,
    JsonFlag,
    Verbose,
    WithoutOption,
    given_values,
    pairs,
)
from discovery.cli.output import note, of_steps, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from discovery.session import Campaign
    from flows.campaign import CampaignOutcome


def meta_train(
    file: FileArgument,
    force: Annotated[bool, typer.Option("--force", help="Train even what the registry has.")] = False,
    device: DeviceOption = Device.AUTO,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Turn simulators and history into hypotheses.

    What the registry has is used again, unless it has seen this campaign.
    """
    from discovery.session import Campaign

    campaign = Campaign.open(file, device=device)
    with progress_bar(verbose) as progress:
        trained = campaign.meta_train(of_steps(progress), force=force)
    rows = [
        {
            "hypothesis": item.name,
            "prior_weight": item.prior_weight,
            "checkpoint": item.checkpoint.checkpoint_id,
            "n_tasks": len(item.checkpoint.meta.task_sources),
            "scores": item.checkpoint.meta.scores,
        }
        for item in trained
    ]
    if as_json:
        print_json(rows)
        return
    shown = [(r["hypothesis"], r["checkpoint"], r["prior_weight"], r["n_tasks"]) for r in rows]
    columns = ("hypothesis", "checkpoint", "prior weight", "task sources")
    print_table(f"Hypotheses of {campaign.name}", columns, shown, n_text=2)


def run(
    file: FileArgument,
    cycles: Annotated[int | None, typer.Option("--cycles", min=1, help="Propose at most so many cycles.")] = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", help="Ask nobody, whatever the file says.")] = False,
    given: GivenOption = None,
    without: WithoutOption = None,
    go_on: GoOn = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out-dir", metavar="FOLDER", help="Write report.html and the tables there.")
    ] = None,
    device: DeviceOption = Device.AUTO,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Run a campaign, or go on where it stopped.

    Meta-trains, then goes through cycles until the campaign ends, a person is needed, or --cycles are done. What was
    cut off, by whatever, goes on where it stopped. Set PREFECT_API_URL to see the runs on a Prefect server; otherwise
    a private one runs as long as the command. What --given and --without say holds for all cycles of the run.
    """
    today = given_values(given), pairs(without, "--without")
    from discovery.session import Campaign

    campaign = Campaign.open(file, device=device)
    if any(today):
        campaign.today(*today)  # a fault is told before a server starts
    try:
        arguments = (str(file.resolve()), cycles, auto_approve, campaign.device, go_on, *today)
        outcome = _run_flow(campaign, arguments, verbose)
    except KeyboardInterrupt:
        note(f"Stopped. What was recorded stays. Go on: discovery run {file}")
        raise
    if out_dir is not None:
        _write_tables(campaign, out_dir)
    if as_json:
        print_json({**vars(outcome), "campaign": campaign.name, "store": campaign.store.path})
    else:
        from discovery.report.campaign import CampaignFrames
        from discovery.report.terminal import print_campaign

        print_campaign(CampaignFrames.read(campaign.spec, campaign.store))
    note(f"{campaign.name} is {outcome.state}. {outcome.reason} {outcome.refinement}".strip())
    if outcome.next_command:
        note(f"Next: {outcome.next_command.replace(str(file.resolve()), str(file))}")
    if outcome.state == "stuck":
        raise typer.Exit(1)


def _run_flow(campaign: Campaign, arguments: tuple[Any, ...], verbose: bool) -> CampaignOutcome:
    """Run the campaign flow, watched."""
    from discovery.cli.watch import watching
    from discovery.session.leases import running
    from flows.runtime import prefect_runtime

    alone = running(campaign.store, campaign.name)  # another process that runs it is found out before a server starts
    with alone, watching(verbose), prefect_runtime(campaign.store.path.parent, is_verbose=verbose):
        from flows.campaign import campaign as campaign_flow

        return campaign_flow(*arguments)


def _write_tables(campaign: Campaign, folder: Path) -> None:
    """Write the report and the tables of a campaign."""
    from discovery.report.campaign import CampaignFrames
    from discovery.report.html import campaign_html

    campaign_html(CampaignFrames.read(campaign.spec, campaign.store), folder / "report.html")
    campaign.measurements().to_csv(folder / "measurements.csv", index=False)
    campaign.proposals().to_csv(folder / "proposals.csv", index=False)
    note(f"Wrote {folder / 'report.html'}, measurements.csv and proposals.csv.")
