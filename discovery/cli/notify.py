"""Telling people: `notify` makes the automations that notify a team of its campaigns."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from discovery.cli.options import JsonFlag
from discovery.cli.output import print_json, print_table


def notify(
    block: Annotated[
        str | None, typer.Argument(metavar="[TYPE/NAME]", help="A notification block, such as slack-webhook/team.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Notify nobody any more.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let people know when a campaign needs them.

    When a review waits, experience does harm, a target is reached, a campaign ends or is stuck, or a run crashed. Makes
    automations on the Prefect server of PREFECT_API_URL; made again, they are changed.
    """
    if (block is None) != remove:
        raise typer.BadParameter("name a block, or add --remove, and not both", param_hint="TYPE/NAME")
    from discovery.errors import ConfigurationError
    from flows.runtime import prefect_runtime

    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigurationError(
            "PREFECT_API_URL must say where the Prefect server is; it is not set.",
            "Set it to the address that `discovery deploy --serve` prints.",
        )
    with prefect_runtime(Path()):
        from flows import notifying

        done = notifying.silence() if block is None else notifying.notify(block)
    if as_json:
        print_json([asdict(one) for one in done])
        return
    rows = [(one.name, one.change, one.description) for one in done]
    print_table("Automations", ("automation", "change", "tells"), rows, n_text=3)
