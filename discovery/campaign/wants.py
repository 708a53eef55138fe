"""What must hold for objectives, their combination, and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.campaign.expressions import parse
from discovery.campaign.parameters import CategoricalParameter, MoleculeParameter
from discovery.campaign.parts import fault
from discovery.errors import ConfigurationError

if TYPE_CHECKING:
    from discovery.campaign.sections import Objective
    from discovery.campaign.spec import CampaignSpec


def check_wants(spec: CampaignSpec) -> None:
    """Check objectives against each other, `combine`, `stop` and costs.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    for i, objective in enumerate(spec.objectives):
        _check_objective(spec, objective, f"objectives[{i}]")
    _check_stop(spec)
    _check_cost(spec)


def _check_objective(spec: CampaignSpec, objective: Objective, key: str) -> None:
    is_wished = spec.combine == "desirability"
    span = objective.desirability or (spec.outcome(objective.name).range if is_wished else None)
    if not is_wished and (objective.desirability is not None or objective.weight != 1.0):
        word = "desirability" if objective.desirability is not None else "weight"
        text = "must come with `combine: desirability`; a Pareto front weighs nothing"
        raise fault(f"{key}.{word}", text, "Add `combine: desirability`, or leave it out.")
    if is_wished and span is None and objective.goal != "hits":
        text = "must be given, or the outcome's range, to combine objectives as a desirability"
        raise fault(f"{key}.desirability", text, "Write the outcomes between which it goes from worthless to perfect.")
    if span is not None and objective.goal == "match":
        low, high = objective.window or (objective.target or 0.0, objective.target or 0.0)
        if not span[0] < low <= high < span[1]:
            text = f"must lie around what is to be matched; got [{span[0]:g}, {span[1]:g}] around {low:g} to {high:g}"
            raise fault(f"{key}.desirability", text, "Widen it.")
    if objective.reference is not None and (is_wished or len(spec.objectives) == 1):
        raise fault(f"{key}.reference", "must come with several objectives and `combine: pareto`", "Leave it out.")


def _check_stop(spec: CampaignSpec) -> None:
    goal, is_front = spec.objective.goal, len(spec.objectives) > 1 and spec.combine == "pareto"
    if spec.stop.target is not None and is_front:
        text = "must be left out with several objectives, which have no one best outcome"
        raise fault("stop.target", text, "End by the budget, or combine the objectives as a desirability.")
    most = (
        "adds more than the whole to the hypervolume" if is_front else "is more than one hit" if goal == "hits" else ""
    )
    most = "is better than 1 in desirability" if spec.combine == "desirability" else most
    if most and spec.stop.min_gain is not None and spec.stop.min_gain >= 1:
        text = f"must be below 1, since no experiment {most}; got {spec.stop.min_gain:g}"
        raise fault("stop.min_gain", text, "Write 0.05 to end where less than a twentieth is expected.")


def _check_cost(spec: CampaignSpec) -> None:
    if spec.budget.cost is not None and spec.cost is None and not spec.stages:
        raise fault("budget.cost", "must come with `cost`, which says what an experiment costs", "Add `cost`.")
    if not isinstance(spec.cost, str):
        return
    try:
        formula = parse(spec.cost, None, "cost")
    except ConfigurationError as error:
        if spec.candidates is not None and spec.cost.replace(" ", "").replace("_", "").isalnum():
            return  # the name of a column with a blank in it
        raise fault("cost", error.message.rstrip("."), error.hint) from None
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    unknown = [name for name in formula.names if name not in parameters]
    if unknown and not (len(formula.names) == 1 and spec.candidates is not None):
        text = f"must be a number, a formula of parameters, or a column of the candidates; got {unknown[0]!r}"
        raise fault("cost", text, f"Parameters: {', '.join(parameters)}.")
    for name in formula.names:
        if isinstance(parameters.get(name), CategoricalParameter | MoleculeParameter):
            raise fault("cost", f"must use numbers; got the parameter {name!r}", "Name a column of the candidates.")
