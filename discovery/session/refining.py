"""When a campaign has ended: its task joins the history, and a gate decides whether the new version is used.

The campaign itself never uses what comes out of it (DESIGN 4.3, no self-teaching). Next in the tour:
`discovery.meta.refine`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from discovery.campaign import CampaignRef
from discovery.errors import CheckpointError
from discovery.lifecycle import ModelStatus
from discovery.meta.checkpoint import load
from discovery.meta.refine import RefineResult, Score, refine
from discovery.meta.train import HISTORY, Experience, training_setting
from discovery.session.models import CAMPAIGN, ModelShelf
from discovery.tasks import Task
from discovery.tasks.lift import Lift
from discovery.tasks.replicates import average_replicates

if TYPE_CHECKING:
    from discovery.cycle import Observations
    from discovery.meta.checkpoint import Checkpoint
    from discovery.session.models import Report
    from discovery.session.progress import CampaignProgress
    from discovery.space import AlignedSpace

MIN_MEASUREMENTS = 5  # fewer say too little about a task
MIN_OLD_TASKS = 2  # what the gate holds out


@dataclass(frozen=True)
class Occasion:
    """What a refinement starts from.

    Attributes:
        parent: The checkpoint whose training goes on.
        old: The tasks it was trained on, in its order.
        new: The task of the campaign that ended.
    """

    parent: Checkpoint
    old: tuple[Task, ...]
    new: Task


def why_not(shelf: ModelShelf, progress: CampaignProgress, observed: Observations) -> str:
    """Say in one sentence why there is nothing to refine; empty where there is."""
    name = shelf.spec.name
    if reason := _why_not_yet(shelf, progress, len(observed.y)):
        return reason
    if len(shelf.experience.history) < MIN_OLD_TASKS:
        n_old, about = len(shelf.experience.history), f" of {shelf.outcome}" if shelf.outcome else ""
        return (
            f"Campaign {name} does not join the history{about}: that takes {MIN_OLD_TASKS} earlier tasks; there are "
            f"{n_old}."
        )
    if has_joined(shelf):
        return f"Campaign {name} has joined the history already."
    if shelf.spec.hypotheses != "auto" and HISTORY not in {hypothesis.name for hypothesis in shelf.spec.hypotheses}:
        return f"Campaign {name} has no hypothesis `{HISTORY}`; no other one is refined."
    if shelf.find(HISTORY) is None:
        return f"No history checkpoint of campaign {name} is registered; run `discovery meta-train` first."
    return ""


def _why_not_yet(shelf: ModelShelf, progress: CampaignProgress, n: int) -> str:
    """Say what about the campaign itself keeps it out of the history; empty where nothing does."""
    name = shelf.spec.name
    if not progress.is_finished:
        return f"Campaign {name} is not finished: {progress.reason}"
    if shelf.spec.share == "private":
        return f"Campaign {name} does not join the history of others: it is private (share)."
    if n < MIN_MEASUREMENTS:
        return f"Campaign {name} has {n} measurements; a task needs at least {MIN_MEASUREMENTS}."
    return ""


def refine_with(
    shelf: ModelShelf,
    progress: CampaignProgress,
    observed: Observations,
    report: Report | None = None,
    score: Score | None = None,
) -> RefineResult | None:
    """Refine the promoted history checkpoint with a finished campaign and register the new version.

    Returns:
        The result, or None where `why_not` has an answer.
    """
    if why_not(shelf, progress, observed):
        return None
    occasion = find_occasion(shelf, observed)
    experience = Experience(occasion.old, {})
    setting = training_setting(shelf.spec, shelf.space, experience, HISTORY, device=shelf.device, report=report)
    result = refine(occasion.parent, occasion.old, occasion.new, setting, score)
    stamped = replace(result, checkpoint=shelf.stamped(result.checkpoint, (*occasion.old, occasion.new)))
    shelf.keep(stamped.checkpoint, ModelStatus.PROMOTED if result.is_promoted else ModelStatus.REJECTED)
    return stamped


def has_joined(shelf: ModelShelf) -> bool:
    """Return whether a version about this outcome has been trained with the campaign, whatever became of it."""
    rows = shelf.store.models()
    rows = rows[(rows["hypothesis"] == HISTORY) & (rows["space_hash"] == shelf.space.schema_hash)]
    has_seen = [CAMPAIGN + shelf.spec.name in json.loads(text) for text in rows["task_sources"]]
    return any(_is_about(shelf, path) for path in rows.loc[has_seen, "path"])


def _is_about(shelf: ModelShelf, path: str) -> bool:
    """Return whether a checkpoint is about the shelf's outcome; one that cannot be read may be, and counts."""
    try:
        recipe = load(shelf.store.path.parent / path).meta.details.get("recipe", {})
    except CheckpointError:
        return True
    return bool(recipe.get("outcome", shelf.spec.objective.name) == shelf.spec.objective.name)


def find_occasion(shelf: ModelShelf, observed: Observations) -> Occasion:
    """Collect parent, old tasks and the new one; `why_not` has said that there are such."""
    parent = shelf.find(HISTORY)
    assert parent is not None
    old = read_tasks(shelf, parent.meta.task_sources)
    return Occasion(parent, old, own_task(CAMPAIGN + shelf.spec.name, observed, old[0].space))


def read_tasks(shelf: ModelShelf, sources: Sequence[str]) -> tuple[Task, ...]:
    """Read tasks by their sources, in the same order: the campaign's own history, and other campaigns of the store."""
    known = {task.source: task for task in shelf.experience.history}
    others = [CampaignRef(campaign=s.removeprefix(CAMPAIGN)) for s in sources if s not in known]
    if others:  # together with the campaign's own history, so that all are in one space
        refs = [*shelf.spec.experience.history, *others]
        known = {task.source: task for task in shelf.read(refs)}
    return tuple(known[source] for source in sources)


def own_task(source: str, observed: Observations, space: AlignedSpace | None = None) -> Task:
    """Return a campaign's measurements as a task of its own space, or of a wider one; replicates are averaged."""
    found = average_replicates(observed.keys, observed.y, observed.limits)
    X = observed.X[found.first]
    if space is not None:
        X = Lift.of(space)(torch.as_tensor(X)).numpy()
    sides = None if found.sides is None else found.sides[:, None]
    return Task(task_id=source, X=X, Y=found.y[:, None], source=source, space=space, sides=sides)
