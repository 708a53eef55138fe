"""The registry of checkpoints: `models list`, `models show` and `models promote`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from discovery.cli.options import JsonFlag, StoreOption
from discovery.cli.output import print_json, print_table, records, say
from discovery.cli.store import find_store

app = typer.Typer(help="The registered checkpoints.", no_args_is_help=True, rich_markup_mode=None)
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Id of the version.")]


@app.command("list")
def list_models(store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """List the versions, and which are in use."""
    rows = records(find_store(None, store).models(), json_columns=("task_sources", "scores"))
    if as_json:
        print_json(rows)
        return
    shown = [
        (row["version_id"], row["hypothesis"], row["status"], row["parent"] or "", len(row["task_sources"]))
        for row in rows
    ]
    print_table("Model versions", ("version", "hypothesis", "status", "refined from", "tasks"), shown, n_text=4)


@app.command("show")
def show_model(version: VersionArgument, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Show where a version comes from and its scores."""
    found = asdict(find_store(None, store).model(version))
    if as_json:
        print_json(found)
        return
    scores = "; ".join(f"{name} {value:.4g}" for name, value in found.pop("scores").items())
    sources = "\n  ".join(found.pop("task_sources"))
    for name, value in {**found, "scores": scores}.items():
        say(f"{name + ':':<14}{value or '-'}")
    say(f"tasks:\n  {sources or '-'}")


@app.command("promote")
def promote_model(version: VersionArgument, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Put a version to use.

    For campaigns that start from now on; the one in use before is archived.
    """
    promoted = find_store(None, store).promote(version)
    if as_json:
        print_json(asdict(promoted))
    else:
        say(f"{promoted.version_id} is in use for {promoted.hypothesis}.")
