"""Trials: each execution of an approved proposal, so that a restart resumes it and never runs it twice.

The idempotency key is stored before the laboratory is asked, and the result is stored on the trial before it is
ingested; a process may be killed between any two of these steps. Next in the tour: `discovery.experiments`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from discovery.errors import InputError, LeaseError, StatusError
from discovery.lifecycle import NEW, ProposalStatus, TrialStatus, check_transition
from discovery.store.base import StorePart, digest
from discovery.store.codec import to_json
from discovery.store.leases import held_by_another, is_free
from discovery.store.records import TrialRow

if TYPE_CHECKING:
    import pandas as pd

LEASE_S = 3600.0  # a holder on another machine that renews nothing for so long has lost its trial
_COLUMNS = """trial_id, proposal_id, campaign, attempt, idempotency_key, adapter, owner, lease_expires_at, status,
              outcomes, extra, error, external_id, started_at, is_infeasible"""
_INSERT = """
INSERT INTO trials (trial_id, proposal_id, campaign, attempt, idempotency_key, adapter, owner, lease_expires_at, status,
                    started_at)
VALUES ($trial_id, $proposal_id, $campaign, $attempt, $idempotency_key, $adapter, $owner,
        now() + to_seconds($lease_s::DOUBLE), $status, now())
"""
_HOLD = """
UPDATE trials SET owner = $owner, lease_expires_at = now() + to_seconds($lease_s::DOUBLE)
WHERE list_contains($ids::VARCHAR[], trial_id)
"""
_RELEASE = """
UPDATE trials SET lease_expires_at = now(), error = $detail
WHERE trial_id = $trial_id AND owner = $owner AND status = 'RUNNING' AND reported_at IS NULL
"""
_CLOSE = """
UPDATE trials SET status = $status, error = $error, is_infeasible = $is_infeasible, finished_at = now()
WHERE trial_id = $trial_id
"""


class Trials(StorePart):
    """Trials in the store."""

    def start_trial(self, proposal_id: str, adapter: str, owner: str, lease_s: float = LEASE_S) -> TrialRow:
        """Start a proposal's trial, or take up the one that runs already; its idempotency key stays the same.

        Args:
            proposal_id: An approved proposal.
            adapter: The experiment's type.
            owner: Who carries it out (`leases.process_owner`).
            lease_s: How long nobody else may take it up.

        Raises:
            InputError: If there is no such proposal.
            StatusError: If the proposal is not approved, was carried out already, or was abandoned.
            LeaseError: If another live owner carries it out.
        """
        with self.database.transaction() as connection:
            approved = self._approved(proposal_id)
            last = self._last_trial(proposal_id)
            if last is not None and last["status"] == TrialStatus.RUNNING:
                return self._take_up(last, owner, lease_s)
            if last is not None and last["status"] != TrialStatus.FAILED:
                raise StatusError(
                    f"Proposal {proposal_id} must not be carried out again; its trial {last['trial_id']} is "
                    f"{last['status']}."
                )
            attempt = 1 if last is None else last["attempt"] + 1
            trial_id = f"{proposal_id}-t{attempt}"
            check_transition("trial", NEW, TrialStatus.RUNNING, trial_id)
            connection.execute(
                _INSERT,
                {
                    "trial_id": trial_id,
                    "proposal_id": proposal_id,
                    "campaign": approved["campaign"],
                    "attempt": attempt,
                    "idempotency_key": digest(approved["born"], approved["key"], proposal_id, attempt),
                    "adapter": adapter,
                    "owner": owner,
                    "lease_s": float(lease_s),
                    "status": str(TrialStatus.RUNNING),
                },
            )
            return self.trial(trial_id)

    def trial(self, trial_id: str) -> TrialRow:
        """Return one trial.

        Raises:
            InputError: If there is no such trial.
        """
        row = self._one(f"SELECT {_COLUMNS} FROM trials WHERE trial_id = $trial_id", trial_id=trial_id)
        if row is None:
            raise InputError(f"Trial must exist in {self.database.path}; got {trial_id!r}.")
        decoded = {name: json.loads(row.pop(name) or "null") for name in ("outcomes", "extra")}
        return TrialRow(**row, **decoded)

    def last_trial(self, proposal_id: str) -> TrialRow | None:
        """Return the last trial of a proposal, or None where there is none."""
        with self.database.transaction():
            last = self._last_trial(proposal_id)
            return None if last is None else self.trial(str(last["trial_id"]))

    def has_failed_with(self, proposal_id: str, error: str) -> bool:
        """Say whether a trial of a proposal has failed with these very words."""
        query = "SELECT 1 AS found FROM trials WHERE proposal_id = $id AND status = $failed AND error = $error LIMIT 1"
        return self._one(query, id=proposal_id, failed=str(TrialStatus.FAILED), error=error) is not None

    def report_trial(
        self, trial_id: str, outcomes: Mapping[str, float], extra: Mapping[str, object] | None = None
    ) -> TrialRow:
        """Keep what a trial found, before anything is ingested; the same report a second time changes nothing.

        Raises:
            InputError: If there is no such trial, or an outcome is not a finite number.
            StatusError: If the trial does not run any more, or has reported something else.
        """
        wrong = [name for name, value in outcomes.items() if not math.isfinite(value)]
        if wrong or not outcomes:
            raise InputError(
                f"Outcomes of trial {trial_id} must be finite numbers; got {dict(outcomes)}.",
                "A trial that found nothing has failed: say so with fail_trial.",
            )
        with self.database.transaction() as connection:
            trial = self.trial(trial_id)
            report = {name: float(value) for name, value in outcomes.items()}
            if trial.outcomes == report:
                return trial
            if trial.status != TrialStatus.RUNNING or trial.outcomes is not None:
                raise StatusError(
                    f"Trial {trial_id} must be running and report once; it is {trial.status} with {trial.outcomes}.",
                    "Ingest the result as a measurement that names the proposal.",
                )
            connection.execute(
                """UPDATE trials SET outcomes = $outcomes, extra = $extra, error = '', reported_at = now()
                   WHERE trial_id = $trial_id""",
                {"outcomes": to_json(report), "extra": to_json(extra or {}), "trial_id": trial_id},
            )
            return self.trial(trial_id)

    def set_external_id(self, trial_id: str, external_id: str) -> None:
        """Keep what the laboratory calls a trial, so that whoever takes it up can ask after it.

        Raises:
            InputError: If there is no such trial.
            StatusError: If the trial does not run any more.
        """
        with self.database.transaction() as connection:
            trial = self.trial(trial_id)
            if trial.status != TrialStatus.RUNNING:
                raise StatusError(f"Trial {trial_id} must be running to be called {external_id}; it is {trial.status}.")
            connection.execute(
                "UPDATE trials SET external_id = $external_id WHERE trial_id = $trial_id",
                {"external_id": external_id, "trial_id": trial_id},
            )

    def renew_trials(self, trial_ids: Sequence[str], owner: str, lease_s: float = LEASE_S) -> None:
        """Hold running trials for longer.

        Raises:
            LeaseError: If another owner has taken one of them meanwhile.
        """
        with self.database.transaction():
            lost = self._one(
                """SELECT trial_id, owner FROM trials
                   WHERE list_contains($ids::VARCHAR[], trial_id) AND owner <> $owner LIMIT 1""",
                ids=list(trial_ids),
                owner=owner,
            )
            if lost is not None:
                raise LeaseError(
                    f"Trial {lost['trial_id']} must still be held by {owner}; got {lost['owner']}.",
                    "Stop: another process has taken over.",
                )
            self._execute(_HOLD, ids=list(trial_ids), owner=owner, lease_s=float(lease_s))

    def release_trials(self, waiting: Mapping[str, str], owner: str) -> None:
        """Let others ask after running trials from now on; those that another owner has taken stay theirs.

        Args:
            waiting: What each trial waits for, in words, by its id.
            owner: Who held them.
        """
        with self.database.transaction() as connection:
            for trial_id, detail in waiting.items():
                connection.execute(_RELEASE, {"detail": detail, "trial_id": trial_id, "owner": owner})

    def fail_trial(self, trial_id: str, error: str, retryable: bool, *, is_infeasible: bool = False) -> TrialRow:
        """End a running trial without a result: FAILED where a retry makes sense, else ABANDONED.

        Args:
            trial_id: The trial.
            error: Why.
            retryable: Whether another trial of the proposal may succeed.
            is_infeasible: Whether the experiment cannot succeed, which teaches feasibility; only without a retry.

        Raises:
            InputError: If there is no such trial.
            StatusError: If the trial does not run any more.
        """
        after = TrialStatus.FAILED if retryable else TrialStatus.ABANDONED
        with self.database.transaction() as connection:
            check_transition("trial", self.trial(trial_id).status, after, trial_id)
            words = {"status": str(after), "error": error, "is_infeasible": is_infeasible, "trial_id": trial_id}
            connection.execute(_CLOSE, words)
            return self.trial(trial_id)

    def trials(self, campaign: str, statuses: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a campaign's trials in the order started; `outcomes` and `extra` are JSON.

        Args:
            campaign: Whose trials.
            statuses: Only these statuses; default all.
        """
        return self._frame(
            f"""SELECT {_COLUMNS}, reported_at, finished_at FROM trials
                WHERE campaign = $campaign AND ($statuses IS NULL OR list_contains($statuses::VARCHAR[], status))
                ORDER BY started_at, trial_id""",
            campaign=campaign,
            statuses=None if statuses is None else [str(one) for one in statuses],
        )

    def _approved(self, proposal_id: str) -> dict[str, Any]:
        """Return a proposal's campaign, when that was registered, and its configuration's key.

        The moment makes keys differ between a store and the one that replaces it: a laboratory that knows the key of
        an earlier campaign of the same name must not take the new experiment for the old one.
        """
        row = self._one(
            """SELECT p.campaign, p.status, coalesce(p.approved_key, p.key) AS key,
                      (SELECT min(c.created_at) FROM campaigns c WHERE c.campaign = p.campaign) AS born
               FROM proposals p WHERE p.proposal_id = $id""",
            id=proposal_id,
        )
        if row is None:
            raise InputError(
                f"Proposal must exist in {self.database.path}; got {proposal_id!r}.",
                "`discovery review FILE` shows those to be decided.",
            )
        if row["status"] != ProposalStatus.APPROVED:
            raise StatusError(
                f"Proposal {proposal_id} must be APPROVED to be carried out; it is {row['status']}.", "Review it first."
            )
        return row

    def _last_trial(self, proposal_id: str) -> dict[str, Any] | None:
        return self._one(
            """SELECT trial_id, attempt, status, owner, lease_expires_at, lease_expires_at <= now() AS is_expired
               FROM trials WHERE proposal_id = $proposal_id ORDER BY attempt DESC LIMIT 1""",
            proposal_id=proposal_id,
        )

    def _take_up(self, last: Mapping[str, Any], owner: str, lease_s: float) -> TrialRow:
        if not is_free(last["owner"], owner, last["is_expired"]):
            raise held_by_another(f"Trial {last['trial_id']}", last["owner"], last["lease_expires_at"])
        self._execute(_HOLD, ids=[last["trial_id"]], owner=owner, lease_s=float(lease_s))
        return self.trial(str(last["trial_id"]))
