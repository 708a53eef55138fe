"""What meta-training depends on beside space, scale and tasks: a checkpoint that says the same may be used again.

Next in the tour: `discovery.session.models`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from discovery import registry
from discovery.campaign import history_name
from discovery.campaign.experience import named_file, read_as
from discovery.meta.train import FROM_HISTORY, SIMULATOR, is_own, learner_of

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.campaign.experience import SimulatorRef
    from discovery.tasks.task import Task

TRAINING_VERSION = 2  # raised when meta-training changes, so that what an earlier release trained is not used again
CAMPAIGN = "campaign:"


def recipe_of(spec: CampaignSpec, history: Sequence[Task], hypothesis: str) -> dict[str, Any]:
    """Return what training a hypothesis depends on, as JSON gives it back.

    Args:
        spec: The campaign as it is for one of its outcomes.
        history: Its earlier tasks.
        hypothesis: The hypothesis.
    """
    is_taught = is_from_history(spec, history, hypothesis)
    simulators = {item.name: _simulated(spec, item) for item in spec.experience.simulators}
    recipe = {
        "version": TRAINING_VERSION,
        "outcome": spec.objective.name if is_taught else "",
        "held": _held(spec) if is_taught else {},
        "simulator": simulators.get(hypothesis.removeprefix(SIMULATOR), {}),
    }
    if learner := learner_of(spec, hypothesis):
        recipe["learner"] = learner
    if is_taught and any(task.sides is not None for task in history):
        recipe["has_bounds"] = True  # an earlier release took them for values
    plain: dict[str, Any] = json.loads(json.dumps(recipe))
    return plain


def is_from_history(spec: CampaignSpec, history: Sequence[Task], hypothesis: str) -> bool:
    """Return whether a hypothesis learns from history: ours by name, the user's where there is any."""
    return hypothesis in FROM_HISTORY or (is_own(hypothesis, learner_of(spec, hypothesis)) and bool(history))


def source_name(spec: CampaignSpec, name: str) -> str:
    """Name a source of history by its content: `<file>@<12 hex digits>`; campaigns keep their name."""
    if name.startswith(CAMPAIGN):
        return name
    file, level = named_file(name)
    path = spec.resolve(file)
    return f"{path.name}@{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{level}"


def _simulated(spec: CampaignSpec, reference: SimulatorRef) -> dict[str, Any]:
    """Return what a simulator is told: its overrides, and its outcome where that is not its first."""
    taught = reference.teaches(spec.objective.name, spec.objective.name)
    if not taught or taught == registry.simulator_outcomes(registry.simulator_class(reference.name))[0]:
        return reference.overrides
    return reference.overrides | {"outcome": taught}


def _held(spec: CampaignSpec) -> dict[str, Any]:
    """Return the values at which parameters were held, by source; sources without any are left out."""
    refs = {source_name(spec, history_name(ref)): read_as(ref) for ref in spec.experience.history}
    return {"": spec.experience.held or {}} | {name: held for name, held in refs.items() if held}
