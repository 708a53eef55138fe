"""Networks that read and tell, many at once, and the heads on top of them, fitted on tasks that a network never saw.

Next in the tour: `discovery.meta.network_training`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from discovery import metrics
from discovery.meta import head
from discovery.meta.episodes import Episodes, Supply
from discovery.meta.geometry import Geometry
from discovery.meta.network_family import Context, NetworkFamily, Parameters, State, bounded

HEAD_STEPS = 150  # of a fit
N_JUDGED = 8  # draws of support and queries that a fit sees
Z90 = 1.6449  # standard deviations that hold 90 % of a Gaussian


def read_all(family: NetworkFamily, weights: Parameters, X: Tensor, z: Tensor, mask: Tensor) -> State:
    """Read supports of `t` tasks with `f` networks. Shapes `t x s x d`, `t x s`, `t x s` to states `f x t x ...`."""
    context = Context(X.float(), (z * mask).float(), mask.float())
    each = vmap(vmap(family.read, in_dims=(None, 0)), in_dims=(0, None))
    return each(weights, context)


def tell_all(family: NetworkFamily, weights: Parameters, state: State, X: Tensor) -> tuple[Tensor, Tensor]:
    """Predict rows of `t` tasks with `f` networks. Shape `t x n x d` to `f x t x n` and `f x t x n x k`; float64."""
    each = vmap(vmap(family.tell, in_dims=(None, 0, 0)), in_dims=(0, 0, None))
    told = bounded(each(weights, state, X.float()))
    return told.mean.double(), told.features.double()


def unseen_pairs(is_seen: Tensor) -> Tensor:
    """Pairs of network and task that count: those it never saw, or all where every network saw every task."""
    return torch.ones_like(is_seen) if is_seen.all() else ~is_seen


def fit_head(
    family: NetworkFamily,
    weights: Parameters,
    supply: Supply,
    geometry: Geometry,
    is_seen: Tensor,
    generator: torch.Generator,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Fit the scalars of the heads, one set for all networks, on tasks that they never saw.

    Returns:
        Scalars, leading dimension `f`, and scores: `held_out_nlpd`, `held_out_coverage90` and `rank_correlation` with
        its standard error over tasks.
    """
    n_networks = len(is_seen)
    drawn = [supply.check(generator) for _ in range(N_JUDGED)]
    with torch.no_grad():
        told = []
        for one in drawn:
            state = read_all(family, weights, one.X, one.z, one.is_support.float())
            told.append(tell_all(family, weights, state, one.X))
    unseen = unseen_pairs(is_seen)
    start = head.start(geometry, 1, is_seen.device)
    parameters = {name: value.requires_grad_(True) for name, value in start.items()}
    optimizer = torch.optim.Adam(list(parameters.values()), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, HEAD_STEPS)

    def judged(p: head.Scalars, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        one, (mean, features) = drawn[i], told[i]
        every = {name: value.expand(n_networks, *value.shape[1:]) for name, value in p.items()}
        K = head.covariance(every, one.X, mean, features, geometry)
        loss, expected, variance = head.nlpd(every, K, mean, one.z, one.is_support, one.is_query)
        counted = unseen[:, one.tasks].to(loss.dtype)
        return loss, expected, variance, counted

    for step in range(HEAD_STEPS):
        optimizer.zero_grad()
        loss, _, _, counted = judged(parameters, step % N_JUDGED)
        total = (loss * counted).sum() / counted.sum() + head.penalty(parameters, geometry).sum() / (
            8 * drawn[0].n_tasks
        )
        total.backward()
        optimizer.step()
        schedule.step()
    fitted = {name: value.detach().expand(n_networks, *value.shape[1:]).clone() for name, value in parameters.items()}
    with torch.no_grad():
        results = [judged(parameters, i) for i in range(N_JUDGED)]
    return fitted, _scores(results, drawn)


def _scores(results: list[tuple[Tensor, Tensor, Tensor, Tensor]], drawn: list[Episodes]) -> dict[str, float]:
    nlpds, covered, ranks = [], [], list[float]()
    for (loss, expected, variance, counted), one in zip(results, drawn, strict=True):
        nlpds.append((loss * counted).sum() / counted.sum())
        inside = (one.z - expected).square() <= Z90**2 * variance
        pairs = (counted[..., None] > 0) & one.is_query
        covered.append((inside & pairs).sum() / pairs.sum())
        for network, task in torch.nonzero(pairs.any(-1)).tolist():  # a few hundred small rankings, once a training
            rows = pairs[network, task]
            ranks.append(metrics.spearman(one.z[task, rows].cpu().numpy(), expected[network, task, rows].cpu().numpy()))
    n_tasks = int((results[0][3] > 0).any(0).sum())
    return {
        "held_out_nlpd": float(torch.stack(nlpds).mean()),
        "held_out_coverage90": float(torch.stack(covered).mean()),
        "rank_correlation": float(np.mean(ranks)),
        "rank_correlation_se": float(np.std(ranks)) / n_tasks**0.5,
    }
