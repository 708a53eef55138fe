"""From a plan to a batch: random starts where some are left, then what the beliefs want, in what is left today.

Next in the tour: `discovery.cycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.batch import choose_batch, fix_shared
from discovery.campaign.context import COMPARABLE
from discovery.errors import NoCandidateError
from discovery.seeds import rng
from discovery.sequences import BatchRules, ordered
from discovery.space import CandidatePool
from discovery.space.restricted import restrict_candidates, restrict_pool, restrict_space

if TYPE_CHECKING:
    from discovery.aimed_cycle import Results
    from discovery.cycle import CycleRequest, CycleResult, Observations, ProposalDraft
    from discovery.session.asking import AskPlan
    from discovery.space import SearchSpace
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

Run = Callable[["SearchSpace", "Pool | None", "CycleRequest"], "CycleResult"]
"""One pass over a space or over candidates, as a request asks."""
RANDOM = "random"
"""The acquisition function of random starts, and who argues for them."""


def carry_out_plan(
    plan: AskPlan, space: SearchSpace, pool: Pool | None, measured: Observations | Results, run: Run
) -> CycleResult:
    """Carry out a plan in what is left today: random starts where some are left, then what the beliefs want.

    Args:
        plan: What is asked.
        space: The search space.
        pool: The finite pool, or None.
        measured: What has been measured.
        run: Makes one pass over a space or over candidates.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    given = _coordinates(plan, space)
    space, pool = plan.today.restrict(space, pool)
    rules = _rules(plan, measured)

    def passes(part: SearchSpace, left: Pool | None, n: int, also: Sequence[ProposalDraft]) -> CycleResult:
        return run(part, left, replace(plan.request(n, also), given=given))

    if plan.n_random == 0:
        return choose_batch(passes, space, pool, plan.n, rules)
    if plan.shared and plan.n > 1:
        space, pool = _share_start(plan, space, pool, measured.keys)
    starts = starting_pool(plan, space, pool, measured.keys)
    first = passes(space, starts, plan.n_random, ())
    drafts = tuple(as_start(draft, is_pooled=pool is not None) for draft in first.drafts)
    alone = replace(first, drafts=tuple(ordered(drafts, space, rules)))
    if plan.n == plan.n_random:
        return alone

    def beside(part: SearchSpace, left: Pool | None, n: int, also: Sequence[ProposalDraft]) -> CycleResult:
        return passes(part, left, n, (*drafts, *also))

    last = np.array(drafts[-1].X) if plan.changeover else None
    try:
        rest = choose_batch(beside, space, pool, plan.n - plan.n_random, replace(rules, last=last, is_first=False))
    except NoCandidateError:  # the starts took all that was left
        return alone
    seconds = first.seconds + rest.seconds
    return replace(rest, drafts=tuple(ordered([*drafts, *rest.drafts], space, rules)), seconds=seconds)


def _coordinates(plan: AskPlan, space: SearchSpace) -> tuple[tuple[int, float], ...]:
    """Return the coordinates of the context and their values today."""
    found: list[tuple[int, float]] = []
    for codec, part in zip(space.codecs, space.slices, strict=True):
        if codec.name in plan.context:
            cells = pd.Series([plan.given[codec.name]], name=codec.name, dtype=object)
            found += zip(range(part.start, part.stop), codec.encode(codec.read(cells)[0])[0].tolist(), strict=True)
    return tuple(found)


def _rules(plan: AskPlan, measured: Observations | Results) -> BatchRules:
    """Return what holds between the proposals of a plan."""
    past = [*measured.X[-1:], *map(np.array, plan.pending_X[-1:])]
    return BatchRules(
        shared=plan.shared,
        changeover=plan.changeover,
        last=past[-1] if past else None,
        taken={*plan.excluded_keys, *(() if plan.allow_replicates else measured.keys)},
        is_plain=plan.is_plain and plan.acquisition in COMPARABLE,
        is_first=not past,
    )


def _share_start(
    plan: AskPlan, space: SearchSpace, pool: Pool | None, measured_keys: Sequence[str]
) -> tuple[SearchSpace, Pool | None]:
    """Return what is left with the value that the first random start has of what a batch shares."""
    one = replace(plan, n=1, n_random=1)
    if pool is None:
        start = starting_pool(one, space, None, measured_keys).frame.iloc[0]
        return restrict_space(space, {name: start[name] for name in plan.shared}, {}), None
    if isinstance(pool, CandidatePool):
        pool = restrict_pool(pool, fix_shared(pool, plan.shared, plan.n, {*plan.excluded_keys, *measured_keys}))
    start = starting_pool(one, space, pool, measured_keys).frame.iloc[0]
    return space, restrict_candidates(pool, space, {name: start[name] for name in plan.shared}, {})


def starting_pool(plan: AskPlan, space: SearchSpace, pool: Pool | None, measured_keys: Sequence[str]) -> CandidatePool:
    """Return the plan's random starts as a pool of exactly that many configurations (fewer where a pool runs out).

    In a pool they come in one random order, fixed by the seed: the order of a backtest's random starts.

    Raises:
        NoCandidateError: If every candidate is taken.
    """
    taken = {*plan.excluded_keys, *measured_keys}
    if pool is None:
        drawn = _sampled_pool(plan, space)
        found = drawn.at(np.flatnonzero([key not in taken for key in drawn.keys])[: plan.n_random])
    else:
        found = pool.starts(plan.n_random, taken, rng(plan.seed, "initial experiments"))
    if not len(found):
        raise NoCandidateError("Every candidate was measured, runs, or was rejected; none is left to start with.")
    return found


def _sampled_pool(plan: AskPlan, space: SearchSpace) -> CandidatePool:
    """Draw twice as many configurations as are wanted, so that some may be taken."""
    X = space.sample(2 * plan.n_random, rng(plan.seed, "initial experiments", plan.cycle))
    frame = space.decode(X)
    keys = pd.Series(space.keys(frame))
    frame = frame[~keys.duplicated().to_numpy()].reset_index(drop=True)
    return CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), np.arange(len(frame)))


def as_start(draft: ProposalDraft, *, is_pooled: bool) -> ProposalDraft:
    """Say of a draft that chance chose it; what the hypotheses predict there stays."""
    return replace(
        draft,
        acqf_name=RANDOM,
        argued_by=RANDOM,
        argument={},
        is_exploring=True,
        row=draft.row if is_pooled else None,
    )
