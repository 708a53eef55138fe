"""MetaGP: exact Gaussian processes whose whole prior is meta-learned, as a bank of fully specified members.

`meta_train` looks at a task distribution and fixes members and features; `adapt` conditions all members on a
campaign's measurements with one batched Cholesky factorization and no gradient step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from discovery.errors import CheckpointError
from discovery.meta.bank import Bank
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.components import Components
from discovery.meta.features import SourceFeatures
from discovery.meta.geometry import Geometry, OwnBlocks
from discovery.meta.history_bank import from_history
from discovery.meta.learner import Adapted, Setting, Support
from discovery.meta.members import Members
from discovery.meta.no_transfer import no_transfer_members
from discovery.meta.read_bank import ReadBank
from discovery.meta.reading import Reading
from discovery.meta.robust import find_doubtful, with_doubt
from discovery.meta.rows import Rows
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.meta.simulator_bank import from_simulator
from discovery.meta.standardizing import own_units, standardize
from discovery.seeds import rng, torch_generator
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.lift import Lift
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "meta_gp"
N_SHARED_TASKS, N_SHARED_POINTS = 256, 128  # simulated tasks that give the mean shape and the variations
N_AXIS_POINTS = 40  # rows of each source that choose the axis of the outcome
N_OWN_TASKS, N_OWN_POINTS = 64, 48  # simulated tasks that give lengthscales, signal, noise and warps
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MetaGP:
    """A meta-learned Gaussian-process prior, ready to adapt.

    Attributes:
        family: Name of the family; written into checkpoints.
        members: The bank's members, standardized units.
        features: What the members' means and slopes refer to.
        components: Correlation functions that the members share.
        scale: What standardized units mean for this campaign's outcome.
        device: Where it lives.
        trust: What cross-fitting found about history, for a later refinement to start from; empty for the others.
        scores: Cross-fitted scores of meta-training, by name.
    """

    family: ClassVar[str] = NAME

    members: Members
    features: SourceFeatures
    components: Components
    scale: OutcomeScale
    device: torch.device
    trust: Mapping[str, Tensor] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train one hypothesis.

        Args:
            distribution: History, a simulator bound to the space, or None for the no-transfer bank.
            setting: The space, the outcome's scale, seed and device.
            start_from: Checkpoint whose training goes on (history only): its trust is where the fit starts.

        Returns:
            A checkpoint; the same setting gives the same one.
        """
        if distribution is None:
            learner, sources = cls._without_transfer(setting), tuple[str, ...]()
        elif isinstance(distribution, HistoryDistribution):
            learner = cls._from_history(distribution.tasks, setting, start_from)
            sources = tuple(task.source for task in distribution.tasks)
        else:
            learner, sources = cls._from_simulator(distribution, setting), (f"simulator:{distribution.name}",)
        return learner.checkpoint(
            CheckpointMeta(
                learner=cls.family,
                hypothesis=setting.hypothesis,
                space_hash=setting.space.schema_hash,
                seed=setting.seed,
                task_sources=sources,
                parent="" if start_from is None else start_from.checkpoint_id,
            )
        )

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Self:
        """Rebuild the learner from its checkpoint.

        Raises:
            CheckpointError: If another family made the checkpoint.
        """
        if checkpoint.meta.learner != cls.family:
            found = checkpoint.meta.learner
            raise CheckpointError(f"A {cls.family} checkpoint is needed; this one was made by {found}.")
        tensors = {name: value.to(device) for name, value in checkpoint.tensors.items()}
        trust = _under("trust.", tensors)
        features = cls._features_from(_under("features.", tensors))
        plain = Components(**_under("components.", tensors))
        return cls(
            members=Members(**{f.name: tensors[f"members.{f.name}"] for f in fields(Members)}),
            features=features,
            components=cls._components_from(plain, features, trust),
            scale=OutcomeScale(**checkpoint.meta.details["scale"]),
            device=torch.device(device),
            trust=trust,
            scores=checkpoint.meta.scores,
        )

    @classmethod
    def _features_from(cls, tensors: Mapping[str, Tensor]) -> SourceFeatures:
        """Rebuild the features from what they gave to a checkpoint."""
        return SourceFeatures.from_tensors(tensors)

    @classmethod
    def _components_from(cls, plain: Components, features: SourceFeatures, trust: Mapping[str, Tensor]) -> Components:
        """Rebuild the components; families with components of their own make them here."""
        return plain

    def adapt(self, support: Support) -> Adapted:
        """Condition every member on a support, told with every reading.

        A reading bends outcomes and leaves covariances alone, so one factorization per member serves all readings.

        Args:
            support: Measurements, raw units; may hold none. With an anchored scale and none, densities are in
                units of one.

        Returns:
            Readings times members; order of the measurements changes nothing but the order of the one-step densities.
        """
        n = int(support.y.shape[0])
        reading, n_anchoring = self._readings(support)
        rows = with_doubt(self._rows(support), support.doubtful)
        steps = self._steps(support, reading) if rows.is_plain else rows.log_steps(reading)
        steps = torch.cat([torch.zeros_like(steps[..., :n_anchoring]), steps[..., n_anchoring:]], dim=-1)
        log_prior = (reading.log_prior[:, None] + rows.members.log_prior).reshape(-1)
        unit = reading.slope(torch.zeros_like(reading.sign)[:, None])
        spread = (unit * rows.members.prior_variance.sqrt()).reshape(-1)
        condition = partial(self._condition, rows, reading)
        is_doubting = None if rows.widening is None else rows.is_doubting.repeat(reading.n_readings)
        return Adapted(log_prior, steps.reshape(len(log_prior), n), condition, spread, is_doubting)

    def doubtful(self, support: Support) -> Tensor:
        """Return which measurements are more likely wild values than not, as these members see it. Shape `n`, bool."""
        return find_doubtful(self._rows(support), *self._readings(support))

    def _readings(self, support: Support) -> tuple[Reading, int]:
        """Return the readings of the outcome, and how many measurements fix the scale."""
        outcomes = support.y.tolist()
        anchor = outcomes[: self.scale.n_anchoring(outcomes)]
        on_all_axes = not self.features.n_features
        return self.scale.readings(anchor, on_all_axes=on_all_axes, device=self.device), len(anchor)

    def _steps(self, support: Support, reading: Reading) -> Tensor:
        """One-step log densities per raw unit. Shape `k x h x n`."""
        k, h, n = reading.n_readings, self.members.n_members, len(support.y)
        z, log_slope = reading.read(support.y)
        Y = z[:, None, :].expand(k, h, n)
        if support.yvar is None:
            bank = Bank(self.members, self.features, self.components, support.X, Y)
            return bank.one_step_log_densities() + log_slope[:, None, :]
        each = []  # known noise does not scale with a reading, so every one needs factors of its own
        for i in range(k):
            known = support.yvar * (2 * log_slope[i].clamp_min(-300)).exp()
            bank = Bank(self.members, self.features, self.components, support.X, Y[i], known)
            each.append(bank.one_step_log_densities() + log_slope[i])
        return torch.stack(each)

    def _condition(self, rows: Rows, reading: Reading, index: Tensor) -> ReadBank:
        """Condition some pairs of reading and member, numbered as in `adapt`."""
        h, support = rows.members.n_members, rows.support
        own = reading[index // h]
        if not rows.is_plain:
            return ReadBank(rows.bank(own, index % h), own)
        z, log_slope = own.read(support.y)
        known = None if support.yvar is None else support.yvar * (2 * log_slope.clamp_min(-300)).exp()
        return ReadBank(Bank(self.members[index % h], self.features, self.components, support.X, z, known), own)

    def _rows(self, support: Support) -> Rows:
        return Rows(self.members, self.features, self.components, support).with_effects()

    def checkpoint(self, meta: CheckpointMeta) -> Checkpoint:
        """Write the learner down."""
        tensors = {f"members.{f.name}": getattr(self.members, f.name) for f in fields(Members)}
        tensors |= {f"features.{name}": value for name, value in self.features.tensors().items()}
        tensors |= {f"components.{f.name}": getattr(self.components, f.name) for f in fields(Components)}
        tensors |= {f"trust.{name}": value for name, value in self.trust.items()}
        scale = {f.name: getattr(self.scale, f.name) for f in fields(OutcomeScale)}
        details, scores = meta.details | {"scale": scale}, dict(self.scores) | meta.scores
        return Checkpoint(meta=replace(meta, details=details, scores=scores), tensors=tensors)

    @classmethod
    def _without_transfer(cls, setting: Setting) -> MetaGP:
        return cls._cold(Geometry.of(setting.space, setting.device), setting.scale)

    @classmethod
    def _cold(cls, geometry: Geometry, scale: OutcomeScale) -> MetaGP:
        device = geometry.column_scale.device
        features = SourceFeatures.empty(geometry.components.factor.shape[1], device)
        return cls(no_transfer_members(geometry), features, geometry.components, scale, device)

    @classmethod
    def choose_axis_on(cls, geometry: Geometry, scale: OutcomeScale, tasks: Sequence[Task], seed: int) -> OutcomeScale:
        """Return the scale with the axis on which a bank without experience has the most evidence over some tasks."""
        return scale if len(scale.axes) == 1 else cls._cold(geometry, scale).choose_axis(tasks, seed)

    def choose_axis(self, tasks: Sequence[Task], seed: int) -> OutcomeScale:
        """Return the scale with the axis on which this bank has the most evidence over some tasks.

        Args:
            tasks: Tasks on the bank's space, raw units; a few dozen rows of each are looked at.
            seed: Seed of which rows.
        """
        axes = self.scale.axes
        if len(axes) == 1:
            return self.scale
        reading = self.scale.readings(device=self.device)
        prior = self.members.log_prior + reading.log_prior[:, None]
        total = prior.new_zeros(len(axes))
        for i, task in enumerate(tasks):
            measured = np.flatnonzero(task.is_measured)
            rows = measured[rng(seed, "axis", i).permutation(len(measured))[:N_AXIS_POINTS]]
            support = Support.of(task.X[rows], task.Y[rows, 0], None, self.device)
            evidence = prior + self._steps(support, reading).sum(-1)
            total = total + torch.logsumexp(evidence.reshape(len(axes), -1), dim=1)
        sign, delta = axes[int(total.argmax())]
        return replace(self.scale, sign=sign, delta=delta)

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> MetaGP:
        own = outcome_scale(None, tasks) if setting.scale.is_anchored else setting.scale
        geometry, wider = Geometry.of(setting.space, setting.device), tasks[0].space
        theirs = geometry if wider is None else Geometry.of(wider, setting.device)
        own = cls.choose_axis_on(theirs, own, tasks, setting.seed)
        learned = from_history(
            standardize(TaskBatch.from_tasks(tasks, setting.device), own),
            theirs,
            torch_generator(setting.seed, "history"),
            own=None if wider is None else OwnBlocks.of(wider, setting.device),
            start_from=None if start_from is None else cls.load(start_from, setting.device).trust,
            on_step=setting.on_step,
        )
        device = torch.device(setting.device)
        features = replace(learned.features, lift=None if wider is None else Lift.of(wider, setting.device))
        return cls(learned.members, features, geometry.components, own, device, learned.trust, learned.scores)

    @classmethod
    def _from_simulator(cls, distribution: TaskDistribution, setting: Setting) -> MetaGP:
        """Simulated outcomes are standardized by their own pooled mean and spread: a simulator teaches shape."""
        generator = torch_generator(setting.seed, "simulator", distribution.name)
        rows = setting.space.sample(N_SHARED_POINTS, rng(setting.seed, "shared points"))
        points = torch.as_tensor(rows, device=setting.device)
        shared = distribution.sample(N_SHARED_TASKS, len(rows), generator, setting.device, points=points)
        own = distribution.sample(N_OWN_TASKS, N_OWN_POINTS, generator, setting.device)
        geometry = Geometry.of(setting.space, setting.device)
        members, features = from_simulator(own_units(shared)[0], own_units(own)[0], geometry, on_step=setting.on_step)
        return cls(members, features, geometry.components, setting.scale, torch.device(setting.device))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
