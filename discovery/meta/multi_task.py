"""Multi-task Gaussian process: earlier tasks and the campaign are outputs of one process, related by a learned matrix.

Before the campaign a positive covariance `B` between earlier tasks is fitted by the marginal likelihood of all of their
measurements together. What a task's posterior mean is made of, `u_s(x) = k(x, X_s) a_s`, becomes the features. The
campaign's own row of `B` is not fitted to its few points: members hold that it is like the tasks' mean, or like one of
them, to this or that degree, and the evidence weighs them.

Source:
    Bonilla et al. (2008), Multi-task Gaussian process prediction (intrinsic coregionalization); Swersky et al. (2013),
    Multi-task Bayesian optimization. Departures: positive `B`; the uncertainty of earlier tasks' posterior means is in
    the members' residual process, not in their covariance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from discovery.meta.checkpoint import Checkpoint
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import LENGTHSCALE_SD, lengthscale_location, minimize, subsample
from discovery.meta.geometry import Geometry
from discovery.meta.history_inputs import history_inputs, refuse_molecules, require_history
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Setting
from discovery.meta.members import Members, plain_members
from discovery.meta.meta_gp import MetaGP, Progress
from discovery.seeds import torch_generator
from discovery.tasks.task import Task, TaskBatch

if TYPE_CHECKING:
    from discovery.tasks.distribution import TaskDistribution

NAME = "multi_task"
RANK = 3  # common causes of the tasks' likeness
STEPS = 120  # Adam steps of the fit
MOST_ROWS, FEWEST_ROWS = 600, 4  # measurements of all tasks together, and of each: one factorization holds them all
MOST_TWINS = 32  # tasks that the campaign may be like in particular
DEGREES = (0.0, 0.3, 0.6, 0.85, 0.97)  # correlation of the campaign with what it is like
DEGREE_SD, USUAL_DEGREE = 0.3, 0.6  # spread of the prior over degrees; its center where there is one task only
NOISES = ((1.0, 0.7), (2.0, 0.3))  # factor and prior weight
DOUBT = 0.3  # standard deviation of each feature's slope, as a share of the slopes' size


@dataclass(frozen=True)
class Coregionalized:
    """What the fit gives, standardized units.

    Attributes:
        covariance: Between tasks, positive. Shape `t x t`.
        features: `u_s` of every task.
        lengthscale: Per block. Shape `n_blocks`.
        noise: Standard deviation.
        offset: Mean of all tasks.
        offset_sd: By how much a task's level differs.
    """

    covariance: Tensor
    features: SourceFeatures
    lengthscale: Tensor
    noise: Tensor
    offset: Tensor
    offset_sd: Tensor

    @property
    def correlation(self) -> Tensor:
        """How alike the tasks are, 0 to 1. Shape `t x t`."""
        sd = torch.diagonal(self.covariance).sqrt()
        return self.covariance / (sd[:, None] * sd)


def coregionalize(batch: TaskBatch, geometry: Geometry, on_step: Progress | None = None) -> Coregionalized:
    """Fit kernel and task covariance to all measured values together.

    Args:
        batch: Tasks with standardized outcomes, few rows of each.
        geometry: Blocks of their space.
        on_step: Called with (step, steps).
    """
    t, new = batch.n_tasks, batch.X
    task = torch.arange(t, device=new.device)[:, None].expand(batch.measured.shape)[batch.measured]
    X, y = batch.X[batch.measured], batch.Y[..., 0][batch.measured]
    location = lengthscale_location(geometry.n_blocks)
    start = {
        "common": new.new_full((t, min(t, RANK)), -0.5) + 0.3 * torch.eye(t, min(t, RANK)).to(new),
        "log_own": new.new_full((t,), math.log(0.3)),
        "log_lengthscale": new.new_full((geometry.n_blocks,), location),
        "log_noise": new.new_tensor(math.log(0.2)),
        "offset": y.mean(),
        "log_offset_sd": new.new_tensor(math.log(0.5)),
    }

    def loss(p: Mapping[str, Tensor]) -> Tensor:
        K = joint_covariance(task_covariance(p), _kernel(p, X, geometry), task, p)
        factor = torch.linalg.cholesky(K)
        z = torch.linalg.solve_triangular(factor, (y - p["offset"])[:, None], upper=False)
        prior = ((p["log_lengthscale"] - location) / LENGTHSCALE_SD).square().sum()
        prior = prior + torch.diagonal(task_covariance(p)).log().square().sum()
        prior = prior + (p["log_noise"] - math.log(0.15)).square() + (p["log_offset_sd"] - math.log(0.5)).square()
        return 0.5 * z.square().sum() + torch.diagonal(factor).log().sum() + 0.5 * prior

    found = minimize(loss, start, steps=STEPS, on_step=on_step)
    K = joint_covariance(task_covariance(found), _kernel(found, X, geometry), task, found)
    dual = new.new_zeros(batch.measured.shape)
    dual[batch.measured] = torch.cholesky_solve((y - found["offset"])[:, None], torch.linalg.cholesky(K))[:, 0]
    inverse = geometry.inverse_lengthscales(found["log_lengthscale"].exp()).expand(t, -1)
    features = SourceFeatures(batch.X, dual, inverse, new.new_zeros(t))
    scalars = {name: found[f"log_{name}"].exp() for name in ("lengthscale", "noise", "offset_sd")}
    return Coregionalized(task_covariance(found), features, offset=found["offset"], **scalars)


def task_covariance(p: Mapping[str, Tensor]) -> Tensor:
    """Return `B`: positive common causes and what each task has of its own. Shape `t x t`."""
    common = torch.nn.functional.softplus(p["common"])
    return common @ common.T + torch.diag(p["log_own"].exp().square())


def joint_covariance(between: Tensor, K: Tensor, task: Tensor, p: Mapping[str, Tensor]) -> Tensor:
    """Covariance of the noisy outcomes of all rows.

    Args:
        between: `B`. Shape `t x t`.
        K: Kernel of the configurations. Shape `N x N`.
        task: Task of each row. Shape `N`.
        p: Scalars `log_noise` and `log_offset_sd`.

    Returns:
        Shape `N x N`.
    """
    same = (task[:, None] == task).to(K.dtype)
    noise = p["log_noise"].exp().square() + 1e-6
    identity = torch.eye(len(K), dtype=K.dtype, device=K.device)
    return between[task][:, task] * K + p["log_offset_sd"].exp().square() * same + noise * identity


def _kernel(p: Mapping[str, Tensor], X: Tensor, geometry: Geometry) -> Tensor:
    Z = X * geometry.inverse_lengthscales(p["log_lengthscale"].exp())
    return matern52(squared_distance(Z, Z))


def related_members(found: Coregionalized, geometry: Geometry, lengthscale: Tensor) -> Members:
    """Spread what the campaign may be like, and how much, into a bank.

    Args:
        found: The fit.
        geometry: Blocks of the campaign's own space.
        lengthscale: Of these blocks. Shape `n_blocks`.
    """
    B, new = found.covariance, found.covariance
    t = len(B)
    typical = torch.diagonal(B).mean().sqrt()
    weights = [new.new_full((1, t), 1 / t)]
    if t > 1:
        closest = B.sum(1).argsort(descending=True, stable=True)[:MOST_TWINS]
        weights.append(torch.eye(t, dtype=new.dtype, device=new.device)[closest])
    likeness = torch.cat(weights)  # w x t
    share = new.new_full((len(likeness),), 0.5 / max(1, len(likeness) - 1))
    share[0] = 0.5 if t > 1 else 1.0
    slope = (likeness @ B) * (typical / ((likeness @ B) * likeness).sum(1).sqrt())[:, None]
    degrees, noises = new.new_tensor(DEGREES), new.new_tensor(NOISES)
    belief = torch.softmax(-0.5 * ((degrees - _usual_degree(found)) / DEGREE_SD).square(), dim=0)
    w, r, v = torch.meshgrid(*(torch.arange(n) for n in (len(likeness), len(degrees), len(noises))), indexing="ij")
    w, r, v = w.flatten(), r.flatten(), v.flatten()
    slopes = degrees[r, None] * slope[w]
    size = slopes.square().mean(1, keepdim=True).sqrt()
    ones = new.new_ones(len(w))
    return plain_members(
        geometry,
        lengthscale.expand(len(w), -1),
        n_features=t,
        signal=typical * (1 - degrees[r].square()).sqrt(),
        noise=(found.noise * noises[v, 0]).clamp_min(0.01),
        offset=ones * found.offset,
        offset_sd=ones * found.offset_sd,
        slope=slopes,
        slope_sd=DOUBT * size.expand(-1, t),
        log_prior=(share[w] * belief[r] * noises[v, 1]).log(),
    )


def _usual_degree(found: Coregionalized) -> Tensor:
    """Return how alike a task and the mean of the others are, on average over tasks."""
    B, t = found.covariance, len(found.covariance)
    if t == 1:
        return B.new_tensor(USUAL_DEGREE)
    others = (1 - torch.eye(t, dtype=B.dtype, device=B.device)) / (t - 1)
    of_mean = ((others @ B) * others).sum(1)
    return ((others @ B).diagonal() / (of_mean * B.diagonal()).sqrt()).mean()


@dataclass(frozen=True)
class MultiTask(MetaGP):
    """MetaGP whose features are the parts of a multi-task process; it learns from values, not bounds."""

    family: ClassVar[str] = NAME

    @property
    def task_correlation(self) -> Tensor:
        """How alike the earlier tasks are, in the order of the checkpoint's sources. Shape `t x t`."""
        return self.trust["task_correlation"]

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Meta-train on a history, always from the beginning.

        Raises:
            ConfigurationError: If the distribution is no history, or the space has molecules.
        """
        refuse_molecules(NAME, setting)
        return super().meta_train(require_history(NAME, distribution), setting)

    @classmethod
    def _from_history(cls, tasks: Sequence[Task], setting: Setting, start_from: Checkpoint | None) -> MultiTask:
        told = history_inputs(tasks, setting)
        n_rows = max(FEWEST_ROWS, MOST_ROWS // len(tasks))
        some = subsample(told.batch, n_rows, torch_generator(setting.seed, NAME))
        found = coregionalize(some, told.geometry, setting.on_step)
        return cls(
            members=related_members(found, told.blocks, told.own_lengthscales(found.lengthscale)),
            features=replace(found.features, lift=told.lift),
            components=told.blocks.components,
            scale=told.scale,
            device=torch.device(setting.device),
            trust={"task_correlation": found.correlation},
        )
