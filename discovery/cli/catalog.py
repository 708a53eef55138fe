"""What can be chosen by name in a campaign file: `meta-learners` and `simulators`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import JsonFlag
from discovery.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from discovery.registry import Entry

app = typer.Typer(help="The installed simulators.", no_args_is_help=True, rich_markup_mode=None)


def meta_learners(as_json: JsonFlag = False) -> None:
    """List the algorithms that learn from experience."""
    from discovery.registry import table

    found = table("learner")
    if as_json:
        print_json([{"name": name} | _told(entry) for name, entry in found.items()])
        return
    rows = [(name, entry.family, entry.output, entry.use or entry.description) for name, entry in found.items()]
    print_table("Meta-learners", ("name", "family", "output", "for"), rows, n_text=4)


def _told(entry: Entry) -> dict[str, str]:
    return {key: value for key, value in asdict(entry).items() if key != "target"}


@app.command("list")
def list_simulators(as_json: JsonFlag = False) -> None:
    """List the installed simulators."""
    from discovery.registry import simulator_card, simulator_names

    cards = [simulator_card(name) for name in simulator_names()]
    if as_json:
        print_json([asdict(card) for card in cards])
        return
    print_table("Simulators", ("name", "field", "outputs"), [(c.name, c.field, c.outputs) for c in cards], n_text=3)


@app.command("show")
def show_simulator(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name in campaign files.")], as_json: JsonFlag = False
) -> None:
    """Show what a simulator takes, gives and rests on.

    And what a campaign file may override.
    """
    from discovery.registry import override_names, simulator_card, simulator_class, simulator_outcomes

    card, made = asdict(simulator_card(name)), simulator_class(name)
    overrides, outcomes = override_names(made), simulator_outcomes(made)
    if as_json:
        print_json({**card, "overrides": overrides, "outcomes": outcomes})
        return
    for key, value in card.items():
        say(f"{key + ':':<11}{value}")
    say(f"{'overrides:':<11}{', '.join(overrides) or 'none'}")
    say(f"{'outcomes:':<11}{', '.join(outcomes)}")
