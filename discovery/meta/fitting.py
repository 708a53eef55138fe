"""Hyperparameters by gradient, before a campaign begins: many tasks at once, padded and masked.

Two fits are needed: each source task's own GP (one set of hyperparameters per task) and a hypothesis's shared trust
parameters (one set for all pseudo-targets). Both maximize a masked batched log marginal likelihood with Adam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.meta.features import SourceFeatures
from discovery.meta.geometry import Geometry
from discovery.meta.kernels import kumaraswamy, matern52, squared_distance
from discovery.meta.told_sources import told_sources
from discovery.tasks.task import TaskBatch

LOG_2PI = math.log(2 * math.pi)
LENGTHSCALE_SD = 3.0**0.5  # BoTorch's dimension-scaled log-normal prior
TASK_STEPS = 80  # Adam steps of a task's own fit
MAX_FIT_POINTS = 128  # per task: hyperparameters need no more, and a Cholesky costs n^3


def lengthscale_location(n_blocks: int) -> float:
    """Return the log location of the dimension-scaled lengthscale prior.

    Source:
        Hvarfner et al. (2024), Vanilla Bayesian optimization performs great in high dimensions; departures: counts
        blocks instead of columns, because a one-hot block is one dimension.
    """
    return 2.0**0.5 + 0.5 * math.log(n_blocks) - 1.0


def masked_log_likelihood(K: Tensor, residual: Tensor, mask: Tensor) -> Tensor:
    """Log density of masked Gaussian vectors.

    Args:
        K: Covariance with noise. Shape `t x n x n`.
        residual: Outcome minus mean. Shape `t x n`.
        mask: True for real rows. Shape `t x n`.

    Returns:
        Log density per task. Shape `t`.
    """
    real = mask.to(K.dtype)
    K = K * real[:, :, None] * real[:, None, :] + torch.diag_embed(1 - real)
    factor = torch.linalg.cholesky(K)
    z = torch.linalg.solve_triangular(factor, (residual * real)[..., None], upper=False)[..., 0]
    log_det = torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * z.square().sum(-1) - log_det - 0.5 * real.sum(-1) * LOG_2PI


def minimize(
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    start: Mapping[str, Tensor],
    *,
    steps: int,
    learning_rate: float = 0.08,
    on_step: Callable[[int, int], None] | None = None,
) -> dict[str, Tensor]:
    """Minimize a loss over named parameters with Adam and a cosine schedule; returns detached values."""
    parameters = {name: value.clone().requires_grad_(True) for name, value in start.items()}
    optimizer = torch.optim.Adam(list(parameters.values()), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        optimizer.zero_grad()
        loss(parameters).backward()
        optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(step + 1, steps)
    return {name: value.detach() for name, value in parameters.items()}


def subsample(batch: TaskBatch, n_points: int, generator: torch.Generator) -> TaskBatch:
    """Keep at most `n_points` random real rows of every task."""
    if batch.X.shape[1] <= n_points:
        return batch
    noise = torch.rand(batch.mask.shape, generator=generator, dtype=torch.float64).to(batch.mask.device)
    order = torch.where(batch.mask, noise, torch.full_like(noise, 2.0)).argsort(dim=1)[:, :n_points]

    def pick(value: Tensor) -> Tensor:
        return torch.gather(value, 1, order[..., None].expand(-1, -1, value.shape[-1]))

    return TaskBatch(
        X=pick(batch.X),
        Y=pick(batch.Y),
        mask=torch.gather(batch.mask, 1, order),
        task_ids=batch.task_ids,
        Yvar=None if batch.Yvar is None else pick(batch.Yvar),
        sides=None if batch.sides is None else pick(batch.sides),
    )


@dataclass(frozen=True)
class TaskHyperparameters:
    """One GP per task. Shapes: lengthscale `t x n_blocks`, warps `t x d`, the others `t`; standardized units."""

    lengthscale: Tensor
    warp_a: Tensor
    warp_b: Tensor
    signal: Tensor
    noise: Tensor
    constant: Tensor


def _task_covariance(p: Mapping[str, Tensor], X: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Return the kernel matrix without noise `t x n x n` and the noise variance `t x 1`."""
    if "log_a" in p:
        X = kumaraswamy(X, p["log_a"].exp()[:, None, :], p["log_b"].exp()[:, None, :])
    Z = X * geometry.inverse_lengthscales(p["log_lengthscale"].exp())[:, None, :]
    K = p["log_signal"].exp().square()[:, None, None] * matern52(squared_distance(Z, Z))
    return K, p["log_noise"].exp().square()[:, None]


def fit_tasks(
    batch: TaskBatch,
    geometry: Geometry,
    *,
    with_warp: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> TaskHyperparameters:
    """Fit one GP per task by maximum a posteriori, all tasks in one batch; bounds are left out.

    Args:
        batch: Tasks with standardized outcomes; only the first outcome is used.
        geometry: The space's blocks.
        with_warp: Whether to learn Kumaraswamy exponents for numeric columns.
        on_step: Called with (step, steps).

    Returns:
        Hyperparameters per task.
    """
    t, _, d = batch.X.shape
    y, new, measured = batch.Y[..., 0], batch.X, batch.measured
    location = lengthscale_location(geometry.n_blocks)
    start = {
        "log_lengthscale": new.new_zeros(t, geometry.n_blocks),
        "log_signal": new.new_zeros(t),
        "log_noise": new.new_full((t,), math.log(0.2)),
        "constant": (y * measured).sum(1) / measured.sum(1).clamp_min(1),
    }
    warps = with_warp and bool(geometry.is_numeric.any())
    if warps:
        start |= {"log_a": new.new_zeros(t, d), "log_b": new.new_zeros(t, d)}

    def loss(p: Mapping[str, Tensor]) -> Tensor:
        K, noise = _task_covariance(p, batch.X, geometry)
        K = K + torch.diag_embed(noise.expand(-1, K.shape[-1]) + 1e-6)
        likelihood = masked_log_likelihood(K, y - p["constant"][:, None], measured)
        prior = -0.5 * ((p["log_lengthscale"] - location) / LENGTHSCALE_SD).square().sum(1)
        prior = (
            prior - 0.5 * (p["log_signal"] / 0.7).square() - 0.5 * ((p["log_noise"] - math.log(0.15)) / 1.0).square()
        )
        if warps:
            prior = prior - 0.5 * ((p["log_a"] / 0.5).square() + (p["log_b"] / 0.5).square()).sum(1)
        return -(likelihood + prior).sum()

    found = minimize(loss, start, steps=TASK_STEPS, on_step=on_step)
    ones = new.new_ones(t, d)
    numeric = geometry.is_numeric
    return TaskHyperparameters(
        lengthscale=found["log_lengthscale"].exp(),
        warp_a=torch.where(numeric, found["log_a"].exp(), ones) if warps else ones,
        warp_b=torch.where(numeric, found["log_b"].exp(), ones) if warps else ones,
        signal=found["log_signal"].exp(),
        noise=found["log_noise"].exp(),
        constant=found["constant"],
    )


def source_features(batch: TaskBatch, fitted: TaskHyperparameters, geometry: Geometry) -> SourceFeatures:
    """Turn fitted tasks into their posterior means over all their points: exact, but for bounds."""
    inverse = geometry.inverse_lengthscales(fitted.lengthscale)
    Z = batch.X * inverse[:, None, :]
    real = batch.mask.to(batch.X.dtype)
    signal = fitted.signal.square()[:, None, None]
    K = signal * matern52(squared_distance(Z, Z)) * real[:, :, None] * real[:, None, :]
    noise = fitted.noise.square()[:, None] * real + (1 - real) + 1e-6
    y, noise = told_sources(K, fitted.constant, noise, batch)
    factor = torch.linalg.cholesky(K + torch.diag_embed(noise))
    residual = ((y - fitted.constant[:, None]) * real)[..., None]
    dual = torch.cholesky_solve(residual, factor)[..., 0] * real * fitted.signal.square()[:, None]
    return SourceFeatures(X=batch.X, dual=dual, inverse_lengthscale=inverse, constant=fitted.constant)
