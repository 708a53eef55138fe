"""The campaign's review: what waits for a decision, what people decide, and what they read before they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError
from discovery.review import ProposalCard, check_edit, make_card
from discovery.session.base import CampaignPart
from discovery.session.happenings import note_decided, note_waiting
from discovery.session.records import ReviewReport
from discovery.store.proposals import AUTO

if TYPE_CHECKING:
    from discovery.store import ProposalRow

TIME_OUT = "time-out"
"""The reviewer of proposals that nobody decided about in time."""


class Reviewing(CampaignPart):
    """How proposals are approved, changed and refused."""

    def review_pending(self, auto_approve: bool = False) -> ReviewReport:
        """Let proposals go stale after `review.timeout`; approve the others where nobody is asked.

        Args:
            auto_approve: Whether to approve even where the campaign file asks for a person.
        """
        with self.store.transaction():
            return self._review(self._book().waiting, auto_approve or self.spec.review.mode == "auto")

    def _review(self, waiting: pd.DataFrame, is_auto: bool) -> ReviewReport:
        timeout = self.spec.review.timeout_s
        age_s = (pd.Timestamp.now("UTC") - waiting["created_at"]).dt.total_seconds()
        is_stale = age_s > (float("inf") if timeout is None else timeout)
        stale, fresh = (tuple(waiting.loc[mask, "proposal_id"]) for mask in (is_stale, ~is_stale))
        approved, left = (fresh, ()) if is_auto else ((), fresh)
        for proposal_id in stale:
            self.store.decide(proposal_id, "stale", TIME_OUT, f"nobody decided within {self.spec.review.timeout}")
        for proposal_id in approved:
            self.store.decide(proposal_id, "approve", AUTO)
        note_waiting(self, waiting[waiting["proposal_id"].isin(left)])
        for cycle in sorted(set(waiting.loc[is_stale, "cycle"])):
            note_decided(self, int(cycle), waiting[waiting["proposal_id"].isin(left)])
        return ReviewReport(approved, stale, left)

    def decide(
        self,
        proposal_id: str,
        decision: str,
        reviewer: str,
        reason: str = "",
        values: Mapping[str, object] | None = None,
    ) -> ProposalRow:
        """Decide about a proposal.

        Args:
            proposal_id: The proposal.
            decision: `approve`, `edit` or `reject`.
            reviewer: Who decides.
            reason: Why; required to reject.
            values: For `edit`: the parameters that change, and their new values, typed or as text.

        Raises:
            InputError: If the proposal is unknown, a rejection has no reason, or the edited configuration is not one
                that may be run.
            StatusError: If it is decided already.
        """
        if values and decision != "edit":
            raise InputError(f"Edited values of {proposal_id} must come with the decision edit; got {decision!r}.")
        with self.store.transaction():
            proposal = self._proposal(proposal_id)
            if not values:
                decided = self.store.decide(proposal_id, decision, reviewer, reason)
            else:
                taken = set() if self.spec.acquisition.allow_replicates else self._taken_keys(proposal_id)
                edit = check_edit(proposal, values, self.space, self.pool, taken)
                decided = self.store.decide(proposal_id, decision, reviewer, reason, edit.values, edit.key)
            note_decided(self, decided.cycle, self._book().waiting)
            return decided

    def card(self, proposal_id: str) -> ProposalCard:
        """Return what a person reads about a proposal (`review.render_text` prints it).

        Raises:
            InputError: If it is no proposal of this campaign.
        """
        with self.store.transaction():
            proposal, measured = self._proposal(proposal_id), self._usable()
        return make_card(proposal, measured, self.spec, self.space)

    def _taken_keys(self, proposal_id: str) -> set[str]:
        """Return the configurations that are measured, or open under another proposal."""
        others = self._book().open
        return {*others.loc[others["proposal_id"] != proposal_id, "key"], *self.measurements()["key"]}
