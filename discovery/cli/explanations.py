"""Why a proposal was made: `explain`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import Device, DeviceOption, FileArgument, HtmlFile, JsonFlag
from discovery.cli.output import note, plain, print_json, say

if TYPE_CHECKING:
    from discovery.review.explanation import Explanation
    from discovery.session import Campaign


def explain(
    file: FileArgument,
    proposal_id: Annotated[
        str | None,
        typer.Argument(metavar="PROPOSAL_ID", help="A proposal; default all that wait, else the last cycle's."),
    ] = None,
    html: HtmlFile = None,
    outcome: Annotated[
        str,
        typer.Option("--outcome", metavar="NAME", help="The outcome that is foreseen; default the first objective's."),
    ] = "",
    device: DeviceOption = Device.AUTO,
    as_json: JsonFlag = False,
) -> None:
    """Explain proposals: what drives them, who argues for them, what they would teach.

    With the belief that made them. Slices and maps come with --html and --json.
    """
    from discovery.session import Campaign

    campaign = Campaign.open(file, device=device)
    ids = [proposal_id] if proposal_id else shown_ids(campaign)
    plots = html is not None or as_json
    found = [campaign.explain(one, outcome, plots=plots) for one in ids]
    if html is not None:
        from discovery.report.explanation_page import write_explanations

        note(f"Wrote {write_explanations(campaign.spec, found, html)}.")
    if as_json:
        print_json([plain_explanation(one) for one in found])
        return
    for one in found:
        _show(one)
    if not found:
        say("There is no proposal to explain yet.")


def shown_ids(campaign: Campaign) -> list[str]:
    """Return the proposals that are explained where none is named: those that wait, else those of the last cycle."""
    proposals = campaign.proposals()
    last = proposals.loc[proposals["cycle"] == proposals["cycle"].max(), "proposal_id"]
    return list(campaign.waiting()) or [str(one) for one in last]


def plain_explanation(explanation: Explanation) -> object:
    """Return an explanation for scripts, with the sentences that people read."""
    from discovery.review.reasons import reasons

    return plain({"proposal_id": explanation.card.proposal_id, "reasons": reasons(explanation), **asdict(explanation)})


def _show(explanation: Explanation) -> None:
    """Print an explanation: the proposal, sentences, tables."""
    from discovery.report.explanation import explanation_grids
    from discovery.report.terminal import console, table
    from discovery.review.card_text import expected_sentence, further_sentences, setting_lines
    from discovery.review.reasons import reasons

    card, to = explanation.card, console()
    say(f"{card.proposal_id}  {card.status}  (cycle {card.cycle} of {card.campaign})\n")
    for line in setting_lines(card):
        say(f"  {line}")
    say("")
    for sentence in filter(None, (expected_sentence(card), *further_sentences(card), card.argument)):
        say(sentence)
    for sentence in reasons(explanation):
        say(sentence)
    for grid in explanation_grids(explanation):
        say("")
        to.print(table(grid, is_plain=not to.is_terminal))
    say("")
