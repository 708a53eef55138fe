"""What a person reads before filling in the review form, as Markdown: a table of the proposals, and their cards.

The form itself has room for few lines; the page that it links to holds the rest. Next in the tour:
`discovery.review.form`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from discovery.errors import counted
from discovery.review.card import MOLECULE, value_text
from discovery.review.card_text import (
    expected_sentence,
    explain_command,
    further_sentences,
    hypothesis_lines,
    neighbor_lines,
    shown_mean,
)
from discovery.review.reasons import reasons

if TYPE_CHECKING:
    from discovery.review.card import ProposalCard, Setting
    from discovery.review.explanation import Explanation

N_DRAWN = 24  # cards whose molecules are drawn; an image takes some 20 kB


def proposal_label(card: ProposalCard) -> str:
    """Return a proposal in one short line that begins with its id, as the form lists it."""
    settings = ", ".join(_short(setting) for setting in card.settings)
    outcome = f"{card.outcome} {shown_mean(card):.3g} {card.unit}".rstrip()
    stage = f"stage {card.stage.partition(' ')[0]}, " if card.stage else ""
    return f"{card.proposal_id}: {stage}{settings}; {outcome}"


def edit_example(card: ProposalCard) -> str:
    """Return a line of other values as the form reads it, about the last parameter of a proposal."""
    setting = card.settings[-1]
    return f"{card.proposal_id} {setting.name}={value_text(setting.value)}"


def form_introduction(cards: Sequence[ProposalCard], page: str, until: datetime | None = None, fault: str = "") -> str:
    """Return what stands above the form: what is asked, where to read more, until when; a fault comes first.

    Args:
        cards: What the form is about.
        page: Address of the page with the cards.
        until: When the first proposal goes stale; None for never.
        fault: Why the last answer was not carried out; empty for the first form.
    """
    verb = "waits" if len(cards) == 1 else "wait"
    lines = [f"**{counted(len(cards), 'proposal')} of {cards[0].campaign} {verb} for your decision.** "]
    lines[0] += f"[Read the cards]({page}) (a new tab)."
    if until is not None:
        lines[0] += f" Undecided proposals go stale on {until.astimezone(UTC):%Y-%m-%d at %H:%M} UTC."
    if fault:
        lines.insert(0, f"**Nothing was decided by the last answer.** {fault} Please answer again.\n")
    return "\n".join(lines)


def review_page(cards: Sequence[ProposalCard], explanations: Mapping[str, Explanation] | None = None) -> str:
    """Return the page that the form links to: all proposals in a table, then each card.

    Args:
        cards: The proposals.
        explanations: Why they were made, by id; those that lack one have their card alone.
    """
    heading = f"# {counted(len(cards), 'proposal')} of {cards[0].campaign} to be decided"
    known = explanations or {}
    sections = [
        _card_section(card, known.get(card.proposal_id), _drawings(card) if i < N_DRAWN else ())
        for i, card in enumerate(cards)
    ]
    return "\n\n".join([heading, review_table(cards), *sections])


def review_table(cards: Sequence[ProposalCard]) -> str:
    """Return proposals as a Markdown table: values, and what is expected."""
    first = cards[0]
    names = ["stage"] * bool(first.stage) + [_with_brackets(one.name, one.unit) for one in first.settings]
    outcome = _with_brackets(f"expected {first.outcome}", first.unit)
    rows = [["proposal", *names, outcome, "90 % interval"], ["---"] * (len(names) + 3)]
    for card in cards:
        low, high = card.interval
        values = [card.stage] * bool(first.stage) + [value_text(setting.value) for setting in card.settings]
        rows.append([card.proposal_id, *values, f"{shown_mean(card):.3g}", f"{low:.3g} to {high:.3g}"])
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _setting_bullet(setting: Setting) -> str:
    return f"{setting.name}: **{_with_unit(setting)}**"


def _card_section(card: ProposalCard, explanation: Explanation | None, drawings: Sequence[str]) -> str:
    """Return one card as a section, with the reasons in place of the intent where they are known."""
    intent = card.intent if explanation is None else ""
    paragraphs = [
        f"## {card.proposal_id}",
        _bullets([*[f"stage: **{card.stage}**"] * bool(card.stage), *map(_setting_bullet, card.settings)]),
        *drawings,
        " ".join(filter(None, (expected_sentence(card), *further_sentences(card), card.argument, intent))),
        "" if explanation is None else _bullets(reasons(explanation)),
        f"Hypotheses (mean ± standard deviation):\n\n{_bullets(hypothesis_lines(card))}",
        f"Nearest past experiments:\n\n{_bullets(neighbor_lines(card))}"
        if card.neighbors
        else "No past experiment to compare with.",
        f"In full, with plots: `{explain_command(card)}`",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _drawings(card: ProposalCard) -> list[str]:
    """Return the structures of molecules as images that are held in the text; none for what cannot be drawn."""
    molecules = [setting for setting in card.settings if setting.kind == MOLECULE]
    if not molecules:
        return []
    from discovery.space.drawings import draw_molecule  # loads RDKit

    drawn = ((setting.name, draw_molecule(str(setting.value)).encode()) for setting in molecules)
    return [f"![{name}](data:image/svg+xml;base64,{b64encode(image).decode()})" for name, image in drawn if image]


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _short(setting: Setting) -> str:
    """Return a value that says by itself what it is, else with its parameter's name."""
    is_clear = bool(setting.unit) or isinstance(setting.value, str)
    return _with_unit(setting) if is_clear else f"{setting.name} {value_text(setting.value)}"


def _with_unit(setting: Setting) -> str:
    return f"{value_text(setting.value)} {setting.unit}".rstrip()


def _with_brackets(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name
