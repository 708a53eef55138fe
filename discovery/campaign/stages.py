"""Stages of an assay: what each measures, what it costs, how long it takes, and what it needs to have been through.

An experiment of a staged campaign is one configuration at one stage. The last stage measures what is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from discovery.campaign.parts import Part, Positive, Text, fault, nearest

if TYPE_CHECKING:
    from discovery.campaign.spec import CampaignSpec

STAGE = "stage"
"""Column that says at which stage an experiment is made."""
FEWEST = 2  # stages; a single one is a campaign without stages


class StageSpec(Part):
    """One stage.

    Attributes:
        name: What people call it.
        outcomes: What it measures.
        cost: What one experiment at it costs, in the unit of `budget.cost`.
        delay: Days until its results are there.
        needs: The stage that a configuration has to have been through before this one, or None.
    """

    name: Text
    outcomes: Annotated[tuple[Text, ...], Field(min_length=1)]
    cost: Positive
    delay: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0
    needs: Text | None = None


def check_stages(spec: CampaignSpec) -> None:
    """Check stages against each other and against the rest of the file.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    if not spec.stages:
        if spec.acquisition.delay_cost:
            text = "must come with stages, which say how long a result takes"
            raise fault("acquisition.delay_cost", text, "Leave it out, or add `stages`.")
        return
    if len(spec.stages) < FEWEST:
        raise fault("stages", f"must name {FEWEST} stages at least; got 1", "Leave it out: one stage is no choice.")
    _check_order(spec.stages)
    _check_outcomes(spec)
    if spec.cost is not None:
        raise fault("cost", "must be left out where stages say what an experiment costs", "Remove it.")
    if STAGE in (*spec.parameter_names, *spec.outcome_names):
        text = f"must not be used for a parameter or an outcome of a campaign with stages; got {STAGE!r}"
        raise fault("stages", f"the column {STAGE!r} {text}", "Rename it.")


def _check_order(stages: tuple[StageSpec, ...]) -> None:
    """Check that names and outcomes differ, and that a stage needs an earlier one only."""
    names, measured = [stage.name for stage in stages], [name for stage in stages for name in stage.outcomes]
    for i, stage in enumerate(stages):
        if stage.name in names[:i]:
            raise fault(f"stages[{i}].name", f"must differ from the others; got {stage.name!r} twice", "Rename one.")
        if stage.needs is not None and stage.needs not in names[:i]:
            text = f"must name a stage that stands before {stage.name!r}; got {stage.needs!r}"
            raise fault(f"stages[{i}].needs", text, nearest(stage.needs, names[:i]) if i else "Leave it out.")
        for name in stage.outcomes:
            if measured.count(name) > 1:
                text = f"must be measured at one stage only; got {name!r} twice"
                raise fault(f"stages[{i}].outcomes", text, "Give what another stage measures a name of its own.")


def _check_outcomes(spec: CampaignSpec) -> None:
    """Check that the last stage measures what is wanted, and that every outcome is measured somewhere."""
    last, wanted = len(spec.stages) - 1, spec.objective.name
    if wanted not in spec.stages[last].outcomes:
        text = f"must hold the objective's outcome {wanted!r}; got {', '.join(spec.stages[last].outcomes)}"
        raise fault(f"stages[{last}].outcomes", text, "The last stage measures what is wanted; cheap ones come first.")
    measured = {name for stage in spec.stages for name in stage.outcomes}
    for i, outcome in enumerate(spec.outcomes):
        if outcome.name not in measured:
            text = f"must be measured at one of the stages; got {outcome.name!r}"
            raise fault(f"outcomes[{i}].name", text, "Add it to the outcomes of a stage.")
