"""Explanations as one HTML file: numbers, sentences, what drives it, and plots; light and dark, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import discovery
from discovery.report.explanation import drivers_grid, hypotheses_grid, neighbors_grid
from discovery.report.maps import pair_plot
from discovery.report.page import today
from discovery.report.slices import slice_plot
from discovery.report.style import color, labeled
from discovery.report.svg import data_uri
from discovery.review.card import MOLECULE, value_text
from discovery.review.card_text import further_sentences, shown_mean
from discovery.review.reasons import driver_words, reasons
from discovery.space.censored import shown

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.review.explanation import Explanation


@dataclass(frozen=True)
class Bar:
    """One line of what drives a prediction; percent of the lane.

    Attributes:
        name: Whose it is.
        text: The number.
        look: `up`, `down`, or `end` for a total.
        left: Where it begins.
        width: How wide it is; 0 for a mark.
    """

    name: str
    text: str
    look: str
    left: float
    width: float


def write_explanations(spec: CampaignSpec, explanations: Sequence[Explanation], path: str | Path) -> Path:
    """Write explanations as one HTML file.

    Args:
        spec: The campaign.
        explanations: What is shown, in order; made with plots.
        path: Where to write; folders are made.

    Returns:
        The file.
    """
    environment = Environment(
        loader=PackageLoader("discovery.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["color"] = color
    goal = f"{spec.objective.goal} {labeled(spec.objective.name, spec.outcome(spec.objective.name).unit)}"
    text = environment.get_template("explanation.html").render(
        campaign=spec.name,
        facts=(("Goal", goal), ("Proposals", str(len(explanations))), ("Report made", today())),
        proposals=[_proposal(one) for one in explanations],
        version=discovery.__version__,
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def bars(explanation: Explanation) -> list[Bar]:
    """Return what drives a prediction as bars that each begin where the one before ends."""
    drivers = explanation.drivers
    steps = [drivers.start]
    for part in drivers.parts:
        steps.append(steps[-1] + part.effect)
    low, width = min(steps), (max(steps) - min(steps)) or 1.0

    def place(value: float) -> float:
        return round(98 * (value - low) / width, 2)

    parts = [
        Bar(
            name=driver_words(explanation, part),
            text=f"{part.effect:+.2g}",
            look="up" if part.effect >= 0 else "down",
            left=place(min(before, after)),
            width=round(place(max(before, after)) - place(min(before, after)), 2),
        )
        for part, before, after in zip(drivers.parts, steps, steps[1:], strict=False)
    ]
    first = Bar("a typical candidate", f"{drivers.start:.3g}", "end", place(drivers.start), 0)
    return [first, *parts, Bar("this proposal", f"{drivers.end:.3g}", "end", place(drivers.end), 0)]


def _proposal(explanation: Explanation) -> dict[str, Any]:
    """Return what the template shows of one proposal."""
    card = explanation.card
    return {
        "id": card.proposal_id,
        "status": f"{str(card.status).lower()}, cycle {card.cycle}, from {card.n_measurements} measurements",
        "settings": [
            {"name": setting.name, "text": f"{value_text(setting.value)} {setting.unit}".rstrip()}
            for setting in card.settings
        ],
        "structures": structures(explanation),
        "tiles": _tiles(explanation),
        "exploring": round(100 * explanation.stance.exploring),
        "exploring_text": f"{explanation.stance.exploring:.2f}",
        "reasons": [*further_sentences(card), *filter(None, (card.argument,)), *reasons(explanation)],
        "drivers": drivers_grid(explanation),
        "bars": bars(explanation),
        "hypotheses": hypotheses_grid(explanation),
        "neighbors": neighbors_grid(explanation) if card.neighbors else None,
        "slices": [
            {"source": data_uri(slice_plot(cut, explanation)), "says": f"{card.outcome} along {cut.parameter}"}
            for cut in explanation.slices
        ],
        "maps": [
            {
                "source": data_uri(pair_plot(pair, explanation)),
                "says": f"mean {card.outcome} over {pair.parameters[0]} and {pair.parameters[1]}",
            }
            for pair in explanation.maps
        ],
    }


def structures(explanation: Explanation) -> list[dict[str, str]]:
    """Draw the proposal's molecules, and those of its nearest experiments where they are other ones."""
    card = explanation.card
    here = {setting.name: str(setting.value) for setting in card.settings if setting.kind == MOLECULE}
    drawn = [_structure(smiles, f"proposed {name}") for name, smiles in here.items()]
    for neighbor in card.neighbors:
        for name in here:
            if name in neighbor.changes:
                alike = f"similarity {neighbor.similarity[name]:.2f}"
                said = f"{card.outcome} {shown(neighbor.outcome, neighbor.limit, '.3g')} {card.unit}".rstrip()
                drawn.append(_structure(str(neighbor.changes[name]), f"measured: {said}, {alike}"))
    return drawn


def _structure(smiles: str, title: str) -> dict[str, str]:
    from discovery.space.drawings import draw_molecule

    return {"smiles": smiles, "title": title, "source": data_uri(draw_molecule(smiles))}


def _tiles(explanation: Explanation) -> list[dict[str, str]]:
    """Return the numbers that a reviewer asks for first."""
    card, lesson = explanation.card, explanation.lesson
    unit = f" {card.unit}" if card.unit else ""
    low, high = card.interval
    tiles = [
        {
            "title": f"expected {card.outcome}",
            "value": f"{shown_mean(card):.3g}{unit}",
            "note": f"{low:.3g} to {high:.3g}{unit} with 90 % probability",
        }
    ]
    if explanation.gain is not None and explanation.goal == "hits":
        tiles.append({"title": "chance of a hit", "value": f"{100 * explanation.gain:.0f} %", "note": "by itself"})
    elif explanation.gain is not None and explanation.best is not None:
        note = f"on the best so far, {explanation.best:.3g}{unit}"
        tiles.append({"title": "expected gain", "value": f"{explanation.gain:.2g}{unit}", "note": note})
    if lesson is not None:
        note = f"of the uncertainty at the {lesson.n_best} best candidates"
        tiles.append({"title": "would teach", "value": f"{-100 * lesson.reduction:+.0f} %", "note": note})
    return tiles
