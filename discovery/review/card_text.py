"""The proposal card in words: what is expected, who argues for it, and what was measured near by."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from discovery.errors import counted
from discovery.review.card import value_text
from discovery.review.explain import hypothesis_words
from discovery.space.censored import shown

if TYPE_CHECKING:
    from discovery.review.card import HypothesisView, ProposalCard, Setting
    from discovery.review.neighbors import Neighbor


def render_text(card: ProposalCard) -> str:
    """Return a card as plain text."""
    lines = [
        f"{card.proposal_id}  {card.status}  (cycle {card.cycle} of {card.campaign})",
        "",
        *(f"  {line}" for line in setting_lines(card)),
        *([f"  {card.today}"] * bool(card.today)),
        "",
        expected_sentence(card),
        *further_sentences(card),
        *filter(None, (card.argument, card.intent)),
        "",
        "Hypotheses (mean ± standard deviation):",
        *(f"  {line}" for line in hypothesis_lines(card)),
        "",
        "Nearest past experiments:" if card.neighbors else "No past experiment to compare with.",
        *(f"  {line}" for line in neighbor_lines(card)),
        "",
        f"Made from {counted(card.n_measurements, 'measurement')} with seed {card.seed}; checkpoints "
        f"{', '.join(view.checkpoint_id for view in card.hypotheses)}.",
        f"Why this one, with plots: {explain_command(card)}",
    ]
    return "\n".join(lines)


def setting_lines(card: ProposalCard) -> list[str]:
    """Return one line for every parameter, with what was proposed where a person has changed it."""
    return [*([f"stage: {card.stage}"] * bool(card.stage)), *(_setting_text(setting) for setting in card.settings)]


def expected_sentence(card: ProposalCard) -> str:
    """Say what outcome is expected, and how surely."""
    low, high = card.interval
    unit = f" {card.unit}" if card.unit else ""
    cut = f" (cut at the range of {card.outcome})" if card.is_cut else ""
    said = f"Expected {card.outcome}: {shown_mean(card):.3g}{unit}, between {low:.3g} and {high:.3g}"
    return f"{said} with 90 % probability{cut}."


def further_sentences(card: ProposalCard) -> list[str]:
    """Say what is expected of the other outcomes, and what else spoke for or against the proposal."""
    expected = [
        f"Expected {one.name}: {one.mean:.3g}{_after(one.unit)}, between {one.interval[0]:.3g} and "
        f"{one.interval[1]:.3g} with 90 % probability."
        for one in card.others
    ]
    said = ", ".join(number_text(name, value) for name, value in card.numbers.items())
    return [*expected, f"{said[0].upper()}{said[1:]}."] if said else expected


def number_text(name: str, value: float) -> str:
    """Write what else was known of a proposal: probabilities in percent.

    Example:
        >>> number_text("p_allowed", 0.83)
        'allowed with 83 % probability'
    """
    if name.startswith("p_"):
        return f"{name.removeprefix('p_').replace('_', ' ')} with {100 * value:.0f} % probability"
    return f"{name.replace('_', ' ')} {value:.3g}"


def explain_command(card: ProposalCard) -> str:
    """Return the command that explains a proposal in full."""
    return f"discovery explain {shlex.quote(card.file)} {card.proposal_id}"


def shown_mean(card: ProposalCard) -> float:
    """Return the mean as it is shown: within the range of the outcome."""
    low, high = card.interval
    return min(max(card.mean, low), high) if card.is_cut else card.mean


def hypothesis_lines(card: ProposalCard) -> list[str]:
    """Return one line for every hypothesis."""
    unit = f" {card.unit}" if card.unit else ""
    return [_view_text(view, unit) for view in card.hypotheses]


def neighbor_lines(card: ProposalCard) -> list[str]:
    """Return one line for every past experiment near by."""
    unit = f" {card.unit}" if card.unit else ""
    return [_neighbor_text(neighbor, card.outcome, unit) for neighbor in card.neighbors]


def _setting_text(setting: Setting) -> str:
    edited = "" if setting.proposed is None else f"   (proposed: {value_text(setting.proposed)})"
    return f"{setting.name}: {value_text(setting.value)} {setting.unit}".rstrip() + edited


def _view_text(view: HypothesisView, unit: str) -> str:
    share = "" if view.share is None else f", {100 * view.share:.0f} % of the argument"
    said = f"{view.mean:.3g} ± {view.sd:.2g}{unit}, weight {100 * view.weight:.0f} %{share}"
    return f"{hypothesis_words(view.name)}: {said}"


def _neighbor_text(neighbor: Neighbor, outcome: str, unit: str) -> str:
    changes = ", ".join(_change_text(neighbor, name, value) for name, value in neighbor.changes.items())
    said = f"with {changes}" if changes else "the same configuration"
    found = f"{neighbor.measurement_id}: {outcome} {shown(neighbor.outcome, neighbor.limit, '.3g')}{unit}"
    doubt = "; doubtful, `discovery status` says why" if neighbor.is_doubtful else ""
    return f"{found}, {said} (distance {neighbor.distance:.2f}{doubt})"


def _change_text(neighbor: Neighbor, name: str, value: object) -> str:
    alike = f" (similarity {neighbor.similarity[name]:.2f})" if name in neighbor.similarity else ""
    return f"{name} {value_text(value)}{alike}"


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""
