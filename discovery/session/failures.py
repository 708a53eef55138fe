"""Experiments that gave no result: failed and to be tried again, or infeasible, which teaches what cannot be made.

A trial that failed teaches nothing. One that is infeasible ends its proposal for good and is an observation of its own:
the configuration cannot be made or measured. Next in the tour: `discovery.belief.feasibility`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.errors import StatusError
from discovery.ingest.records import FailedRow, RejectedRow
from discovery.lifecycle import ProposalStatus, TrialStatus
from discovery.session.proposals import is_representable
from discovery.store.leases import process_owner

if TYPE_CHECKING:
    from discovery.cycle import Observations
    from discovery.ingest import CheckedRows
    from discovery.session.base import CampaignPart
    from discovery.store import Store, TrialRow

MANUAL = "manual"
"""The experiment's type of a trial that only a person's word is known of."""


@dataclass(frozen=True)
class Failure:
    """What is said of an experiment that gave no result.

    Attributes:
        reason: Why.
        is_infeasible: Whether it cannot succeed; else it may be tried again.
    """

    reason: str
    is_infeasible: bool = False


def fail_proposal(store: Store, proposal_id: str, failure: Failure) -> TrialRow:
    """End a proposal's trial without a result; one that nobody has started is started and ended.

    Raises:
        InputError: If there is no such proposal.
        StatusError: If it is not approved, has a result, or was given up already.
    """
    with store.transaction():
        trial = store.last_trial(proposal_id)
        if trial is None or trial.status != TrialStatus.RUNNING:
            trial = store.start_trial(proposal_id, MANUAL, process_owner())
        if trial.outcomes is not None:
            raise StatusError(
                f"Trial {trial.trial_id} must not have reported to fail; it has reported {trial.outcomes}.",
                "`discovery run` takes the report in; correct or retract the measurement then.",
            )
        return store.fail_trial(
            trial.trial_id,
            failure.reason,
            retryable=not failure.is_infeasible,
            is_infeasible=failure.is_infeasible,
        )


def link_failures(checked: CheckedRows, proposals: pd.DataFrame) -> CheckedRows:
    """Link rows of experiments without a result to proposals, and refuse those that belong to none.

    Args:
        checked: What `check_rows` gave.
        proposals: What `Store.proposals` gave.

    Returns:
        The rows, each with the proposal that it means; one that names none means the approved one of its configuration.
    """
    if not checked.failures:
        return checked
    approved = proposals[proposals["status"] == ProposalStatus.APPROVED]
    by_key = approved.drop_duplicates("key", keep="last").set_index("key")["proposal_id"]
    kept, wrong = [], []
    for row in checked.failures:
        proposal_id = row.proposal_id or str(by_key.get(row.key, ""))
        if proposal_id in set(approved["proposal_id"]):
            kept.append(replace(row, proposal_id=proposal_id))
        else:
            reason = "must belong to an approved proposal; such an experiment of anybody else's is not kept"
            wrong.append(RejectedRow(row.row_number, "status", "infeasible" if row.is_infeasible else "failed", reason))
    rejected = sorted([*checked.rejected, *wrong], key=lambda cell: cell.row_number)
    return replace(checked, failures=tuple(kept), rejected=tuple(rejected))


def keep_failures(store: Store, checked: CheckedRows) -> int:
    """End the trials of rows that say so; the same word about a proposal a second time changes nothing.

    Returns:
        Number of trials that ended here.
    """
    return sum(_keep(store, row, checked.source) for row in checked.failures)


def _keep(store: Store, row: FailedRow, source: str) -> bool:
    failure = Failure(row.reason or f"{source} says so in data row {row.row_number}", row.is_infeasible)
    with store.transaction():
        last = store.last_trial(row.proposal_id)
        is_known = last is not None and (
            last.status in (TrialStatus.COMPLETED, TrialStatus.ABANDONED)
            or store.has_failed_with(row.proposal_id, failure.reason)
        )
        if is_known:
            return False
        fail_proposal(store, row.proposal_id, failure)
        return True


def lost_proposals(one: CampaignPart) -> tuple[str, ...]:
    """Return proposals whose experiments are infeasible; none where the file says `infeasible: ignore`."""
    if one.spec.infeasible == "ignore":
        return ()
    trials = one.store.trials(one.name, [TrialStatus.ABANDONED])
    return tuple(trials.loc[trials["is_infeasible"].fillna(False).astype(bool), "proposal_id"])


def success_observations(
    one: CampaignPart, measured: pd.DataFrame | None = None, lost: Sequence[str] | None = None
) -> Observations | None:
    """Return which experiments succeeded (1) and which are infeasible (0), for a belief about success.

    Args:
        one: The campaign.
        measured: Its measurements; default all that there are.
        lost: Proposals whose experiments are infeasible; default all that there are.

    Returns:
        All measured and all infeasible configurations that the present space can represent, or None where none is
        infeasible or the file says `infeasible: ignore`.
    """
    from discovery.cycle import Observations

    with one.store.transaction():
        ids = lost_proposals(one) if lost is None else lost
        if not ids:
            return None
        proposals, rows = one.proposals(), one.measurements() if measured is None else measured
    failed = proposals[proposals["proposal_id"].isin(ids)]
    parts = [part[is_representable(one.space, part)] for part in (rows, failed)]
    if parts[1].empty:
        return None
    return Observations(
        X=np.concatenate([one.space.encode(rows) for rows in parts]),
        y=np.repeat([1.0, 0.0], [len(rows) for rows in parts]),
        yvar=None,
        keys=tuple(key for rows in parts for key in one.space.keys(rows)),
    )
