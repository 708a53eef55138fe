"""One pure pass for campaigns that want more than one outcome high or low: several, targets, hits, limits, cost.

Does what `discovery.cycle` does, with a belief per outcome and an acquisition function that serves the aim; the same
inputs and seed give the same drafts. Next in the tour: `discovery.review`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.aimed import Aiming, choose_aimed_from_pool, choose_aimed_in_space, who_aims
from discovery.acquisition.aimed_batches import choose_aimed_batch, choose_aimed_batch_in_space, is_large_aimed
from discovery.acquisition.aims import Aim, Limit, Want
from discovery.acquisition.continuous import is_near
from discovery.acquisition.pool import Search
from discovery.acquisition.streamed import SKETCH_CHUNK, Look, Wanted, featured_by, sketched_all, survivors
from discovery.belief.beliefs import Beliefs
from discovery.belief.records import mix
from discovery.cycle import (
    CycleRequest,
    CycleResult,
    Observations,
    ProposalDraft,
    adapt,
    pool_with_features,
)
from discovery.errors import NoCandidateError
from discovery.seeds import derive
from discovery.space import CandidatePool, StreamedPool
from discovery.standing import is_compromise, signed

if TYPE_CHECKING:
    from discovery.acquisition.pool import Choice
    from discovery.belief.belief import Hypothesis
    from discovery.campaign import CampaignSpec, Objective
    from discovery.space import Pool, SearchSpace

Known = Mapping[str, Sequence["Hypothesis"]]
"""Hypotheses by outcome, the first objective's first."""
FEASIBLE = ""
"""Name under which hypotheses about success and failure for good stand among those of the outcomes."""


@dataclass(frozen=True)
class Results:
    """What has been measured of every outcome.

    Attributes:
        of: Measurements by outcome, the first objective's first; an outcome may lack some experiments.
        X: All experiments, encoded, in the order of ingestion. Shape `n x d`; unit cube.
        keys: Identity of each configuration.
        succeeded: Experiments that gave an outcome (1) or failed for good (0); None where none has failed so.
    """

    of: Mapping[str, Observations]
    X: np.ndarray
    keys: tuple[str, ...]
    succeeded: Observations | None = None

    @property
    def n(self) -> int:
        """Number of experiments with at least one outcome."""
        return len(self.keys)


@dataclass(frozen=True)
class Arena:
    """Where proposals are looked for, and what is wanted of them.

    Attributes:
        space: The search space.
        pool: The finite pool, or None for a space that is searched freely.
        known: Hypotheses by outcome.
        aim: What is wanted.
        cost_left: What experiments may cost together from now on, or None where that is not limited.
    """

    space: SearchSpace
    pool: Pool | None
    known: Known
    aim: Aim
    cost_left: float | None = None


def aim_of(spec: CampaignSpec) -> Aim:
    """Return what a campaign file wants of its outcomes; what experiments cost is not in it."""
    wants = [
        Want(
            outcome=objective.name,
            goal=objective.goal,
            target=objective.target,
            window=objective.window,
            threshold=objective.threshold,
            above=objective.above,
            weight=objective.weight,
            span=objective.desirability or (_range(spec, objective) if spec.combine == "desirability" else None),
            reference=objective.reference,
        )
        for objective in spec.objectives
    ]
    limits = tuple(Limit(dict(one.coefficients), one.relation, one.rhs) for one in spec.outcome_constraints)
    return Aim(tuple(wants), limits, spec.combine, spec.acquisition.discrimination)


def _range(spec: CampaignSpec, objective: Objective) -> tuple[float, float] | None:
    """Return the outcomes that stand in for a ramp: the range of the outcome; hits are steep instead."""
    return None if objective.goal == "hits" else spec.outcome(objective.name).range


def adapt_all(known: Known, results: Results) -> Beliefs:
    """Condition every outcome's hypotheses on its own measurements."""
    feasible = None
    if results.succeeded is not None and FEASIBLE in known:
        feasible = adapt(known[FEASIBLE], results.succeeded)
    return Beliefs({name: adapt(known[name], results.of[name]) for name in results.of}, feasible)


def run_aimed_cycle(
    arena: Arena, results: Results, request: CycleRequest, pool_inputs: torch.Tensor | None = None
) -> CycleResult:
    """Adapt all beliefs and choose the next experiments.

    Args:
        arena: Space, pool, hypotheses and aim.
        results: What has been measured.
        request: How many, excluding what; its goal does not count.
        pool_inputs: The pool with the features of the first outcome, for callers that run many passes over one pool.

    Returns:
        Drafts in the order they were chosen, and where the beliefs stand.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    started = time.perf_counter()
    beliefs = adapt_all(arena.known, results)
    seed = derive(request.seed, "cycle", request.cycle, results.n)
    aiming = Aiming(
        arena.aim, beliefs, Search(request.acquisition, arena.aim.wants[0].sign, seed, plates=request.plates)
    )
    X, first_known = pool_inputs, arena.known[arena.aim.wants[0].outcome]
    if isinstance(arena.pool, StreamedPool):
        n_before = results.n + (0 if request.pending_X is None else len(request.pending_X))
        turns = list({id(own): own for own in who_aims(aiming, n_before, request.n)}.values())
        wanted = Wanted(request.n, frozenset(_taken(results, request)), seed)
        looks = [
            Look(replace(own, beliefs=sketched_all(own.beliefs)).scores(SKETCH_CHUNK), own.scores()) for own in turns
        ]
        arena, X = _with_pool(arena, survivors(arena.pool, looks, featured_by(first_known), wanted))
    elif arena.pool is not None and X is None:
        X = pool_with_features(arena.pool, first_known)
    choices = _choose(arena, X, aiming, results, request)
    drafts = _drafts(arena, aiming, choices, results)
    summaries = {name: belief.summary() for name, belief in beliefs.of.items()}
    first = summaries.pop(next(iter(summaries)))
    return CycleResult(drafts, first, time.perf_counter() - started, summaries)


def _taken(results: Results, request: CycleRequest) -> set[str]:
    return set(request.pending_keys) | (set() if request.allow_replicates else set(results.keys))


def _with_pool(arena: Arena, screened: tuple[CandidatePool, torch.Tensor]) -> tuple[Arena, torch.Tensor]:
    """Put what is left of a streamed pool in its place."""
    return replace(arena, pool=screened[0]), screened[1]


def _choose(
    arena: Arena, X: torch.Tensor | None, aiming: Aiming, results: Results, request: CycleRequest
) -> list[Choice]:
    """Choose a batch: stretches of it by the beliefs, and single experiments by somebody who trusts no experience."""
    taken = _taken(results, request)
    pending = np.zeros((0, arena.space.n_dims)) if request.pending_X is None else request.pending_X
    X_pending = torch.as_tensor(pending, dtype=torch.float64, device=aiming.beliefs.device)
    turns = who_aims(aiming, results.n + len(pending), request.n)
    allowed = None
    if isinstance(arena.pool, CandidatePool):
        allowed = np.array([key not in taken for key in arena.pool.keys], dtype=bool) & ~_is_dear(arena, arena.pool.X)
    if arena.cost_left is not None and (arena.cost_left <= 0 or (allowed is not None and not allowed.any())):
        raise NoCandidateError(
            f"No experiment is left that costs at most {arena.cost_left:g}, what budget.cost leaves."
        )
    measured = results.X[:0] if request.allow_replicates else results.X

    def is_taken(rows: np.ndarray) -> np.ndarray:
        named = np.array([key in taken for key in arena.space.keys(arena.space.decode(rows))], dtype=bool)
        return named | is_near(rows, measured) | _is_dear(arena, rows)

    if is_large_aimed(request.n, turns):
        if X is not None and allowed is not None:
            return _affordable(arena, choose_aimed_batch(turns, X, allowed, X_pending))
        return _affordable(arena, choose_aimed_batch_in_space(turns, arena.space, X_pending, is_taken))
    choices: list[Choice] = []
    for _, stretch in groupby(turns, key=id):
        own, *others = stretch
        n = 1 + len(others)
        try:
            if X is not None and allowed is not None:
                found = choose_aimed_from_pool(own, X, allowed, n, X_pending)
                allowed[[choice.index for choice in found]] = False
            else:
                found = choose_aimed_in_space(own, arena.space, n, X_pending, is_taken)
        except NoCandidateError:
            if not choices:
                raise
            break
        choices += found
        X_pending = torch.cat([X_pending, *(choice.x[None] for choice in found)])
    return _affordable(arena, choices)


def _is_dear(arena: Arena, X: np.ndarray) -> np.ndarray:
    """Say which configurations cost more than what is left. Shape `n x d` to `n`."""
    if arena.cost_left is None or arena.aim.log_cost is None:
        return np.zeros(len(X), dtype=bool)
    return arena.aim.log_cost(torch.as_tensor(X)).exp().numpy() > arena.cost_left * (1 + 1e-9)


def _affordable(arena: Arena, choices: list[Choice]) -> list[Choice]:
    """Return the first choices, as many as what is left pays for; each alone is paid for."""
    if arena.cost_left is None or arena.aim.log_cost is None or not choices:
        return choices
    costs = arena.aim.log_cost(torch.stack([choice.x.cpu() for choice in choices])).exp()
    return choices[: max(1, int((costs.cumsum(0) <= arena.cost_left * (1 + 1e-9)).sum()))]


def _drafts(arena: Arena, aiming: Aiming, choices: Sequence[Choice], results: Results) -> tuple[ProposalDraft, ...]:
    X = torch.stack([choice.x for choice in choices])
    frame = arena.space.decode(X.cpu().numpy())
    if isinstance(arena.pool, CandidatePool):
        rows = [choice.index for choice in choices]
        frame = arena.pool.frame.iloc[rows][list(arena.space.names)].reset_index(drop=True)
    keys = arena.space.keys(frame)
    said = {name: belief.predict(X) for name, belief in aiming.beliefs.of.items()}
    name, *others = said
    means = {outcome: np.array([mix(one).mean for one in found]) for outcome, found in said.items()}
    numbers, exploring = aiming.numbers(X), _is_exploring(aiming.aim, means, results)
    drafts = []
    for i, choice in enumerate(choices):
        predictions = said[name][i]
        drafts.append(
            ProposalDraft(
                configuration={str(column): value for column, value in frame.iloc[i].items()},
                key=keys[i],
                X=tuple(choice.x.tolist()),
                row=int(arena.pool.rows[choice.index]) if isinstance(arena.pool, CandidatePool) else None,
                predictions=predictions,
                mean=mix(predictions).mean,
                sd=mix(predictions).sd,
                acqf_name=aim_name(aiming.aim),
                acqf_value=choice.value,
                argued_by=max(choice.argument, key=lambda one: choice.argument[one]),
                argument=choice.argument,
                is_exploring=bool(exploring[i]),
                n_measurements=results.n,
                seed=aiming.search.seed,
                others={other: said[other][i] for other in others},
                numbers={word: float(values[i]) for word, values in numbers.items()},
            )
        )
    return tuple(drafts)


def aim_name(aim: Aim) -> str:
    """Name the acquisition function that serves an aim, as it is stored with proposals."""
    if len(aim.wants) > 1:
        return aim.combine
    return aim.wants[0].goal if aim.wants[0].goal in ("match", "hits") else "log_ei"


def _is_exploring(aim: Aim, means: Mapping[str, np.ndarray], results: Results) -> np.ndarray:
    """Say which proposals are made to learn: a measured experiment is at least as good as their means. Shape `k`."""
    expected = np.column_stack([signed(want, means[want.outcome]) for want in aim.wants])
    if len(aim.wants) == 1:
        y = results.of[aim.wants[0].outcome].y
        if aim.wants[0].goal == "hits":
            return expected[:, 0] < 1
        return expected[:, 0] <= signed(aim.wants[0], y).max(initial=-np.inf)
    whole = _measured_together(aim, results)
    front = whole[is_compromise(whole, np.ones(len(whole), dtype=bool))]
    return np.array([bool((front >= row).all(1).any()) for row in expected], dtype=bool)


def _measured_together(aim: Aim, results: Results) -> np.ndarray:
    """Return the scores of configurations of which all wanted outcomes are measured. Shape `n x m`."""
    columns = []
    for want in aim.wants:
        observed = results.of[want.outcome]
        columns.append(dict(zip(observed.keys, signed(want, observed.y), strict=True)))
    keys = [key for key in columns[0] if all(key in column for column in columns)]
    return np.array([[column[key] for column in columns] for key in keys]).reshape(len(keys), len(columns))
