"""Every Prefect task of the pipeline: retries, and one call into the session. The logic is in `discovery.session`.

Flows pass the campaign's file, which is what a deployment can hold; steps in one process share the opened campaign.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prefect
from prefect import task
from prefect.cache_policies import NO_CACHE

from discovery.errors import DiscoveryError, StoreLockedError
from discovery.session import Campaign
from flows.artifacts import TrainingProgress
from flows.progress import CycleSummary, TrainingStep, tell
from flows.remote import elsewhere
from flows.secrets import use_blocks

if TYPE_CHECKING:
    import pandas as pd
    from prefect.client.schemas.objects import State, TaskRun

    from discovery.belief.records import BeliefSummary
    from discovery.meta.refine import RefineResult
    from discovery.review import Verdict
    from discovery.session import DecisionReport, ReviewReport
    from discovery.store import IngestReport, TrialRow

LOCK_RETRIES, LOCK_PAUSE_S = 5, 10
Given = dict[str, str | float] | None
"""Values that are given today, by parameter."""
Without = dict[str, list[str | float]] | None
"""Values that are not to be had today, by parameter; a range is text such as `90..110`."""


def opened(file: str, device: str = "auto") -> Campaign:
    """Open a campaign, or return the one that this process has open already; a changed file is opened anew."""
    path = Path(file).resolve()
    changed_at = path.stat().st_mtime_ns if path.is_file() else 0
    return _opened(str(path), device, changed_at, os.environ.get("DISCOVERY_STORE", ""))


@lru_cache(maxsize=4)
def _opened(file: str, device: str, changed_at: int, store: str) -> Campaign:
    return Campaign.open(file, device=device)


def run_name() -> str:
    """Name a flow run by campaign, cycle and verb, such as `suzuki-case-4 c003 propose`."""
    parameters: dict[str, Any] = prefect.runtime.flow_run.parameters
    verb = prefect.runtime.flow_run.flow_name
    cycle = parameters.get("cycle")
    name = opened(parameters["file"], parameters.get("device", "auto")).name
    return " ".join(part for part in (name, f"c{cycle:03d}" if cycle else "", verb) if part)


def is_locked(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    """Say whether a step failed because another process held the store: the one reason to try it again."""
    return isinstance(state.result(raise_on_failure=False), StoreLockedError)


@task(name="train hypotheses", cache_policy=NO_CACHE)
def train_step(file: str, device: str, force: bool) -> list[str]:
    """Meta-train what is missing; return the ids of the checkpoints in use."""
    campaign = opened(file, device)
    shown = TrainingProgress(campaign.name)

    def report(hypothesis: str, step: int, steps: int) -> None:
        shown.report(hypothesis, step, steps)
        tell(TrainingStep(hypothesis, step, steps))

    return [item.checkpoint.checkpoint_id for item in campaign.meta_train(report, force=force)]


@task(name="adapt belief", cache_policy=NO_CACHE)
def adapt_step(file: str, device: str) -> BeliefSummary:
    """Adapt to everything measured and store where the belief stands."""
    return opened(file, device).adapt()


@task(name="ask", cache_policy=NO_CACHE)
def ask_step(file: str, device: str, go_on: bool = False, given: Given = None, without: Without = None) -> pd.DataFrame:
    """Propose the next experiments and store them."""
    return opened(file, device).ask(go_on=go_on, given=given, without=without)


@task(name="review pending", cache_policy=NO_CACHE)
def review_step(file: str, device: str, auto_approve: bool) -> ReviewReport:
    """Approve what nobody is asked about, and let go stale what nobody decided about."""
    return opened(file, device).review_pending(auto_approve)


@task(
    name="write decisions",
    retries=LOCK_RETRIES,
    retry_delay_seconds=LOCK_PAUSE_S,
    retry_condition_fn=is_locked,
    cache_policy=NO_CACHE,
)
def decide_step(file: str, verdicts: Sequence[Verdict], reviewer: str) -> DecisionReport | str:
    """Write what a person decided; returns in words what is wrong with it, where it cannot be written."""
    try:
        return opened(file).decide_all(verdicts, reviewer)
    except StoreLockedError:
        raise
    except DiscoveryError as error:
        return str(error)


@task(
    name="run trials",
    retries=LOCK_RETRIES,
    retry_delay_seconds=LOCK_PAUSE_S,
    retry_condition_fn=is_locked,
    cache_policy=NO_CACHE,
)
def experiment_step(file: str, device: str) -> list[TrialRow]:
    """Carry out every approved proposal that has no result yet, here or where `experiment.pool` says."""
    use_blocks()
    one = opened(file, device)
    return one.experiment(adapter=elsewhere(one.spec))


@task(
    name="ingest results",
    retries=LOCK_RETRIES,
    retry_delay_seconds=LOCK_PAUSE_S,
    retry_condition_fn=is_locked,
    cache_policy=NO_CACHE,
)
def ingest_step(file: str, device: str) -> IngestReport:
    """Turn what trials have reported into measurements."""
    return opened(file, device).ingest_results()


@task(name="refine history", cache_policy=NO_CACHE)
def refine_step(file: str, device: str) -> dict[str, RefineResult]:
    """Let the finished campaign join the history of the next ones, with every outcome that can."""
    return opened(file, device).refine_all(lambda name, step, steps: tell(TrainingStep(name, step, steps)))


@task(name="summarize cycle", cache_policy=NO_CACHE)
def summarize_step(file: str, device: str, cycle: int) -> CycleSummary:
    """Collect what a cycle brought."""
    return summarize(opened(file, device), cycle)


def summarize(campaign: Campaign, cycle: int) -> CycleSummary:
    """Collect what a cycle brought: its proposals with their outcomes, the best so far, the hypotheses' weights."""
    outcome = campaign.spec.outcome(campaign.spec.objective.name)
    progress, proposals, evidence = campaign.progress(), campaign.proposals(), campaign.store.evidence(campaign.name)
    measured = campaign.measurements().drop_duplicates("proposal_id", keep="last").set_index("proposal_id")
    columns = ["proposal_id", *campaign.spec.parameter_names, f"{outcome.name}_pred", f"{outcome.name}_sd", "status"]
    rows = proposals.loc[proposals["cycle"] == cycle, columns]
    rows = rows.assign(**{outcome.name: rows["proposal_id"].map(measured[outcome.name])}).astype(object)
    cells = rows.where(rows.notna(), None).to_dict("records")
    weights = evidence[evidence["cycle"] == cycle].set_index("hypothesis")["weight"]
    return CycleSummary(
        campaign=campaign.name,
        cycle=cycle,
        outcome=outcome.name,
        unit=outcome.unit or "",
        proposals=tuple({str(name): cell for name, cell in row.items()} for row in cells),
        best=None if progress.best is None else float(progress.best[outcome.name]),
        weights={str(name): float(weight) for name, weight in weights.items()},
        n_measurements=progress.n_measurements,
        n_budget=progress.n_budget,
    )
