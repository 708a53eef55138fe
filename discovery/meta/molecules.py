"""MoleculeGP: the meta-learned Gaussian process where a parameter is a molecule.

Molecules are compared by their fragments (Tanimoto similarity and its square) and, with less weight, by descriptors.
Earlier tasks are features: each source's posterior mean, with a prior slope that grows with how near the candidates
are to the source's molecules. Candidates are known before any outcome is, so this says beforehand whose experience
fits; a handful of outcomes cannot choose among dozens of sources.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.components import MOLECULE, Components
from discovery.meta.design import normal_quantiles, uniform_design
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.history_bank import MAX_SOURCE_POINTS
from discovery.meta.kernels import matern52, squared_distance, tanimoto
from discovery.meta.learner import Setting
from discovery.meta.members import Members, plain_members
from discovery.meta.meta_gp import MetaGP
from discovery.meta.molecule_features import MoleculeFeatures
from discovery.meta.molecule_sources import DESCRIPTORS, rank_correlations, slopes, sources_of, thin
from discovery.meta.scale import outcome_scale
from discovery.meta.standardizing import standardize
from discovery.seeds import rng, torch_generator
from discovery.tasks.lift import Lift
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.space import AlignedSpace, SearchSpace

NAME = "molecule_gp"
N_MEMBERS = 128  # a power of two keeps the design balanced
N_LOOKED = 512  # candidates that nearness to the sources is taken over
N_SCORED = 96  # measurements per source that the others are to rank

# How fast trust in a source falls with the distance between its molecules and the candidates, and the nearness at
# which trust is full. Members differ in it; None trusts no source beforehand.
NEARNESS = (None, (4.0, 0.75), (8.0, 0.75), (16.0, 0.85))
SCORED_NEARNESS = (8.0, 0.75)
DESIGN_SEED = 20
TRUST = (0.5, 0.75, 1.0, 1.25)  # slope of a source that is trusted fully
SLOPE_VARIANCE = (0.0, 0.0, 0.1, 0.5)  # of all slopes together, beyond what nearness says
SQUARED = (1.0, 0.7, 0.3, 0.0)  # share of the squared similarity, which is sharper
DESCRIBED = (0.0, 0.0, 0.0, 8.0)  # variance of what descriptors say, relative to the fragments'
DESCRIBED_BESIDE_SOURCES = (0.0, 0.0, 0.0, 0.6)  # the same where sources say most of it
BESIDE_OTHERS = 0.6  # the same where other parameters stand in the same kernel
DESCRIPTOR_LENGTHSCALE = 0.2  # of the block's unit distance
MAIN_EFFECTS = 0.3  # the same of the main effects of all other parameters


def has_molecules(space: SearchSpace) -> bool:
    """Say whether a parameter of a space is a molecule."""
    return any(block.kind == MOLECULE for block in space.blocks)


@dataclass(frozen=True)
class MoleculeComponents(Components):
    """Similarity of all fragments, its square, then main effects of the other parameters, if any."""

    @classmethod
    def of(cls, space: SearchSpace | AlignedSpace, device: torch.device | str = "cpu") -> MoleculeComponents:
        """Read the components of a space; several molecules are compared as one set of fragments."""
        every = Components.of(space)
        fragments = every.factor[every.is_tanimoto].sum(0)
        others = every.factor[~every.is_tanimoto]
        is_tanimoto = torch.tensor([True, True, *[False] * len(others)])
        factor = torch.cat([fragments.expand(2, -1), others])
        return cls(factor.to(device), is_tanimoto.to(device), every.smooth.to(device), mixing=every.mixing.to(device))

    @cached_property
    def _fragments(self) -> slice | Tensor:
        """Columns of fragments, as a slice where they stand together: views are free, copies of a pool are not."""
        columns = torch.nonzero(self.factor[0])[:, 0]
        start, stop = int(columns[0]), int(columns[-1]) + 1
        return slice(start, stop) if stop - start == len(columns) else columns

    def __call__(self, A: Tensor, B: Tensor) -> Tensor:
        """Evaluate all components. Shapes `* x n x d` and `* x m x d` to `c x * x n x m`."""
        similarity = tanimoto(A[..., self._fragments], B[..., self._fragments])
        others = [matern52(squared_distance(A * row, B * row)) for row in self.factor[2:]]
        return torch.stack([similarity, similarity.square(), *others, *self.compared_mixtures(A, B)])


def molecule_members(geometry: Geometry, is_described: Tensor, by_nearness: Tensor | None = None) -> Members:
    """Return a bank over molecules: a quasi-random design, the same for every campaign on a space of that shape.

    Args:
        geometry: The space's blocks, with `MoleculeComponents`.
        is_described: True for the blocks that describe a molecule, False for other parameters. Shape `n_blocks`.
        by_nearness: Slopes of the sources for every entry of `NEARNESS`, shape `len(NEARNESS) x j`; None without
            sources.

    Returns:
        Members in standardized units.
    """
    device = geometry.column_scale.device
    n_blocks, n_others = geometry.n_blocks, int((~is_described).sum())
    uniform = uniform_design(N_MEMBERS, 10 + n_blocks, DESIGN_SEED, device)
    normal = normal_quantiles(uniform)

    def choose(values: Sequence[float], dimension: int) -> Tensor:
        return uniform.new_tensor(values)[(uniform[:, dimension] * len(values)).long()]

    variance = (0.6 * normal[:, 3] + math.log(1.2)).exp()
    squared = choose(SQUARED, 5)
    n_main = geometry.components.n_components - 2
    shares = [1 - squared, squared, *[torch.full_like(squared, MAIN_EFFECTS / max(n_main, 1))] * n_main]
    led = DESCRIBED if by_nearness is None else DESCRIBED_BESIDE_SOURCES
    described = torch.full_like(squared, BESIDE_OTHERS) if n_others else choose(led, 6) * bool(n_blocks)
    usual = uniform.new_tensor(lengthscale_location(max(n_others, 1)))
    location = torch.where(is_described.to(device), math.log(DESCRIPTOR_LENGTHSCALE), usual)
    values = {}
    if by_nearness is not None:
        kind = (uniform[:, 0] * len(NEARNESS)).long()
        n_sources = by_nearness.shape[1]
        values["slope"] = choose(TRUST, 1)[:, None] * by_nearness.to(uniform)[kind]
        values["slope_sd"] = (choose(SLOPE_VARIANCE, 2) / n_sources).sqrt()[:, None].expand(-1, n_sources)
    return plain_members(
        geometry,
        (location + 0.5 * normal[:, 10:]).exp(),
        n_features=0 if by_nearness is None else by_nearness.shape[1],
        component_sd=(variance[:, None] * torch.stack(shares, dim=1)).sqrt(),
        signal=(variance * described * (0.5 + uniform[:, 7])).sqrt(),
        noise=(0.45 * normal[:, 4] + 0.5 * math.log(0.12)).exp(),
        offset_sd=(0.3 * normal[:, 8]).exp(),
        **values,
    )


@dataclass(frozen=True)
class MoleculeGP(MetaGP):
    """MetaGP whose members compare molecules, and whose history is trusted by nearness.

    Nothing is fitted by gradient: going on from a checkpoint and starting anew are the same.
    """

    family: ClassVar[str] = NAME

    @classmethod
    def _features_from(cls, tensors: Mapping[str, Tensor]) -> SourceFeatures:
        kind = MoleculeFeatures if "n_points" in tensors else SourceFeatures
        return kind.from_tensors(tensors)

    @classmethod
    def _components_from(
        cls, plain: Components, features: SourceFeatures, trust: Mapping[str, Tensor]
    ) -> MoleculeComponents:
        return MoleculeComponents(**{f.name: getattr(plain, f.name) for f in fields(Components)})

    @classmethod
    def _without_transfer(cls, setting: Setting) -> MoleculeGP:
        geometry = _geometry(setting)
        features = SourceFeatures.empty(setting.space.n_dims, setting.device)
        members = molecule_members(geometry, _is_described(setting.space))
        return cls(members, features, geometry.components, setting.scale, torch.device(setting.device))

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> MoleculeGP:
        wider = tasks[0].space
        own = outcome_scale(None, tasks) if setting.scale.is_anchored else setting.scale
        if wider is None:
            own = cls._without_transfer(replace(setting, scale=own)).choose_axis(tasks, setting.seed)
        outcomes = [
            replace(task, X=task.X[:, :1], space=None) for task in tasks
        ]  # padding whole points takes gigabytes
        standardized = standardize(TaskBatch.from_tasks(outcomes), own).Y[..., 0]
        sources = thin(tasks, standardized, torch_generator(setting.seed, "history"), MAX_SOURCE_POINTS)
        lift = None if wider is None else Lift.of(wider)
        features = sources_of(sources, setting.space if wider is None else wider, lift, setting.on_step)
        drawn = setting.space.sample(N_LOOKED, rng(setting.seed, "nearness"))
        near = features.look(torch.as_tensor(drawn))[1].mean(0)
        by_nearness = torch.stack([torch.zeros_like(near) if one is None else slopes(near, *one) for one in NEARNESS])
        geometry, device = _geometry(setting), torch.device(setting.device)
        members = molecule_members(geometry, _is_described(setting.space), by_nearness)
        scores: dict[str, float] = {}
        if len(sources) > 1:
            some = [source._replace(X=source.X[:N_SCORED], y=source.y[:N_SCORED]) for source in sources]
            rho = np.array(rank_correlations(replace(features, lift=None), some, *SCORED_NEARNESS))
            scores = {"rank_correlation": float(rho.mean()), "rank_correlation_se": float(rho.std() / len(rho) ** 0.5)}
        return cls(members, features, geometry.components, own, device, {"nearness": near}, scores)


def _geometry(setting: Setting) -> Geometry:
    """Return the blocks of a space, with the components of molecules."""
    components = MoleculeComponents.of(setting.space, setting.device)
    return replace(Geometry.of(setting.space, setting.device), components=components)


def _is_described(space: SearchSpace) -> Tensor:
    """Return which of the smooth blocks describe a molecule. Shape `n_blocks`."""
    return torch.tensor([b.kind == DESCRIPTORS for b in space.blocks if b.kind != MOLECULE], dtype=torch.bool)
