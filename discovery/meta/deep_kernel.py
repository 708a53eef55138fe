"""Deep-kernel Gaussian processes for histories of a dozen tasks and more, as a bank of fully specified members.

A member says `y(x) = b0 + c m_f(x) + a + u m_f(x) + d(phi_f(x)) + g(x) + e`: mean `m_f` and features `phi_f` are those
of one fold's network, `d` is a Matern-5/2 process on the features, `g` the residual process on the configuration
itself, which is always there. Networks and scalars are learned before the campaign; nothing is fitted to it. Every
scalar is cross-fitted: it was judged on tasks that the network in question never saw.

Source:
    Patacchiola et al. (2020), Bayesian meta-learning for the few-shot setting via deep kernels; Wistuba and Grabocka
    (2021), Few-shot Bayesian optimization with deep kernel surrogates. Departures: a residual kernel, a bank in place
    of one model, networks by fold, and no fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor

from discovery.errors import NotEnoughDataError
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.components import Components
from discovery.meta.deep_components import DeepComponents, NetworkMeans
from discovery.meta.deep_network import TrainedNetworks, row_densities, train_networks
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import LENGTHSCALE_SD, MAX_FIT_POINTS, lengthscale_location, minimize, subsample
from discovery.meta.geometry import Geometry
from discovery.meta.history_bank import ranking_scores
from discovery.meta.history_inputs import history_inputs, require_history
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Setting
from discovery.meta.members import Members, plain_members
from discovery.meta.meta_gp import MetaGP
from discovery.seeds import torch_generator
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "deep_kernel"
N_FOLDS = 4
SCALAR_STEPS = 120
FEWEST_TASKS = N_FOLDS  # one per fold; below that nothing can be trained

# What a campaign may find the networks to be worth, relative to what cross-fitting found: factors on (mean slope, slope
# sd, signal of the deep kernel, residual signal, noise), and prior weight.
VARIATIONS = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 3.0),  # as cross-fitted
    (0.5, 1.5, 1.2, 1.2, 1.0, 1.0),  # half of the mean
    (0.0, 2.0, 0.7, 1.5, 1.0, 1.0),  # none of it
    (1.0, 1.0, 1.0, 1.4, 2.0, 1.0),  # rougher and noisier
)


def fit_scalars(trained: TrainedNetworks, batch: TaskBatch, geometry: Geometry) -> dict[str, Tensor]:
    """Fit what all members share, each task seen through the network that never saw it.

    Returns:
        `slope`, `slope_sd`, `offset`, `offset_sd`, `deep`, `deep_lengthscale`, `signal`, `noise` (scalars) and
        `lengthscale` (`n_blocks`).
    """
    phi, mean = trained.unseen(batch.X)
    new, y = batch.X, batch.Y[..., 0]
    location = lengthscale_location(geometry.n_blocks)
    squared = squared_distance(phi, phi)
    centers = {"slope_sd": 0.3, "offset_sd": 0.5, "deep": 0.5, "deep_lengthscale": 1.0, "signal": 0.5, "noise": 0.3}
    start = {f"log_{name}": new.new_tensor(math.log(value)) for name, value in centers.items()}
    start |= {"slope": new.new_tensor(0.8), "offset": new.new_tensor(0.0)}
    start |= {"log_lengthscale": new.new_full((geometry.n_blocks,), location)}

    def loss(p: Mapping[str, Tensor]) -> Tensor:
        Z = batch.X * geometry.inverse_lengthscales(p["log_lengthscale"].exp())
        K = p["log_deep"].exp().square() * matern52(squared / p["log_deep_lengthscale"].exp().square())
        K = K + p["log_signal"].exp().square() * matern52(squared_distance(Z, Z)) + p["log_offset_sd"].exp().square()
        K = K + p["log_slope_sd"].exp().square() * mean[:, :, None] * mean[:, None, :]
        residual = y - p["offset"] - p["slope"] * mean
        density = row_densities(K, p["log_noise"].exp().square(), residual, batch.mask) * batch.mask
        prior = ((p["log_lengthscale"] - location) / LENGTHSCALE_SD).square().sum()
        for name, value in centers.items():
            prior = prior + (p[f"log_{name}"] - math.log(value)).square()
        return -density.sum() + 0.5 * prior

    found = minimize(loss, start, steps=SCALAR_STEPS)
    return {name.removeprefix("log_"): v.exp() if name.startswith("log_") else v for name, v in found.items()}


def deep_members(scalars: Mapping[str, Tensor], n_folds: int, geometry: Geometry) -> Members:
    """Spread what was cross-fitted into a bank: every network with every variation (`VARIATIONS`)."""
    table = torch.tensor(VARIATIONS, dtype=torch.float64).repeat(n_folds, 1)
    slope, slope_sd, deep, signal, noise, prior = table.T
    own = torch.eye(n_folds, dtype=torch.float64).repeat_interleave(len(VARIATIONS), dim=0)  # h x f
    ones = torch.ones_like(prior)
    return plain_members(
        geometry,
        scalars["lengthscale"].expand(len(prior), -1),
        n_features=n_folds,
        component_sd=own * (deep * scalars["deep"])[:, None],
        signal=signal * scalars["signal"],
        noise=(noise * scalars["noise"]).clamp_min(0.01),
        offset=ones * scalars["offset"],
        offset_sd=ones * scalars["offset_sd"],
        slope=own * (slope * scalars["slope"])[:, None],
        slope_sd=own * (slope_sd * scalars["slope_sd"])[:, None],
        log_prior=prior.log(),
    )


@dataclass(frozen=True)
class DeepKernelGP(MetaGP):
    """MetaGP whose features and components come out of networks; of the history it learns from values, not bounds."""

    family: ClassVar[str] = NAME

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train on a history, always from the beginning: tasks change folds when one is added.

        Raises:
            ConfigurationError: If the distribution is no history.
            NotEnoughDataError: If it has fewer tasks than there are folds.
        """
        history = require_history(NAME, distribution)
        n = len(_measured(history.tasks))
        if n < FEWEST_TASKS:
            raise NotEnoughDataError(f"A {NAME} hypothesis needs {FEWEST_TASKS} earlier tasks at least; got {n}.")
        return super().meta_train(history, setting, start_from=start_from)

    @classmethod
    def _features_from(cls, tensors: Mapping[str, Tensor]) -> NetworkMeans:
        return NetworkMeans.from_tensors(tensors)

    @classmethod
    def _components_from(
        cls, plain: Components, features: SourceFeatures, trust: Mapping[str, Tensor]
    ) -> DeepComponents:
        return DeepComponents.beside(plain, cast(NetworkMeans, features), trust["deep_lengthscale"])

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> DeepKernelGP:
        told, generator = history_inputs(_measured(tasks), setting), torch_generator(setting.seed, NAME)
        batch = told.batch
        trained = train_networks(batch, told.geometry, generator, N_FOLDS, setting.on_step)
        scalars = fit_scalars(trained, subsample(batch, MAX_FIT_POINTS, generator), told.geometry)
        scalars["lengthscale"] = told.own_lengthscales(scalars["lengthscale"])
        means = NetworkMeans.of(trained.networks, told.lift)
        return cls(
            members=deep_members(scalars, N_FOLDS, told.blocks),
            features=means,
            components=DeepComponents.beside(told.blocks.components, means, scalars["deep_lengthscale"]),
            scale=told.scale,
            device=torch.device(setting.device),
            trust={"deep_lengthscale": scalars["deep_lengthscale"]},
            scores=ranking_scores(trained.unseen(batch.X)[1], batch) | {"held_out_nlpd": min(trained.held_out_nlpd)},
        )


def _measured(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the tasks without their bounds, which no network can learn from; tasks of nothing else drop out."""
    return tuple(task for task in (one.measured() for one in tasks) if task.n_points)
