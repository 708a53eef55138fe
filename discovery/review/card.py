"""The proposal card: everything that a person needs to decide about one proposal, on one screen.

All predictions are those that were stored when the proposal was made. Last station of the tour;
`discovery.review.card_text` writes it, and `discovery.review.explanation` says more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.belief.records import mix
from discovery.review.explain import argument_sentence, intent_sentence, interval
from discovery.review.neighbors import Neighbor, nearest
from discovery.standing import signed

if TYPE_CHECKING:
    from discovery.belief.records import HypothesisPrediction
    from discovery.campaign import CampaignSpec, Objective, Outcome
    from discovery.space import SearchSpace
    from discovery.store import ProposalRow

MOLECULE = "molecule"


@dataclass(frozen=True)
class Setting:
    """One parameter of the proposal.

    Attributes:
        name: The parameter.
        value: Its value.
        unit: Its unit; may be empty.
        proposed: The value as proposed, where a person has changed it; else None.
        kind: Type of the parameter, such as `molecule`.
    """

    name: str
    value: object
    unit: str
    proposed: object | None = None
    kind: str = ""


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
class FurtherOutcome:
    """What is expected of an outcome beside the first.

    Attributes:
        name: The outcome.
        unit: Its unit; may be empty.
        mean: The belief's mean, raw units.
        interval: The central 90 % interval, within the range of the outcome where the campaign gives one.
    """

    name: str
    unit: str
    mean: float
    interval: tuple[float, float]


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
        others: What is expected of the campaign's other outcomes.
        numbers: What else spoke for or against it when it was made, by name, such as `p_allowed` and `cost`.
        today: What was given, and what was not to be had, when it was made, in sentences; empty where nothing was.
        file: The campaign file as commands name it; `FILE` where the campaign came from none.
        stage: The stage that it is for, what that measures and costs; empty in a campaign without stages.
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
    others: tuple[FurtherOutcome, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    today: str = ""
    file: str = "FILE"
    stage: str = ""


def make_card(
    proposal: ProposalRow, measured: pd.DataFrame, spec: CampaignSpec, space: SearchSpace, outcome_name: str = ""
) -> ProposalCard:
    """Make the card of a proposal.

    Args:
        proposal: What was stored, predictions included.
        measured: The campaign's measurements that the space can represent (`Store.measurements`), in order.
        spec: The campaign.
        space: Its space.
        outcome_name: The outcome that the card is about; default the first objective's.
    """
    outcome = spec.outcome(outcome_name or spec.objective.name)
    said = {spec.objective.name: proposal.predictions, **proposal.others}
    wanted = next((objective for objective in spec.objectives if objective.name == outcome.name), None)
    about, is_first = mix(said[outcome.name]), outcome.name == spec.objective.name
    n_seen = proposal.n_measurements if is_first else about.n_measurements
    best = best_outcome(wanted, measured[outcome.name].dropna().head(n_seen).to_numpy(float))
    stated, is_cut = _within(outcome, interval(about))
    return ProposalCard(
        proposal_id=proposal.proposal_id,
        campaign=proposal.campaign,
        cycle=proposal.cycle,
        status=proposal.status,
        settings=_settings(proposal, spec),
        outcome=outcome.name,
        unit=outcome.unit,
        mean=proposal.mean if is_first else about.mean,
        sd=proposal.sd if is_first else about.sd,
        interval=stated,
        is_cut=is_cut,
        hypotheses=_views(proposal, said[outcome.name]),
        argument=argument_sentence(proposal.argued_by, proposal.argument, proposal.acqf_name),
        intent=_intent(proposal, best, wanted) if is_first else "",
        neighbors=nearest(proposal, measured, outcome.name, space),
        n_measurements=n_seen,
        seed=proposal.seed,
        others=tuple(_further(spec, name, mix(told)) for name, told in said.items() if name != outcome.name),
        numbers=dict(proposal.numbers),
        file=spec.source or "FILE",
        stage=_stage_text(proposal.stage, spec),
    )


def best_outcome(objective: Objective | None, y: np.ndarray) -> float | None:
    """Return the outcome that comes nearest to what is wanted, raw units; None where none is measured, or hits count.

    Args:
        objective: What is wanted; None for an outcome that no objective names.
        y: Outcomes. Shape `n`; raw units.
    """
    if objective is None or objective.goal == "hits" or len(y) == 0:
        return None
    return float(y[int(np.argmax(signed(objective, y)))])


def value_text(value: Any) -> str:
    """Write a value of a parameter."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _settings(proposal: ProposalRow, spec: CampaignSpec) -> tuple[Setting, ...]:
    units = {parameter.name: getattr(parameter, "unit", "") or "" for parameter in spec.parameters}
    kinds = {parameter.name: str(parameter.type) for parameter in spec.parameters}
    return tuple(
        Setting(
            name=name,
            value=value,
            unit=units.get(name, ""),
            proposed=proposal.proposed[name] if proposal.proposed[name] != value else None,
            kind=kinds.get(name, ""),
        )
        for name, value in proposal.configuration.items()
    )


def _stage_text(name: str, spec: CampaignSpec) -> str:
    """Say what a stage measures, costs and needs."""
    stage = next((stage for stage in spec.stages if stage.name == name), None)
    if stage is None:
        return name
    wait = f", {stage.delay:g} d" if stage.delay else ""
    return f"{name} (measures {', '.join(stage.outcomes)}; cost {stage.cost:g}{wait})"


def _within(outcome: Outcome, stated: tuple[float, float]) -> tuple[tuple[float, float], bool]:
    """Cut an interval at the range of its outcome, and say whether that changed it."""
    low, high = outcome.range or (-np.inf, np.inf)
    cut = (float(np.clip(stated[0], low, high)), float(np.clip(stated[1], low, high)))
    return cut, not (low <= stated[0] and stated[1] <= high)


def _further(spec: CampaignSpec, name: str, about: HypothesisPrediction) -> FurtherOutcome:
    outcome = spec.outcome(name)
    stated, _ = _within(outcome, interval(about))
    return FurtherOutcome(name, outcome.unit, float(np.clip(about.mean, *(outcome.range or (-np.inf, np.inf)))), stated)


def _intent(proposal: ProposalRow, best: float | None, objective: Objective | None) -> str:
    """Say whether it was chosen to learn or to win; nothing where chance chose it, or hits are counted."""
    if not proposal.argument or (objective is not None and objective.goal == "hits"):
        return ""
    return intent_sentence(proposal.mean, best, is_exploring=proposal.is_exploring)


def _views(proposal: ProposalRow, said: Sequence[HypothesisPrediction]) -> tuple[HypothesisView, ...]:
    views = [
        HypothesisView(p.hypothesis, p.mean, p.sd, p.weight, proposal.argument.get(p.hypothesis), p.checkpoint_id)
        for p in said
    ]
    return tuple(sorted(views, key=lambda view: -view.weight))
