"""Earlier tasks about molecules as sources: each one's exact GP, and how near its molecules are to the candidates.

Hyperparameters of a source come from a grid by marginal likelihood, which one eigendecomposition serves; nothing is
fitted by gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from discovery import metrics
from discovery.meta.components import MOLECULE
from discovery.meta.fitting import lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.learner import Progress
from discovery.meta.molecule_features import MoleculeFeatures, correlation, overlap, pack
from discovery.meta.told_sources import told_source
from discovery.tasks.lift import Lift
from discovery.tasks.task import Task

if TYPE_CHECKING:
    from discovery.space import AlignedSpace, SearchSpace

MAX_GRID_POINTS = 512  # per source: a grid needs no more, and a decomposition costs n^3
SIGNALS = (0.3, 0.6, 1.0, 1.5, 2.5, 4.0)  # variances of the grid, standardized units
NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
MOST_TRUST = 0.5  # log of the trust in a source that is nearer than it need be
DESCRIPTORS = "molecule_descriptors"  # kind of block; sources do without: similarity knows more about potency


class Source(NamedTuple):
    """One source's measurements, standardized. Shapes: X `n x D`, y and side `n`; side None without bounds."""

    X: Tensor
    y: Tensor
    side: Tensor | None = None


def thin(tasks: Sequence[Task], standardized: Tensor, generator: torch.Generator, n_points: int) -> list[Source]:
    """Keep at most `n_points` random measurements of every task.

    Args:
        tasks: The sources.
        standardized: Their outcomes, padded. Shape `t x n`.
        generator: Source of randomness.
        n_points: How many are kept.
    """
    kept = []
    for task, y in zip(tasks, standardized, strict=True):  # tasks differ in length, and one at a time is in memory
        rows = torch.randperm(task.n_points, generator=generator)[:n_points]
        side = None if task.sides is None else torch.as_tensor(task.sides[rows.numpy(), 0]).long()
        kept.append(Source(torch.as_tensor(task.X[rows.numpy()]), y[: task.n_points][rows], side))
    return kept


def sources_of(
    sources: Sequence[Source], space: SearchSpace | AlignedSpace, lift: Lift | None, on_step: Progress | None = None
) -> MoleculeFeatures:
    """Condition each source's GP on its measurements.

    Args:
        sources: Measurements of the sources, in the coordinates of `space`.
        space: The space that holds all columns of the sources.
        lift: Takes the campaign's configurations there; None where they have the same columns.
        on_step: Called with (step, steps).
    """
    fragments, plain, scale = _columns(space)
    n = max(len(source.y) for source in sources)
    duals = []
    for i, source in enumerate(sources):
        bits, others = source.X[:, fragments].float(), source.X[:, plain] * scale
        duals.append(_dual(correlation(overlap(bits, bits).double(), others, others), source.y, source.side))
        if on_step is not None:
            on_step(i + 1, len(sources))
    largest = torch.stack([source.X[:, fragments].amax(0) for source in sources])
    return MoleculeFeatures(
        X=_padded([pack(source.X[:, fragments]) for source in sources], n),
        dual=_padded(duals, n),
        inverse_lengthscale=scale.repeat(len(sources), 1),
        constant=torch.zeros(len(sources), dtype=torch.float64),
        lift=lift,
        n_points=torch.tensor([len(source.y) for source in sources]),
        value=largest.amax(0).float(),
        fragments=fragments,
        plain=plain,
        others=_padded([source.X[:, plain] for source in sources], n),
    )


def _columns(space: SearchSpace | AlignedSpace) -> tuple[Tensor, Tensor, Tensor]:
    """Return the columns of fragments, all others but descriptors, and factors that scale the latter."""
    others = [block for block in space.blocks if block.kind not in (MOLECULE, DESCRIPTORS)]
    fragments = [c for block in space.blocks if block.kind == MOLECULE for c in range(block.start, block.stop)]
    plain = torch.tensor([c for block in others for c in range(block.start, block.stop)], dtype=torch.long)
    geometry = Geometry.of(space)
    scale = torch.zeros(space.n_dims, dtype=torch.float64)
    scale[geometry.components.smooth] = geometry.column_scale / math.exp(lengthscale_location(max(len(others), 1)))
    return torch.tensor(fragments, dtype=torch.long), plain, scale[plain]


def _dual(K: Tensor, y: Tensor, side: Tensor | None = None) -> Tensor:
    """Choose signal and noise of one source by marginal likelihood; return its dual coefficients, signal included.

    Bounds say nothing about signal and noise; the coefficients know them (`told_source`).
    """
    measured = torch.arange(len(y)) if side is None else torch.nonzero(side == 0)[:, 0]
    measured = measured if len(measured) else torch.arange(len(y))  # nothing but bounds: they stand at their number
    some = measured[:MAX_GRID_POINTS]
    centered = y - y[measured].mean()
    values, vectors = torch.linalg.eigh(K[some[:, None], some])
    rotated = (vectors.T @ centered[some]).square()
    signal, noise = torch.cartesian_prod(K.new_tensor(SIGNALS), K.new_tensor(NOISES)).T
    spectrum = signal[:, None] * values.clamp_min(0) + noise[:, None]
    best = int((-0.5 * (rotated / spectrum + spectrum.log()).sum(1)).argmax())
    variance = noise[best].expand(len(y))
    if side is not None:
        every = torch.ones_like(side, dtype=torch.bool)
        centered, variance = told_source(signal[best] * K, K.new_zeros(()), variance, centered, side, every)
    noisy = signal[best] * K + torch.diag(variance)
    return signal[best] * torch.cholesky_solve(centered[:, None], torch.linalg.cholesky(noisy))[:, 0]


def _padded(parts: Sequence[Tensor], n: int) -> Tensor:
    """Stack tensors that differ in their first dimension, zeros below. Shape `j x n x *`."""
    return torch.stack([torch.cat([part, part.new_zeros(n - len(part), *part.shape[1:])]) for part in parts])


def slopes(nearness: Tensor, fall: float, full: float) -> Tensor:
    """Return how much of each source a molecule's expected outcome holds, by how near its molecules are.

    Trust falls exponentially with distance; sources that are trusted more than fully in sum share one trust.

    Args:
        nearness: Mean similarity of candidates to the nearest molecule of each source. Shape `* x j`.
        fall: How fast trust falls.
        full: Nearness at which trust is full.

    Returns:
        Slopes. Shape `* x j`; at least zero; their sum is at most one.
    """
    trust = (fall * (nearness - full)).clamp_max(MOST_TRUST).exp()
    return trust / trust.sum(-1, keepdim=True).clamp_min(1.0)


def rank_correlations(features: MoleculeFeatures, sources: Sequence[Source], fall: float, full: float) -> list[float]:
    """Say how well the other sources rank each source's molecules, before any of its outcomes is seen.

    Args:
        features: Posterior means of the sources.
        sources: Some measurements of the same sources in the same order; at least two sources.
        fall: As for `slopes`.
        full: As for `slopes`.

    Returns:
        Spearman correlation of each source's outcomes (bounds at their number) with what its nearest others say.
    """
    sizes = [len(source.y) for source in sources]
    values, nearest = (part.split(sizes) for part in features.look(torch.cat([source.X for source in sources])))
    found = []
    for i, source in enumerate(sources):
        near = nearest[i].mean(0)
        near[i] = -torch.inf  # its own outcomes say nothing about what was known before
        found.append(metrics.spearman(source.y.numpy(), (values[i] @ slopes(near, fall, full)).numpy()))
    return [0.0 if value is None else value for value in found]
