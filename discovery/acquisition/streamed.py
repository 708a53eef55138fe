"""Screening a streamed pool: one pass looks at every configuration, and the best few thousand go on.

The pass asks a sketch of the belief, a few members of every hypothesis; the best of it, many times as many as are
wanted, are scored by the belief itself. What comes out is an ordinary small pool, from which batches are chosen as from
any other.
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
from discovery.acquisition.pool import CHUNK, N_FANTASIZED, TIE, Middle, Search, acquisition_for, refuse_empty, score
from discovery.belief.belief import FORBIDDEN, Belief, Hypothesis, KeptBank
from discovery.belief.beliefs import Beliefs
from discovery.belief.weights import representatives
from discovery.seeds import rng
from discovery.space.pool import CandidatePool, joined
from discovery.space.stream import Chunk, StreamedPool

N_SKETCHED = 3  # members of a hypothesis that look at every configuration
SKETCH_CHUNK = 1024  # rows that they look at at once
MARGIN = 8  # times as many as are wanted are then looked at by all members

Scores = Callable[[Tensor], Tensor]
Featured = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Look:
    """A score of configurations with feature columns, higher is better. Shape `N x D` to `N`.

    Attributes:
        first: What looks at all of them: nearly the score, and cheap.
        then: The score.
    """

    first: Scores
    then: Scores


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
    pool: StreamedPool, looks: Sequence[Look], featured: Featured, n: int, *, taken: Collection[str], seed: int
) -> CandidatePool:
    """Read a pool once and return the best configurations under any of some scores, in the order of the file.

    Args:
        pool: The pool.
        looks: The scores.
        featured: Gives encoded configurations their feature columns, on the device. Shape `N x d` to `N x D`.
        n: Number of configurations kept for each score.
        taken: Identities of configurations that may not come; not among those returned.
        seed: Seed of what decides among equals.

    Returns:
        Distinct configurations that are not taken; none where all are.
    """
    n_kept = n + len(taken)  # so that as many are left when those taken are out
    best = [Best.none() for _ in looks]
    for chunk in pool.chunks():
        places = np.flatnonzero(chunk.is_within)
        if not len(places):
            continue
        X = featured(chunk.X[places])
        lots = rng(seed, "lots", chunk.start).random(len(places))
        for k, look in enumerate(looks):
            best[k] = _better(best[k], _rounded(look.first(X)), (lots, chunk.start + places), MARGIN * n_kept)
    positions = [
        _looked_at_again(pool, look.then, featured, kept, n_kept) for look, kept in zip(looks, best, strict=True)
    ]
    found = pool.take(np.unique(np.concatenate(positions)))
    return found.at(np.flatnonzero([key not in taken for key in found.keys]))


def _rounded(values: Tensor) -> np.ndarray:
    return np.round(values.cpu().numpy() / TIE)


def _looked_at_again(pool: StreamedPool, told: Scores, featured: Featured, seen: Best, n: int) -> np.ndarray:
    """Return the positions of the best `n` under the score itself, of those that are best at first sight."""
    if len(seen.positions) <= n:
        return seen.positions
    values = _rounded(told(featured(pool.take(seen.positions).X)))
    return Best.none().with_more(values, seen.lots, seen.positions, n).positions


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
    pool: StreamedPool, looks: Sequence[Look], featured: Featured, wanted: Wanted
) -> tuple[CandidatePool, Tensor]:
    """Read a pool once and return what a batch is chosen from: the best under any of some scores, and some by chance.

    Args:
        pool: The pool.
        looks: The scores.
        featured: Gives encoded configurations their feature columns. Shape `N x d` to `N x D`.
        wanted: How many are to be chosen, and what may not be.

    Returns:
        Configurations that are not taken, in the order of the file, and their encodings with feature columns.

    Raises:
        NoCandidateError: If every configuration is taken.
    """
    n = N_FANTASIZED + wanted.n
    best = screen(pool, looks, featured, n, taken=wanted.taken, seed=wanted.seed)
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
    each = [(belief, replace(search, name=name)) for belief in distinct(turns) for name in names]
    looks = [Look(_scores(sketched(belief), own, SKETCH_CHUNK), _scores(belief, own)) for belief, own in each]
    found, X = survivors(pool, looks, featured, Wanted(len(turns), taken, search.seed))
    return found, X, search


def sketched(belief: Belief) -> Belief:
    """Return a belief told by few members of every hypothesis, for a first look at many configurations."""
    kept = []
    for part, adapted in zip(belief.kept, belief.adapted, strict=True):
        posterior = torch.log_softmax(adapted.log_prior + adapted.log_evidence, dim=0)
        weight = torch.logsumexp(part.log_weight, dim=0)
        n = 1 if float(weight) < -FORBIDDEN / 2 else N_SKETCHED
        if len(posterior) <= n:
            kept.append(part)
            continue
        index, log_weight = representatives(posterior, n)
        bank = adapted.condition(index)
        kept.append(KeptBank(part.name, bank, bank.member_weights(log_weight + weight)))
    return replace(belief, kept=tuple(kept))


def sketched_all(beliefs: Beliefs) -> Beliefs:
    """Return beliefs told by few members of every hypothesis."""
    feasible = None if beliefs.feasible is None else sketched(beliefs.feasible)
    return Beliefs({name: sketched(belief) for name, belief in beliefs.of.items()}, feasible)


def featured_by(hypotheses: Sequence[Hypothesis]) -> Featured:
    """Return what appends every hypothesis's features to configurations. Shape `n x d` to `n x (d + j_1 + ...)`."""

    def featured(rows: np.ndarray) -> Tensor:
        X = torch.as_tensor(rows, dtype=torch.float64, device=hypotheses[0].learner.device)
        return torch.cat([X, *(hypothesis.learner.features(X) for hypothesis in hypotheses)], dim=-1)

    return featured


def _scores(belief: Belief, search: Search, n_at_once: int = CHUNK) -> Scores:
    """Return the acquisition function of a belief, with nothing under way, as a function of rows."""
    bank = belief.kept[0].bank
    acqf = acquisition_for(belief, search, bank.X.new_zeros(0, bank.n_dims))
    names = [part.name for part in belief.kept]
    return lambda X: score(acqf, X, names, search.middle, n_at_once)[0]
