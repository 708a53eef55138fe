"""Which checkpoints a campaign uses: found in the registry where they fit, trained where not, remembered by id.

A campaign keeps what it started with, so that a restart changes nothing; it never uses a checkpoint that has seen the
campaign itself, or one that it may not learn from (`discovery.campaign.sharing`). Next in the tour: `discovery.meta`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery import registry
from discovery.campaign.sharing import may_learn_from
from discovery.errors import CheckpointError
from discovery.lifecycle import ModelStatus
from discovery.meta.checkpoint import Checkpoint, load, save
from discovery.meta.scale import outcome_scale
from discovery.meta.train import (
    FROM_HISTORY,
    Experience,
    TrainedHypothesis,
    hypothesis_names,
    meta_train_hypotheses,
    prior_weights,
)
from discovery.session.recipes import CAMPAIGN, is_from_history, recipe_of, source_name
from discovery.store import ModelVersion
from discovery.tasks.history import read_history

if TYPE_CHECKING:
    import torch

    from discovery.campaign import CampaignRef, CampaignSpec, FileRef
    from discovery.space import SearchSpace
    from discovery.store import Store
    from discovery.tasks.task import Task

IN_USE = "checkpoints"  # name of the metric whose detail remembers which checkpoints a campaign uses
FOLDER = "models"  # beside the store's file
Report = Callable[[str, int, int], None]


class ModelShelf:
    """The checkpoints of one campaign.

    Args:
        store: Where versions are registered; checkpoints lie in `models/` beside its file.
        spec: The campaign.
        space: Its space.
        device: Where to train.
        outcome: The outcome that its models foresee; default the first objective's.
    """

    def __init__(
        self, store: Store, spec: CampaignSpec, space: SearchSpace, device: torch.device, outcome: str = ""
    ) -> None:
        self.store, self.space, self.device = store, space, device
        self.whole_hash, self.outcome = spec.spec_hash, outcome
        self.spec = spec.for_outcome(outcome or spec.objective.name)

    @property
    def folder(self) -> Path:
        """Where checkpoints lie."""
        return self.store.path.parent / FOLDER

    @cached_property
    def experience(self) -> Experience:
        """What the campaign may learn from; sources of files are named by their content."""
        history = self.read(self.spec.experience.history)
        return Experience(history, registry.bound_simulators(self.spec, self.space))

    @cached_property
    def asked(self) -> CampaignSpec:
        """The campaign with the hypotheses that this outcome can have: history where some holds the outcome."""
        if not self.outcome or self.spec.hypotheses == "auto" or self.experience.history:
            return self.spec
        kept = tuple(item for item in self.spec.hypotheses if item.name not in FROM_HISTORY)
        return self.spec.model_copy(update={"hypotheses": kept})

    def read(self, refs: Sequence[str | FileRef | CampaignRef]) -> tuple[Task, ...]:
        """Read earlier tasks; sources of files are named by their content."""
        tasks = read_history(refs, self.spec, self.space, self.store, is_optional=bool(self.outcome)).tasks
        return tuple(replace(task, source=source_name(self.spec, task.source)) for task in tasks)

    def train(
        self, report: Report | None = None, *, force: bool = False, renew: bool = True
    ) -> tuple[TrainedHypothesis, ...]:
        """Meta-train what is missing, register it, and remember what the campaign uses.

        Args:
            report: Called with (hypothesis, step, steps).
            force: Whether to train what the registry has.
            renew: Whether to take what was promoted last; else what the campaign has used, where that still fits.
        """
        with self.store.transaction():
            names = [] if force else hypothesis_names(self.asked, self.experience)
            last = {} if renew else self._last_used()
            found = {name: self.find(name, last.get(name, "")) for name in names}
        known = {name: checkpoint for name, checkpoint in found.items() if checkpoint is not None}
        trained = meta_train_hypotheses(
            self.asked, self.space, self.experience, known=known, device=self.device, report=report
        )
        with self.store.transaction():
            kept = tuple(item if item.name in known else self._keep_trained(item) for item in trained)
            versions = {item.name: item.checkpoint.checkpoint_id for item in kept}
            detail = {**self._now, "versions": versions}
            self.store.add_metric(self.spec.name, 0, IN_USE, len(kept), detail)
        return kept

    def in_use(self) -> tuple[TrainedHypothesis, ...] | None:
        """Load what the campaign uses; None where nothing was trained for the present file, or it may not be used now.

        Raises:
            CheckpointError: If a checkpoint is missing, damaged, of another space, or has seen this campaign.
        """
        with self.store.transaction():
            fitting = [detail for detail in self._used() if self._now | detail == detail | self._now]
            if not fitting:
                return None
            versions: dict[str, str] = fitting[-1]["versions"]
            sources = [self.store.model(version_id).task_sources for version_id in versions.values()]
            return None if any(map(self.why_not_shared, sources)) else self.load_versions(versions)

    def load_versions(self, versions: Mapping[str, str]) -> tuple[TrainedHypothesis, ...]:
        """Load versions by hypothesis and weigh them.

        Raises:
            CheckpointError: If a checkpoint is missing, damaged, of another space, or has seen this campaign.
        """
        with self.store.transaction():
            checkpoints = {name: self.load(version_id) for name, version_id in versions.items()}
        weights = prior_weights(self.asked, checkpoints)
        return tuple(TrainedHypothesis(name, weights[name], checkpoints[name]) for name in checkpoints)

    def load(self, version_id: str) -> Checkpoint:
        """Load one registered version and check that this campaign may use it.

        Raises:
            InputError: If no such version is registered.
            CheckpointError: If it is missing, damaged, of another space, or has seen this campaign.
        """
        version = self.store.model(version_id)
        checkpoint = load(self.store.path.parent / version.path, space_hash=self.space.schema_hash)
        if CAMPAIGN + self.spec.name in (*version.task_sources, *checkpoint.meta.task_sources):
            raise CheckpointError(
                f"A campaign must not use a checkpoint that was trained on itself; {version_id} has seen "
                f"{self.spec.name}.",
                "Run `discovery meta-train` for this campaign.",
            )
        return checkpoint

    def why_not_shared(self, sources: Sequence[str]) -> str:
        """Say why this campaign may not learn from tasks, by what their campaigns share now; empty where it may."""
        names = [source.removeprefix(CAMPAIGN) for source in sources if source.startswith(CAMPAIGN)]
        reasons = [may_learn_from(self.spec, self.store.sharing(name)) for name in names if name != self.spec.name]
        return next((reason for reason in reasons if reason), "")

    def find(self, hypothesis: str, first: str = "") -> Checkpoint | None:
        """Find a registered checkpoint that may stand in for training; None where none fits.

        Args:
            hypothesis: What it serves.
            first: The version that is taken where it fits; then the promoted one comes, then earlier ones.
        """
        rows = self.store.models()
        is_ours = (rows["hypothesis"] == hypothesis) & (rows["space_hash"] == self.space.schema_hash)
        rows = rows[is_ours & rows["promoted_at"].notna()].sort_values("promoted_at", ascending=False)
        rows = rows.sort_values("status", key=lambda s: s != ModelStatus.PROMOTED, kind="stable")
        rows = rows.sort_values("version_id", key=lambda ids: ids != first, kind="stable")
        for version_id, sources in zip(rows["version_id"], rows["task_sources"], strict=True):
            if self.why_not_shared(json.loads(sources)):
                continue
            try:
                checkpoint = self.load(version_id)
            except CheckpointError:
                continue  # damaged, or it has seen this campaign: another may fit
            if self._fits(checkpoint, hypothesis):
                return checkpoint
        return None

    def keep(self, checkpoint: Checkpoint, status: str) -> ModelVersion:
        """Save a checkpoint and register it; one that was promoted before is promoted again."""
        path = save(checkpoint, self.folder)
        content = path.with_suffix(".safetensors").read_bytes()
        meta = checkpoint.meta
        version = ModelVersion(
            version_id=checkpoint.checkpoint_id,
            hypothesis=meta.hypothesis,
            learner=meta.learner,
            path=f"{FOLDER}/{path.name}",
            content_hash=hashlib.sha256(content).hexdigest(),
            space_hash=meta.space_hash,
            parent=meta.parent or None,
            task_sources=meta.task_sources,
            scores=meta.scores,
            status=status,
        )
        with self.store.transaction():
            stored = self.store.register_model(version)
            if status == ModelStatus.PROMOTED and stored.status in (ModelStatus.CANDIDATE, ModelStatus.ARCHIVED):
                return self.store.promote(version.version_id)
            return stored

    def stamped(self, checkpoint: Checkpoint, tasks: Sequence[Task]) -> Checkpoint:
        """Write into a checkpoint how it was trained and on how many points, so that it is known where it fits.

        Args:
            checkpoint: What was trained.
            tasks: The tasks of history that were at hand.
        """
        meta = checkpoint.meta
        sizes = {task.source: task.n_points for task in tasks if task.source in meta.task_sources}
        recipe = recipe_of(self.spec, self.experience.history, meta.hypothesis)
        details = meta.details | {"recipe": recipe, "sizes": sizes}
        return Checkpoint(replace(meta, details=details), checkpoint.tensors)

    def _used(self) -> list[dict[str, Any]]:
        """Return what the campaign has used, in order: hash of file and space, and versions by hypothesis."""
        rows = self.store.metrics(self.spec.name)
        used = [json.loads(text) for text in rows.loc[rows["name"] == IN_USE, "detail"]]
        return [detail for detail in used if detail.get("outcome", "") == self.outcome]

    @property
    def _now(self) -> dict[str, str]:
        """What checkpoints have to be made for: the file, the space, and the outcome where it is not the first."""
        now = {"spec_hash": self.whole_hash, "space_hash": self.space.schema_hash}
        return now | {"outcome": self.outcome} if self.outcome else now

    def _last_used(self) -> dict[str, str]:
        """Return the last version that the campaign has used of each hypothesis, whatever its file said then."""
        return {name: version_id for detail in self._used() for name, version_id in detail["versions"].items()}

    def _keep_trained(self, item: TrainedHypothesis) -> TrainedHypothesis:
        stamped = replace(item, checkpoint=self.stamped(item.checkpoint, self.experience.history))
        self.keep(stamped.checkpoint, ModelStatus.PROMOTED)
        return stamped

    def _fits(self, checkpoint: Checkpoint, hypothesis: str) -> bool:
        """Return whether training now would give what a checkpoint has, or that and other campaigns besides."""
        details, tasks = checkpoint.meta.details, self.experience.history
        if details.get("recipe") != recipe_of(self.spec, self.experience.history, hypothesis):
            return False
        plain = outcome_scale(self.spec.outcome(self.spec.objective.name).range, tasks)
        found = details["scale"]
        wanted = asdict(plain) | {name: found[name] for name in ("sign", "delta")}  # training chose the axis
        if not is_from_history(self.spec, self.experience.history, hypothesis) or not checkpoint.meta.task_sources:
            return bool(found == wanted)
        has_scale = found == wanted or found["origin"] == wanted["origin"] == "history"
        extra = set(checkpoint.meta.task_sources) - {task.source for task in tasks}
        has_tasks = all(details["sizes"].get(task.source) == task.n_points for task in tasks)
        return has_scale and has_tasks and all(source.startswith(CAMPAIGN) for source in extra)
