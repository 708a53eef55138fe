"""Screening a streamed pool: one pass scores every configuration, and the best few thousand go on.

What comes out is an ordinary small pool, so that batches are chosen from it as from any other: the choice is the one
that the whole pool would have given, because later choices of a batch look at the best few thousand rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from discovery.acquisition.batches import RANDOM_SHARE
from discovery.acquisition.imagined import distinct
from discovery.acquisition.mixture import MONTE_CARLO
from discovery.acquisition.pool import N_FANTASIZED, TIE, Middle, Search, acquisition_for, refuse_empty, score
from discovery.belief.belief import Belief, Hypothesis
from discovery.seeds import rng
from discovery.space.pool import CandidatePool, joined
from discovery.space.stream import Chunk, StreamedPool

Scores = Callable[[Tensor], Tensor]
Featured = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Best:
    """The best configurations met so far under one score.

    Attributes:
        values: Their scores, rounded to what counts as equal. Shape `k`.
        lots: What decides among equals, drawn from the seed. Shape `k`.
        positions: Where they are in the pool. Shape `k`.
    """

    values: np.ndarray
    lots: np.ndarray
    positions: np.ndarray

    @classmethod
    def none(cls) -> Best:
        """Return no configurations."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))

    def with_more(self, values: np.ndarray, lots: np.ndarray, positions: np.ndarray, n: int) -> Best:
        """Add configurations and keep the best `n`."""
        joined = [np.concatenate(pair) for pair in ((self.values, values), (self.lots, lots))]
        places = np.concatenate([self.positions, positions])
        order = np.lexsort((joined[1], -joined[0]))[:n]
        return Best(joined[0][order], joined[1][order], places[order])


def screen(
    pool: StreamedPool, scores: Sequence[Scores], featured: Featured, n: int, *, taken: Collection[str], seed: int
) -> CandidatePool:
    """Read a pool once and return the best configurations under any of some scores, in the order of the file.

    Args:
        pool: The pool.
        scores: Functions of configurations with feature columns, higher is better. Shape `N x D` to `N`.
        featured: Gives encoded configurations their feature columns, on the device. Shape `N x d` to `N x D`.
        n: Number of configurations kept for each score.
        taken: Identities of configurations that may not come; not among those returned.
        seed: Seed of what decides among equals.

    Returns:
        Distinct configurations that are not taken; none where all are.
    """
    n_kept = n + len(taken)  # so that as many are left when those taken are out
    best = [Best.none() for _ in scores]
    for chunk in pool.chunks():
        places = np.flatnonzero(chunk.is_within)
        if not len(places):
            continue
        X = featured(chunk.X[places])
        lots = rng(seed, "lots", chunk.start).random(len(places))
        for k, told in enumerate(scores):
            values = np.round(told(X).cpu().numpy() / TIE)
            best[k] = _better(best[k], values, (lots, chunk.start + places), n_kept)
    found = pool.take(np.unique(np.concatenate([kept.positions for kept in best])))
    return found.at(np.flatnonzero([key not in taken for key in found.keys]))


def _better(best: Best, values: np.ndarray, said: tuple[np.ndarray, np.ndarray], n: int) -> Best:
    """Add the rows of a chunk that may be among the best `n`."""
    lots, positions = said
    if len(best.values) == n:
        is_near = values >= best.values[-1]
        values, lots, positions = values[is_near], lots[is_near], positions[is_near]
    return best.with_more(values, lots, positions, n)


def middle_of(pool: StreamedPool, featured: Featured) -> Middle:
    """Read a pool once and say where its middle is and how far from it its farthest configuration."""
    center = np.array(pool.facts.center)
    farthest = max(_farthest(chunk, center) for chunk in pool.chunks())
    first = next(iter(pool.chunks()))
    example = featured(first.X[:1])
    return Middle(torch.as_tensor(center, device=example.device), farthest, example)


def _farthest(chunk: Chunk, center: np.ndarray) -> float:
    return float(np.square(chunk.X - center).sum(axis=1).max())


@dataclass(frozen=True)
class Wanted:
    """What is asked of a pass over a streamed pool.

    Attributes:
        n: Number of experiments that are chosen from what it returns.
        taken: Identities of configurations that may not be chosen.
        seed: Seed of what decides among equals, and of the configurations that come by chance.
    """

    n: int
    taken: frozenset[str]
    seed: int


def survivors(
    pool: StreamedPool, scores: Sequence[Scores], featured: Featured, wanted: Wanted
) -> tuple[CandidatePool, Tensor]:
    """Read a pool once and return what a batch is chosen from: the best under any of some scores, and some by chance.

    Args:
        pool: The pool.
        scores: Functions of configurations with feature columns, higher is better. Shape `N x D` to `N`.
        featured: Gives encoded configurations their feature columns. Shape `N x d` to `N x D`.
        wanted: How many are to be chosen, and what may not be.

    Returns:
        Configurations that are not taken, in the order of the file, and their encodings with feature columns.

    Raises:
        NoCandidateError: If every configuration is taken.
    """
    n = N_FANTASIZED + wanted.n
    best = screen(pool, scores, featured, n, taken=wanted.taken, seed=wanted.seed)
    chance = pool.starts(int(RANDOM_SHARE * n), {*wanted.taken, *best.keys}, rng(wanted.seed, "chance"))
    found = joined([best, chance])
    refuse_empty(np.ones(len(found), dtype=bool))
    found = found.at(np.argsort(found.rows))
    return found, featured(found.X)


def screened(
    pool: StreamedPool, turns: Sequence[Belief], search: Search, featured: Featured, taken: frozenset[str]
) -> tuple[CandidatePool, Tensor, Search]:
    """Screen a pool for beliefs that want one outcome high or low.

    Args:
        pool: The pool.
        turns: Who chooses each experiment.
        search: Name, direction and seed.
        featured: Gives encoded configurations their feature columns. Shape `N x d` to `N x D`.
        taken: Identities of configurations that may not be chosen.

    Returns:
        What `survivors` returns, and how to search it.
    """
    if turns[0].best_f is None:
        search = replace(search, middle=middle_of(pool, featured))
    names = dict.fromkeys(["log_ei", *([] if search.name in MONTE_CARLO else [search.name])])
    scores = [_scores(belief, replace(search, name=name)) for belief in distinct(turns) for name in names]
    found, X = survivors(pool, scores, featured, Wanted(len(turns), taken, search.seed))
    return found, X, search


def featured_by(hypotheses: Sequence[Hypothesis]) -> Featured:
    """Return what appends every hypothesis's features to configurations. Shape `n x d` to `n x (d + j_1 + ...)`."""

    def featured(rows: np.ndarray) -> Tensor:
        X = torch.as_tensor(rows, dtype=torch.float64, device=hypotheses[0].learner.device)
        return torch.cat([X, *(hypothesis.learner.features(X) for hypothesis in hypotheses)], dim=-1)

    return featured


def _scores(belief: Belief, search: Search) -> Scores:
    """Return the acquisition function of a belief, with nothing under way, as a function of rows."""
    bank = belief.kept[0].bank
    acqf = acquisition_for(belief, search, bank.X.new_zeros(0, bank.n_dims))
    names = [part.name for part in belief.kept]
    return lambda X: score(acqf, X, names, search.middle)[0]
