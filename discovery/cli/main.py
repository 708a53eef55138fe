"""The `discovery` command: the table of commands, and the one place where an error becomes a sentence and a code.

Exit codes: 0 fine, 1 a fault in the data, the file or the run, 2 wrong usage. Next in the tour:
`discovery.cli.campaigns`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import discovery
from discovery.cli import (
    bench,
    campaigns,
    catalog,
    corrections,
    deploy,
    doctor,
    evaluations,
    explanations,
    failures,
    forecasts,
    inbox,
    measurements,
    models,
    notify,
    proposals,
    run,
    sheets,
    status,
    store,
)
from discovery.errors import DiscoveryError
from discovery.settings import set_threads

COMMANDS: dict[str, Callable[..., object]] = {
    "init": campaigns.init,
    "validate": campaigns.validate,
    "meta-train": run.meta_train,
    "run": run.run,
    "deploy": deploy.deploy,
    "notify": notify.notify,
    "propose": proposals.propose,
    "review": proposals.review,
    "explain": explanations.explain,
    "sheet": sheets.sheet,
    "ingest": measurements.ingest,
    "fail": failures.fail,
    "correct": corrections.correct,
    "retract": corrections.retract,
    "changes": corrections.changes,
    "status": status.status,
    "report": campaigns.report,
    "backtest": evaluations.backtest,
    "evaluate": evaluations.evaluate,
    "forecast": forecasts.forecast,
    "bench": bench.bench,
    "meta-learners": catalog.meta_learners,
    "replay": proposals.replay,
    "export": store.export,
    "backup": store.backup,
    "restore": store.restore,
    "watch": inbox.watch,
    "sweep": inbox.sweep,
    "doctor": doctor.doctor,
}

app = typer.Typer(
    name="discovery",
    help="Closed-loop discovery campaigns: a meta-learned belief proposes, people review, the laboratory measures.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(models.app, name="models")
app.add_typer(catalog.app, name="simulators")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Closed-loop discovery campaigns: a meta-learned belief proposes, people review, the laboratory measures."""
    if version:
        print(f"discovery {discovery.__version__}")
        raise typer.Exit


def main() -> None:
    """Run one command and leave with its exit code; no traceback reaches a user (`DISCOVERY_DEBUG=1` shows it)."""
    try:
        set_threads()
        app()
    except DiscoveryError as error:
        if os.environ.get("DISCOVERY_DEBUG"):
            raise
        _leave(str(error))
    except Exception as error:
        if os.environ.get("DISCOVERY_DEBUG"):
            raise
        reason = (str(error).splitlines() or [""])[0]
        _leave(f"Something went wrong inside: {type(error).__name__}: {reason} Set DISCOVERY_DEBUG=1 to see where.")


def _leave(sentence: str) -> None:
    """Say what is wrong and end with code 1."""
    print(f"Error: {sentence}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
