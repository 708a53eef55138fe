"""The proposal card: everything that a person needs to decide about one proposal, on one screen.

All predictions are those that were stored when the proposal was made. Last station of the tour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.belief.records import mix
from discovery.errors import counted
from discovery.review.explain import argument_sentence, hypothesis_words, intent_sentence, interval

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace
    from discovery.store import ProposalRow

N_NEIGHBORS = 3


@dataclass(frozen=True)
class Setting:
    """One parameter of the proposal.

    Attributes:
        name: The parameter.
        value: Its value.
        unit: Its unit; may be empty.
        proposed: The value as proposed, where a person has changed it; else None.
    """

    name: str
    value: object
    unit: str
    proposed: object | None = None


@dataclass(frozen=True)
class HypothesisView:
    """What one hypothesis says about the proposal.

    Attributes:
        name: The hypothesis.
        mean: Predicted outcome, raw units.
        sd: Its standard deviation, noise included.
        weight: Search weight of the hypothesis then.
        share: Its share in the acquisition value; None where chance chose the proposal.
        checkpoint_id: What made the prediction.
    """

    name: str
    mean: float
    sd: float
    weight: float
    share: float | None
    checkpoint_id: str


@dataclass(frozen=True)
class Neighbor:
    """A past experiment near the proposal.

    Attributes:
        measurement_id: The measurement.
        outcome: What it gave, raw units.
        distance: Euclidean distance in the encoded unit cube.
        changes: Parameters whose value differs, with the value there.
    """

    measurement_id: str
    outcome: float
    distance: float
    changes: dict[str, object]


@dataclass(frozen=True)
class ProposalCard:
    """One proposal as a person reads it.

    Attributes:
        proposal_id: The proposal.
        campaign: Whose it is.
        cycle: Number of the cycle.
        status: Status of the proposal.
        settings: The configuration, with units.
        outcome: Name of the predicted outcome.
        unit: Its unit; may be empty.
        mean: The belief's mean, raw units.
        sd: Its standard deviation, noise included.
        interval: The belief's central 90 % interval, within the range of the outcome where the campaign gives one.
        is_cut: Whether mean or interval reach beyond that range, and are shown cut.
        hypotheses: What every hypothesis says, heaviest first.
        argument: Who argues for it, in one sentence.
        intent: Whether it explores or exploits, in one sentence; empty where chance chose it.
        neighbors: The nearest past experiments, nearest first.
        n_measurements: Measurements seen when it was made.
        seed: Seed it can be replayed with.
    """

    proposal_id: str
    campaign: str
    cycle: int
    status: str
    settings: tuple[Setting, ...]
    outcome: str
    unit: str
    mean: float
    sd: float
    interval: tuple[float, float]
    is_cut: bool
    hypotheses: tuple[HypothesisView, ...]
    argument: str
    intent: str
    neighbors: tuple[Neighbor, ...]
    n_measurements: int
    seed: int


def make_card(proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec, space: SearchSpace) -> ProposalCard:
    """Make the card of a proposal.

    Args:
        proposal: What was stored, predictions included.
        measured: The campaign's measurements that the space can represent (`Store.measurements`), in order.
        spec: The campaign.
        space: Its space.
    """
    goal, outcome = spec.objective.goal, spec.outcome(spec.objective.name)
    seen = measured[outcome.name].head(proposal.n_measurements)
    best = None if seen.empty else float(seen.min() if goal == "minimize" else seen.max())
    stated = interval(mix(proposal.predictions))
    low, high = outcome.range or (-np.inf, np.inf)
    return ProposalCard(
        proposal_id=proposal.proposal_id,
        campaign=proposal.campaign,
        cycle=proposal.cycle,
        status=proposal.status,
        settings=_settings(proposal, spec),
        outcome=outcome.name,
        unit=outcome.unit,
        mean=proposal.mean,
        sd=proposal.sd,
        interval=(float(np.clip(stated[0], low, high)), float(np.clip(stated[1], low, high))),
        is_cut=not (low <= stated[0] and stated[1] <= high),
        hypotheses=_views(proposal),
        argument=argument_sentence(proposal.argued_by, proposal.argument, proposal.acqf_name),
        intent=intent_sentence(proposal.mean, best, is_exploring=proposal.is_exploring) if proposal.argument else "",
        neighbors=nearest(proposal, measured, outcome.name, space),
        n_measurements=proposal.n_measurements,
        seed=proposal.seed,
    )


def nearest(
    proposal: ProposalRow, measured: pd.DataFrame, outcome: str, space: SearchSpace, n: int = N_NEIGHBORS
) -> tuple[Neighbor, ...]:
    """Return the past experiments nearest to a proposal, its own result left out; ties go to the earlier one."""
    past = measured[measured["proposal_id"] != proposal.proposal_id].reset_index(drop=True)
    if past.empty:
        return ()
    here = pd.DataFrame([proposal.configuration])
    distance = np.linalg.norm(space.encode(past) - space.encode(here), axis=1)
    near = np.argsort(distance, kind="stable")[:n]
    rows, mine = space.typed(past.iloc[near]), space.typed(here).iloc[0].to_dict()
    return tuple(
        Neighbor(
            measurement_id=str(measurement_id),
            outcome=float(y),
            distance=float(far),
            changes={str(name): value for name, value in row.items() if value != mine[name]},
        )
        for measurement_id, y, far, row in zip(
            past["measurement_id"].iloc[near],
            past[outcome].iloc[near].to_numpy(float),
            distance[near],
            rows.to_dict("records"),
            strict=True,
        )
    )


def render_text(card: ProposalCard) -> str:
    """Return a card as plain text."""
    lines = [
        f"{card.proposal_id}  {card.status}  (cycle {card.cycle} of {card.campaign})",
        "",
        *(f"  {_setting_text(setting)}" for setting in card.settings),
        "",
        expected_sentence(card),
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
    ]
    return "\n".join(lines)


def expected_sentence(card: ProposalCard) -> str:
    """Say what outcome is expected, and how surely."""
    low, high = card.interval
    unit = f" {card.unit}" if card.unit else ""
    cut = f" (cut at the range of {card.outcome})" if card.is_cut else ""
    said = f"Expected {card.outcome}: {shown_mean(card):.3g}{unit}, between {low:.3g} and {high:.3g}"
    return f"{said} with 90 % probability{cut}."


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


def value_text(value: Any) -> str:
    """Write a value of a parameter."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _settings(proposal: ProposalRow, spec: CampaignSpec) -> tuple[Setting, ...]:
    units = {parameter.name: getattr(parameter, "unit", "") or "" for parameter in spec.parameters}
    return tuple(
        Setting(
            name=name,
            value=value,
            unit=units.get(name, ""),
            proposed=proposal.proposed[name] if proposal.proposed[name] != value else None,
        )
        for name, value in proposal.configuration.items()
    )


def _views(proposal: ProposalRow) -> tuple[HypothesisView, ...]:
    views = [
        HypothesisView(p.hypothesis, p.mean, p.sd, p.weight, proposal.argument.get(p.hypothesis), p.checkpoint_id)
        for p in proposal.predictions
    ]
    return tuple(sorted(views, key=lambda view: -view.weight))


def _setting_text(setting: Setting) -> str:
    edited = "" if setting.proposed is None else f"   (proposed: {value_text(setting.proposed)})"
    return f"{setting.name}: {value_text(setting.value)} {setting.unit}".rstrip() + edited


def _view_text(view: HypothesisView, unit: str) -> str:
    share = "" if view.share is None else f", {100 * view.share:.0f} % of the argument"
    said = f"{view.mean:.3g} ± {view.sd:.2g}{unit}, weight {100 * view.weight:.0f} %{share}"
    return f"{hypothesis_words(view.name)}: {said}"


def _neighbor_text(neighbor: Neighbor, outcome: str, unit: str) -> str:
    changes = ", ".join(f"{name} {value_text(value)}" for name, value in neighbor.changes.items())
    said = f"with {changes}" if changes else "the same configuration"
    return (
        f"{neighbor.measurement_id}: {outcome} {neighbor.outcome:.3g}{unit}, {said} (distance {neighbor.distance:.2f})"
    )
