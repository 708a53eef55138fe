"""Small networks that turn configurations into features, one per fold of the source tasks, trained together.

Each network sees all source tasks but those of its fold, so that for every task there is a network that never saw it:
what is fitted on top (`discovery.meta.deep_kernel`) is fitted on such pairs only. All folds run as one batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from discovery.meta.fitting import LENGTHSCALE_SD, lengthscale_location, subsample
from discovery.meta.geometry import Geometry
from discovery.meta.kernels import matern52, squared_distance
from discovery.tasks.task import TaskBatch

WIDTH, N_FEATURES = 32, 6  # units of the two hidden layers, and features
STEPS, CHECK_EVERY, PATIENCE = 400, 20, 5  # Adam steps at most; checks without progress after which training ends
LEARNING_RATE, WEIGHT_DECAY = 5e-3, 3e-2
TASKS_PER_STEP, POINTS_PER_STEP, MAX_SUPPORT = 16, 40, 30
N_CHECK_POINTS = 60  # rows of each held-out task that decide when to stop
JITTER = 1e-5
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Networks:
    """One network per fold: two hidden layers, then features for a kernel and a mean.

    Attributes:
        first: Weights of the first layer. Shape `f x d x w`.
        first_bias: Its biases. Shape `f x 1 x w`.
        second: Weights of the second layer. Shape `f x w x w`.
        second_bias: Its biases. Shape `f x 1 x w`.
        feature: Weights of the features. Shape `f x w x k`.
        mean: Weights of the mean. Shape `f x w x 1`.
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    feature: Tensor
    mean: Tensor

    @property
    def n_folds(self) -> int:
        """Number of networks `f`."""
        return int(self.first.shape[0])

    @classmethod
    def random(cls, n_folds: int, n_dims: int, generator: torch.Generator) -> Networks:
        """Draw initial weights."""

        def draw(rows: int, columns: int, gain: float) -> Tensor:
            noise = torch.randn(n_folds, rows, columns, generator=generator, dtype=torch.float64)
            return noise * gain / math.sqrt(rows)

        zeros = torch.zeros(n_folds, 1, WIDTH, dtype=torch.float64)
        first, second = draw(n_dims, WIDTH, 2.0), draw(WIDTH, WIDTH, 1.4)
        return cls(first, zeros, second, zeros, draw(WIDTH, N_FEATURES, 1.0), draw(WIDTH, 1, 0.1))

    def named(self) -> dict[str, Tensor]:
        """Return all weights by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __call__(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate all networks.

        Args:
            X: Encoded configurations. Shape `* x d`.

        Returns:
            Features, shape `f x * x k`, and means, shape `f x *`.
        """
        rows = X.reshape(-1, X.shape[-1])
        hidden = torch.nn.functional.silu(rows @ self.first + self.first_bias)
        hidden = torch.nn.functional.silu(hidden @ self.second + self.second_bias)
        phi, mean = hidden @ self.feature, hidden @ self.mean
        return phi.reshape(self.n_folds, *X.shape[:-1], N_FEATURES), mean.reshape(self.n_folds, *X.shape[:-1])


@dataclass(frozen=True)
class TrainedNetworks:
    """What training gives: networks, the fold of each task, and how well unseen tasks were predicted.

    Attributes:
        networks: One per fold.
        fold: Fold of each task: the network that did not see it. Shape `t`; integer.
        held_out_nlpd: Mean negative log predictive density on unseen tasks, standardized units, by check.
    """

    networks: Networks
    fold: Tensor
    held_out_nlpd: tuple[float, ...]

    @torch.no_grad()
    def unseen(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate every task's configurations with the network that did not see it.

        Args:
            X: Configurations of all tasks. Shape `t x n x d`.

        Returns:
            Features, shape `t x n x k`, and means, shape `t x n`.
        """
        phi, mean = self.networks(X)
        tasks = torch.arange(len(self.fold), device=X.device)
        return phi[self.fold, tasks], mean[self.fold, tasks]


def train_networks(
    batch: TaskBatch,
    geometry: Geometry,
    generator: torch.Generator,
    n_folds: int,
    on_step: Progress | None = None,
) -> TrainedNetworks:
    """Train a network for each fold on the tasks of the other folds, until the unseen tasks stop gaining.

    Half of the loss is the density of query rows given a support of random size, half the marginal likelihood; a
    weight decay stands for the prior over networks.

    Args:
        batch: Source tasks, standardized.
        geometry: Blocks of their space.
        generator: Source of randomness.
        n_folds: Number of folds.
        on_step: Called with (step, steps).
    """
    t, _, d = batch.X.shape
    order = torch.randperm(t, generator=generator)
    fold = torch.empty(t, dtype=torch.long)
    fold[order] = torch.arange(t) % n_folds
    is_seen = (fold[None, :] != torch.arange(n_folds)[:, None]).to(batch.X.dtype)  # f x t
    networks = Networks.random(n_folds, d, generator)
    weights = {name: value.clone().requires_grad_(True) for name, value in networks.named().items()}
    scalars = {name: value.requires_grad_(True) for name, value in _start(n_folds, geometry, batch).items()}
    groups = [
        {"params": list(weights.values()), "weight_decay": WEIGHT_DECAY},
        {"params": list(scalars.values()), "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE)
    check = subsample(batch, N_CHECK_POINTS, generator)
    best, best_weights, history = float("inf"), networks.named(), []
    for step in range(STEPS + 1):
        if step % CHECK_EVERY == 0 or step == STEPS:
            with torch.no_grad():
                loss = _loss(Networks(**weights), scalars, check, geometry, MAX_SUPPORT // 2)
            history.append(float((loss * (1 - is_seen)).sum() / (1 - is_seen).sum()))
            if history[-1] < best:
                best, best_weights = history[-1], {name: value.detach().clone() for name, value in weights.items()}
            if step == STEPS or len(history) - 1 - history.index(best) >= PATIENCE:
                break
        some, seen = _draw(batch, is_seen, generator)
        support = int(torch.randint(MAX_SUPPORT + 1, (1,), generator=generator))
        optimizer.zero_grad()
        per_fold = (_loss(Networks(**weights), scalars, some, geometry, support) * seen).sum(1) / seen.sum(1)
        (per_fold.sum() + _prior(scalars, geometry) / t).backward()
        _clip([*weights.values(), *scalars.values()])
        optimizer.step()
        if on_step is not None:
            on_step(step + 1, STEPS)
    return TrainedNetworks(Networks(**best_weights), fold, tuple(history))


def _clip(values: Sequence[Tensor]) -> None:
    """Scale every fold's gradient to a norm of one at most; folds know nothing of each other."""
    gradients = [value.grad for value in values if value.grad is not None]
    norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    for gradient in gradients:
        gradient.div_(norm.clamp_min(1.0).reshape(-1, *[1] * (gradient.ndim - 1)))


def _draw(batch: TaskBatch, is_seen: Tensor, generator: torch.Generator) -> tuple[TaskBatch, Tensor]:
    """Draw some tasks, and some rows of each in random order."""
    t = batch.n_tasks
    tasks = torch.randperm(t, generator=generator)[:TASKS_PER_STEP]
    noise = torch.rand(len(tasks), batch.X.shape[1], generator=generator, dtype=torch.float64)
    rows = (noise + 2.0 * ~batch.mask[tasks]).argsort(dim=1)[:, :POINTS_PER_STEP]
    pick = rows[..., None]
    X = batch.X[tasks].gather(1, pick.expand(-1, -1, batch.X.shape[2]))
    Y = batch.Y[tasks].gather(1, pick.expand(-1, -1, batch.Y.shape[2]))
    names = tuple(batch.task_ids[i] for i in tasks.tolist())
    return TaskBatch(X, Y, batch.mask[tasks].gather(1, rows), names), is_seen[:, tasks]


def _start(n_folds: int, geometry: Geometry, batch: TaskBatch) -> dict[str, Tensor]:
    """Return where the scalars of training start, one set per fold."""

    def full(value: float, *shape: int) -> Tensor:
        return torch.full((n_folds, *shape), value, dtype=batch.X.dtype)

    return {
        "offset": full(0.0, 1),
        "log_offset_sd": full(math.log(0.5), 1),
        "log_deep": full(math.log(0.5), 1),
        "log_signal": full(math.log(0.5), 1),
        "log_noise": full(math.log(0.3), 1),
        "log_lengthscale": full(lengthscale_location(geometry.n_blocks), geometry.n_blocks),
    }


def _prior(p: Mapping[str, Tensor], geometry: Geometry) -> Tensor:
    """Return the penalty on the scalars of training, summed over folds."""
    location = lengthscale_location(geometry.n_blocks)
    penalty = ((p["log_lengthscale"] - location) / LENGTHSCALE_SD).square().sum()
    for name, center in (("log_offset_sd", 0.5), ("log_deep", 0.5), ("log_signal", 0.5), ("log_noise", 0.3)):
        penalty = penalty + (p[name] - math.log(center)).square().sum()
    return 0.5 * penalty


def _loss(networks: Networks, p: Mapping[str, Tensor], batch: TaskBatch, geometry: Geometry, support: int) -> Tensor:
    """Mean negative log density per row: half of all rows, half of those after the support. Shape `f x t`."""
    phi, mean = networks(batch.X)  # f x t x n x k, f x t x n
    Z = batch.X * geometry.inverse_lengthscales(p["log_lengthscale"].exp())[:, None, None, :]

    def scaled(name: str) -> Tensor:
        return p[name].exp().square()[:, :, None, None]

    K = scaled("log_deep") * matern52(squared_distance(phi, phi)) + scaled("log_offset_sd")
    K = K + scaled("log_signal") * matern52(squared_distance(Z, Z))
    residual = batch.Y[..., 0] - p["offset"][:, :, None] - mean
    density = -row_densities(K, p["log_noise"].exp().square()[:, :, None], residual, batch.mask)
    real = batch.mask.to(density.dtype)
    support = min(support, int(batch.mask.sum(1).min()) - 1)
    late = real * (torch.arange(real.shape[1]) >= support)
    return 0.5 * (density * real).sum(-1) / real.sum(-1) + 0.5 * (density * late).sum(-1) / late.sum(-1)


def row_densities(K: Tensor, noise: Tensor, residual: Tensor, mask: Tensor) -> Tensor:
    """Log density of each row given those before it; nothing for padding.

    Args:
        K: Covariance without noise. Shape `* x t x n x n`.
        noise: Noise variance; broadcasts against `* x t x n`.
        residual: Outcome minus mean. Shape `* x t x n`.
        mask: True for real rows. Shape `t x n`.

    Returns:
        Log densities. Shape `* x t x n`; for padding those of a standard normal at its mean.
    """
    real = mask.to(K.dtype)
    K = K * real[:, :, None] * real[:, None, :]
    K = K + torch.diag_embed(((noise + JITTER) * real + (1 - real)).expand(K.shape[:-1]))
    factor = torch.linalg.cholesky(K)
    z = torch.linalg.solve_triangular(factor, (residual * real)[..., None], upper=False)[..., 0]
    scale = torch.diagonal(factor, dim1=-2, dim2=-1)
    return -0.5 * z.square() - scale.log() - 0.5 * math.log(2 * math.pi)
