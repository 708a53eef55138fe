"""The members of a simulator's hypothesis: the shape and the variability that its tasks have on this space.

Mean shape and leading variations become features; lengthscales, signal, noise and input warps of single simulated
tasks become members. Half of the members know the shape, half only the variability.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import fit_tasks, source_features
from discovery.meta.geometry import Geometry
from discovery.meta.members import Members, concatenate, plain_members
from discovery.tasks.task import TaskBatch

N_SIMULATED = 32  # simulated tasks whose hyperparameters become members

Progress = Callable[[int, int], None]


def mean_and_variations(values: Tensor, n_variations: int) -> tuple[Tensor, Tensor]:
    """Return the mean function of simulated tasks and their leading variations.

    Args:
        values: Standardized noise-free outcomes of `t` tasks at shared points. Shape `t x n`.
        n_variations: Number of principal functions wanted.

    Returns:
        Functions, shape `(1 + k) x n`, the mean first, each variation scaled to unit standard deviation over tasks;
        and the share of the variance between tasks that the variations explain.
    """
    mean = values.mean(0)
    centered = values - mean - (values - mean).mean(1, keepdim=True)  # the random intercept explains level shifts
    _, singular, directions = torch.linalg.svd(centered, full_matrices=False)
    k = min(n_variations, int(singular.shape[0]))
    scaled = directions[:k] * singular[:k, None] / math.sqrt(values.shape[0])
    share = singular[:k].square().sum() / singular.square().sum().clamp_min(1e-12)
    return torch.cat([mean[None], scaled]), share


def from_simulator(
    shared: TaskBatch,
    own: TaskBatch,
    geometry: Geometry,
    *,
    n_variations: int = 3,
    on_step: Progress | None = None,
) -> tuple[Members, SourceFeatures]:
    """Meta-train a simulator's hypothesis.

    Args:
        shared: Simulated tasks at shared points: they give the mean shape and the leading variations. Standardized.
        own: Other simulated tasks at their own points: they give lengthscales, signal, noise and warps. Standardized.
        geometry: The space's blocks.
        n_variations: Number of variations kept as features with random slopes.
        on_step: Called with (step, steps).

    Returns:
        Members in standardized units and the features (mean shape first).
    """
    truth = shared.truth["Y"][..., 0] if shared.truth is not None else shared.Y[..., 0]
    functions, share = mean_and_variations(truth, n_variations)
    j = functions.shape[0]
    smooth = TaskBatch(
        X=shared.X[:1].expand(j, -1, -1),
        Y=functions[..., None],
        mask=torch.ones(functions.shape, dtype=torch.bool, device=functions.device),
        task_ids=tuple(f"function {i}" for i in range(j)),
    )
    features = source_features(smooth, fit_tasks(smooth, geometry), geometry)
    fitted = fit_tasks(own, geometry, with_warp=True, on_step=on_step)
    pick = torch.linspace(0, own.n_tasks - 1, min(N_SIMULATED, own.n_tasks)).long().to(functions.device)
    level = (own.Y[..., 0] * own.mask).sum(1) / own.mask.sum(1)
    base = {
        "signal": fitted.signal[pick],
        "noise": fitted.noise[pick].clamp(0.02, 2.0),
        "warp_a": fitted.warp_a[pick],
        "warp_b": fitted.warp_b[pick],
        "offset_sd": level.std().clamp_min(0.3).expand(pick.shape[0]),
    }
    lengthscale = fitted.lengthscale[pick]
    h = pick.shape[0]
    shape = truth.new_zeros(h, j)
    trusting, sd = shape.clone(), shape.clone()
    trusting[:, 0], sd[:, 0], sd[:, 1:] = 1.0, 0.5, 1.0
    residual = (1 - share).clamp(0.05, 1.0).sqrt()  # what the variations explain is not left to the residual
    believers = plain_members(
        geometry,
        lengthscale,
        n_features=j,
        slope=trusting,
        slope_sd=sd,
        **(base | {"signal": base["signal"] * residual}),
    )
    shapeless = plain_members(geometry, lengthscale, n_features=j, slope=shape, slope_sd=shape, **base)
    return concatenate([believers, shapeless]), features
