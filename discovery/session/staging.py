"""Stages of a campaign: what was measured at each, what that has cost, and the way from a plan to staged proposals.

Next in the tour: `discovery.staged_cycle`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.campaign.stages import STAGE
from discovery.errors import InputError, NotSupportedError, counted
from discovery.session.batches import as_start, starting_pool
from discovery.space import CandidatePool

if TYPE_CHECKING:
    from discovery.acquisition.stages import Staging
    from discovery.aimed_cycle import Known, Results
    from discovery.campaign import CampaignSpec, StageSpec
    from discovery.cycle import CycleResult
    from discovery.ingest import CheckedRows
    from discovery.session.asking import AskPlan
    from discovery.session.proposals import ProposalBook
    from discovery.space import Pool, SearchSpace
    from discovery.staged_cycle import StagedArena, StagedRequest
    from discovery.store import ProposalRow

LINK = "stage:"
"""What the names of hypotheses begin with that an outcome follows the one of an earlier stage."""


@dataclass(frozen=True)
class StageStanding:
    """What was done at one stage.

    Attributes:
        name: The stage.
        n: Experiments that gave any of its outcomes.
        cost: What they have cost.
        n_open: Proposals for it without a result.
    """

    name: str
    n: int
    cost: float
    n_open: int


def stand_at_stages(spec: CampaignSpec, measured: pd.DataFrame, book: ProposalBook) -> tuple[StageStanding, ...]:
    """Say what was done at every stage; nothing for a campaign without stages."""
    under_way = book.open[STAGE].tolist() if STAGE in book.open else []
    found = []
    for stage in spec.stages:
        n = int(gives(stage, measured).sum())
        found.append(StageStanding(stage.name, n, n * stage.cost, under_way.count(stage.name)))
    return tuple(found)


def gives(stage: StageSpec, rows: pd.DataFrame) -> np.ndarray:
    """Say which rows give any outcome of a stage. Shape `n`."""
    return np.asarray(rows[list(stage.outcomes)].notna().any(axis="columns"), dtype=bool)


def together(spec: CampaignSpec, rows: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Return measurements with what the same configurations gave at other stages, where a row lacks it.

    Args:
        spec: The campaign; one without stages gets its rows back as they are.
        rows: Some measurements.
        measured: All of them.
    """
    if not spec.stages or rows.empty:
        return rows
    names = list(spec.believed)
    means = measured.groupby("key")[names].mean().reindex(rows["key"]).set_axis(rows.index)
    return rows.assign(**rows[names].fillna(means))


def stage_lines(spec: CampaignSpec, stages: tuple[StageStanding, ...]) -> tuple[str, ...]:
    """Say in sentences what was done at every stage."""
    return tuple(
        f"Stage {one.name}: {counted(one.n, 'experiment')} measured, cost {one.cost:g}, {one.n_open} under way; gives "
        f"{', '.join(spec.stage(one.name).outcomes)}."
        for one in stages
    )


def measured_from(spec: CampaignSpec, stage: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return measurements of a stage, and of those that come after it."""
    names = [outcome for one in _from(spec, stage) for outcome in one.outcomes]
    return rows[rows[names].notna().any(axis="columns")]


def open_from(spec: CampaignSpec, stage: str, proposals: pd.DataFrame) -> pd.DataFrame:
    """Return proposals for a stage, and for those that come after it."""
    return proposals[proposals[STAGE].isin([one.name for one in _from(spec, stage)])]


def _from(spec: CampaignSpec, stage: str) -> tuple[StageSpec, ...]:
    return spec.stages[[one.name for one in spec.stages].index(spec.stage(stage).name) :]


def check_needs(spec: CampaignSpec, proposal: ProposalRow, key: str, measured: pd.DataFrame) -> None:
    """Check that a configuration has been through the stage that a proposal's stage needs.

    Raises:
        InputError: If it has not.
    """
    needs = spec.stage(proposal.stage).needs
    if needs is None:
        return
    through = measured[measured[list(spec.stage(needs).outcomes)].notna().all(axis="columns")]
    if key not in set(through["key"]):
        raise InputError(
            f"Proposal {proposal.proposal_id} must be of a configuration that has been through {needs}; got {key}.",
            f"Only such ones come to {proposal.stage}: measure it at {needs} first.",
        )


def staged_cost(spec: CampaignSpec, measured: pd.DataFrame) -> float:
    """Return what the experiments of a campaign with stages have cost: a row that gives two stages paid for both."""
    return float(sum(stage.cost * gives(stage, measured).sum() for stage in spec.stages))


def cost_left(spec: CampaignSpec, measured: pd.DataFrame, book: ProposalBook) -> float | None:
    """Return what further experiments may cost, those under way taken off; None where that is not limited."""
    if spec.budget.cost is None:
        return None
    prices = {stage.name: stage.cost for stage in spec.stages}
    under_way = book.open[STAGE].map(prices).fillna(0.0).sum() if STAGE in book.open else 0.0
    return spec.budget.cost - staged_cost(spec, measured) - float(under_way)


def plan_stages(plan: AskPlan, spec: CampaignSpec, measured: pd.DataFrame, book: ProposalBook) -> AskPlan:
    """Write into a plan at which stages proposals are under way or excluded, and what may be spent."""
    return replace(
        plan,
        pending_stages=tuple(book.open[STAGE]) if STAGE in book.open else (),
        excluded_stages=excluded_stages(book),
        cost_left=cost_left(spec, measured, book),
    )


def excluded_stages(book: ProposalBook) -> tuple[str, ...]:
    """Return the stage of every key in `book.excluded_keys`; empty, which is every stage, for what was given up."""
    rows = book.excluded
    if STAGE not in rows:
        return ("",) * len(rows)
    return tuple(rows[STAGE].where(~rows["is_abandoned"], ""))


def why_spent_at_stages(spec: CampaignSpec, pool: Pool | None, measured: pd.DataFrame, book: ProposalBook) -> str:
    """Say why no experiment at any stage can be paid for any more; empty where one can, or one is under way."""
    left = cost_left(spec, measured, book)
    if left is None or book.n_open or n_open_at_stages(spec, listed(pool), measured, book, left):
        return ""
    said = f"The budget is used: {left:g} of {spec.budget.cost:g} are left, too little for what may come next"
    return f"{said} and stage {spec.stages[-1].name} after it."


def n_open_at_stages(
    spec: CampaignSpec, pool: Pool, measured: pd.DataFrame, book: ProposalBook, left: float | None = None
) -> int:
    """Return how many candidates may still be proposed at some stage; only where `left` pays for it, if given."""
    keys = np.array(listed(pool).keys, dtype=object)
    excluded = set(zip(book.excluded_keys, excluded_stages(book), strict=True))
    is_open, through = np.zeros(len(keys), dtype=bool), dict[str, np.ndarray]()
    is_later_free = np.ones(len(keys), dtype=bool)
    for stage in spec.stages:
        has_all = np.asarray(measured[list(stage.outcomes)].notna().all(axis="columns"), dtype=bool)
        through[stage.name] = np.isin(keys, measured["key"].to_numpy(object)[has_all])
    for stage in reversed(spec.stages):
        is_out = np.array([(key, stage.name) in excluded or (key, "") in excluded for key in keys], dtype=bool)
        is_later_free &= ~is_out & ~through[stage.name]
        if left is None or left >= stage.cost + (0 if stage is spec.stages[-1] else spec.stages[-1].cost):
            is_open |= is_later_free & (True if stage.needs is None else through[stage.needs])
    return int(is_open.sum())


def is_link(hypothesis: str) -> bool:
    """Say whether a hypothesis is that an outcome follows the one of an earlier stage: nothing of it is trained."""
    return hypothesis.startswith(LINK)


def staging_of(spec: CampaignSpec) -> Staging:
    """Return the stages as acquisition has them: the objective is the first outcome of the last."""
    from discovery.acquisition.stages import Stage, Staging

    def outcomes_of(stage: StageSpec) -> tuple[str, ...]:
        return tuple(sorted(stage.outcomes, key=lambda name: name != spec.objective.name))

    stages = tuple(Stage(s.name, outcomes_of(s), s.cost, s.delay, s.needs) for s in spec.stages)
    sign = -1.0 if spec.objective.goal == "minimize" else 1.0
    return Staging(stages, sign=sign, delay_cost=spec.acquisition.delay_cost)


def staged_arena(spec: CampaignSpec, space: SearchSpace, pool: Pool | None, known: Known) -> StagedArena:
    """Return where staged proposals are looked for.

    Raises:
        NotSupportedError: If the candidates are too many to be at hand.
    """
    from discovery.staged_cycle import StagedArena

    return StagedArena(space, listed(pool), known, staging_of(spec), tuple(stage.cost for stage in spec.stages))


def listed(pool: Pool | None) -> CandidatePool:
    """Return candidates that are at hand.

    Raises:
        NotSupportedError: If they are not: stages are not built for a pool that is read in pieces.
    """
    if isinstance(pool, CandidatePool):
        return pool
    raise NotSupportedError(
        "stages: candidates that are read in pieces are not supported yet.", "List fewer candidates, or drop `stages`."
    )


def propose_staged(plan: AskPlan, arena: StagedArena, results: Results) -> CycleResult:
    """Carry out a plan of several stages: random starts at the first one, then what the beliefs want.

    The same arguments give the same drafts; nothing is read or stored.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    from discovery.staged_cycle import run_staged_cycle, start_at_first_stage

    space, pool = plan.today.restrict(arena.space, arena.pool)
    arena, request = replace(arena, space=space, pool=listed(pool)), staged_request(plan)
    if not plan.n_random:
        return run_staged_cycle(arena, results, request)
    starts = starting_pool(plan, space, arena.pool, results.keys)
    found = start_at_first_stage(replace(arena, pool=starts), results, request)
    return replace(found, drafts=tuple(as_start(draft, is_pooled=True) for draft in found.drafts))


def staged_request(plan: AskPlan) -> StagedRequest:
    """Return what a plan asks of one pass."""
    from discovery.staged_cycle import StagedRequest

    pending: dict[str, list[tuple[float, ...]]] = {}
    for stage, x in zip(plan.pending_stages, plan.pending_X, strict=True):
        pending.setdefault(stage, []).append(x)
    return StagedRequest(
        n=plan.n,
        seed=plan.seed,
        cycle=plan.cycle,
        excluded=frozenset(zip(plan.excluded_keys, plan.excluded_stages, strict=True)),
        pending={stage: np.array(rows) for stage, rows in pending.items()},
        cost_left=plan.cost_left,
    )


def link_by_stage(checked: CheckedRows, proposals: pd.DataFrame, spec: CampaignSpec) -> CheckedRows:
    """Link rows to the proposals of their configurations at the stages whose outcomes they give.

    A row that names a proposal of a stage that it gives nothing of answers another one, or none.

    Args:
        checked: Rows that may land.
        proposals: What `Store.proposals` gave.
        spec: The campaign; it has stages.
    """
    frame, missing = checked.frame, pd.Series(None, index=checked.frame.index, dtype=object)
    if STAGE not in proposals:
        return checked
    keys = pd.Series(checked.keys, index=frame.index, dtype=object)
    named = frame.get("proposal_id", missing).astype(object)
    named_stage = named.map(dict(zip(proposals["proposal_id"], proposals[STAGE], strict=True)))
    found, is_answer = missing, named.notna() & named_stage.isna()
    for stage in spec.stages:
        given = pd.Series(gives(stage, frame), index=frame.index)
        at_stage = proposals[proposals[STAGE] == stage.name].drop_duplicates("key")
        by_key = keys.map(dict(zip(at_stage["key"], at_stage["proposal_id"], strict=True))).astype(object)
        found = by_key.where(given & by_key.notna(), found)
        is_answer |= given & (named_stage == stage.name)
    linked = named.where(is_answer, found)
    return replace(checked, frame=frame.assign(proposal_id=linked.where(linked.notna(), None)))
