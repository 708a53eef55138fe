"""Results from the laboratory: `ingest`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import FileArgument, JsonFlag
from discovery.cli.output import note, print_json, say
from discovery.cli.server import tell_server
from discovery.errors import counted

if TYPE_CHECKING:
    from discovery.ingest import CheckedRows
    from discovery.session import Campaign


def ingest(
    file: FileArgument,
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="CSV, Excel, Parquet or JSON lines.")],
    as_json: JsonFlag = False,
) -> None:
    """Take results into the store.

    Also of experiments that nobody proposed. Good rows land; bad rows are kept aside with the reason, and the command
    then ends with code 1. The same file a second time adds nothing.
    """
    from discovery.ingest import read_rows
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    checked = campaign.check(read_rows(results))
    rejected = checked.rejected
    report = campaign.tell(results)
    progress = campaign.finish()
    if as_json:
        print_json({**asdict(report), "rejected": [asdict(cell) for cell in rejected], "reason": progress.reason})
    else:
        controls = f", {counted(report.n_controls, 'control')} kept aside" if report.n_controls else ""
        failed = f", {counted(report.n_failed, 'experiment')} without a result" if report.n_failed else ""
        completed = f"{report.n_completed} completed, " if report.n_completed else ""
        say(
            f"{counted(report.n_added, 'measurement')} added, {completed}{report.n_duplicates} known already, "
            f"{counted(report.n_rejected, 'row')} rejected, {report.n_pending} not measured yet{controls}{failed}. "
            f"{progress.reason}"
        )
        if rejected:
            say("Correct what is rejected in the file and ingest it again: only what is new lands.")
    if report.n_added:
        for doubt in _doubts(campaign, checked):
            note(f"Warning: {results}, {doubt}")
    for cell in rejected:
        note(f"Error: {results}, data row {cell.row_number}, {cell.column}: {cell.reason}; got {cell.value!r}.")
    tell_server(campaign.store)
    if rejected:
        raise typer.Exit(1)


def _doubts(campaign: Campaign, checked: CheckedRows) -> Iterator[str]:
    """Name what lands and may be a typing error: outcomes outside their range, and proposals that there are not."""
    rows = list(zip(checked.row_numbers, checked.frame.to_dict("records"), strict=True))
    for name in campaign.spec.outcome_names:
        low, high = campaign.spec.outcome(name).range or (-inf, inf)
        for n, row in rows:
            if row[name] < low or row[name] > high:
                yield f"data row {n}, {name}: {row[name]:g} is outside its range, {low:g} to {high:g}; it counts."
    outside = {fault.row: fault.column for fault in reversed(campaign.space.check(checked.frame))}
    for at, column in sorted(outside.items()):
        yield f"data row {rows[at][0]}, {column}: only an earlier version of the campaign has room for it; it is kept."
    known = set(campaign.store.proposals(campaign.name)["proposal_id"])
    for n, row in rows:
        named = row.get("proposal_id")
        if isinstance(named, str) and named not in known:
            yield f"data row {n}, proposal_id: there is no proposal {named!r}; the row counts all the same."
