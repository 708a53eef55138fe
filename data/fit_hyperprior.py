"""Fit what the no-transfer bank believes of hyperparameters: `python -m data.fit_hyperprior --out FILE.json`.

Empirical Bayes on measured tasks of the development families: a wide design of members is told random supports of 5 to
40 measurements in the campaign's own scale; then a Gaussian over six coordinates (total signal, noise, shared
lengthscale, share of main effects, offset, spread of lengthscales) reweights the design so that it foresees these
supports best, kept near the design by its divergence from it. Families weigh the same. Scores are of families left out
in turn. Needs `DISCOVERY_DATASETS`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from discovery import seeds
from discovery.evaluation.bench.families import BenchTask, load_families
from discovery.meta.features import SourceFeatures
from discovery.meta.fitting import lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.hyperprior import COORDINATES, Hyperprior
from discovery.meta.learner import Support
from discovery.meta.members import Members, plain_members
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import outcome_scale
from discovery.settings import start_torch
from discovery.space import SearchSpace
from discovery.space.measured import MeasuredPool

PRESENT = torch.tensor([math.log(0.9), math.log(0.15), 0.0, 0.0, 0.0, math.log(0.6)], dtype=torch.float64)
PRESENT_SD = torch.tensor([0.55, 0.9, 0.5, 1.0, 0.4, 0.2], dtype=torch.float64)
WIDE_SD = torch.tensor([0.8, 1.3, 0.9, 1.2, 0.7, 0.4], dtype=torch.float64)
N_WIDE, MOST_SHARED, MOST_BLOCKS, MOST_TASKS = 1024, 0.9, 30, 16
STEPS, RATE, DIVERGENCE, FAMILY_WEIGHT = 250, 0.05, 10.0, 10.0  # of the fit; a family counts as ten supports


def _log_normal(z: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    return torch.distributions.Normal(mean, sd).log_prob(z).sum(1)


def log_weights(z: Tensor, hyperprior: Hyperprior) -> Tensor:
    """Log weights of the design's members under a hyperprior; normalized. Shape `h x 6` to `h`."""
    ratio = _log_normal(z, hyperprior.mean, hyperprior.sd) - _log_normal(z, PRESENT, WIDE_SD)
    return torch.log_softmax(ratio, 0)


def design(n: int, width: int) -> Tensor:
    """Return quasi-random standard normals. Shape `n x width`."""
    uniform = torch.quasirandom.SobolEngine(width, scramble=True, seed=21).draw(n, dtype=torch.float64)
    return math.sqrt(2) * torch.erfinv(2 * uniform.clamp(1e-4, 1 - 1e-4) - 1)


def members_at(geometry: Geometry, z: Tensor, normal: Tensor) -> Members:
    """Make members at coordinates `z` (`h x 6`); `normal` (`h x (p + c)`) spreads lengthscales and main effects."""
    p, c = geometry.n_blocks, geometry.components.n_components
    total, noise, length, share, offset, spread = z.unbind(1)
    log_lengthscale = lengthscale_location(p) + length[:, None] + spread.exp()[:, None] * normal[:, :p]
    part = MOST_SHARED * torch.special.ndtr(share) if c else torch.zeros_like(total)
    split = torch.softmax(0.8 * normal[:, p : p + c], dim=1)
    return plain_members(
        geometry,
        log_lengthscale.exp(),
        component_sd=total.exp()[:, None] * (part[:, None] * split).sqrt(),
        signal=total.exp() * (1 - part).sqrt(),
        noise=noise.exp().clamp(0.01, 2.0),
        offset_sd=offset.exp(),
    )


@torch.no_grad()
def evidence(task: BenchTask, z: Tensor, seed: int, n_supports: int) -> Tensor:
    """Log evidence per measurement scored of random supports under every member. Shape `n_supports x h`."""
    space = SearchSpace.from_spec(task.spec)
    pool = MeasuredPool.from_spec(task.spec, space)
    y = pool.outcomes[task.spec.objective.name]
    geometry = Geometry.of(space)
    if geometry.n_blocks > MOST_BLOCKS:
        return torch.zeros(0, len(z), dtype=torch.float64)
    normal = design(len(z), 6 + geometry.n_blocks + geometry.components.n_components)[:, 6:]
    scale = outcome_scale(task.spec.outcome(task.spec.objective.name).range, [])
    features = SourceFeatures.empty(space.n_dims, "cpu")
    learner = MetaGP(members_at(geometry, z, normal), features, geometry.components, scale, torch.device("cpu"))
    found = []
    for i in range(n_supports):
        rng = seeds.rng(seed, task.family, task.name, i)
        n = int(rng.integers(5, min(40, len(y) - 5) + 1))
        rows = rng.permutation(len(y))[:n]
        adapted = learner.adapt(Support.of(pool.X[rows], y[rows], None, "cpu"))
        by_reading = (adapted.log_prior + adapted.log_evidence).view(-1, len(z))
        found.append(torch.logsumexp(by_reading, 0) - torch.logsumexp(adapted.log_prior.view(-1, len(z)), 0))
    return torch.stack(found)


def fit(log_evidence: Tensor, weight: Tensor, z: Tensor) -> Hyperprior:
    """Fit by gradient; the Gaussian stays narrower than the design, so that weights are finite.

    Args:
        log_evidence: Log evidence of supports under the design's members. Shape `t x h`.
        weight: Weight of every support; families sum to the same. Shape `t`.
        z: Coordinates of the members. Shape `h x 6`.
    """
    shift = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    narrow = torch.full((6,), 2.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([shift, narrow], RATE)
    for _ in range(STEPS):
        share = torch.sigmoid(narrow)
        found = Hyperprior(PRESENT + WIDE_SD * shift, WIDE_SD * share)
        divergence = 0.5 * (share.square() + shift.square() - 1 - 2 * share.log()).sum()
        loss = DIVERGENCE * divergence - (weight * score(log_evidence, z, found)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Hyperprior(found.mean.detach(), found.sd.detach())


def score(log_evidence: Tensor, z: Tensor, hyperprior: Hyperprior) -> Tensor:
    """Log evidence of supports under a hyperprior. Shape `t`."""
    return torch.logsumexp(log_weights(z, hyperprior) + log_evidence, 1)


def fit_families(tables: Sequence[Tensor], z: Tensor) -> Hyperprior:
    """Fit to the supports of some families, each weighing the same."""
    weight = torch.cat([table.new_full((len(table),), FAMILY_WEIGHT / len(table)) for table in tables])
    return fit(torch.cat(list(tables)), weight, z)


def main() -> None:
    """Fit, score families left out, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supports", type=int, default=2, help="random supports per task")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    start_torch("cpu")
    z = PRESENT + WIDE_SD * design(N_WIDE, 6)
    tables: dict[str, Tensor] = {}
    for family in load_families(split="development"):
        found = torch.cat([evidence(task, z, 0, given.supports) for task in family.tasks[:MOST_TASKS]])
        if len(found):
            tables[family.name] = found
    present, gains = Hyperprior(PRESENT, PRESENT_SD), {}
    for name, table in tables.items():
        left_out = fit_families([other for key, other in tables.items() if key != name], z)
        gains[name] = float((score(table, z, left_out) - score(table, z, present)).mean())
        print(f"{name}: {gains[name]:+.2f} nats per support", flush=True)
    print(f"left out, mean over families: {np.mean(list(gains.values())):+.3f}")
    whole = fit_families(list(tables.values()), z)
    described = {name: [float(m), float(sd)] for name, m, sd in zip(COORDINATES, whole.mean, whole.sd, strict=True)}
    print(json.dumps(described, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps({"mean_and_sd": described, "left_out_gain": gains}, indent=1) + "\n")


if __name__ == "__main__":
    main()
