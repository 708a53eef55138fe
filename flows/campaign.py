"""The whole campaign as one flow: meta-train, then cycles until the campaign ends or a person is needed, then refine.

The store is the state machine. Whatever was killed goes on from there: open proposals first, reported trials are
ingested, nothing that was recorded is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from prefect import flow, tags
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import Field

from discovery.errors import counted
from discovery.session import Campaign, CampaignProgress
from discovery.session.happenings import note_stuck
from discovery.session.leases import running
from flows.adapt import adapt
from flows.deployments import TAG
from flows.events import tell_events
from flows.experiment import experiment
from flows.ingest import ingest
from flows.meta_train import meta_train
from flows.propose import propose
from flows.refine import refine
from flows.review import review
from flows.steps import Given, Without, opened, run_name

FINISHED, WAITING, PAUSED, STUCK = "finished", "waiting", "paused", "stuck"
PARTS: dict[Any, Any] = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
"""Settings of the flows within a run: its own heartbeat says that it lives, and ending another's takes a second."""
MAX_IDLE = 3  # passes without a new measurement after which the campaign is stuck: as many as a trial may fail


@dataclass(frozen=True)
class RunOptions:
    """What one run of a campaign is asked.

    Attributes:
        file: The campaign file.
        cycles: How many cycles to propose at most; None for as many as the budget allows.
        auto_approve: Whether to approve even where the campaign file asks for a person.
        device: `auto`, `cpu` or `cuda`.
        go_on: Whether to go on even where `stop.min_gain` advises to stop.
        given: Values that are given today, by parameter.
        without: Values that are not to be had today, by parameter.
    """

    file: str
    cycles: int | None = None
    auto_approve: bool = False
    device: str = "auto"
    go_on: bool = False
    given: Given = None
    without: Without = None

    def is_over(self, progress: CampaignProgress) -> bool:
        """Say whether a campaign has ended, as far as this run is concerned."""
        return progress.is_finished and not (self.go_on and progress.ended_by == "gain")


@dataclass(frozen=True)
class CampaignOutcome:
    """How a run of a campaign ended.

    Attributes:
        state: `finished`, `waiting` (for people), `paused` (as many cycles as were asked for) or `stuck`.
        n_cycles: Cycles that this run proposed.
        reason: Why it ended, in one sentence.
        next_command: What a person does next; empty where there is nothing.
        n_measurements: Measurements so far.
        refinement: What became of refinement; empty where the campaign goes on.
    """

    state: str
    n_cycles: int
    reason: str
    next_command: str = ""
    n_measurements: int = 0
    refinement: str = ""


@flow(name="campaign", flow_run_name=run_name)
def campaign(
    file: str,
    cycles: Annotated[int, Field(ge=0)] | None = None,
    auto_approve: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    go_on: bool = False,
    given: Given = None,
    without: Without = None,
) -> CampaignOutcome:
    """Run a campaign until it ends, people are needed, or enough cycles were made.

    Args:
        file: The campaign file.
        cycles: How many cycles to propose at most; 0 to carry out and take in alone (the run of a schedule proposes
            one nevertheless), None for as many as the budget allows.
        auto_approve: Whether to approve even where the campaign file asks for a person.
        device: `auto`, `cpu` or `cuda`.
        go_on: Whether to go on even where `stop.min_gain` advises to stop.
        given: Values that are given today, by parameter; the same for all cycles of this run.
        without: Values that are not to be had today, by parameter; a range is text such as `90..110`.

    Raises:
        InputError: If a context parameter is not given, or a name or value of today is unknown.
        LeaseError: If another process runs this campaign.
    """
    asked = 1 if cycles == 0 and is_scheduled() else cycles
    one, options = opened(file, device), RunOptions(file, asked, auto_approve, device, go_on, given, without)
    with running(one.store, one.name) as check, tags(TAG, one.name), temporary_settings(PARTS):
        is_new = not options.is_over(one.progress())
        if is_new:
            meta_train(file, device)
        outcome = run_cycles(options, check)
        if outcome.state == STUCK:
            note_stuck(one, outcome.reason)
        progress = one.finish()
        if is_new and outcome.state in (FINISHED, PAUSED):
            adapt(file, progress.cycle + 1, device)  # the ledger says where the belief stands after the last result
        refinement = ""
        if outcome.state == FINISHED:  # a schedule ticks on after the end: nothing to refine needs no run of its own
            refinement = ("" if is_new else one.why_no_refinement()) or refine(file, device)
    tell_events(one.store)
    return replace(
        outcome,
        reason=outcome.reason or progress.reason,
        n_measurements=progress.n_measurements,
        refinement=refinement,
    )


def is_scheduled() -> bool:
    """Say whether a schedule made this run.

    The schedule cannot say itself that a cycle is to be proposed: Prefect 3.8 forgets a schedule's parameters when it
    is switched off and on in the pages.
    """
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and bool(context.flow_run.auto_scheduled)


def run_cycles(options: RunOptions, check: Callable[[], None]) -> CampaignOutcome:
    """Go through cycles: open proposals first, then new ones.

    Args:
        options: What is asked.
        check: Called before every pass; raises when another process has taken over.

    Returns:
        How it ended; the reason is empty where the campaign's progress says it.
    """
    one = opened(options.file, options.device)
    if one.progress().n_open:
        ingest(options.file, one.progress().cycle, options.device)
    n_cycles = n_idle = 0
    while n_idle < MAX_IDLE:
        check()
        before = one.progress()
        if options.is_over(before):
            return CampaignOutcome(FINISHED, n_cycles, "")
        if not before.n_open:
            if n_cycles == options.cycles:
                return CampaignOutcome(PAUSED, n_cycles, "", f"discovery run {options.file}")
            if missing := [name for name in one.spec.context_names if name not in (options.given or {})]:
                return CampaignOutcome(WAITING, n_cycles, *_unsaid(missing, options.file))
            if not _propose(options, before.cycle + 1):
                ended = one.progress()
                why = ended.reason if ended.is_finished else _why_nothing(options)
                return CampaignOutcome(FINISHED, n_cycles, why, _overrule(options, ended))
            n_cycles += 1
        n_added, waiting = _carry_out(options, one.progress().cycle)
        if waiting and not n_added:
            return CampaignOutcome(WAITING, n_cycles, *waiting)
        n_idle = 0 if n_added else n_idle + 1
    said = one.store.trials(one.name)["error"].iloc[-1]
    return CampaignOutcome(STUCK, n_cycles, f"No experiment succeeded in {MAX_IDLE} attempts. The last said: {said}")


def _propose(options: RunOptions, cycle: int) -> bool:
    """Adapt and propose; say whether there was anything to propose."""
    adapt(options.file, cycle, options.device)
    return bool(propose(options.file, cycle, options.device, options.go_on, options.given, options.without))


def _unsaid(missing: Sequence[str], file: str) -> tuple[str, str]:
    """Say which values are awaited of people before anything is proposed, and the command that gives them."""
    flags = " ".join(f"--given {name}=VALUE" for name in missing)
    return f"{' and '.join(missing)} must be given to propose.", f"discovery run {file} {flags}"


def _why_nothing(options: RunOptions) -> str:
    """Say why nothing was proposed although the campaign has not ended."""
    today = " with what is given and not to be had today" if options.given or options.without else ""
    return f"No candidate is left to propose{today}."


def _overrule(options: RunOptions, ended: CampaignProgress) -> str:
    """Name the command that goes on where the end is advice; empty where it is none."""
    return f"discovery run {options.file} --continue" if ended.ended_by == "gain" else ""


def _carry_out(options: RunOptions, cycle: int) -> tuple[int, tuple[str, str] | None]:
    """Review, experiment and ingest.

    Returns:
        Number of measurements that landed; what people have to do and with which command, or None.
    """
    file, device = options.file, options.device
    one = opened(file, device)
    undecided = review(file, cycle, options.auto_approve, device)
    if one.spec.experiment is not None:
        experiment(file, cycle, device)
    n_added = ingest(file, cycle, device)
    if undecided:
        text = f"A decision is awaited about {counted(len(undecided), 'proposal')}."
        return n_added, (text, f"discovery review {file} --approve ID")
    return n_added, _awaited(one, file)


def _awaited(one: Campaign, file: str) -> tuple[str, str] | None:
    """Return which results are awaited of people or of a laboratory, and the command that takes them; None if none."""
    progress, laboratory = one.progress(), one.spec.experiment
    if laboratory is None:
        text = f"Results are awaited of {counted(progress.n_open, 'approved proposal')}."
        return text, f"discovery ingest {file} RESULTS.csv"
    if not progress.n_running:
        return None
    text = f"Results are awaited of {counted(progress.n_running, 'trial')}."
    return text, f"discovery ingest {file} RESULTS" if laboratory.type == "manual" else f"discovery run {file}"
