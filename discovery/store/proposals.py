"""Proposals and what people decided about them: both the proposed and the approved values are kept.

What every hypothesis predicted is stored with the proposal, so that nobody can be wise after the event. Next in the
tour: `discovery.review`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from discovery.errors import InputError, StatusError, StoreError
from discovery.lifecycle import NEW, ProposalStatus, check_transition
from discovery.store.base import StorePart, typed
from discovery.store.codec import detail_columns, detail_from_json, predictions_from_json, to_json, widen
from discovery.store.drafts import draft_frame
from discovery.store.records import ProposalRow
from discovery.store.sql import fetch_frame, insert_frame

if TYPE_CHECKING:
    import duckdb

    from discovery.cycle import ProposalDraft

AUTO = "auto"
"""The reviewer where nobody is asked."""

DECISIONS: Mapping[str, ProposalStatus] = MappingProxyType(
    {
        "approve": ProposalStatus.APPROVED,
        "edit": ProposalStatus.APPROVED,
        "reject": ProposalStatus.REJECTED,
        "stale": ProposalStatus.STALE,
    }
)
"""What a proposal becomes by each decision."""

_FRAME = """
SELECT proposal_id, cycle, position, status, coalesce(approved_key, key) AS key,
       coalesce(approved_configuration, configuration) AS configuration,
       approved_key IS NOT NULL AND approved_key <> key AS is_edited,
       EXISTS (SELECT 1 FROM measurements m WHERE m.proposal_id = p.proposal_id) AS is_measured,  -- also by a wrong one
       candidate_row, mean, sd, acqf_name, acqf_value, argued_by, is_exploring, n_measurements, seed, created_at, detail
FROM proposals p
WHERE campaign = $campaign AND ($statuses IS NULL OR list_contains($statuses::VARCHAR[], status))
ORDER BY cycle, position
"""


class Proposals(StorePart):
    """Proposals and reviews in the store."""

    def next_cycle(self, campaign: str) -> int:
        """Return the number after the last cycle that made proposals; 1 for a campaign without any."""
        row = self._one(
            "SELECT coalesce(max(cycle), 0) + 1 AS cycle FROM proposals WHERE campaign = $campaign", campaign=campaign
        )
        return int(row["cycle"]) if row else 1

    def add_proposals(
        self,
        campaign: str,
        cycle: int,
        drafts: Sequence[ProposalDraft],
        status: str = ProposalStatus.PROPOSED,
    ) -> list[str]:
        """Store the drafts of one cycle; the same drafts a second time change nothing.

        Args:
            campaign: Whose they are.
            cycle: Number of the cycle, from 1.
            drafts: What the cycle gave, in the order of the batch.
            status: `PROPOSED`, or `APPROVED` where nobody is asked: a review by `auto` is then written as well.

        Returns:
            Their ids, `<campaign>-c<cycle>-<position>`.

        Raises:
            InputError: If no such campaign is registered.
            StatusError: If the status is neither of the two.
            StoreError: If the cycle has other proposals already.
        """
        check_transition("proposal", NEW, ProposalStatus.PROPOSED)
        if status != ProposalStatus.PROPOSED:
            check_transition("proposal", NEW if status != ProposalStatus.APPROVED else ProposalStatus.PROPOSED, status)
        ids = [f"{campaign}-c{cycle:03d}-{position:02d}" for position in range(len(drafts))]
        with self.database.transaction() as connection:
            self._columns(campaign)
            if not drafts or self._is_stored(campaign, cycle, [draft.key for draft in drafts]):
                return ids
            insert_frame(connection, "proposals", draft_frame(campaign, cycle, ids, drafts))
            if status == ProposalStatus.APPROVED:
                for proposal_id in ids:
                    self.decide(proposal_id, "approve", AUTO)
        return ids

    def proposals(self, campaign: str, statuses: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a campaign's proposals in the order made, with their approved (else proposed) values.

        Args:
            campaign: Whose proposals.
            statuses: Only these statuses; default all.

        Returns:
            One row per proposal: `proposal_id`, `cycle`, `position`, `status`, `key`, a column per parameter, then
            `is_edited`, `is_measured`, `candidate_row`, `mean`, `sd`, `acqf_name`, `acqf_value`, `argued_by`,
            `is_exploring`, `n_measurements`, `seed` and `created_at`; then `stage`, `<y>_mean` and `<y>_sd` for each
            further outcome, and numbers such as `experiment_cost`, where proposals have such.

        Raises:
            InputError: If no such campaign is registered.
        """
        with self.database.transaction() as connection:
            parameters, _ = self._columns(campaign)
            words = {"campaign": campaign, "statuses": None if statuses is None else [str(one) for one in statuses]}
            rows = fetch_frame(connection, _FRAME, words)
        values = typed(widen(rows, "configuration", list(parameters)), parameters)
        split = rows.columns.tolist().index("configuration")
        more = detail_columns(rows.pop("detail"))
        return pd.concat([rows.iloc[:, :split], values, rows.iloc[:, split + 1 :], more], axis="columns")

    def proposal(self, proposal_id: str) -> ProposalRow:
        """Return one proposal with everything that was stored when it was made.

        Raises:
            InputError: If there is no such proposal.
        """
        row = self._one(
            """SELECT proposal_id, campaign, cycle, position, status, configuration AS proposed, argument, predictions,
                      coalesce(approved_configuration, configuration) AS configuration, encoded AS "X",
                      coalesce(approved_key, key) AS key, candidate_row AS "row", mean, sd, acqf_name, acqf_value,
                      argued_by, is_exploring, n_measurements, seed, created_at, detail
               FROM proposals WHERE proposal_id = $proposal_id""",
            proposal_id=proposal_id,
        )
        if row is None:
            raise InputError(
                f"Proposal must exist in {self.database.path}; got {proposal_id!r}.",
                "`discovery review FILE` shows those to be decided.",
            )
        decoded = {name: json.loads(row.pop(name)) for name in ("proposed", "configuration", "argument")}
        encoded, predictions = tuple(json.loads(row.pop("X"))), predictions_from_json(row.pop("predictions"))
        others, numbers, stage = detail_from_json(row.pop("detail"))
        more: dict[str, Any] = {"predictions": predictions, "others": others, "numbers": numbers, "stage": stage}
        return ProposalRow(**row, **decoded, **more, X=encoded)

    def campaigns_of(self, proposal_ids: Iterable[object]) -> dict[str, str]:
        """Return the campaign of every proposal that there is; ids that are unknown are left out."""
        rows = self._frame(
            "SELECT proposal_id, campaign FROM proposals WHERE list_contains($ids::VARCHAR[], proposal_id)",
            ids=[str(proposal_id) for proposal_id in proposal_ids],
        )
        return dict(zip(rows["proposal_id"], rows["campaign"], strict=True))

    def decide(
        self,
        proposal_id: str,
        decision: str,
        reviewer: str,
        reason: str = "",
        values: Mapping[str, object] | None = None,
        key: str = "",
    ) -> ProposalRow:
        """Decide about a proposal; of two people who decide at once the second is told so.

        Args:
            proposal_id: The proposal.
            decision: `approve`, `edit`, `reject` or `stale`.
            reviewer: Who decides.
            reason: Why; required to reject.
            values: For `edit`: the parameters that change and their new values, checked by the caller.
            key: For `edit`: identity of the edited configuration (`SearchSpace.keys`).

        Returns:
            The proposal as it is now.

        Raises:
            InputError: If the proposal or decision is unknown, a rejection has no reason, or an edit lacks values
                or key.
            StatusError: If the proposal is decided already.
        """
        _check_decision(proposal_id, decision, reason, values, key)
        after = DECISIONS[decision]
        with self.database.transaction() as connection:
            row = self.proposal(proposal_id)
            if row.status != ProposalStatus.PROPOSED:
                raise StatusError(f"Proposal {proposal_id} must not move from {row.status} to {after}; it is decided.")
            connection.execute(
                "UPDATE proposals SET status = $status WHERE proposal_id = $id",
                {"status": str(after), "id": proposal_id},
            )
            if after == ProposalStatus.APPROVED:
                _approve_values(connection, row, values or {}, key or row.key)
            connection.execute(
                "INSERT INTO reviews VALUES ($id, $campaign, $decision, $reviewer, $reason, $edited, now())",
                {
                    "id": proposal_id,
                    "campaign": row.campaign,
                    "decision": decision,
                    "reviewer": reviewer,
                    "reason": reason,
                    "edited": to_json(values or {}),
                },
            )
            return self.proposal(proposal_id)

    def withdraw(self, proposal_id: str) -> None:
        """Let an approved proposal go stale because the campaign has changed; its review stays.

        Raises:
            InputError: If there is no such proposal.
            StatusError: If it is rejected or stale already.
        """
        with self.database.transaction():
            stale = ProposalStatus.STALE
            check_transition("proposal", self.proposal(proposal_id).status, stale, proposal_id)
            self._execute("UPDATE proposals SET status = $s WHERE proposal_id = $id", s=str(stale), id=proposal_id)

    def reviews(self, campaign: str) -> pd.DataFrame:
        """Return a campaign's reviews: proposal_id, decision, reviewer, reason, edited (JSON), decided_at."""
        return self._frame(
            """SELECT proposal_id, decision, reviewer, reason, edited, decided_at FROM reviews
               WHERE campaign = $campaign ORDER BY decided_at, proposal_id""",
            campaign=campaign,
        )

    def _is_stored(self, campaign: str, cycle: int, keys: list[str]) -> bool:
        stored = self._frame(
            "SELECT key FROM proposals WHERE campaign = $campaign AND cycle = $cycle ORDER BY position",
            campaign=campaign,
            cycle=cycle,
        )["key"].tolist()
        if stored and stored != keys:
            raise StoreError(
                f"Cycle {cycle} of campaign {campaign} must be proposed once; got {len(keys)} other proposals beside "
                f"the {len(stored)} stored.",
                "Propose in the next cycle.",
            )
        return bool(stored)


def _check_decision(
    proposal_id: str, decision: str, reason: str, values: Mapping[str, object] | None, key: str
) -> None:
    if decision not in DECISIONS:
        raise InputError(f"Decision about {proposal_id} must be one of {', '.join(DECISIONS)}; got {decision!r}.")
    if decision == "reject" and not reason.strip():
        raise InputError(f"A rejection of {proposal_id} must say why; got an empty reason.")
    if (decision == "edit") != bool(values):
        raise InputError(f"Edited values of {proposal_id} must come with the decision edit, and only with it.")
    if bool(values) != bool(key):
        raise InputError(f"Edited values of {proposal_id} must come with the key of the edited configuration.")


def _approve_values(
    connection: duckdb.DuckDBPyConnection, row: ProposalRow, values: Mapping[str, object], key: str
) -> None:
    unknown = [name for name in values if name not in row.proposed]
    if unknown:
        raise InputError(
            f"An edit of {row.proposal_id} must name parameters; got {', '.join(unknown)}.",
            f"Known: {', '.join(row.proposed)}.",
        )
    connection.execute(
        "UPDATE proposals SET approved_configuration = $configuration, approved_key = $key WHERE proposal_id = $id",
        {"configuration": to_json({**row.proposed, **values}), "key": key, "id": row.proposal_id},
    )
