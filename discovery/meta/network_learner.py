"""The learner of every family that trains a network: one outer loop, one way to adapt, one checkpoint.

`adapt` lets the networks read what is measured and puts a bank on what they say. Evidence is prequential: each
measurement is scored by what the networks had read *before* it. Nothing is fitted to a campaign, and no family takes a
gradient step here that it was not meta-trained to take. Next in the tour: `discovery.belief`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor

from discovery.errors import CheckpointError, ConfigurationError, NotEnoughDataError
from discovery.meta import head
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.components import Components
from discovery.meta.episodes import HistorySupply, SimulatedSupply, Supply
from discovery.meta.features import SourceFeatures
from discovery.meta.geometry import Geometry, OwnBlocks
from discovery.meta.learner import Adapted, Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.network_family import NetworkFamily, Parameters, State
from discovery.meta.network_features import NetworkColumns, lift_from, lift_tensors
from discovery.meta.network_heads import read_all
from discovery.meta.network_members import ToldMembers, blocks_of, content_key, first
from discovery.meta.network_training import Recipe, Schooling, train
from discovery.meta.reading import Reading
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.meta.standardizing import standardize
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.lift import Lift
from discovery.tasks.task import TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

FEWEST_TASKS = 2  # of a history: one to learn from and one to be judged on
ANCHORED_EVERY = 3  # of the scales of an anchored grid one in three is told: every telling is read anew
MOST_KNOWN = 4096  # evidence of blocks of measurements that is kept


@dataclass(frozen=True)
class NetworkLearner:
    """A family ready to adapt; subclasses name the family and its recipe.

    Attributes:
        network: The algorithm.
        recipe: How it is trained.
        weights: Weights of `f` networks. Leading dimension `f`.
        scalars: What the head on top of each is told with, not logarithms. Leading dimension `f`.
        geometry: Blocks of the campaign's space.
        scale: Location and scale of the campaign's outcome.
        device: Where it lives.
        lift: Takes the campaign's configurations to those of a wider history; None where both are the same.
        scores: Scores on held-out tasks.
        known: Evidence of blocks of measurements by the content of what stands before them: a campaign grows.
    """

    network: ClassVar[NetworkFamily]
    recipe: ClassVar[Recipe] = Recipe()

    weights: Parameters
    scalars: Mapping[str, Tensor]
    geometry: Geometry
    scale: OutcomeScale
    device: torch.device
    lift: Lift | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    known: dict[bytes, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def features(self) -> SourceFeatures:
        """None before a support was read."""
        return SourceFeatures.empty(self.geometry.components.factor.shape[1], self.device)

    @property
    def n_features(self) -> int:
        """Features of each network."""
        return self.network.n_features

    @property
    def components(self) -> Components:
        """Correlation functions that the members share."""
        return self.geometry.components

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train on a history, or on simulated tasks.

        Args:
            distribution: A history of `FEWEST_TASKS` tasks at least, or a simulator bound to the space.
            setting: The space, the outcome's scale, seed and device.
            start_from: A checkpoint of the family whose networks training goes on from.

        Raises:
            ConfigurationError: If there is nothing to learn from.
            NotEnoughDataError: If a history has too few tasks.
        """
        name, device = cls.network.name, torch.device(setting.device)
        if distribution is None:
            raise ConfigurationError(
                f"A {name} hypothesis must have something to learn from; got neither history nor simulator.",
                "Add experience.history or experience.simulators.",
            )
        generator = torch_generator(setting.seed, name)
        own = Geometry.of(setting.space, device)
        supply, theirs, scale, lift = _prepared(distribution, setting, generator, own, name)
        before = None if start_from is None else cls.load(start_from, device).weights
        trained = train(
            cls.network,
            supply,
            theirs,
            generator,
            Schooling(cls.recipe, before, device, setting.on_step),
        )
        scalars = head.plain(trained.scalars)
        tasks = distribution.tasks if isinstance(distribution, HistoryDistribution) else ()
        if tasks and tasks[0].space is not None:
            own = head.without_components(own)
            scalars["lengthscale"] = OwnBlocks.of(tasks[0].space, device).lengthscales(scalars["lengthscale"])
        learner = cls(trained.parameters, scalars, own, scale, device, lift, trained.scores)
        sources = tuple(task.source for task in tasks) or (f"simulator:{distribution.name}",)
        return learner.checkpoint(
            CheckpointMeta(
                learner=name,
                hypothesis=setting.hypothesis,
                space_hash=setting.space.schema_hash,
                seed=setting.seed,
                task_sources=sources,
                parent="" if start_from is None else start_from.checkpoint_id,
                scores=dict(trained.scores),
                details={"scale": {f.name: getattr(scale, f.name) for f in fields(OutcomeScale)}},
            )
        )

    def checkpoint(self, meta: CheckpointMeta) -> Checkpoint:
        """Write the learner down."""
        tensors = {f"weights.{name}": value for name, value in self.weights.items()}
        tensors |= {f"scalars.{name}": value for name, value in self.scalars.items()}
        g, shared = self.geometry, self.geometry.components
        tensors |= {f"components.{f.name}": getattr(shared, f.name) for f in fields(Components)}
        tensors |= {f"geometry.{n}": getattr(g, n) for n in ("column_scale", "block_of_column", "is_numeric")}
        details = meta.details | {"n_blocks": g.n_blocks}
        return Checkpoint(meta=replace(meta, details=details), tensors=tensors | lift_tensors(self.lift))

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Self:
        """Rebuild the learner from its checkpoint.

        Raises:
            CheckpointError: If another family made the checkpoint.
        """
        if checkpoint.meta.learner != cls.network.name:
            found = checkpoint.meta.learner
            raise CheckpointError(f"A {cls.network.name} checkpoint is needed; this one was made by {found}.")
        tensors = {name: value.to(device) for name, value in checkpoint.tensors.items()}
        details = checkpoint.meta.details
        return cls(
            weights=_under("weights.", tensors),
            scalars=_under("scalars.", tensors),
            geometry=Geometry(
                **_under("geometry.", tensors),
                n_blocks=int(details["n_blocks"]),
                components=Components(**_under("components.", tensors)),
            ),
            scale=OutcomeScale(**details["scale"]),
            device=torch.device(device),
            lift=lift_from(tensors),
            scores=checkpoint.meta.scores,
        )

    @torch.no_grad()
    def adapt(self, support: Support) -> Adapted:
        """Read a support, told in several readings of the outcome, and condition the bank on top.

        Args:
            support: Measurements, raw units; may hold none. The networks read a bound as if it were a value; the bank
                on top knows better.

        Returns:
            Readings times networks times variations (`discovery.meta.head.VARIATIONS`); the order of the measurements
            changes nothing but how the evidence came about.
        """
        n = len(support.y)
        reading, n_anchoring = self._readings(support)
        members = head.members(self.scalars, self.geometry, self.network.n_features, reading.n_readings)
        of_member = torch.arange(reading.n_readings, device=self.device)
        of_member = of_member.repeat_interleave(members.n_members // reading.n_readings)
        own = reading[of_member]
        members = replace(members, log_prior=torch.log_softmax(members.log_prior + own.log_prior, dim=0))
        whole = ToldMembers(self, members, own, self._read(support, reading), support)
        steps = self._steps(support, reading, whole)
        steps[:, :n_anchoring] = 0.0
        rows = whole.rows
        unit = whole.readings_of(rows).slope(torch.zeros(rows.members.n_members, 1, dtype=torch.float64))[:, 0]
        spread = unit.to(self.device) * rows.members.prior_variance.sqrt()
        is_doubting = None if rows.widening is None else rows.is_doubting
        log_prior = torch.log_softmax(rows.members.log_prior, dim=0)
        return Adapted(log_prior, steps.reshape(len(log_prior), n), whole.condition, spread, is_doubting)

    def _readings(self, support: Support) -> tuple[Reading, int]:
        """Return the readings that the networks are told with, and how many measurements fix the scale."""
        n = self.scale.n_anchoring(support.y.tolist())
        reading = self.scale.readings(support.y[:n].tolist(), on_all_axes=False, device=self.device)
        if self.scale.is_anchored:
            reading = reading[torch.arange(0, reading.n_readings, ANCHORED_EVERY, device=self.device)]
            reading = replace(reading, log_prior=torch.log_softmax(reading.log_prior, dim=0))
        return reading, n

    def _read(self, support: Support, reading: Reading) -> State:
        """Let every network read a support in every reading. Leading dimension `i f`."""
        z = reading.read(support.y)[0]  # i x n
        X = support.X if self.lift is None else self.lift(support.X)
        i, n = z.shape
        if not n:  # an empty support is one padded row, so that no code of a family sees a dimension of zero
            X, z = X.new_zeros(1, self._width), z.new_zeros(i, 1)
        mask = torch.full_like(z, float(n > 0))
        state = read_all(self.network, self.weights, X.expand(i, *X.shape), z, mask)
        return {name: value.transpose(0, 1).flatten(0, 1) for name, value in state.items()}

    @property
    def _width(self) -> int:
        return int(self.geometry.components.factor.shape[1]) if self.lift is None else self.lift.n_dims

    def columns(self, states: State, pairs: Tensor) -> NetworkColumns:
        """Return what some pairs of reading and network say; `pairs` are positions among the states. Shape `p`."""
        weights = {name: value[pairs % len(value)] for name, value in self.weights.items()}
        return NetworkColumns.of(self.network, weights, {n: v[pairs] for n, v in states.items()}, self.lift)

    def _steps(self, support: Support, reading: Reading, whole: ToldMembers) -> Tensor:
        """Log density of each measurement given those before it, as the networks had read them. Shape `h x n`."""
        n, parts = len(support.y), list[Tensor]()
        for start, stop in blocks_of(n):
            key = content_key(support, start, stop, reading)
            if key not in self.known:
                if len(self.known) > MOST_KNOWN:
                    self.known.clear()
                before = first(support, start)
                told = replace(whole, states=self._read(before, reading), support=first(support, stop))
                self.known[key] = told.last_steps(start)
            parts.append(self.known[key])
        h = whole.rows.members.n_members
        return torch.cat(parts, dim=1) if parts else whole.members.signal.new_zeros(h, 0)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _prepared(
    distribution: TaskDistribution, setting: Setting, generator: torch.Generator, own: Geometry, name: str
) -> tuple[Supply, Geometry, OutcomeScale, Lift | None]:
    """Return where episodes come from, the geometry that they live on, the scale, and the way into their space."""
    device = torch.device(setting.device)
    if not isinstance(distribution, HistoryDistribution):
        return SimulatedSupply.of(distribution, generator, device), own, setting.scale, None
    tasks = tuple(task for task in (one.measured() for one in distribution.tasks) if task.n_points > 1)
    if len(tasks) < FEWEST_TASKS:
        raise NotEnoughDataError(f"A {name} hypothesis needs {FEWEST_TASKS} earlier tasks at least; got {len(tasks)}.")
    wider = tasks[0].space
    theirs = own if wider is None else head.without_components(Geometry.of(wider, device))
    scale = outcome_scale(None, tasks) if setting.scale.is_anchored else setting.scale
    scale = MetaGP.choose_axis_on(theirs, scale, tasks, setting.seed)
    batch = standardize(TaskBatch.from_tasks(tasks, device), scale)
    lift = None if wider is None else Lift.of(wider, device)
    return HistorySupply(batch), theirs, scale, lift
