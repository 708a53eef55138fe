"""Large batches for aims: several objectives, targets, hits, limits, cost; chosen one after the other in closed form.

What `batches` does for one outcome, with the values of `aim_acquisition`: the same fantasies of every outcome by
rank-one updates. A value hardly ever rises when an experiment is imagined, so a candidate whose last value lies below
the best one is not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from discovery.acquisition.aim_acquisition import added_up, log_worth, share_of, shares_of
from discovery.acquisition.aimed import Aiming, choose_aimed_from_pool
from discovery.acquisition.batches import RANDOM_SHARE
from discovery.acquisition.costs import take_off_cost
from discovery.acquisition.fantasies import N_FANTASIES
from discovery.acquisition.gaussians import latent
from discovery.acquisition.goal_values import value_of
from discovery.acquisition.imagined import Imagined, can_grow, levels, members
from discovery.acquisition.known import Known, measured
from discovery.acquisition.limits import log_success
from discovery.acquisition.pool import TIE, Choice, pick, refuse_empty
from discovery.acquisition.streamed import MARGIN, SKETCH_CHUNK, sketched_all
from discovery.seeds import rng, torch_generator

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

AT_ONCE = 32  # candidates whose values are brought up to date at once, the best ones so far first


def is_large_aimed(n: int, turns: Sequence[Aiming]) -> bool:
    """Say whether a batch is chosen here: many experiments, closed forms throughout, no hypotheses to tell apart."""
    is_told = all(can_grow(belief) for aiming in _distinct(turns) for belief in aiming.beliefs.of.values())
    return (
        n >= turns[0].search.plates.least
        and turns[0].aim.discrimination == 0
        and turns[0].search.name == "log_ei"
        and is_told
    )


def choose_aimed_batch(turns: Sequence[Aiming], X: Tensor, allowed: np.ndarray, X_pending: Tensor) -> list[Choice]:
    """Choose a row of a pool for every turn, each given the ones before it.

    Args:
        turns: Who chooses each experiment; the same object for the same beliefs.
        X: The pool, with the feature columns of the first outcome or none. Shape `N x d`.
        allowed: True for rows that may be chosen. Shape `N`.
        X_pending: Configurations that run already. Shape `p x d`.

    Returns:
        At most one choice per turn (fewer where the pool runs out); ties are drawn from the seed.

    Raises:
        NoCandidateError: If no row is allowed.
    """
    refuse_empty(allowed)
    choices: list[Choice] = []
    if not len(X_pending) and not len(_measured(turns[0])):  # there is nothing to improve on
        choices = choose_aimed_from_pool(turns[0], X, allowed, 1, X_pending)
    rows = _screened(turns, X, allowed, len(X_pending), [choice.index for choice in choices])
    choosers = {id(aiming): AimedChooser(aiming, X[rows], X_pending) for aiming in _distinct(turns)}
    place_of = {int(row): place for place, row in enumerate(rows.tolist())}
    for choice in choices:
        for chooser in choosers.values():
            chooser.grow(place_of[choice.index])
    for aiming in turns[len(choices) :]:
        found = choosers[id(aiming)].choose(len(choices))
        if found is None:
            break
        place, value, argument = found
        row = int(rows[place])
        choices.append(Choice(row, X[row, : X_pending.shape[1]], value, argument))
        for chooser in choosers.values():
            chooser.grow(place)
    return choices


class AimedChooser:
    """Beliefs that choose among candidates by an aim; they are told of every choice, their own and those of others.

    Args:
        aiming: What decides.
        X: The candidates, with the feature columns of the first outcome or none. Shape `N x d`.
        X_pending: Configurations that run already. Shape `p x d`.
    """

    @torch.no_grad()
    def __init__(self, aiming: Aiming, X: Tensor, X_pending: Tensor) -> None:
        self.aiming, aim, seed = aiming, aiming.aim, aiming.search.seed
        plain, known = X[:, : X_pending.shape[1]], _measured(aiming)
        outcomes = {name: aiming.beliefs.of[name].kept for name in aim.outcomes}
        self.before = Known.of(outcomes, known, aim.limits)
        self.generators = {name: torch_generator(seed, "fantasies", name) for name in outcomes}
        further = (X_pending, torch.cat([X_pending, known]))
        self.states = {
            name: Imagined.at(kept, (X if i == 0 else plain, *further))
            for i, (name, kept) in enumerate(outcomes.items())
        }
        self.constant = _constant(aiming, plain)
        self.is_free = torch.ones(len(X), dtype=torch.bool, device=X.device)
        self.values = torch.full((len(X),), torch.inf, dtype=torch.float64, device=X.device)  # each as last looked at
        self.n_imagined = 0
        for place in range(len(X), len(X) + len(X_pending)):
            self._imagine(place)

    @torch.no_grad()
    def choose(self, step: int) -> tuple[int, float, dict[str, float]] | None:
        """Return place, log value in raw units and argument of the best free candidate; None where none is free."""
        free = torch.nonzero(self.is_free)[:, 0]
        if not len(free):
            return None
        worth, best = self._worth(), -torch.inf
        current = torch.full_like(self.values, -torch.inf)
        for chunk in free[self.values[free].argsort(descending=True, stable=True)].split(AT_ONCE):
            if float(self.values[chunk[0]]) < best - TIE:
                break
            current[chunk] = self.values[chunk] = worth(chunk) + self.constant[chunk]
            best = max(best, float(current[chunk].max()))
        place = int(free[pick(current[free], self.aiming.search.seed, step)])
        return place, float(current[place]), self._argument(place, worth)

    @torch.no_grad()
    def grow(self, place: int) -> None:
        """Imagine the outcomes of a candidate that was chosen."""
        self.is_free[place] = False
        self._imagine(place)

    def _imagine(self, place: int) -> None:
        self.n_imagined += 1
        for name, state in self.states.items():
            told = levels(N_FANTASIES, self.generators[name], state.log_weights[0])
            self.states[name] = state.grown(place, told)

    def _worth(self) -> Callable[..., Tensor]:
        """Return what candidates (indices) are worth now, logarithms, given weights of members or the states' own."""
        aim = self.aiming.aim
        columns = torch.tensor(next(iter(self.states.values())).known, device=self.is_free.device)
        at = {name: state.mixture(columns) for name, state in self.states.items()}
        now = Known.seen(at, aim.limits, self.before.units)
        value, limits = value_of(aim, self.before, now, self.aiming.search.seed)
        log_share = share_of(value, limits, now, self.n_imagined)

        def worth(places: Tensor, weights: dict[str, Tensor] | None = None) -> Tensor:
            there = {name: state.mixture(places) for name, state in self.states.items()}
            if weights is not None:
                there = {name: replace(one, log_weight=weights[name][:, None, :]) for name, one in there.items()}
            return log_worth(value, limits, log_share, there)

        return worth

    def _argument(self, place: int, worth: Callable[..., Tensor]) -> dict[str, float]:
        """Share of every hypothesis in the value of a candidate; they sum to one."""
        places = torch.tensor([place], device=self.is_free.device)
        weights = {name: torch.cat(state.log_weights, dim=-1) for name, state in self.states.items()}
        sizes = {name: state.sizes for name, state in self.states.items()}
        said_by = {name: state.said_by for name, state in self.states.items()}
        shares = added_up(shares_of(lambda leaves: worth(places, dict(leaves)), weights, sizes), said_by)
        overall = sum(shares.values())
        if overall <= 0:
            parts = self.aiming.beliefs.first.kept
            return {part.name: float(part.log_weight.exp().sum()) for part in parts}
        names = dict.fromkeys(name for state in self.states.values() for name in state.names)
        return {name: shares.get(name, 0.0) / overall for name in names}


def choose_aimed_batch_in_space(
    turns: Sequence[Aiming], space: SearchSpace, X_pending: Tensor, is_taken: Callable[[np.ndarray], np.ndarray]
) -> list[Choice]:
    """Choose a configuration of a space for every turn, each given the ones before it.

    Args:
        turns: Who chooses each experiment; the same object for the same beliefs.
        space: The space, with its constraints.
        X_pending: Configurations that run already. Shape `p x d`.
        is_taken: Says which encoded rows (`N x d`) may not come again.

    Raises:
        NoCandidateError: If sampling finds no configuration that is not taken.
    """
    from discovery.acquisition.drawn import Drawing, free_rows

    seed = turns[0].search.seed
    functions = [aiming.acquisition(X_pending[:0]) for aiming in _distinct(turns)]
    X = free_rows(space, Drawing(functions, _n_candidates(turns, len(X_pending)), seed), X_pending, is_taken)
    choices = choose_aimed_batch(turns, X, np.ones(len(X), dtype=bool), X_pending)
    return [replace(choice, index=-1) for choice in choices]


def _constant(aiming: Aiming, X: Tensor) -> Tensor:
    """Return what no imagined outcome changes: log probability of success, minus log cost. Shape `N x d` to `N`."""
    total, aim = X.new_zeros(len(X)), aiming.aim
    if aiming.beliefs.feasible is not None:
        total = total + log_success(latent(aiming.beliefs.feasible.kept, X))
    return total if aim.log_cost is None else take_off_cost(total, X, aim.log_cost, aim.cost_exponent)


def _screened(turns: Sequence[Aiming], X: Tensor, allowed: np.ndarray, n_pending: int, chosen: Sequence[int]) -> Tensor:
    """Return the rows that are looked at: the best with nothing imagined, some at random, those chosen."""
    free, n, own = np.flatnonzero(allowed), _n_candidates(turns, n_pending), _distinct(turns)
    rows = torch.as_tensor(free, device=X.device)
    if len(free) <= n:
        return rows
    each = int(n * (1 - RANDOM_SHARE)) // len(own)
    kept = [rng(turns[0].search.seed, "spread").choice(free, n - each * len(own), replace=False), np.array(chosen)]
    for aiming in own:
        seen = _seen_first(aiming, X, rows, MARGIN * each)
        values = aiming.scores()(X[seen])
        kept.append(seen[values.topk(each).indices].cpu().numpy())
    return torch.as_tensor(np.unique(np.concatenate(kept).astype(np.int64)), device=X.device)


def _seen_first(aiming: Aiming, X: Tensor, rows: Tensor, n: int) -> Tensor:
    """Return the rows that are best at first sight, to a few members; all where they are hardly more than `n`."""
    if len(rows) <= 2 * n:
        return rows
    look = replace(aiming, beliefs=sketched_all(aiming.beliefs)).scores(SKETCH_CHUNK)
    return rows[look(X[rows]).topk(n).indices.sort().values]


def _n_candidates(turns: Sequence[Aiming], n_pending: int) -> int:
    """Return how many rows a batch is chosen from: as many as memory allows, some thousand."""
    every = [aiming.beliefs.of[name] for aiming in _distinct(turns) for name in aiming.aim.outcomes]
    n_experiments = len(turns) + n_pending + len(_measured(turns[0]))
    return turns[0].search.plates.n_candidates(sum(map(members, every)), len(turns), n_experiments)


def _measured(aiming: Aiming) -> Tensor:
    return measured({name: aiming.beliefs.of[name].kept for name in aiming.aim.outcomes})


def _distinct(turns: Sequence[Aiming]) -> list[Aiming]:
    return list({id(aiming): aiming for aiming in turns}.values())
