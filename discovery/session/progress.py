"""Where a campaign stands: how much is measured, what is under way, and whether it is over, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery.errors import counted
from discovery.session.compromises import Standing, stand
from discovery.session.costing import costs_of
from discovery.session.staging import n_open_at_stages, stand_at_stages, together, why_spent_at_stages
from discovery.session.stopping import ExpectedGain, is_end, stop_sentence
from discovery.space import CandidatePool
from discovery.space.censored import ABOVE, BELOW, SUFFIX
from discovery.standing import overall

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.session.proposals import ProposalBook
    from discovery.space import Pool


@dataclass(frozen=True)
class CampaignProgress:
    """Where a campaign stands.

    Attributes:
        campaign: Its name.
        cycle: The last cycle that made proposals; 0 before the first.
        n_measurements: Measurements so far, also those nobody proposed.
        n_budget: Experiments that the campaign may make.
        n_open: Proposals without a result that may still get one.
        n_waiting: Those among them that wait for a person's decision.
        best: The best measurement: `measurement_id`, `position`, parameters and outcome; None before the first.
        is_finished: Whether no further experiment will be proposed.
        reason: Why it is finished, or where it stands, in one sentence.
        ended_by: `target`, `budget`, `cost`, `candidates` or `gain`; empty where it is not finished. An end by gain is
            advice: the team may go on all the same.
        n_running: Open proposals whose trials run in the laboratory.
        standing: What several objectives, targets, hits, outcome constraints and costs have come to.
    """

    campaign: str
    cycle: int
    n_measurements: int
    n_budget: int
    n_open: int
    n_waiting: int
    best: dict[str, Any] | None
    is_finished: bool
    reason: str
    ended_by: str = ""
    n_running: int = 0
    standing: Standing = field(default_factory=Standing)


def measure_progress(
    spec: CampaignSpec,
    pool: Pool | None,
    measured: pd.DataFrame,
    book: ProposalBook,
    gain: ExpectedGain | None = None,
    fits: np.ndarray | None = None,
) -> CampaignProgress:
    """Say where a campaign stands.

    Args:
        spec: The campaign.
        pool: Its candidates, or None.
        measured: All its measurements (`Store.measurements`).
        book: Its proposals.
        gain: What the last proposals were expected to bring, where that is known.
        fits: Which measurements the present space can represent, so that one of them may be the best; default all.
    """
    usable = without_bounds(spec, measured if fits is None else measured[fits])
    best, standing = best_row(spec, usable), stand(spec, pool, usable, measured)
    if spec.stages:
        standing = replace(standing, stages=stand_at_stages(spec, measured, book))
    n_left = None if pool is None else n_candidates_left(spec, pool, measured, book)
    ended_by, why = _why_finished(spec, standing.reached, len(measured), n_left, book.n_open)
    if not why and (spent := _spent(spec, pool, standing.cost, measured, book)):
        ended_by, why = "cost", spent
    if not why and gain is not None and not book.n_open and is_end(gain, spec, len(measured)):
        ended_by, why = "gain", stop_sentence(gain, spec)
    n_budget = spec.budget.experiments
    n_said = f"{len(measured)} of {counted(n_budget, 'experiment')}"
    running = f", {book.n_running} of them in the laboratory" if book.n_running else ""
    return CampaignProgress(
        campaign=spec.name,
        cycle=book.last_cycle,
        n_measurements=len(measured),
        n_budget=n_budget,
        n_open=book.n_open,
        n_waiting=book.n_waiting,
        best=best,
        is_finished=bool(why),
        reason=why or f"{n_said} measured, {counted(book.n_open, 'open proposal')}{running}.",
        ended_by=ended_by,
        n_running=book.n_running,
        standing=standing,
    )


def without_bounds(spec: CampaignSpec, measured: pd.DataFrame) -> pd.DataFrame:
    """Return measurements without outcomes that need not have been reached: what is at most 95 may be 3.

    Where nothing else is known of an outcome its bounds stay.
    """
    for objective in spec.objectives:
        side = BELOW if objective.goal == "maximize" else ABOVE if objective.goal == "minimize" else ""
        marks = measured.get(f"{objective.name}{SUFFIX}")
        if side and marks is not None and not (marks == side).all():
            measured = measured.assign(**{objective.name: measured[objective.name].mask(marks == side)})
    return measured


def best_row(spec: CampaignSpec, measured: pd.DataFrame) -> dict[str, Any] | None:
    """Return the best measurement: its id, position, parameters and outcomes.

    None where there is none, where none meets the outcome constraints, and where several are the best compromises.
    """
    score, measured = overall(spec, measured), together(spec, measured, measured)
    if np.isnan(score).all():
        return None
    columns = ["measurement_id", "position", *spec.parameter_names, *spec.believed]
    columns += [f"{name}{SUFFIX}" for name in spec.believed if f"{name}{SUFFIX}" in measured]
    (best,) = measured[columns].iloc[[int(np.nanargmax(score))]].to_dict("records")
    truths = [parameter.name for parameter in spec.parameters if parameter.type == "boolean"]
    return {str(name): value for name, value in best.items()} | {name: bool(best[name]) for name in truths}


def n_candidates_left(spec: CampaignSpec, pool: Pool, measured: pd.DataFrame, book: ProposalBook) -> int:
    """Return how many candidates of a pool may still be proposed."""
    if spec.stages:
        return n_open_at_stages(spec, pool, measured, book)
    taken = set(book.excluded_keys)
    if not spec.acquisition.allow_replicates:
        taken |= set(measured["key"])
    return pool.n_left(taken)


def _spent(
    spec: CampaignSpec, pool: Pool | None, cost: float | None, measured: pd.DataFrame, book: ProposalBook
) -> str:
    if spec.stages:
        return why_spent_at_stages(spec, pool, measured, book)
    return _why_spent(spec, pool, cost, {*measured["key"], *book.excluded_keys}, book.n_open)


def _why_spent(spec: CampaignSpec, pool: Pool | None, cost: float | None, taken: set[str], n_open: int) -> str:
    """Say why no experiment can be paid for any more; empty where one can."""
    if cost is None or spec.budget.cost is None:
        return ""
    left = spec.budget.cost - cost
    if left > 0 and n_open == 0 and isinstance(pool, CandidatePool):
        costs = costs_of(spec, pool, pool.frame, pool.keys)
        cheapest = min((c for c, key in zip(costs, pool.keys, strict=True) if key not in taken), default=0.0)
        if cheapest > left:
            return f"The budget is used: {left:g} of {spec.budget.cost:g} are left, and no candidate is so cheap."
    return "" if left > 0 else f"The budget is used: {cost:g} of a cost of {spec.budget.cost:g} are spent."


def _why_finished(
    spec: CampaignSpec, reached: str, n_measured: int, n_left: int | None, n_open: int
) -> tuple[str, str]:
    """Return by what the campaign has ended, and why in a sentence; both empty where it goes on."""
    if reached:
        return "target", reached
    if n_measured >= spec.budget.experiments:
        return "budget", f"The budget is used: {n_measured} of {spec.budget.experiments} experiments are measured."
    if n_left == 0 and n_open == 0:
        said = f"No candidate is left: all are measured, rejected or abandoned after {n_measured} experiments."
        return "candidates", said
    return "", ""
