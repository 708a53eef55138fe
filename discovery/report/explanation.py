"""The explanation of a proposal as tables: what drives it, who argues for it, what was measured near by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.report.grids import Grid
from discovery.report.style import labeled
from discovery.review.explain import hypothesis_words
from discovery.review.reasons import driver_words, short_text
from discovery.space.censored import shown

if TYPE_CHECKING:
    from discovery.review.explanation import Explanation
    from discovery.review.neighbors import Neighbor

HOW_FAR = "Distance 1 is one parameter changed from one end of its range to the other, or to another category."


def explanation_grids(explanation: Explanation) -> tuple[Grid, ...]:
    """Return the tables of an explanation; those that there is nothing for are left out."""
    found = [drivers_grid(explanation), hypotheses_grid(explanation)]
    return (*found, neighbors_grid(explanation)) if explanation.card.neighbors else tuple(found)


def drivers_grid(explanation: Explanation) -> Grid:
    """Return what every parameter adds to the prediction, strongest first; the column sums to the prediction."""
    drivers, card = explanation.drivers, explanation.card
    has_gain = drivers.gain_start is not None
    rows = [
        ("a typical candidate", f"{drivers.start:.3g}", *([f"{drivers.gain_start:.2g}"] if has_gain else [])),
        *(
            (driver_words(explanation, part), f"{part.effect:+.2g}", *([f"{part.gain:+.2g}"] if has_gain else []))
            for part in drivers.parts
        ),
        ("this proposal", f"{drivers.end:.3g}", *([f"{drivers.gain_end:.2g}"] if has_gain else [])),
    ]
    exact = "Shapley values over all coalitions" if drivers.is_exact else "Shapley values over drawn orders"
    gained = "probability of a hit" if explanation.goal == "hits" else labeled("expected gain", card.unit)
    return Grid(
        title="What drives it",
        columns=("", labeled(card.outcome, card.unit), *([gained] if has_gain else [])),
        rows=tuple(rows),
        note=f"{exact}: what each setting adds to the mean, from a typical candidate to this proposal.",
    )


def hypotheses_grid(explanation: Explanation) -> Grid:
    """Return what every hypothesis foresees, how much it weighs, how it argues and what would be learned about it."""
    card, lesson = explanation.card, explanation.lesson
    rows = [
        (
            hypothesis_words(view.name),
            f"{view.mean:.3g} ± {view.sd:.2g}",
            f"{100 * view.weight:.0f} %",
            "-" if view.share is None else f"{100 * view.share:.0f} %",
            *([] if lesson is None else [f"{lesson.by_hypothesis.get(view.name, 0.0):.2g}"]),
        )
        for view in card.hypotheses
    ]
    columns = ("hypothesis", labeled("foresees", card.unit), "weight", "share of the argument")
    return Grid(
        title="Who argues for it",
        columns=(*columns, *([] if lesson is None else ["would be learned (nats)"])),
        rows=tuple(rows),
        keys=tuple(view.name for view in card.hypotheses),
    )


def neighbors_grid(explanation: Explanation) -> Grid:
    """Return the nearest experiments: what they gave, how far they are, and what was different there."""
    card = explanation.card
    rows = [
        (
            neighbor.measurement_id.removeprefix(f"{card.campaign}-"),
            different_text(neighbor),
            shown(neighbor.outcome, neighbor.limit, ".3g") + (" (doubtful)" if neighbor.is_doubtful else ""),
            f"{neighbor.distance:.2f}",
        )
        for neighbor in card.neighbors
    ]
    return Grid(
        title="Nearest measured experiments",
        columns=("experiment", "what was different there", labeled(card.outcome, card.unit), "distance"),
        rows=tuple(rows),
        note=HOW_FAR,
        n_text=2,
    )


def different_text(neighbor: Neighbor) -> str:
    """Say what was different in an experiment."""
    parts = [
        f"{name} {short_text(value)}"
        + (f" (Tanimoto similarity {neighbor.similarity[name]:.2f})" if name in neighbor.similarity else "")
        for name, value in neighbor.changes.items()
    ]
    return ", ".join(parts) or "nothing"
