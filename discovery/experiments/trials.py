"""One trial from start to report, written down at every step, so that a process may be killed between any two.

Next in the tour: `discovery.session.results`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from discovery.errors import ExperimentError
from discovery.experiments.adapter import Adapter, AdapterResult, TemporaryExperimentError, TrialContext
from discovery.store.leases import process_owner

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.store import Store, TrialRow

MAX_ATTEMPTS = 3  # trials of one proposal that may fail before it is given up


def carry_out(
    store: Store, proposal_id: str, adapter: Adapter, spec: CampaignSpec, owner: str | None = None
) -> TrialRow | None:
    """Carry out an approved proposal, unless its running trial has reported already.

    Args:
        store: Where the trial is recorded.
        proposal_id: The proposal.
        adapter: What carries it out.
        spec: The campaign; every outcome that it names must come back.
        owner: Who carries it out; default this process.

    Returns:
        The trial: running with its report, or failed, or abandoned; None where it had reported before.

    Raises:
        StatusError: If the proposal is not approved, or was carried out or given up already.
        LeaseError: If another live process carries it out.
    """
    kind = spec.experiment.type if spec.experiment is not None else "manual"
    with store.transaction():
        trial = store.start_trial(proposal_id, kind, owner or process_owner())
        proposal = store.proposal(proposal_id)
    if trial.outcomes is not None:
        return None
    context = TrialContext(trial.trial_id, proposal_id, proposal.key, trial.idempotency_key)
    try:
        result = adapter.run(proposal.configuration, context)
        check_result(result, spec, trial.trial_id)
    except (ExperimentError, OSError) as error:
        may_retry = isinstance(error, TemporaryExperimentError | OSError) and trial.attempt < MAX_ATTEMPTS
        return store.fail_trial(trial.trial_id, str(error), retryable=may_retry)
    return store.report_trial(trial.trial_id, result.outcomes, result.extra)


def check_result(result: AdapterResult, spec: CampaignSpec, trial_id: str) -> None:
    """Check that an adapter has brought back every outcome as a finite number.

    Raises:
        ExperimentError: If one is missing, or is no finite number.
    """
    for name in spec.outcome_names:
        value = result.outcomes.get(name, math.nan)
        if not math.isfinite(value):
            raise ExperimentError(f"Trial {trial_id} must report a finite {name!r}; got {result.outcomes}.")
