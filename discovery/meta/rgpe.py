"""Ranking-weighted Gaussian-process ensemble: earlier tasks count by how well they rank what is measured.

Each earlier task has a process of its own, fitted once. After every measurement a task's weight is the share of
posterior draws in which it misorders the fewest pairs; the campaign's own process, which is the bank without
experience, is judged on points that it was not shown. Members then have the weighted posterior means for their mean,
and what is left, the own process's weight, for their freedom. Evidence is prequential: a measurement is scored by
the weights that stood before it.

Source:
    Feurer, Letham, Bakshy (2018), Scalable Meta-Learning for Bayesian Optimization; departures: the own process is
    conditioned on what the weighted means leave over, and members differ in how much of its spread it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.components import Components
from discovery.meta.fitting import MAX_FIT_POINTS, fit_tasks, source_features, subsample
from discovery.meta.history_inputs import history_inputs, refuse_molecules, require_history
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Adapted, Setting, Support
from discovery.meta.members import Members, concatenate
from discovery.meta.meta_gp import MetaGP
from discovery.meta.network_members import blocks_of, first
from discovery.meta.no_transfer import no_transfer_members
from discovery.meta.ranking import misordered, misordered_alone, ranking_weights
from discovery.seeds import torch_generator
from discovery.tasks.task import Task

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "rgpe"
N_MEMBERS = 32  # of the own process
N_DRAWS = 256
MIN_OWN = 3  # measurements below which nothing is ranked
MOST_RANKED = 60  # measurements that weights are found by: the first ones
MOST_POINTS = 150  # rows of an earlier task
FREEDOM = (0.3, 0.6, 1.0)  # least shares of the own process's spread that members keep where it has no weight
HIDDEN = 1e6  # noise variance that hides a measurement


@dataclass(frozen=True)
class Rgpe(MetaGP):
    """MetaGP whose slopes are weights by ranking, found anew after every measurement."""

    family: ClassVar[str] = NAME

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Fit a process to each earlier task.

        Raises:
            ConfigurationError: If the distribution is no history, or the space has molecules.
        """
        refuse_molecules(NAME, setting)
        return super().meta_train(require_history(NAME, distribution), setting)

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> Rgpe:
        told = history_inputs(tasks, setting)
        some = subsample(told.batch, MOST_POINTS, torch_generator(setting.seed, NAME))
        fitted = fit_tasks(subsample(some, MAX_FIT_POINTS, torch_generator(setting.seed, NAME)), told.geometry)
        features = source_features(some, fitted, told.geometry)
        own, t = concatenate([no_transfer_members(told.blocks, N_MEMBERS)] * len(FREEDOM)), len(tasks)
        none = own.slope.new_zeros(own.n_members, t)
        return cls(
            members=replace(own, slope=none, slope_sd=none),
            features=replace(features, lift=told.lift),
            components=told.blocks.components,
            scale=told.scale,
            device=torch.device(setting.device),
            trust={"signal": fitted.signal, "noise": fitted.noise, "is_real": some.mask.double()},
        )

    def adapt(self, support: Support) -> Adapted:
        """Weigh the tasks by all measurements; each measurement is scored by the weights that stood before it."""
        whole = replace(self, members=self.weighted(self.weights(support)))
        adapted = MetaGP.adapt(whole, support)
        h, k = len(adapted.log_prior), len(self._readings(support)[0].log_prior)
        parts = []
        for start, stop in blocks_of(len(support.y)):
            before = replace(self, members=self.weighted(self.weights(first(support, start))))
            steps = MetaGP.adapt(before, first(support, stop)).log_steps
            parts.append(_spread(steps, k, h)[:, start:])
        return replace(adapted, log_steps=torch.cat(parts, dim=1) if parts else adapted.log_steps)

    def weighted(self, weights: Tensor) -> Members:
        """Return the members under some weights: of the earlier tasks and, last, of the own process. Shape `t + 1`."""
        least = weights.new_tensor(FREEDOM).repeat_interleave(N_MEMBERS)
        freedom = least + (1 - least) * weights[-1]
        return replace(
            self.members,
            slope=weights[:-1].expand(self.members.n_members, -1),
            signal=self.members.signal * freedom,
            component_sd=self.members.component_sd * freedom[:, None],
        )

    def weights(self, support: Support) -> Tensor:
        """Return the weight of every earlier task and, last, of the own process. Shape `t + 1`; sums to one.

        Args:
            support: Measurements, of which the first `MOST_RANKED` are looked at; a bound stands at its number.
        """
        t = self.features.n_features
        if len(support.y) < MIN_OWN:
            return self.members.signal.new_full((t + 1,), 1 / (t + 1))
        some = first(support, MOST_RANKED)
        keys = [some.X[:, i].cpu().numpy() for i in range(some.X.shape[1])]
        order = torch.as_tensor(np.lexsort([*keys, some.y.cpu().numpy()]), device=self.device)  # reports have no order
        X = some.X[order]
        reading, _ = self._readings(some)
        z = reading.read(some.y[order])[0][0]
        sources = _draws(*self.source_posteriors(X), seed=1)
        own = _draws(*self.own_posteriors(X, z), seed=2)
        y = z.cpu().numpy()
        losses = np.concatenate([misordered(sources, y), misordered_alone(own, y)[None]])
        return torch.as_tensor(ranking_weights(losses), dtype=torch.float64, device=self.device)

    def source_posteriors(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means `t x n` and covariances `t x n x n` of the earlier tasks at some configurations."""
        f, trust = self.features, self.trust
        rows = X if f.lift is None else f.lift(X)
        inverse = f.inverse_lengthscale[:, None, :]
        known, asked = f.X * inverse, rows * inverse
        signal, real = trust["signal"].square()[:, None, None], trust["is_real"]
        K = signal * matern52(squared_distance(known, known)) * real[:, :, None] * real[:, None, :]
        noise = trust["noise"].square()[:, None] * real + (1 - real) + 1e-6
        cross = signal * matern52(squared_distance(known, asked)) * real[:, :, None]
        factor = torch.linalg.cholesky(K + torch.diag_embed(noise))
        half = torch.linalg.solve_triangular(factor, cross, upper=False)
        prior = signal * matern52(squared_distance(asked, asked))
        return f(X).T, prior - half.transpose(-1, -2) @ half

    def own_posteriors(self, X: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return means `n x n` and covariances `n x n x n` of the own process, not shown each measurement in turn."""
        n = len(z)
        members = self.members[torch.arange(N_MEMBERS, device=self.device)]
        K, noise = own_covariances(members, self.components, X)
        eye = torch.eye(n, dtype=X.dtype, device=X.device)
        factor = torch.linalg.cholesky(K + noise[:, None, None] * eye)
        white = torch.linalg.solve_triangular(factor, z.expand(len(K), n)[..., None], upper=False)[..., 0]
        evidence = -0.5 * white.square().sum(-1) - torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)
        best = int((evidence + members.log_prior).argmax())
        hidden = torch.linalg.cholesky(K[best] + noise[best] * eye + HIDDEN * torch.diag_embed(eye))  # n x n x n
        half = torch.linalg.solve_triangular(hidden, K[best].expand(n, n, n), upper=False)
        told = torch.linalg.solve_triangular(hidden, z.expand(n, n)[..., None], upper=False)
        return (half * told).sum(-2), K[best] - half.transpose(-1, -2) @ half


def own_covariances(members: Members, components: Components, X: Tensor) -> tuple[Tensor, Tensor]:
    """Return what members without features believe at configurations: covariances `h x n x n`, noise variances `h`."""
    Z = components.smooth_columns(X) * members.inverse_lengthscale[:, None, :]
    K = members.signal.square()[:, None, None] * matern52(squared_distance(Z, Z))
    K = K + members.offset_sd.square()[:, None, None]
    if components.n_components:
        K = K + torch.einsum("hc,cij->hij", members.component_sd.square(), components(X, X))
    return K, members.noise.square() + 1e-6


def _draws(mean: Tensor, covariance: Tensor, seed: int) -> np.ndarray:
    """Draw functions with the same noise every time. Shapes `b x n`, `b x n x n` to `b x N_DRAWS x n`."""
    n = mean.shape[-1]
    scale = torch.diagonal(covariance, dim1=-2, dim2=-1).mean(-1).clamp_min(1e-12)[:, None, None]
    factor = torch.linalg.cholesky(covariance + 1e-6 * scale * torch.eye(n, dtype=mean.dtype, device=mean.device))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(mean), N_DRAWS, n, generator=generator, dtype=torch.float64).to(mean.device)
    return np.asarray((mean[:, None] + noise @ factor.transpose(-1, -2)).cpu().numpy())


def _spread(steps: Tensor, n_readings: int, n_members: int) -> Tensor:
    """Repeat members of a prefix in which nothing is doubtful yet beside those that doubt. Shape `h x n`."""
    if len(steps) == n_members:
        return steps
    each = steps.reshape(n_readings, -1, steps.shape[1])
    return each.repeat(1, n_members // len(steps), 1).reshape(n_members, -1)
