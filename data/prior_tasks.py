"""Simulated tasks that the shipped prior is trained on: random spaces, random functions on them, random laboratories.

Nothing here knows a data set. A batch is one random space (numbers, grids, categories, descriptors, blends) with one
list of configurations, and many tasks on it, each of one kind: Gaussian-process draws, additive effects with weak
interactions, steps, random networks, peaks, or a simulator of this repository. Outcomes are then bent, floored,
rounded and measured with noise. Next: `data.train_prior`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from discovery.campaign import CampaignSpec
from discovery.meta.in_context_inputs import DESCRIPTORS, NUMERIC, ONE_HOT, Layout
from discovery.space import SearchSpace
from simulators.gp_prior import GPPrior
from simulators.reaction_kinetics import ReactionKinetics

MAX_COLUMNS = 48
ROLES = ("temperature", "time", "loading", "equivalents", "concentration", "dose")


@dataclass(frozen=True)
class Pool:
    """Tasks that share a list of configurations.

    Attributes:
        X: Configurations. Shape `n x d`; unit cube.
        layout: Blocks of the columns.
        Y: Noisy outcomes. Shape `t x n`.
        noise_sd: Typical noise, or NaN where nobody knows. Shape `t`.
        kind: What the tasks are, for the log.
    """

    X: Tensor
    layout: Layout
    Y: Tensor
    noise_sd: Tensor
    kind: str


def random_space(rng: np.random.Generator, n: int) -> tuple[Tensor, Layout]:
    """Draw a space and `n` configurations of it."""
    style = rng.choice(["numbers", "categories", "mixed", "blend"], p=[0.4, 0.2, 0.28, 0.12])
    n_blocks = int(rng.choice(np.arange(1, 13), p=_falling(12)))
    if style == "blend":
        return _blend(rng, max(n_blocks, 3), n)
    columns: list[np.ndarray] = []
    kinds, starts = [], [0]
    for _ in range(n_blocks):
        kind = NUMERIC if style == "numbers" or (style == "mixed" and rng.random() < 0.6) else ONE_HOT
        kind = DESCRIPTORS if kind == ONE_HOT and rng.random() < 0.2 else kind
        block = _block(rng, kind, n)
        if starts[-1] + block.shape[1] > MAX_COLUMNS:
            kind, block = NUMERIC, _block(rng, NUMERIC, n)
        starts.append(starts[-1] + block.shape[1])
        kinds.append(kind)
        columns.append(block)
    X = torch.as_tensor(np.concatenate(columns, axis=1), dtype=torch.float32)
    return X, Layout.make(kinds, starts)


def _falling(n: int) -> np.ndarray:
    weights = np.array([0.5, 1.0, 1.6, 1.8, 1.6, 1.3, 1.0, 0.8, 0.5, 0.4, 0.3, 0.2])[:n]
    return weights / weights.sum()


def _block(rng: np.random.Generator, kind: int, n: int) -> np.ndarray:
    if kind == NUMERIC:
        u = rng.random((n, 1))
        if rng.random() < 0.4:  # a grid of settings
            levels = int(rng.integers(2, 10))
            return np.round(u * (levels - 1)) / (levels - 1)
        return u if rng.random() < 0.8 else rng.beta(0.6, 0.6, (n, 1))
    n_levels = int(np.clip(np.round(np.exp(rng.uniform(math.log(2), math.log(24)))), 2, 24))
    chosen = rng.integers(n_levels, size=n)
    table = np.eye(n_levels) if kind == ONE_HOT else rng.random((n_levels, int(rng.integers(1, 6))))
    return table[chosen]


def _blend(rng: np.random.Generator, n_parts: int, n: int) -> tuple[Tensor, Layout]:
    """Fractions that sum to one, some of them absent."""
    parts = rng.dirichlet(np.full(n_parts, rng.uniform(0.4, 1.5)), size=n)
    if rng.random() < 0.5:
        parts = np.round(parts * 10) / 10
    X = torch.as_tensor(parts, dtype=torch.float32)
    return X, Layout.make([NUMERIC] * n_parts, range(n_parts + 1))


def gaussian_process(X: Tensor, layout: Layout, t: int, generator: torch.Generator) -> Tensor:
    """Draw from processes with own lengthscales, irrelevant parameters, warps and additive parts. Shape `t x n`."""
    p, n = len(layout.kind), X.shape[0]
    bend = torch.exp(0.5 * torch.randn(2, t, 1, p, generator=generator))
    is_bent = torch.rand(t, 1, 1, generator=generator) < 0.5
    Z = X.expand(t, -1, -1)
    numeric = layout.columns(layout.kind == NUMERIC)
    exponents = layout.columns(torch.where(is_bent, bend, 1.0))
    warped = 1 - (1 - Z.clamp(1e-5, 1 - 1e-5) ** exponents[0]) ** exponents[1]
    Z = torch.where(numeric, warped, Z)
    squared = layout.squared_distances(Z, Z)
    active = torch.rand(t, p, generator=generator) > 0.3 * torch.rand(t, 1, generator=generator) * 2
    active[torch.arange(t), torch.randint(p, (t,), generator=generator)] = True
    center = math.log(0.45) + 0.5 * active.sum(-1, keepdim=True).log() + 0.5 * torch.randn(t, 1, generator=generator)
    length = torch.exp(center + 0.7 * torch.randn(t, p, generator=generator))
    weight = active / length.square()
    family = torch.randint(4, (t, 1, 1), generator=generator)
    joint = _correlation((squared @ weight[:, None, :, None])[..., 0], family)
    share = torch.rand(t, 1, 1, generator=generator) * (torch.rand(t, 1, 1, generator=generator) < 0.5)
    split = -torch.rand(t, p, generator=generator).log() * active
    split = split / split.sum(-1, keepdim=True)
    single = _correlation(squared * weight[:, None, None], family[..., None])
    K = (1 - share) * joint + share * (single @ split[:, None, :, None])[..., 0]
    factor = torch.linalg.cholesky(K.double() + 1e-5 * torch.eye(n, dtype=torch.float64))
    return (factor @ torch.randn(t, n, 1, dtype=torch.float64, generator=generator))[..., 0].float()


def _correlation(squared: Tensor, family: Tensor) -> Tensor:
    r = squared.clamp_min(1e-12).sqrt()
    a, b = math.sqrt(3) * r, math.sqrt(5) * r
    options = ((-r).exp(), (1 + a) * (-a).exp(), (1 + b + b.square() / 3) * (-b).exp(), (-0.5 * squared).exp())
    chosen = options[3]
    for i, option in enumerate(options[:3]):
        chosen = torch.where(family == i, option, chosen)
    return chosen


def additive_effects(X: Tensor, layout: Layout, t: int, generator: torch.Generator) -> Tensor:
    """Give every level an effect of its own, with heavy tails, and a few interactions of rank one to three."""
    d, p = X.shape[1], len(layout.kind)
    tail = torch.randn(t, d, generator=generator) / torch.rand(t, 1, generator=generator).clamp_min(0.2)
    heavy = tail * (1 + (torch.rand(t, d, generator=generator) < 0.1) * 2)
    of_block = layout.columns(torch.exp(torch.randn(t, p, generator=generator)))
    numeric = layout.columns(layout.kind == NUMERIC)
    curved = 3 * (X - torch.rand(t, 1, d, generator=generator)).square()
    turn = torch.rand(t, 1, d, generator=generator) < 0.5
    Z = torch.where(numeric & turn, curved, 2 * X.expand(t, -1, -1))
    main = ((Z * (heavy * of_block)[:, None]).sum(-1))[..., None]
    left = Z @ torch.randn(t, d, 3, generator=generator) / math.sqrt(p)
    right = Z @ torch.randn(t, d, 3, generator=generator) / math.sqrt(p)
    strength = torch.rand(t, 1, generator=generator) * 1.5
    return _unit(main[..., 0]) + strength * _unit((left * right).sum(-1))


def steps(X: Tensor, layout: Layout, t: int, generator: torch.Generator) -> Tensor:
    """Sum random oblivious trees: each asks a few questions about single columns."""
    d, depth, trees = X.shape[1], int(torch.randint(1, 5, (1,), generator=generator)), 12
    column = torch.randint(d, (t, trees, depth), generator=generator)
    at = torch.rand(t, trees, depth, generator=generator)
    asked = X[:, column.flatten()].T.reshape(t, trees, depth, -1) > at[..., None]
    leaf = (asked * (2 ** torch.arange(depth))[:, None]).sum(2)  # t x trees x n
    values = torch.randn(t, trees, 2**depth, generator=generator)
    weight = torch.exp(1.5 * torch.randn(t, trees, 1, generator=generator))
    return (weight * values.gather(2, leaf)).sum(1)


def random_network(X: Tensor, layout: Layout, t: int, generator: torch.Generator) -> Tensor:
    """Pass configurations through a random network of two hidden layers."""
    d, width = X.shape[1], int(torch.randint(6, 40, (1,), generator=generator))
    relevance = layout.columns(torch.exp(torch.randn(t, 1, len(layout.kind), generator=generator)))
    Z = 2 * (X - 0.5) * relevance
    gain = torch.exp(torch.empty(t, 1, 1).uniform_(math.log(0.5), math.log(3), generator=generator))
    Z = torch.tanh(
        gain
        * (
            Z @ torch.randn(t, d, width, generator=generator) / math.sqrt(len(layout.kind))
            + 0.5 * torch.randn(t, 1, width, generator=generator)
        )
    )
    mixed = Z @ torch.randn(t, width, width, generator=generator) / math.sqrt(width)
    mixed = gain * (mixed + 0.5 * torch.randn(t, 1, width, generator=generator))
    Z = torch.where(torch.rand(t, 1, 1, generator=generator) < 0.5, torch.relu(mixed), torch.sin(mixed))
    return (Z @ torch.randn(t, width, 1, generator=generator))[..., 0]


def peaks(X: Tensor, layout: Layout, t: int, generator: torch.Generator) -> Tensor:
    """Put a few ridges and peaks at configurations of the list, or one valley that has no flat bottom."""
    n, p, k = X.shape[0], len(layout.kind), 4
    squared = layout.squared_distances(X, X)
    center = torch.randint(n, (t, k), generator=generator)
    sharp = torch.exp(torch.randn(t, k, p, generator=generator) + 0.3) / math.sqrt(p)
    far = _far(squared, center, sharp)
    height = torch.randn(t, k, 1, generator=generator) * torch.tensor([2.0, 1.0, 0.5, 0.5])[:, None]
    bumps = (height * (-far).exp()).sum(1)
    power = torch.empty(t, 1).uniform_(0.3, 1.2, generator=generator)
    valley = -((far[:, 0] + 1e-6) ** power)
    return torch.where(torch.rand(t, 1, generator=generator) < 0.6, _unit(bumps), _unit(valley))


def _far(squared: Tensor, center: Tensor, sharp: Tensor) -> Tensor:
    return (squared[center] * sharp[:, :, None].square()).sum(-1)  # t x k x n


FAMILIES: dict[str, tuple[Callable[[Tensor, Layout, int, torch.Generator], Tensor], float]] = {
    "gaussian_process": (gaussian_process, 0.42),
    "additive_effects": (additive_effects, 0.18),
    "steps": (steps, 0.12),
    "random_network": (random_network, 0.16),
    "peaks": (peaks, 0.12),
}


def _unit(values: Tensor) -> Tensor:
    return (values - values.mean(-1, keepdim=True)) / values.std(-1, keepdim=True).clamp_min(1e-6)


def laboratory(values: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Bend, floor, cap, measure and round. Shape `t x n` to the same, and the noise's standard deviation `t`."""
    t, _ = values.shape
    z = _unit(values)

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(t, 1).uniform_(low, high, generator=generator)

    kind = torch.rand(t, 1, generator=generator)
    bent = torch.where(kind < 0.16, torch.exp(draw(0.3, 1.8) * z), z)
    bent = torch.where((kind >= 0.16) & (kind < 0.36), torch.sigmoid(draw(0.7, 4) * (z - draw(-1, 1.5))), bent)
    bent = _unit(bent)
    noise = torch.exp(draw(math.log(0.005), math.log(0.8)))
    level = torch.exp(draw(0, 1.2) * _unit(bent) * (draw(0, 1) < 0.35))
    level = level / level.square().mean(-1, keepdim=True).sqrt()
    error = torch.randn(values.shape, generator=generator)
    wild = (torch.rand(values.shape, generator=generator) < 0.04) & (draw(0, 1) < 0.08)
    noisy = bent + noise * level * error * torch.where(wild, 6.0, 1.0)
    low = torch.quantile(bent, draw(0.03, 0.65)[:, 0].clamp(0, 1), dim=1).diagonal()[:, None]
    high = torch.quantile(bent, draw(0.6, 0.97)[:, 0], dim=1).diagonal()[:, None]
    is_floored, is_capped = draw(0, 1) < 0.2, draw(0, 1) < 0.06
    noisy = torch.where(is_floored, torch.maximum(noisy, low), noisy)
    noisy = torch.where(is_capped, torch.minimum(noisy, high), noisy)
    step = torch.exp(draw(math.log(0.01), math.log(1.0)))
    noisy = torch.where(draw(0, 1) < 0.12, torch.round(noisy / step) * step, noisy)
    flip = torch.where(draw(0, 1) < 0.3, -1.0, 1.0)
    return flip * noisy, noise[:, 0]


def simulated_pool(rng: np.random.Generator, generator: torch.Generator, t: int, n: int) -> Pool:
    """Draw one space and `t` tasks on it: a sixth of the time by a simulator of this repository."""
    if rng.random() < 0.18:
        return _repository_pool(rng, generator, t, n)
    X, layout = random_space(rng, n)
    names = list(FAMILIES)
    counts = rng.multinomial(t, [FAMILIES[name][1] for name in names])
    parts = [FAMILIES[name][0](X, layout, int(c), generator) for name, c in zip(names, counts, strict=True) if c]
    Y, noise = laboratory(_varying(torch.cat(parts), generator), generator)
    return Pool(X, layout, _varying(Y, generator), noise, "generic")


def _varying(values: Tensor, generator: torch.Generator) -> Tensor:
    """Put noise where a task does not vary or is not finite."""
    spread = values.std(-1, keepdim=True)
    return torch.where((spread > 1e-4) & (spread < 1e6), values, torch.randn(values.shape, generator=generator))


def _repository_pool(rng: np.random.Generator, generator: torch.Generator, t: int, n: int) -> Pool:
    parameters: list[dict[str, object]] = []
    simulator = GPPrior() if rng.random() < 0.5 else ReactionKinetics()
    for name in rng.permutation(ROLES)[: int(rng.integers(2, 7))]:
        parameters.append(
            {"name": str(name), "type": "continuous", "bounds": [20, 120] if name == "temperature" else [1, 10]}
        )
    for i in range(int(rng.integers(0, 4))):
        values = [f"level {j}" for j in range(int(rng.integers(2, 12)))]
        parameters.append({"name": f"choice {i}", "type": "categorical", "values": values})
    spec = CampaignSpec.from_mapping(
        {"name": "prior", "parameters": parameters, "objectives": [{"name": "y", "goal": "maximize"}]}
    )
    space = SearchSpace.from_spec(spec)
    points = torch.as_tensor(space.sample(n, rng))
    batch = simulator.bind(space).sample(t, n, generator, points=points)
    assert batch.truth is not None
    noise = (batch.Y - batch.truth["Y"])[..., 0].std(-1).float().clamp_min(1e-3)
    return Pool(points.float(), Layout.of(space), _varying(batch.Y[..., 0].float(), generator), noise, simulator.name)
