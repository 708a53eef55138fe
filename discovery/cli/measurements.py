"""Results from the laboratory: `ingest`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from discovery.cli.options import FileArgument, JsonFlag
from discovery.cli.output import note, print_json, say


def ingest(
    file: FileArgument,
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="CSV, Parquet or JSON lines.")],
    as_json: JsonFlag = False,
) -> None:
    """Take results into the store.

    Also of experiments that nobody proposed. Good rows land; bad rows are kept aside with the reason, and the command
    then ends with code 1. The same file a second time adds nothing.
    """
    from discovery.ingest import check_rows, read_rows
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    rejected = check_rows(read_rows(results), campaign.spec, campaign.space).rejected
    report = campaign.tell(results)
    progress = campaign.finish()
    if as_json:
        print_json({**asdict(report), "rejected": [asdict(cell) for cell in rejected], "reason": progress.reason})
    else:
        say(
            f"{report.n_added} measurements added, {report.n_duplicates} known already, {report.n_rejected} rows "
            f"rejected, {report.n_pending} not measured yet. {progress.reason}"
        )
        if report.n_out_of_range:
            note(f"Warning: {report.n_out_of_range} rows landed with an outcome outside its declared range.")
    for cell in rejected:
        note(f"Error: {results}, row {cell.row_number}, {cell.column}: {cell.reason}; got {cell.value!r}.")
    if rejected:
        raise typer.Exit(1)
