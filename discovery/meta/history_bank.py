"""The members of the history hypothesis: earlier tasks' posterior means as features, with cross-fitted trust.

No pseudo-target ever sees its own outcome among its features, and a residual GP stays in every member.
Source: bank of transfer strengths over stacked source posteriors; departures from the usual stacking: nothing is
fitted to the campaign, members differ in how far they trust what was cross-fitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.meta.design import normal_quantiles, uniform_design
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import (
    LENGTHSCALE_SD,
    MAX_FIT_POINTS,
    fit_tasks,
    lengthscale_location,
    masked_log_likelihood,
    minimize,
    source_features,
    subsample,
)
from discovery.meta.geometry import Geometry, OwnBlocks
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.members import Members, plain_members
from discovery.tasks.task import TaskBatch

TRUST_STEPS = 120  # Adam steps of the cross-fit
MAX_SOURCE_POINTS = 1024  # a source's posterior mean uses at most so many of its measurements

Progress = Callable[[int, int], None]

N_MEMBERS = 64  # of the bank; the first is as cross-fitted
DESIGN_SEED = 21
WIDEST = 1000  # dimensions of the design at most
# How a campaign may differ from what cross-fitting found: factors on each quantity, log-normal with these (mean, sd),
# but for the slope, whose factor is normal: a campaign may trust its history fully, by half, or not at all.
SLOPE, SLOPE_MOST = (1.0, 0.45), 1.5
SLOPE_SD, SIGNAL, NOISE, LENGTHSCALE = (0.0, 0.7), (0.2, 0.9), (0.0, 1.0), (0.0, 0.7)
EFFECTS, EFFECT_SD, BLOCK_SD = (0.2, 0.9), 0.4, 0.5  # main effects together; each effect, each lengthscale by itself
DOUBT = 1.5  # a member that trusts the mean less leaves its features so much more freedom
DEFAULT_TRUST = {"slope": 0.7, "slope_sd": 0.5, "offset_sd": 0.5, "signal": 0.6, "noise": 0.2}  # with one source only


def prepare_sources(batch: TaskBatch, geometry: Geometry, generator: torch.Generator) -> SourceFeatures:
    """Fit each source task's own GP on some of its points and condition it on all (up to a limit)."""
    fitted = fit_tasks(subsample(batch, MAX_FIT_POINTS, generator), geometry)
    return source_features(subsample(batch, MAX_SOURCE_POINTS, generator), fitted, geometry)


def _trust_covariance(
    p: Mapping[str, Tensor], X: Tensor, F: Tensor, own: Tensor, shared: Tensor, geometry: Geometry
) -> Tensor:
    """Covariance of pseudo-targets given the other sources' features. Shape `t x n x n`."""
    Z = X * geometry.inverse_lengthscales(p["log_lengthscale"].exp())
    n_others = F.shape[-1] - 1
    K = p["log_signal"].exp().square() * matern52(squared_distance(Z, Z)) + p["log_offset_sd"].exp().square()
    others = F * own[:, None, :]  # t x n x j, the task's own column is zero
    K = K + p["log_slope_sd"].exp().square() / n_others * others @ others.transpose(-1, -2)
    if len(shared):
        K = K + torch.einsum("c,ctnm->tnm", p["log_component_sd"].exp().square(), shared)
    noise = p["log_noise"].exp().square() + 1e-6
    return K + noise * torch.eye(K.shape[-1], dtype=K.dtype, device=K.device)


def fit_trust(
    batch: TaskBatch,
    features: SourceFeatures,
    geometry: Geometry,
    *,
    start_from: Mapping[str, Tensor] | None = None,
    on_step: Progress | None = None,
) -> dict[str, Tensor]:
    """Fit the trust in history by leaving one source out: no pseudo-target ever sees its own outcome as a feature.

    Pseudo-targets are measured values; what their bounds say is in their features alone.

    Args:
        batch: The source tasks, standardized, subsampled. At least two tasks.
        features: Posterior means of the same sources in the same order.
        geometry: The space's blocks.
        start_from: Trust found earlier; the fit goes on from it with half the steps.
        on_step: Called with (step, steps).

    Returns:
        `slope`, `slope_sd`, `offset`, `offset_sd`, `signal`, `noise` (scalars), `component_sd` (`c`) and `lengthscale`
        (`n_blocks`).
    """
    t = batch.n_tasks
    new = batch.X
    F = features(batch.X)  # t x n x j with j = t
    own = 1 - torch.eye(t, dtype=new.dtype, device=new.device)
    mean_of_others = (F * own[:, None, :]).sum(-1) / (t - 1)
    y = batch.Y[..., 0]
    location = lengthscale_location(geometry.n_blocks)
    shared = geometry.components(batch.X, batch.X)
    start = {
        "slope": new.new_tensor(0.8),
        "offset": new.new_tensor(0.0),
        "log_slope_sd": new.new_tensor(math.log(0.5)),
        "log_offset_sd": new.new_tensor(math.log(0.5)),
        "log_signal": new.new_tensor(math.log(0.5)),
        "log_noise": new.new_tensor(math.log(0.2)),
        "log_component_sd": new.new_full((geometry.components.n_components,), math.log(0.2)),
        "log_lengthscale": new.new_zeros(geometry.n_blocks),
    }
    if start_from is not None:
        start = {name: _resume(start_from, name, value) for name, value in start.items()}

    def loss(p: Mapping[str, Tensor]) -> Tensor:
        K = _trust_covariance(p, batch.X, F, own, shared, geometry)
        residual = y - p["offset"] - p["slope"] * mean_of_others
        prior = -0.5 * ((p["log_lengthscale"] - location) / LENGTHSCALE_SD).square().sum()
        prior = prior - 0.5 * (p["log_offset_sd"] - math.log(0.5)).square() - 0.5 * (p["log_slope_sd"] + 1).square()
        prior = prior - 0.5 * (p["log_signal"] - math.log(0.5)).square()
        prior = prior - 0.5 * (p["log_component_sd"] - math.log(0.2)).square().sum()
        return -masked_log_likelihood(K, residual, batch.measured).sum() - prior

    found = minimize(loss, start, steps=TRUST_STEPS if start_from is None else TRUST_STEPS // 2, on_step=on_step)
    return {name.removeprefix("log_"): v.exp() if name.startswith("log_") else v for name, v in found.items()}


def _resume(trust: Mapping[str, Tensor], name: str, default: Tensor) -> Tensor:
    """Take a fit's starting value from an earlier trust where it has one (positive quantities are fitted in logs)."""
    found = trust.get(name.removeprefix("log_"))
    if found is None or found.shape != default.shape:
        return default
    value = found.to(default)
    return value.clamp_min(1e-6).log() if name.startswith("log_") else value


def history_members(
    trust: Mapping[str, Tensor], n_sources: int, geometry: Geometry, own: OwnBlocks | None = None
) -> Members:
    """Spread the cross-fitted trust into a bank of members, over the campaign's own blocks where given.

    The first member is as cross-fitted; the others stand around it in a quasi-random design, so that evidence can say
    how this campaign differs from what its history did among itself.
    """
    lengthscale = trust["lengthscale"] if own is None else own.lengthscales(trust["lengthscale"])
    blocks = geometry if own is None else own.geometry
    component_sd = _component_sds(trust, blocks, own)
    n_components = len(component_sd)
    width = min(6 + n_components + blocks.n_blocks, WIDEST)
    normal = normal_quantiles(uniform_design(N_MEMBERS, width, DESIGN_SEED, geometry.column_scale.device))
    normal = torch.nn.functional.pad(normal, (0, 6 + n_components + blocks.n_blocks - width))
    common, each, by_block = normal.split([6, n_components, blocks.n_blocks], dim=1)

    def log_normal(values: Tensor, mean_and_sd: tuple[float, float], own_values: Tensor | float = 0.0) -> Tensor:
        factor = (mean_and_sd[0] + mean_and_sd[1] * values + own_values).exp()
        return torch.cat([torch.ones_like(factor[:1]), factor[1:]])

    slope = (SLOPE[0] + SLOPE[1] * common[:, 0]).clamp(0, SLOPE_MOST)
    slope[0] = 1.0
    slope_sd = log_normal(common[:, 1], SLOPE_SD) * (1 + DOUBT * (1 - slope).clamp_min(0))
    effects = log_normal(common[:, 5:], EFFECTS, EFFECT_SD * each)
    ones = torch.ones_like(slope)
    return plain_members(
        blocks,
        log_normal(common[:, 4:5], LENGTHSCALE, BLOCK_SD * by_block) * lengthscale,
        n_features=n_sources,
        component_sd=effects * component_sd,
        signal=log_normal(common[:, 2], SIGNAL) * trust["signal"],
        noise=(log_normal(common[:, 3], NOISE) * trust["noise"]).clamp_min(0.01),
        offset=ones * trust.get("offset", torch.zeros(())).to(ones),
        offset_sd=ones * trust["offset_sd"],
        slope=(slope * trust["slope"] / n_sources)[:, None].expand(-1, n_sources),
        slope_sd=(slope_sd * trust["slope_sd"] / math.sqrt(n_sources))[:, None].expand(-1, n_sources),
    )


def _component_sds(trust: Mapping[str, Tensor], blocks: Geometry, own: OwnBlocks | None) -> Tensor:
    """Return the main effects' standard deviations on the campaign's own blocks. Shape `c`."""
    found, n = trust.get("component_sd"), blocks.components.n_components
    n_mixing, n_wider = n - blocks.n_blocks, len(trust.get("lengthscale", ()))
    if found is not None and own is not None and len(found) - n_wider == n_mixing >= 0:
        found = torch.cat([found[own.index], found[n_wider:]])
    if found is None or len(found) != n:
        return torch.zeros(n, dtype=torch.float64, device=blocks.column_scale.device)
    return found


def rank_correlations(batch: TaskBatch, features: SourceFeatures) -> Tensor:
    """Say how well the other sources rank each source's configurations, before any of its outcomes is seen.

    Likelihood does not see this: a history of pure noise can have the better density and still mislead the search.
    Bounds stand at their number: all that lies below a limit is tied.

    Args:
        batch: The source tasks, at least two.
        features: Posterior means of the same sources in the same order.

    Returns:
        Spearman correlation of each task's outcomes with the mean of the other sources' posterior means; zero where
        either is constant. Shape `t`.
    """
    own = 1 - torch.eye(batch.n_tasks, dtype=batch.X.dtype, device=batch.X.device)
    return _rank_correlations((features(batch.X) * own[:, None, :]).sum(-1), batch)


def _rank_correlations(predicted: Tensor, batch: TaskBatch) -> Tensor:
    """Spearman correlation of predictions, shape `t x n`, with each task's outcomes. Shape `t`."""
    real = batch.mask.to(batch.X.dtype)
    n = real.sum(1, keepdim=True)

    def centered_ranks(values: Tensor) -> Tensor:
        values = values.masked_fill(~batch.mask, float("inf")).contiguous()
        ordered = values.sort(dim=1).values
        below = torch.searchsorted(ordered, values)
        not_above = torch.searchsorted(ordered, values, right=True)
        return ((below + not_above - 1).to(values.dtype) / 2 - (n - 1) / 2) * real  # equals share their mean rank

    a, b = centered_ranks(predicted), centered_ranks(batch.Y[..., 0])
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt().clamp_min(1e-12)


def ranking_scores(predicted: Tensor, batch: TaskBatch) -> dict[str, float]:
    """Return mean and standard error over tasks of how well predictions, shape `t x n`, rank what was measured."""
    return _mean_and_error(_rank_correlations(predicted, batch))


def _mean_and_error(rho: Tensor) -> dict[str, float]:
    return {"rank_correlation": float(rho.mean()), "rank_correlation_se": float(rho.std() / len(rho) ** 0.5)}


@dataclass(frozen=True)
class FromHistory:
    """What meta-training on history gives.

    Attributes:
        members: Members in standardized units.
        features: The sources' posterior means.
        trust: What cross-fitting found, for a later refinement to start from.
        scores: `rank_correlation` and its standard error over sources; empty with one source.
    """

    members: Members
    features: SourceFeatures
    trust: dict[str, Tensor]
    scores: dict[str, float]


def from_history(
    batch: TaskBatch,
    geometry: Geometry,
    generator: torch.Generator,
    *,
    own: OwnBlocks | None = None,
    start_from: Mapping[str, Tensor] | None = None,
    on_step: Progress | None = None,
) -> FromHistory:
    """Meta-train the history hypothesis.

    Args:
        batch: Source tasks with standardized outcomes.
        geometry: The blocks of the sources' space.
        generator: Source of randomness (subsampling).
        own: The blocks of the campaign's own space where that of the sources is wider.
        start_from: Trust to go on from, with half the steps.
        on_step: Called with (step, steps).
    """
    features = prepare_sources(batch, geometry, generator)
    if batch.n_tasks == 1:  # trust cannot be cross-fitted with one source: stay wide
        trust = {name: batch.X.new_tensor(value) for name, value in DEFAULT_TRUST.items()}
        location = math.exp(lengthscale_location(geometry.n_blocks))
        trust["lengthscale"] = batch.X.new_full((geometry.n_blocks,), location)
        return FromHistory(history_members(trust, 1, geometry, own), features, trust, {})
    scores = _mean_and_error(rank_correlations(batch, features))
    some = subsample(batch, MAX_FIT_POINTS, generator)
    trust = fit_trust(some, features, geometry, start_from=start_from, on_step=on_step)
    return FromHistory(history_members(trust, batch.n_tasks, geometry, own), features, trust, scores)
