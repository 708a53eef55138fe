"""What can be chosen by name in a campaign file: `meta-learners` and `simulators`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from discovery.cli.options import JsonFlag
from discovery.cli.output import print_json, print_table, say

app = typer.Typer(help="The installed simulators.", no_args_is_help=True, rich_markup_mode=None)


def meta_learners(as_json: JsonFlag = False) -> None:
    """List the algorithms that learn from experience."""
    from discovery.registry import table

    if as_json:
        print_json([{"name": name, "description": entry.description} for name, entry in table("learner").items()])
        return
    rows = [(name, entry.description) for name, entry in table("learner").items()]
    print_table("Meta-learners", ("name", "what it is"), rows, n_text=2)


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
