"""Is the next batch worth it, where more than one outcome high or low is wanted? Its expected gain in the goal's unit.

A distance and an outcome gain in raw units, hits in hits, a desirability in parts of one, a front the share of the
hypervolume that the batch adds, of what there is with it. Looks one batch ahead, as `discovery.evaluation.gain` does.
Next in the tour: `discovery.session.stopping`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from discovery import seeds
from discovery.acquisition.gaussians import Mixture, latent
from discovery.acquisition.limits import log_success
from discovery.acquisition.mixture import outcome_unit
from discovery.aimed_cycle import aim_of
from discovery.evaluation.aimed_progress import Outcomes, measure_of_goal, raw_of, scored
from discovery.evaluation.aimed_worlds import values_at
from discovery.standing import hypervolume, is_allowed, reference_point, scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from discovery.acquisition.aims import Aim
    from discovery.belief.belief import Belief
    from discovery.belief.beliefs import Beliefs
    from discovery.campaign import CampaignSpec

N_SAMPLES = 1024  # quasi-random draws of a batch's outcomes
N_FRONTS = 128  # of them for a front, whose volumes are computed one by one
JITTER = 1e-9  # of the mean variance


@torch.no_grad()
def aimed_gain(
    spec: CampaignSpec,
    beliefs: Beliefs,
    measured: Outcomes,
    X: Tensor,
    *,
    X_running: Tensor | None = None,
    seed: int = 0,
) -> float | None:
    """Return how much a batch is expected to improve on what is measured, beyond what runs already.

    Exact for one configuration (of a desirability by samples) and for hits. Of several the exact gains are added up,
    and taken times the share of the sum that all bring together, which is drawn: gains are rare events, and their
    share is not. Only what keeps to the outcome constraints and succeeds counts.

    Args:
        spec: The campaign.
        beliefs: The belief in every outcome.
        measured: Outcomes of the experiments made, raw units, NaN where one is not measured. Shape `n` each.
        X: The batch. Shape `q x d`.
        X_running: Configurations under way. Shape `p x d`.
        seed: Seed of the draws.

    Returns:
        The gain of the whole batch, at least 0; None before anything counts that could be improved on.
    """
    measure, is_known = measure_of_goal(spec), ~np.isnan(scored(spec, measured))
    if measure == "share":
        is_known = is_allowed(spec, measured) & ~np.isnan(scores(spec, measured)).any(1)
    if not is_known.any():
        return None
    seen = {name: np.asarray(measured[name], float)[is_known] for name in spec.believed}
    if measure == "distance" and scored(spec, seen).max() >= 0:
        return 0.0
    aim, volume = aim_of(spec), 0.0
    if measure == "share":
        values = scores(spec, seen)
        reference = reference_point(spec, values)
        volume = hypervolume(values, reference)
        raw = [raw_of(objective, low) for objective, low in zip(spec.objectives, reference, strict=True)]
        wants = tuple(replace(want, reference=at) for want, at in zip(aim.wants, raw, strict=True))
        aim = replace(aim, wants=wants)
    gain = float(_single(aim, beliefs, seen, X, seed).sum())
    if measure != "hits" and (len(X) > 1 or (X_running is not None and len(X_running))):
        gain *= _together(spec, beliefs, seen, X, X_running, seed)
    if measure != "share":
        return gain
    return gain / (volume + gain) if volume + gain > 0 else None


def _together(
    spec: CampaignSpec, beliefs: Beliefs, seen: Outcomes, X: Tensor, X_running: Tensor | None, seed: int
) -> float:
    """Return what a batch gains together beyond what runs, of what its configurations gain apart, by draws."""
    points = X if X_running is None else torch.cat([X_running, X])
    drawn = {name: _draw(belief, points, name, seed) for name, belief in beliefs.of.items()}
    if beliefs.feasible is not None:
        drawn = _without_failures(drawn, beliefs.feasible, points, seed)
    gained = _grown if measure_of_goal(spec) == "share" else _improved
    together, apart = gained(spec, seen, drawn, len(points) - len(X))
    total = float(apart.sum())
    return min(float(together.sum()) / total, 1.0) if total > 0 else 1.0


def _single(aim: Aim, beliefs: Beliefs, seen: Outcomes, X: Tensor, seed: int) -> Tensor:
    """Return the expected gain of each configuration by itself. Shape `q`."""
    units = {name: outcome_unit(beliefs.of[name].kept) for name in aim.outcomes}
    at = {name: _lifted(latent(beliefs.of[name].kept, X)) for name in aim.outcomes}
    known = {name: torch.as_tensor(seen[name], dtype=X.dtype, device=X.device)[None] for name in aim.outcomes}
    total = values_at(aim, units, at, known, seed)[0]
    if beliefs.feasible is not None:
        total = total + log_success(latent(beliefs.feasible.kept, X))
    return total.exp()


def _lifted(at: Mixture) -> Mixture:
    return Mixture(at.mean[None], at.sd[None], at.log_weight[None, None])


def _draw(belief: Belief, points: Tensor, name: str, seed: int) -> np.ndarray:
    """Draw outcomes of all points together, members in proportion to their weights. Shape `s x q`, raw units."""
    posteriors = [part.bank.posterior(points) for part in belief.kept]
    mean = torch.cat([one.mean[..., 0] for one in posteriors])
    covariance = torch.cat([one.distribution.covariance_matrix for one in posteriors])
    weight = torch.cat([part.log_weight for part in belief.kept]).exp()
    generator = seeds.torch_generator(seed, "gain", name)
    level = (torch.randperm(N_SAMPLES, generator=generator) + 0.5) / N_SAMPLES
    cumulative = (weight.cumsum(0) / weight.sum()).cpu()
    member = torch.searchsorted(cumulative, level.to(cumulative)).clamp_max(len(weight) - 1).to(mean.device)
    q = mean.shape[-1]
    scale = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    factor = torch.linalg.cholesky(covariance + JITTER * scale * torch.eye(q, dtype=mean.dtype, device=mean.device))
    sobol = torch.quasirandom.SobolEngine(q, scramble=True, seed=seeds.derive(seed, "gain", name) % 2**31)
    z = torch.special.ndtri(sobol.draw(N_SAMPLES, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)).to(mean)
    return np.asarray((mean[member] + (factor[member] @ z[..., None])[..., 0]).cpu().numpy())


def _without_failures(
    drawn: Mapping[str, np.ndarray], feasible: Belief, points: Tensor, seed: int
) -> dict[str, np.ndarray]:
    """Take out the outcomes of experiments that fail for good, by how probable that is."""
    chance = log_success(latent(feasible.kept, points)).exp().cpu().numpy()
    shape = next(iter(drawn.values())).shape
    fails = seeds.rng(seed, "gain", "failures").uniform(size=shape) > chance
    return {name: np.where(fails, np.nan, y) for name, y in drawn.items()}


def _improved(spec: CampaignSpec, seen: Outcomes, drawn: Outcomes, n_running: int) -> tuple[np.ndarray, np.ndarray]:
    """Return improvements on the best: of the batch beyond what runs, and of each configuration. `s`, `s x q`."""
    best = float(np.nanmax(scored(spec, seen)))
    gained = np.maximum(np.nan_to_num(scored(spec, drawn), nan=best) - best, 0.0)  # s x (p + q)
    before = gained[:, :n_running].max(1, initial=0.0)
    return gained.max(1) - before, gained[:, n_running:]


def _grown(spec: CampaignSpec, seen: Outcomes, drawn: Outcomes, n_running: int) -> tuple[np.ndarray, np.ndarray]:
    """Return growths of the hypervolume: by the batch beyond what runs, and by each configuration. `s`, `s x q`."""
    base = scores(spec, seen)
    reference = reference_point(spec, base)
    n = next(iter(drawn.values())).shape[1]
    flat = {name: y[:N_FRONTS].ravel() for name, y in drawn.items()}
    values = np.where(is_allowed(spec, flat)[:, None], scores(spec, flat), np.nan)
    values = np.where(np.isnan(values), -np.inf, values).reshape(-1, n, base.shape[1])
    whole = hypervolume(base, reference)

    def grown(points: np.ndarray) -> float:
        return hypervolume(np.vstack([base, points]), reference) - whole

    together = [grown(sample) - grown(sample[:n_running]) for sample in values]
    apart = [[grown(point[None]) for point in sample[n_running:]] for sample in values]
    return np.array(together), np.array(apart)
