"""Experiments that gave no result: `fail`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from discovery.cli.options import FileArgument, JsonFlag
from discovery.cli.output import print_json, say


def fail(
    file: FileArgument,
    which: Annotated[str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal, or of its trial.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; required.")],
    infeasible: Annotated[
        bool, typer.Option("--infeasible", help="It cannot succeed: never again, and what is like it less.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say that an experiment gave no result.

    It may be tried again then, and nothing is learned from it. With `--infeasible` it is given up, and the campaign
    learns where experiments cannot succeed.
    """
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    trial = campaign.fail(which, reason, infeasible=infeasible)
    progress = campaign.finish()
    if as_json:
        print_json({**asdict(trial), "progress": progress.reason})
        return
    what = "is infeasible and given up" if infeasible else "has failed and may be tried again"
    say(f"{trial.proposal_id} {what}. {progress.reason}")
