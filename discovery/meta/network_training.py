"""The outer loop of every family that trains a network: all tasks and all networks of a step at once.

With a history there is a network for each fold of its tasks, so that every task is judged by one that never saw it:
when to stop, and every scalar of the head, is decided on such pairs. Simulated tasks are always new, so one network is
enough. Next in the tour: `discovery.meta.network_learner`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from discovery.meta import head
from discovery.meta.episodes import Episodes, Supply
from discovery.meta.geometry import Geometry
from discovery.meta.network_family import Context, NetworkFamily, Parameters
from discovery.meta.network_heads import fit_head, read_all, tell_all, unseen_pairs

N_FOLDS = 4
CHECK_EVERY, PATIENCE = 25, 6  # steps between checks; checks without progress after which training ends
CLIP = 1.0
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a family is trained.

    Attributes:
        steps: Steps at most.
        learning_rate: Of Adam, at the start of a cosine schedule.
        weight_decay: Shrinks weights towards zero: the prior over networks.
    """

    steps: int = 400
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class Schooling:
    """One training.

    Attributes:
        recipe: How long and how fast.
        start_from: Weights to go on from, leading dimension `f`; those drawn at random where they do not fit.
        device: Where to train.
        on_step: Called with (step, steps).
    """

    recipe: Recipe
    start_from: Parameters | None = None
    device: torch.device | str = "cpu"
    on_step: Progress | None = None


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Attributes:
        parameters: Weights of `f` networks, stacked. Leading dimension `f`.
        scalars: Scalars of their heads, logarithms. Leading dimension `f`.
        held_out: Mean negative log density on tasks that a network never saw, standardized units, by check.
        scores: What tells how well held-out tasks were predicted, by name.
    """

    parameters: Parameters
    scalars: dict[str, Tensor]
    held_out: tuple[float, ...]
    scores: Mapping[str, float]


def train(
    family: NetworkFamily, supply: Supply, geometry: Geometry, generator: torch.Generator, schooling: Schooling
) -> Trained:
    """Meta-train a family, then fit the head's scalars on tasks that were held out.

    Args:
        family: The algorithm.
        supply: Where episodes come from.
        geometry: Blocks of the space that the episodes live on.
        generator: Source of all randomness, on the CPU; the same state gives the same networks.
        schooling: How long, how fast, from where and where.
    """
    recipe, device = schooling.recipe, torch.device(schooling.device)
    is_seen = folds(family, supply, generator).to(device)  # f x sources
    weights = _weights(family, supply, generator, schooling, len(is_seen))
    scalars = {name: value.requires_grad_(True) for name, value in head.start(geometry, len(is_seen), device).items()}
    groups = [
        {"params": list(weights.values()), "weight_decay": recipe.weight_decay, "lr": recipe.learning_rate},
        {"params": list(scalars.values()), "weight_decay": 0.0, "lr": 0.02},
    ]
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, recipe.steps))
    check = supply.check(generator)
    best, kept, history = math.inf, weights, list[float]()
    for step in range(recipe.steps + 1):
        if step % CHECK_EVERY == 0 or step == recipe.steps:
            history.append(_held_out(family, weights, scalars, check, geometry, is_seen))
            if history[-1] < best:
                best, kept = history[-1], {name: value.detach().clone() for name, value in weights.items()}
            if step == recipe.steps or len(history) - 1 - history.index(best) >= PATIENCE:
                break
        some = supply.draw(generator)
        optimizer.zero_grad()
        losses = _losses(family, weights, scalars, some, geometry)  # f x t
        seen = is_seen[:, some.tasks].to(losses.dtype)
        per_network = (losses * seen).sum(1) / seen.sum(1).clamp_min(1)
        (per_network.sum() + head.penalty(scalars, geometry).sum() / max(16, supply.n_sources)).backward()
        _direct(family, weights)
        _clip([*weights.values(), *scalars.values()])
        optimizer.step()
        schedule.step()
        if schooling.on_step is not None:
            schooling.on_step(step + 1, recipe.steps)
    kept = {name: value.detach() for name, value in kept.items()}
    with torch.no_grad():
        kept = family.written(kept, supply, is_seen, generator)
    fitted, scores = fit_head(family, kept, supply, geometry, is_seen, generator)
    return Trained(kept, fitted, tuple(history), scores)


def _weights(
    family: NetworkFamily, supply: Supply, generator: torch.Generator, schooling: Schooling, n_networks: int
) -> Parameters:
    """Draw the weights of all networks, or take those to go on from. Leading dimension `f`."""
    width = _width(supply, generator)
    drawn = [family.initial(width, generator) for _ in range(n_networks)]
    weights = {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}
    before = schooling.start_from
    if before is not None and {n: v.shape for n, v in before.items()} == {n: v.shape for n, v in weights.items()}:
        weights = before
    return {name: value.detach().clone().to(schooling.device).requires_grad_(True) for name, value in weights.items()}


def folds(family: NetworkFamily, supply: Supply, generator: torch.Generator) -> Tensor:
    """Say which network may learn from which task. Shape `f x sources`, bool; one source that all see if simulated."""
    t = supply.n_sources
    if not t:
        return torch.ones(family.n_particles, 1, dtype=torch.bool)
    n = min(N_FOLDS, t)
    fold = torch.empty(t, dtype=torch.long)
    fold[torch.randperm(t, generator=generator)] = torch.arange(t) % n
    return fold[None, :] != torch.arange(n).repeat_interleave(family.n_particles)[:, None]


def _width(supply: Supply, generator: torch.Generator) -> int:
    probe = torch.Generator().manual_seed(generator.initial_seed())
    return int(supply.check(probe).X.shape[-1])


def _losses(
    family: NetworkFamily, weights: Parameters, scalars: head.Scalars, some: Episodes, geometry: Geometry
) -> Tensor:
    """Loss of every network on every task. Shape `f x t`."""
    mask, asked = some.is_support.float(), some.is_query.float()
    state = read_all(family, weights, some.X, some.z, mask)
    mean, features = tell_all(family, weights, state, some.X)
    extra = vmap(vmap(family.extra_loss, in_dims=(None, 0, 0, 0, 0, 0)), in_dims=(0, 0, None, None, None, None))
    X, z = some.X.float(), some.z.float()
    added = extra(weights, state, Context(X, z * mask, mask), X, z, asked)
    if not (weight := family.head_weight()):
        return added.double()
    K = head.covariance(scalars, some.X, mean, features, geometry)
    return weight * head.nlpd(scalars, K, mean, some.z, some.is_support, some.is_query)[0] + added


def _held_out(
    family: NetworkFamily,
    weights: Parameters,
    scalars: head.Scalars,
    check: Episodes,
    geometry: Geometry,
    is_seen: Tensor,
) -> float:
    """Mean loss on tasks that a network never saw; on all where it saw all of them."""
    with torch.no_grad():
        state = read_all(family, weights, check.X, check.z, check.is_support.float())
        mean, features = tell_all(family, weights, state, check.X)
        K = head.covariance(scalars, check.X, mean, features, geometry)
        loss = head.nlpd(scalars, K, mean, check.z, check.is_support, check.is_query)[0]
    counted = unseen_pairs(is_seen)[:, check.tasks].to(loss.dtype)
    return float((loss * counted).sum() / counted.sum())


def _direct(family: NetworkFamily, weights: Parameters) -> None:
    """Let the family turn the gradients."""
    gradients = {n: torch.zeros_like(v) if v.grad is None else v.grad for n, v in weights.items()}
    values = {name: value.detach() for name, value in weights.items()}
    for name, direction in family.directions(values, gradients).items():
        weights[name].grad = direction


def _clip(values: list[Tensor]) -> None:
    """Scale every network's gradient to a norm of `CLIP` at most; networks know nothing of each other."""
    gradients = [value.grad for value in values if value.grad is not None]
    norm = torch.stack(
        [gradient.reshape(len(gradient), -1).norm(dim=1).double() for gradient in gradients if gradient.numel()]
    )
    norm = norm.norm(dim=0) / CLIP
    for gradient in gradients:
        if gradient.numel():
            gradient[~norm.isfinite()] = 0.0  # its steps led to nowhere: the network sits this one out
            gradient.div_(
                norm.nan_to_num(1.0, 1.0).clamp_min(1.0).to(gradient.dtype).reshape(-1, *[1] * (gradient.ndim - 1))
            )
