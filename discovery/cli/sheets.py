"""Sheets for the laboratory: `sheet`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import FileArgument, JsonFlag
from discovery.cli.output import note, print_json, say
from discovery.errors import counted

if TYPE_CHECKING:
    import pandas as pd

    from discovery.session import Campaign


class Which(StrEnum):
    """Which proposals stand on a sheet."""

    OPEN = "open"
    APPROVED = "approved"
    PROPOSED = "proposed"


def sheet(
    file: FileArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write open proposals again, as .csv or .xlsx.")
    ] = None,
    status: Annotated[Which, typer.Option("--status", help="Which of them; needs --out.")] = Which.OPEN,
    as_json: JsonFlag = False,
) -> None:
    """Hand approved proposals over to the laboratory.

    Where people make the experiments (`experiment: {type: manual}`), writes a sheet to fill in, with plates where the
    file asks for them. With --out, open proposals are written again, also where nobody hands anything over.
    """
    from discovery.session import Campaign
    from discovery.session.sheets import hand_over

    campaign = Campaign.open(file)
    if out is None:
        _check_manual(campaign, status)
        paths = hand_over(campaign)
        n_rows = campaign.progress().n_running
    else:
        n_rows = _write_open(campaign, status, out)
        paths = [out] if n_rows else []
    if as_json:
        print_json({"sheets": paths, "n_proposals": n_rows})
        return
    for path in paths:
        say(str(path))
    words = f"{counted(n_rows, 'result')} awaited: fill in {', '.join(campaign.spec.outcome_names)}, then"
    note(f"{words} discovery ingest {file} {paths[-1]}" if paths else "No proposal is to be made.")


def check_sheet(campaign: Campaign, path: Path) -> None:
    """Check, before anything is proposed, that a sheet may be written to a file.

    Raises:
        ConfigurationError: If it may not.
    """
    from discovery.experiments.sheets import check_target

    check_target(path, campaign.spec.outcome_names)


def write_proposals(campaign: Campaign, proposals: pd.DataFrame, path: Path) -> None:
    """Write proposals as the table that `ingest` reads: outcomes are left blank for the laboratory.

    Raises:
        ConfigurationError: If the file is neither .csv nor .xlsx, cannot be written, or holds results.
    """
    from discovery.experiments.sheets import write_sheet
    from discovery.session.sheets import sheet_of

    write_sheet(sheet_of(campaign.spec, proposals), path)
    note(f"Wrote {path}: fill in {', '.join(campaign.spec.outcome_names)}, then discovery ingest.")


def _check_manual(campaign: Campaign, status: Which) -> None:
    """Check that there is a laboratory of people to hand over to, and that all approved proposals are meant.

    Raises:
        typer.BadParameter: If not.
    """
    experiment = campaign.spec.experiment
    if experiment is None or experiment.type != "manual":
        raise typer.BadParameter("must name a file where experiment.type is not manual", param_hint="--out")
    if status is not Which.OPEN:
        raise typer.BadParameter("needs --out: approved proposals are handed over, all of them", param_hint="--status")


def _write_open(campaign: Campaign, status: Which, out: Path) -> int:
    """Write proposals without a result again, and return their number; nothing is written where there are none."""
    from discovery.experiments.sheets import write_sheet
    from discovery.session.sheets import open_sheet

    made = open_sheet(campaign, status.value)
    n_rows = int(made.rows["proposal_id"].notna().sum())
    if n_rows:
        write_sheet(made, out)
    n_without = int((made.rows["proposal_id"].notna() & made.rows["well"].isna()).sum()) if "well" in made.rows else 0
    if n_without:
        note(f"{counted(n_without, 'proposal')} without a well; wells are given by: discovery sheet, without --out.")
    return n_rows
