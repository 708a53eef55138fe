"""Large batches from a pool: plates of up to 384, chosen one after the other under imagined outcomes in closed form.

Small batches are chosen by `choose_from_pool`, which conditions every bank anew for every choice. This gives the same
choices (the same fantasies, by rank-one updates over screened candidates) at a cost per choice that hardly grows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from discovery.acquisition.fantasies import N_FANTASIES
from discovery.acquisition.imagined import Imagined, can_grow, distinct, levels, members
from discovery.acquisition.mixture import ANALYTIC
from discovery.acquisition.pool import (
    Choice,
    Plates,
    Search,
    acquisition_for,
    choose_from_pool,
    pick,
    refuse_empty,
    score,
)
from discovery.belief.belief import Belief
from discovery.seeds import rng, torch_generator

REFRESHED_EVERY = 16  # choices after which the values of all candidates are brought up to date
RANDOM_SHARE = 0.125  # of the candidates, drawn from the whole pool: the best by one criterion crowd together


def is_large(n: int, search: Search, turns: Sequence[Belief]) -> bool:
    """Say whether a batch is chosen here: many experiments, an analytic function, models with closed forms."""
    return n >= search.plates.least and search.name in ANALYTIC and all(can_grow(belief) for belief in distinct(turns))


def choose_batch(
    turns: Sequence[Belief], X: Tensor, allowed: np.ndarray, search: Search, X_pending: Tensor
) -> list[Choice]:
    """Choose a row of a pool for every turn, each given the ones before it.

    Args:
        turns: Who chooses each experiment: the belief, or its doubting self; the same object for the same belief.
        X: The pool, with all feature columns or none. Shape `N x d`.
        allowed: True for rows that may be chosen. Shape `N`.
        search: Name (an analytic one), direction and seed.
        X_pending: Configurations that run already. Shape `p x d`.

    Returns:
        At most one choice per turn (fewer where the pool runs out); ties are drawn from the seed.

    Raises:
        NoCandidateError: If no row is allowed.
    """
    refuse_empty(allowed)
    choices = _blind_start(turns[0], X, allowed, search, X_pending)
    rows = _screened(turns, X, allowed, search, len(X_pending), [choice.index for choice in choices])
    choosers = {id(b): Chooser(b, X[rows], X_pending, search) for b in distinct(turns)}
    place_of = {int(row): place for place, row in enumerate(rows.tolist())}
    for choice in choices:
        _tell(choosers, place_of[choice.index])
    for belief in turns[len(choices) :]:
        found = choosers[id(belief)].choose(len(choices))
        if found is None:
            break
        place, value, argument = found
        row = int(rows[place])
        choices.append(Choice(row, X[row, : X_pending.shape[1]], value, argument))
        _tell(choosers, place)
    return choices


def _tell(choosers: Mapping[int, Chooser], place: int) -> None:
    for chooser in choosers.values():
        chooser.grow(place)


class Chooser:
    """One belief that chooses among candidates; it is told of every choice, its own and those of others.

    Args:
        belief: The belief over real measurements.
        X: The candidates, with all feature columns or none. Shape `N x d`.
        X_pending: Configurations that run already. Shape `p x d`.
        search: Name, direction and seed.
    """

    def __init__(self, belief: Belief, X: Tensor, X_pending: Tensor, search: Search) -> None:
        self.search, self.is_bound = search, search.name == "ucb"
        self.generator = torch_generator(search.seed, "fantasies")
        self.is_free = torch.ones(len(X), dtype=torch.bool, device=X.device)
        self.values: Tensor | None = None  # of all candidates, some of them as they were a few choices ago
        self.state = Imagined.of(belief, X, X_pending, search.sign, search.given)
        for place in range(len(X), len(X) + len(X_pending)):
            self._imagine(place)

    def choose(self, step: int) -> tuple[int, float, dict[str, float]] | None:
        """Return place, value in raw units and argument of the best free candidate; None where none is free."""
        free = torch.nonzero(self.is_free)[:, 0]
        if not len(free):
            return None
        if self.values is None or step % REFRESHED_EVERY == 0:
            self.values = torch.full((len(self.is_free),), -torch.inf, dtype=torch.float64, device=free.device)
        elif len(free) > self.search.plates.n_looked_at:
            free = free[self.values[free].topk(self.search.plates.n_looked_at).indices.sort().values]
        values = self.state.quantile(free) if self.is_bound else self.state.improvement(free)
        self.values[free] = values
        best = pick(values, self.search.seed, step)
        place, value, unit = int(free[best]), float(values[best]), self.state.unit
        raw = value * unit if self.is_bound else value + math.log(unit)
        return place, raw, self.state.argument(place, by_weight=self.is_bound)

    def grow(self, place: int) -> None:
        """Imagine the outcome of a candidate that was chosen."""
        self.is_free[place] = False
        self._imagine(place)

    def _imagine(self, place: int) -> None:
        """Imagine outcomes at a point: some stratified ones; for a confidence bound the one in the middle."""
        like = self.state.log_weights[0]
        told = like.new_tensor([0.5]) if self.is_bound else levels(N_FANTASIES, self.generator, like)
        self.state = self.state.grown(place, told)


def _blind_start(belief: Belief, X: Tensor, allowed: np.ndarray, search: Search, X_pending: Tensor) -> list[Choice]:
    """Choose the first experiment where nothing is measured and nothing runs: there is nothing to improve on."""
    if belief.best_f is not None or len(X_pending):
        return []
    return choose_from_pool(belief, X, allowed, 1, search, X_pending)


def _screened(
    turns: Sequence[Belief], X: Tensor, allowed: np.ndarray, search: Search, n_pending: int, chosen: Sequence[int]
) -> Tensor:
    """Return the rows that are looked at: the best by plain LogEI of every belief, some at random, those chosen."""
    free = np.flatnonzero(allowed)
    n = n_candidates(turns, n_pending, search.plates)
    if len(free) <= n:
        return torch.as_tensor(free, device=X.device)
    each = int(n * (1 - RANDOM_SHARE)) // len(distinct(turns))
    kept = [rng(search.seed, "spread").choice(free, n - each * len(distinct(turns)), replace=False), np.array(chosen)]
    rows = torch.as_tensor(free, device=X.device)
    for belief in distinct(turns):
        plain = acquisition_for(belief, replace(search, name="log_ei"), X[:0, : belief.kept[0].bank.n_dims])
        values = score(plain, X[rows], [part.name for part in belief.kept], search.middle)[0]
        kept.append(rows[values.topk(each).indices].cpu().numpy())
    return torch.as_tensor(np.unique(np.concatenate(kept).astype(np.int64)), device=X.device)


def n_candidates(turns: Sequence[Belief], n_pending: int, plates: Plates) -> int:
    """Return how many rows a batch is chosen from: as many as memory allows, some thousand."""
    n_experiments = len(turns) + n_pending + int(turns[0].kept[0].bank.X.shape[-2])
    return plates.n_candidates(sum(map(members, distinct(turns))), len(turns), n_experiments)
