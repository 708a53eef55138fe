"""Campaigns that run themselves: `deploy` tells a Prefect server of them, and runs them where asked to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import JsonFlag
from discovery.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from flows.deploying import Deployed
    from flows.deployments import CampaignFile

SERVE_LIMIT = 4
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Campaign files.")]


def deploy(
    files: FilesArgument,
    pool: Annotated[
        str | None, typer.Option("--pool", metavar="NAME", help="Work pool whose workers run them; made if absent.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Stay, and run them in processes of this machine.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs at once with --serve.")] = SERVE_LIMIT,
    sweep_every: Annotated[
        str | None,
        typer.Option("--sweep-every", metavar="TIME", help="How often a sweep looks for what was missed; first 5m."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove campaigns of the same store that are not named.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the deployments of these files.")] = False,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where a server of our own listens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Port of a server of our own.")] = 4200,
    as_json: JsonFlag = False,
) -> None:
    """Let campaigns run by themselves on a Prefect server.

    They run when their schedule says so and when results or decisions have arrived. Deploying again changes what has
    changed in the file. The server is the one of PREFECT_API_URL; without it, --serve starts one, with pages, that
    ends with the command.
    """
    _check_options(pool, serve, remove, prune)
    every_s = None if sweep_every is None else _seconds(sweep_every)
    if remove:
        with _server(files[0], serve=False, host=host, port=port):
            from flows.deploying import remove as remove_files

            _show(remove_files(files), as_json)
        return
    campaigns = _read(files)
    with _server(campaigns[0].store, serve=serve, host=host, port=port):
        from flows.deploying import DeployOptions
        from flows.deploying import deploy as deploy_campaigns

        wanted = DeployOptions(pool="" if serve else pool, every_s=every_s, prune=prune)
        done = deploy_campaigns(campaigns, wanted)
        _show(done, as_json)
        _say_next(files, done, pool, serve)
        if serve:
            _serve(done, limit)


def _check_options(pool: str | None, serve: bool, remove: bool, prune: bool) -> None:
    """Refuse options that exclude each other."""
    if pool is not None and serve:
        raise typer.BadParameter("workers of a pool or this process can run them, not both", param_hint="--serve")
    if remove and (pool is not None or serve or prune):
        raise typer.BadParameter("comes without --pool, --serve and --prune", param_hint="--remove")
    if pool is not None and (not pool.strip() or set(pool) & set("/%&><")):
        raise typer.BadParameter(f"must be a name without any of / % & < >; got {pool!r}", param_hint="--pool")


def _seconds(text: str) -> float:
    """Return the seconds in `--sweep-every`."""
    from pydantic_core import PydanticCustomError

    from discovery.campaign.sections import duration_s

    try:
        return duration_s(text, "--sweep-every")
    except PydanticCustomError:
        raise typer.BadParameter(
            f"must be a duration such as 5m or 1h; got {text!r}", param_hint="--sweep-every"
        ) from None


def _read(files: Sequence[Path]) -> list[CampaignFile]:
    """Read campaign files, and check them as `validate` does, all before anything is deployed."""
    from discovery.cli.campaigns import check_campaign
    from flows.deployments import read_campaigns

    campaigns = read_campaigns(files)
    for one in campaigns:
        check_campaign(one.spec)
    return campaigns


def _server(store: Path, *, serve: bool, host: str, port: int) -> AbstractContextManager[Any]:
    """Make Prefect ready: the server that is named, or one of our own where it is to be served."""
    from discovery.errors import ConfigurationError
    from flows.runtime import prefect_runtime
    from flows.serving import serving

    if serve:
        return serving(store.parent, host, port)
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigurationError(
            "PREFECT_API_URL must say where the Prefect server is; it is not set.",
            "Set it, or add --serve, which starts a server of its own.",
        )
    return prefect_runtime(store.parent)


def _show(done: Sequence[Deployed], as_json: bool) -> None:
    """Print what became of each deployment."""
    if as_json:
        print_json([{**vars(one), "deployment_id": str(one.deployment_id)} for one in done])
        return
    rows = [(one.name, one.change, one.schedule or "-", one.url or "-") for one in done]
    print_table("Deployments", ("deployment", "change", "schedule", "page"), rows, n_text=4)


def _say_next(files: Sequence[Path], done: Sequence[Deployed], pool: str | None, serve: bool) -> None:
    """Say what a person does next."""
    words = " ".join(map(str, files))
    if serve:
        note("Running them until Ctrl-C. Elsewhere on this machine, so that results and decisions wake them:")
        note(f"  export PREFECT_API_URL={os.environ['PREFECT_API_URL']}")
    elif pool is not None:
        note(f"Next, where they shall run: prefect worker start --pool {pool}")
    elif any(one.change == "created" for one in done):
        note(f"Next: discovery deploy {words} --serve, or --pool NAME and a worker; a deployment alone runs nothing.")


def _serve(done: Sequence[Deployed], limit: int) -> None:
    """Run deployments until this process is told to end."""
    from flows.deploying import REMOVED
    from flows.serving import run_deployments

    sys.stdout.flush()  # who reads a pipe waits for the answer, not for the end
    try:
        run_deployments([(one.name, one.deployment_id) for one in done if one.change != REMOVED], limit)
    except KeyboardInterrupt:
        note("Stopped. What was recorded stays, and what was cut off goes on with the next start.")
