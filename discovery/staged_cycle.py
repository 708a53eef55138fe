"""One pure pass for campaigns of several stages: which configuration next, and at which stage.

Does what `discovery.cycle` does, with a belief per outcome that a later stage shares with the one before it; the same
inputs and seed give the same drafts. Next in the tour: `discovery.acquisition.stages`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.stages import Progress, Stage, StagedChoice, Staging, choose_stages
from discovery.belief.links import adapt_stages
from discovery.belief.records import mix
from discovery.cycle import CycleResult, ProposalDraft
from discovery.errors import NoCandidateError
from discovery.meta.learner import Support
from discovery.seeds import derive

if TYPE_CHECKING:
    from discovery.aimed_cycle import Known, Results
    from discovery.belief.belief import Belief
    from discovery.space import CandidatePool, SearchSpace

ACQUISITION = "log_gain_per_cost"
"""Name of the acquisition function as it is stored with proposals."""
EVERY = ""
"""Stands for every stage where a configuration may not come again."""


@dataclass(frozen=True)
class StagedArena:
    """Where proposals are looked for, and by which stages.

    Attributes:
        space: The search space.
        pool: The candidates.
        known: Hypotheses by outcome.
        staging: The stages; the objective is the first outcome of the last.
        prices: What an experiment at each stage costs, waiting left out, in the order of the stages.
    """

    space: SearchSpace
    pool: CandidatePool
    known: Known
    staging: Staging
    prices: tuple[float, ...]

    @property
    def outcome(self) -> str:
        """What is wanted."""
        return self.staging.stages[-1].outcome


@dataclass(frozen=True)
class StagedRequest:
    """What is asked of one pass.

    Attributes:
        n: Number of proposals wanted.
        seed: The campaign's seed.
        cycle: Number of the cycle, from 1.
        excluded: Configurations by key and stages at which they may not be proposed; `EVERY` for all of them.
        pending: Encoded configurations under way, by stage. Shape `p x d` each.
        cost_left: What further experiments may cost, or None where that is not limited.
    """

    n: int
    seed: int = 0
    cycle: int = 1
    excluded: frozenset[tuple[str, str]] = frozenset()
    pending: Mapping[str, np.ndarray] = field(default_factory=dict)
    cost_left: float | None = None


def believe_stages(staging: Staging, known: Known, results: Results) -> dict[str, Belief]:
    """Return the beliefs in the outcomes of all stages, the objective's first.

    An outcome that a stage measures beside its first one is believed in by itself: no other follows it.
    """
    device = next(iter(known.values()))[0].learner.device
    supports = {}
    for name, seen in results.of.items():
        support = Support.of(seen.X, seen.y, seen.yvar, device)
        supports[name] = support.marked(seen.limits, seen.blocks, is_robust=seen.is_robust)
    beliefs = adapt_stages([(stage.name, stage.outcome) for stage in staging.stages], known, supports)
    for name in known.keys() - beliefs.keys():
        beliefs |= adapt_stages([("", name)], known, supports)
    first = staging.stages[-1].outcome
    return {name: beliefs[name] for name in [first, *(other for other in known if other != first)]}


def run_staged_cycle(arena: StagedArena, results: Results, request: StagedRequest) -> CycleResult:
    """Adapt all beliefs and choose the next experiments.

    Args:
        arena: Space, candidates, hypotheses and stages.
        results: What has been measured.
        request: How many, excluding what.

    Returns:
        Drafts in the order they were chosen, and where the beliefs stand.

    Raises:
        NoCandidateError: If nothing is left to propose, or to pay for.
    """
    started = time.perf_counter()
    beliefs = believe_stages(arena.staging, arena.known, results)
    seed = derive(request.seed, "cycle", request.cycle, results.n)
    X = torch.as_tensor(arena.pool.X, dtype=torch.float64, device=beliefs[arena.outcome].steps.device)
    choices = choose_stages(arena.staging, beliefs, X, progress_of(arena, results, request), request.n, seed=seed)
    drafts = _drafts(arena, beliefs, _affordable(arena, choices, request.cost_left), results, seed)
    summaries = {name: belief.summary() for name, belief in beliefs.items()}
    first = summaries.pop(arena.outcome)
    return CycleResult(drafts, first, time.perf_counter() - started, summaries)


def progress_of(arena: StagedArena, results: Results, request: StagedRequest) -> Progress:
    """Return what is done, closed and under way at every stage for every candidate."""
    done = np.array([_is_done(stage, results, arena.pool.keys) for stage in arena.staging.stages], dtype=bool)
    closed = done | closed_rows(arena.staging.stages, arena.pool.keys, request.excluded)
    if request.cost_left is not None:
        if not any(payable(arena.prices, request.cost_left)):
            text = f"No experiment is left that costs at most {request.cost_left:g}, what budget.cost leaves."
            raise NoCandidateError(text)
        closed |= ~np.array(payable(arena.prices, request.cost_left), dtype=bool)[:, None]
    device = next(iter(arena.known.values()))[0].learner.device
    pending = {
        name: torch.as_tensor(rows, dtype=torch.float64, device=device) for name, rows in request.pending.items()
    }
    return Progress(torch.as_tensor(done, device=device), torch.as_tensor(closed, device=device), pending)


def closed_rows(stages: Sequence[Stage], keys: Sequence[str], excluded: frozenset[tuple[str, str]]) -> np.ndarray:
    """Say at which stages candidates may not be proposed: what is closed later is closed before as well.

    Returns:
        Shape `S x n`, bool.
    """
    closed = np.array([[(key, stage.name) in excluded or (key, EVERY) in excluded for key in keys] for stage in stages])
    later_first: np.ndarray = np.logical_or.accumulate(closed[::-1], axis=0)
    return later_first[::-1]


def payable(prices: Sequence[float], cost_left: float) -> tuple[bool, ...]:
    """Say which stages can be paid for: an earlier one only together with the last, without which it finds nothing.

    Example:
        >>> payable((1.0, 10.0), 10.5)
        (False, True)
    """
    last = prices[-1]
    needed = [*(price + last for price in prices[:-1]), last]
    return tuple(cost <= cost_left * (1 + 1e-9) for cost in needed)


def _is_done(stage: Stage, results: Results, keys: Sequence[str]) -> list[bool]:
    """Say which candidates have all outcomes of a stage."""
    measured = set.intersection(*(set(results.of[name].keys) for name in stage.outcomes))
    return [key in measured for key in keys]


def _affordable(arena: StagedArena, choices: list[StagedChoice], cost_left: float | None) -> list[StagedChoice]:
    """Return the first choices, as many as what is left pays for."""
    if cost_left is None:
        return choices
    price = dict(zip([stage.name for stage in arena.staging.stages], arena.prices, strict=True))
    spent = np.cumsum([price[choice.stage] for choice in choices])
    kept = choices[: max(1, int((spent <= cost_left * (1 + 1e-9)).sum()))]
    if not kept:
        raise NoCandidateError(f"No experiment is left that costs at most {cost_left:g}, what budget.cost leaves.")
    return kept


def _drafts(
    arena: StagedArena,
    beliefs: Mapping[str, Belief],
    choices: Sequence[StagedChoice],
    results: Results,
    seed: int,
) -> tuple[ProposalDraft, ...]:
    X = torch.stack([choice.x for choice in choices])
    rows = [choice.index for choice in choices]
    frame = arena.pool.frame.iloc[rows][list(arena.space.names)].reset_index(drop=True)
    said = {name: belief.predict(X) for name, belief in beliefs.items()}
    sign, y = arena.staging.sign, results.of[arena.outcome].y
    best = float((sign * y).max()) if len(y) else None
    drafts = []
    for i, choice in enumerate(choices):
        about = mix(said[arena.outcome][i])
        drafts.append(
            ProposalDraft(
                configuration={str(name): value for name, value in frame.iloc[i].items()},
                key=arena.pool.keys[choice.index],
                X=tuple(choice.x.tolist()),
                row=int(arena.pool.rows[choice.index]),
                predictions=said[arena.outcome][i],
                mean=about.mean,
                sd=about.sd,
                acqf_name=ACQUISITION,
                acqf_value=choice.value,
                argued_by=max(choice.argument, key=lambda name: choice.argument[name]),
                argument=choice.argument,
                is_exploring=best is not None and sign * about.mean <= best,
                n_measurements=results.n,
                seed=seed,
                others={name: told[i] for name, told in said.items() if name != arena.outcome},
                numbers=_numbers(arena, choice),
                stage=choice.stage,
            )
        )
    return tuple(drafts)


def _numbers(arena: StagedArena, choice: StagedChoice) -> dict[str, float]:
    """Return what else speaks for a choice: its price, and what becomes of it afterwards."""
    names = [stage.name for stage in arena.staging.stages]
    said = {"cost": arena.prices[names.index(choice.stage)], "gain_per_cost": float(np.exp(choice.value))}
    return said if choice.stage == names[-1] else {**said, f"p_on_to_{names[-1]}": choice.promotion}


def start_at_first_stage(arena: StagedArena, results: Results, request: StagedRequest) -> CycleResult:
    """Propose all candidates of an arena at the first stage, as many as can be paid for: random starts.

    Raises:
        NoCandidateError: If none can be paid for.
    """
    started = time.perf_counter()
    beliefs = believe_stages(arena.staging, arena.known, results)
    seed = derive(request.seed, "cycle", request.cycle, results.n)
    X = torch.as_tensor(arena.pool.X, dtype=torch.float64, device=beliefs[arena.outcome].steps.device)
    name = arena.staging.stages[0].name
    all_of_them = [StagedChoice(i, name, x, 0.0, {"": 1.0}, 1.0, arena.prices[0]) for i, x in enumerate(X)]
    if request.cost_left is not None and not payable(arena.prices, request.cost_left)[0]:
        raise NoCandidateError(f"No experiment is left that costs at most {request.cost_left:g}.")
    drafts = _drafts(arena, beliefs, _affordable(arena, all_of_them, request.cost_left), results, seed)
    summaries = {name: belief.summary() for name, belief in beliefs.items()}
    first = summaries.pop(arena.outcome)
    drafts = tuple(replace(draft, numbers={"cost": draft.numbers["cost"]}) for draft in drafts)
    return CycleResult(drafts, first, time.perf_counter() - started, summaries)
