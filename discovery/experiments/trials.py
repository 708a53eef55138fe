"""Trials from start to report, written down at every step, so that a process may be killed between any two.

All trials of a call are started and handed over first; then those whose results are not there yet are asked after until
the adapter's patience is over. Whoever comes later asks on. Next in the tour: `discovery.session.results`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from discovery.errors import ExperimentError
from discovery.experiments.adapter import (
    Adapter,
    AdapterResult,
    AskedAgain,
    InfeasibleExperimentError,
    Order,
    Pending,
    TakesBatches,
    TemporaryExperimentError,
    TrialContext,
)
from discovery.store.leases import process_owner

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.store import Store, TrialRow

MAX_ATTEMPTS = 3  # trials of one proposal that may fail before it is given up
RENEW_EVERY_S = 600.0  # a sixth of a trial's lease
FOLDER = "trials"  # beside the store: one folder per trial for adapters that need files


def carry_out(
    store: Store, proposal_ids: Sequence[str], adapter: Adapter, spec: CampaignSpec, owner: str | None = None
) -> list[TrialRow]:
    """Carry out approved proposals, except those whose running trials have reported already.

    Args:
        store: Where the trials are recorded.
        proposal_ids: The proposals.
        adapter: What carries them out.
        spec: The campaign; every outcome that it names must come back, or those of the proposal's stage.
        owner: Who carries them out; default this process.

    Returns:
        The trials that ended here, in the order they did: running with their reports, failed, or abandoned. Those whose
        results are still awaited keep running, and anyone may ask after them.

    Raises:
        StatusError: If a proposal is not approved, or was carried out or given up already; then none is started.
        LeaseError: If another live process carries one out; then none is started.
        ConfigurationError: If the adapter cannot work with what the file says; its trials stay open.
    """
    kind, owner = spec.experiment.type if spec.experiment is not None else "manual", owner or process_owner()
    with store.transaction():
        started = [store.start_trial(proposal_id, kind, owner) for proposal_id in proposal_ids]
        runs = [_Run.of(store, spec, trial) for trial in started if trial.outcomes is None]
    batch = _Batch(store, adapter, spec, owner, runs)
    try:
        return batch.work_off()
    finally:
        store.release_trials({run.trial.trial_id: run.detail for run in batch.open}, owner)


@dataclass
class _Run:
    """A trial that is under way.

    Attributes:
        trial: As it was started.
        order: The order with what the laboratory calls it by now.
        due: When it is to be asked after next, on the monotonic clock.
        detail: What it waits for.
    """

    trial: TrialRow
    order: Order
    due: float = 0.0
    detail: str = ""

    @classmethod
    def of(cls, store: Store, spec: CampaignSpec, trial: TrialRow) -> _Run:
        proposal = store.proposal(trial.proposal_id)
        context = TrialContext(
            trial_id=trial.trial_id,
            proposal_id=trial.proposal_id,
            key=proposal.key,
            idempotency_key=trial.idempotency_key,
            external_id=trial.external_id,
            folder=store.path.parent / FOLDER / trial.idempotency_key,
            started_at=trial.started_at,
            stage=proposal.stage,
            outcomes=spec.outcomes_at(proposal.stage) if proposal.stage else (),
        )
        run = cls(trial, Order(proposal.configuration, context))

        def remember(external_id: str) -> None:
            store.set_external_id(trial.trial_id, external_id)
            run.order = replace(run.order, context=replace(run.order.context, external_id=external_id))

        run.order = replace(run.order, context=replace(context, remember=remember))
        return run


class _Batch:
    """The trials of one call.

    Args:
        store: Where they are recorded.
        adapter: What carries them out.
        spec: The campaign.
        owner: Who holds them.
        runs: Those that have not reported.
    """

    def __init__(self, store: Store, adapter: Adapter, spec: CampaignSpec, owner: str, runs: Sequence[_Run]) -> None:
        self.store, self.adapter, self.spec, self.owner, self.open = store, adapter, spec, owner, list(runs)
        self.wait_s, self.poll_s = (
            (adapter.wait_s, adapter.poll_s) if isinstance(adapter, AskedAgain) else (0.0, math.inf)
        )
        self.renewed_at = time.monotonic()

    def work_off(self) -> list[TrialRow]:
        """Hand over all trials, then ask after them until all have ended or patience is over."""
        if self.open and isinstance(self.adapter, TakesBatches):
            self.adapter.hand_over([run.order for run in self.open])
        ended = self._ask_all_due()
        deadline = time.monotonic() + self.wait_s
        while self.open and (moment := min(run.due for run in self.open)) < deadline:
            self._keep_until(moment)
            ended += self._ask_all_due()
        return ended

    def _ask_all_due(self) -> list[TrialRow]:
        """Ask after every trial whose time has come; those that have ended are no longer open."""
        ended = []
        for run in [run for run in self.open if run.due <= time.monotonic()]:
            self._renew()
            trial = self._ask(run)
            if trial is not None:
                self.open.remove(run)
                ended.append(trial)
        return ended

    def _ask(self, run: _Run) -> TrialRow | None:
        """Ask after one trial and write down what came; None where its result is not there yet."""
        trial_id, attempt = run.trial.trial_id, run.trial.attempt
        try:
            answer = self.adapter.run(run.order.configuration, run.order.context)
            if isinstance(answer, Pending):
                self._put_off(run, answer)
                return None
            asked = run.order.context.outcomes
            check_result(answer, asked or self.spec.outcome_names, trial_id)
        except (ExperimentError, OSError) as error:
            may_retry = isinstance(error, TemporaryExperimentError | OSError) and attempt < MAX_ATTEMPTS
            is_infeasible = isinstance(error, InfeasibleExperimentError)
            return self.store.fail_trial(trial_id, str(error), retryable=may_retry, is_infeasible=is_infeasible)
        outcomes = {name: answer.outcomes[name] for name in asked} if asked else answer.outcomes
        return self.store.report_trial(trial_id, outcomes, answer.extra)

    def _put_off(self, run: _Run, answer: Pending) -> None:
        if answer.external_id and answer.external_id != run.order.context.external_id:
            run.order.context.remember(answer.external_id)
        run.detail = answer.detail
        run.due = time.monotonic() + (answer.pause_s or self.poll_s)

    def _keep_until(self, moment: float) -> None:
        """Wait for a moment on the monotonic clock, and hold the open trials meanwhile."""
        while (now := time.monotonic()) < moment:
            self._renew()
            time.sleep(min(moment - now, RENEW_EVERY_S))

    def _renew(self) -> None:
        """Hold the open trials for longer, where it is time to."""
        if time.monotonic() - self.renewed_at > RENEW_EVERY_S:
            self.store.renew_trials([run.trial.trial_id for run in self.open], self.owner)
            self.renewed_at = time.monotonic()


def check_result(result: AdapterResult, outcomes: Sequence[str], trial_id: str) -> None:
    """Check that an adapter has brought back every outcome that was asked for as a finite number.

    Raises:
        ExperimentError: If one is missing, or is no finite number.
    """
    for name in outcomes:
        value = result.outcomes.get(name, math.nan)
        if not math.isfinite(value):
            raise ExperimentError(f"Trial {trial_id} must report a finite {name!r}; got {result.outcomes}.")
