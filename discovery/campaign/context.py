"""What must hold for parameters that are given and not chosen, that a batch shares, or that are dear to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.campaign.constraints import BatchConstraint
from discovery.campaign.parts import fault, nearest
from discovery.registry import ACQUISITIONS

if TYPE_CHECKING:
    from discovery.campaign.spec import CampaignSpec

COMPARABLE = tuple(ACQUISITIONS)
"""Acquisition functions whose values say how much of the outcome an experiment is worth."""
MAX_CHANGEOVERS = 4  # parameters with a cost of changing: every combination of staying and changing is tried


def check_context(spec: CampaignSpec) -> None:
    """Refuse keys about context, batches and changeover that contradict each other.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    given = spec.context_names
    if len(given) == len(spec.parameters):
        text = "must hold one that is chosen; all have context: true"
        raise fault("parameters", text, "Set context: true only where the team says the value when it asks.")
    if given and spec.schedule is not None:
        text = f"must not be set where a parameter is given when proposals are asked for; got {', '.join(given)}"
        raise fault("schedule", text, "Nobody would say the value: remove schedule, or the parameter's context.")
    for i, constraint in enumerate(spec.constraints):
        if isinstance(constraint, BatchConstraint):
            _check_chosen(spec, f"constraints[{i}].parameters", constraint.parameters)
    _check_chosen(spec, "acquisition.changeover", tuple(spec.acquisition.changeover))
    if spec.acquisition.changeover and not spec.is_plain:
        text = "must come with one outcome to maximize or minimize, without further aims, limits or costs"
        raise fault("acquisition.changeover", text, "A cost of changing is in units of that one outcome: remove it.")
    if spec.acquisition.changeover and spec.acquisition.name not in COMPARABLE:
        text = f"must come with one of {', '.join(COMPARABLE)}; got {spec.acquisition.name!r}"
        raise fault("acquisition.changeover", text, "What other functions are worth is not known in units.")
    if len(spec.acquisition.changeover) > MAX_CHANGEOVERS:
        text = f"must name at most {MAX_CHANGEOVERS} parameters; got {len(spec.acquisition.changeover)}"
        raise fault("acquisition.changeover", text, "Keep those that cost most.")


def _check_chosen(spec: CampaignSpec, key: str, names: tuple[str, ...]) -> None:
    """Refuse names that are no parameters, are named twice, or are given anyway."""
    for name in names:
        if name not in spec.parameter_names:
            raise fault(key, f"must use names of parameters; got {name!r}", nearest(name, spec.parameter_names))
        if names.count(name) > 1:
            raise fault(key, f"must differ from each other; got {name!r} twice", "Remove one.")
        if name in spec.context_names:
            text = f"must name parameters that are chosen; {name!r} has context: true and is the same in a batch anyway"
            raise fault(key, text, "Remove it here.")
