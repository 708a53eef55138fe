"""The campaign's review: what waits for a decision, what people decide, and what they read before they do.

Every verdict is checked against the campaign as it is when it is written, whoever gives it and however: the form on
the Prefect pages, the command line, or Python. The first valid decision about a proposal stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError, StatusError, counted
from discovery.lifecycle import ProposalStatus
from discovery.review import Misfit, ProposalCard, Verdict, check_edit, find_misfit, make_card
from discovery.session.base import CampaignPart
from discovery.session.changes import CHANGED
from discovery.session.doubts import with_doubts
from discovery.session.happenings import note_decided, note_waiting
from discovery.session.proposals import today_of
from discovery.session.records import Decision, DecisionReport, ReviewReport
from discovery.session.staging import check_needs, measured_from, open_from
from discovery.store.proposals import AUTO

if TYPE_CHECKING:
    from discovery.store import ProposalRow

TIME_OUT = "time-out"
"""The reviewer of proposals that nobody decided about in time."""


class Reviewing(CampaignPart):
    """How proposals are approved, changed and refused."""

    def review_pending(self, auto_approve: bool = False) -> ReviewReport:
        """Let proposals go stale that waited too long or no longer fit; approve the others where nobody is asked.

        No more are approved than the budget leaves; the others wait.

        Args:
            auto_approve: Whether to approve even where the campaign file asks for a person.
        """
        is_auto = auto_approve or self.spec.review.mode == "auto"
        with self.store.transaction():
            stale = self._let_go_stale()
            left = self.waiting()
            approved = left[: self._n_allowed()] if is_auto else ()
            for proposal_id in approved:
                self.store.decide(proposal_id, "approve", AUTO)
            left = left[len(approved) :]
            if not is_auto:
                note_waiting(self, self._book().waiting)
            self._note_decided(stale)
        return ReviewReport(approved, stale, left)

    def expire_pending(self) -> tuple[str, ...]:
        """Let proposals go stale that waited for longer than `review.timeout`, or no longer fit the campaign.

        Returns:
            Their ids.
        """
        with self.store.transaction():
            stale = self._let_go_stale()
            self._note_decided(stale)
        return stale

    def waiting(self, cycle: int | None = None) -> tuple[str, ...]:
        """Return the ids of proposals that wait for a decision, in the order made.

        Args:
            cycle: Only of this cycle; default of all.
        """
        waiting = self._book().waiting
        return tuple(map(str, waiting.loc[(waiting["cycle"] == cycle) | (cycle is None), "proposal_id"]))

    def deadline(self, proposal_ids: Sequence[str]) -> datetime | None:
        """Return when the first of some proposals goes stale, UTC; None where they wait for ever, or there are none."""
        timeout = self.spec.review.timeout_s
        if timeout is None or not proposal_ids:
            return None
        made = [self._proposal(proposal_id).created_at for proposal_id in proposal_ids]
        return min(made) + timedelta(seconds=timeout)

    def decisions(self, proposal_ids: Sequence[str] | None = None) -> tuple[Decision, ...]:
        """Return what was decided, by whom, when and why, oldest first.

        Args:
            proposal_ids: Only about these proposals; default all of the campaign.
        """
        rows = self.store.reviews(self.name).to_dict("records")
        return tuple(
            Decision(
                proposal_id=str(row["proposal_id"]),
                decision=str(row["decision"]),
                reviewer=str(row["reviewer"]),
                reason=str(row["reason"] or ""),
                decided_at=row["decided_at"].to_pydatetime(),
                values=json.loads(row["edited"]),
            )
            for row in rows
            if proposal_ids is None or row["proposal_id"] in proposal_ids
        )

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
            reason: Why, or a remark; required to reject.
            values: For `edit`: the parameters that change, and their new values, typed or as text.

        Raises:
            InputError: If the proposal is unknown, nobody decides, a rejection has no reason, the configuration is not
                one that the campaign may run as it is now, or its budget is used.
            StatusError: If it is decided already; says by whom.
        """
        with self.store.transaction():
            decided = self._decide(Verdict(proposal_id, decision, reason, values or {}), reviewer)
            self._note_decided([proposal_id])
            return decided

    def decide_all(self, verdicts: Sequence[Verdict], reviewer: str) -> DecisionReport:
        """Write what one person decides about several proposals: all that still wait, or nothing where one is wrong.

        Proposals that somebody else decided about first are left as they are, and reported.

        Args:
            verdicts: What is wanted, one per proposal.
            reviewer: Who decides.

        Raises:
            InputError: Like `decide`.
        """
        with self.store.transaction():
            waiting = set(self.waiting())
            for verdict in verdicts:
                if self._proposal(verdict.proposal_id).proposal_id in waiting:
                    self._decide(verdict, reviewer)
            named = [verdict.proposal_id for verdict in verdicts]
            mine = [proposal_id for proposal_id in named if proposal_id in waiting]
            self._note_decided(mine)
            made = self.decisions(named)
            return DecisionReport(
                decided=tuple(one for one in made if one.proposal_id in waiting),
                before=tuple(one for one in made if one.proposal_id not in waiting),
                waiting=self.waiting(),
            )

    def card(self, proposal_id: str) -> ProposalCard:
        """Return what a person reads about a proposal (`review.render_text` prints it).

        Raises:
            InputError: If it is no proposal of this campaign.
        """
        with self.store.transaction():
            proposal, measured = self._proposal(proposal_id), self._usable()
            today = today_of(self.store.metrics(self.name), proposal.cycle)
            card = with_doubts(make_card(proposal, measured, self.spec, self.space), self.store, self.spec)
        return replace(card, today=today.sentence(self.spec))

    def _decide(self, verdict: Verdict, reviewer: str) -> ProposalRow:
        """Check a verdict against the campaign as it is now, and write it."""
        proposal_id, decision = verdict.proposal_id, verdict.decision
        if verdict.values and decision != "edit":
            raise InputError(f"Edited values of {proposal_id} must come with the decision edit; got {decision!r}.")
        if not reviewer.strip():
            raise InputError(f"A decision about {proposal_id} must say who decides; got an empty name.")
        proposal = self._proposal(proposal_id)
        self._check_waits(proposal)
        if decision == "approve":
            self._check_budget(proposal_id)
            self._check_fits(proposal)
        elif verdict.values:
            self._check_budget(proposal_id)
            edit = check_edit(proposal, verdict.values, self.space, self.pool, self._taken_keys(proposal))
            if proposal.stage:
                check_needs(self.spec, proposal, edit.key, self.measurements())
            return self.store.decide(proposal_id, decision, reviewer, verdict.reason, edit.values, edit.key)
        return self.store.decide(proposal_id, decision, reviewer, verdict.reason)

    def _check_waits(self, proposal: ProposalRow) -> None:
        """Refuse a second decision, and say who made the first."""
        if proposal.status == ProposalStatus.PROPOSED:
            return
        first = self.decisions([proposal.proposal_id])
        said = first[0].sentence if first else f"is {proposal.status}"
        raise StatusError(
            f"Proposal {proposal.proposal_id} must wait for a decision; it {said}.",
            "It may be proposed again in a later cycle."
            if proposal.status == ProposalStatus.STALE
            else "The first decision stands.",
        )

    def _check_fits(self, proposal: ProposalRow) -> None:
        misfit = self._misfit(proposal, self._taken_keys(proposal))
        if misfit is not None:
            raise InputError(
                f"Proposal {proposal.proposal_id} {misfit.rule}.",
                "The campaign has changed since it was made: reject it, or approve it with other values.",
            )

    def _check_budget(self, proposal_id: str) -> None:
        if self._n_allowed() < 1:
            raise InputError(
                f"The budget of {self.name} must leave an experiment for {proposal_id}; {len(self.measurements())} are "
                f"measured and {counted(len(self._book().to_run), 'proposal')} approved, "
                f"of {self.spec.budget.experiments}.",
                "Raise budget.experiments, or reject it.",
            )

    def _n_allowed(self) -> int:
        """Return how many more proposals the budget lets approve."""
        return max(0, self.spec.budget.experiments - len(self.measurements()) - len(self._book().to_run))

    def _let_go_stale(self) -> tuple[str, ...]:
        """Mark proposals that wait in vain, and return their ids."""
        timeout, frame = self.spec.review.timeout_s, self._book().frame
        waiting = frame[frame["status"] == ProposalStatus.PROPOSED]
        age_s = (pd.Timestamp.now("UTC") - waiting["created_at"]).dt.total_seconds()
        is_late = age_s > (float("inf") if timeout is None else timeout)
        stale = []
        for proposal_id, late in zip(waiting["proposal_id"], is_late, strict=True):
            if late:
                self.store.decide(proposal_id, "stale", TIME_OUT, f"nobody decided within {self.spec.review.timeout}")
            elif reason := self._why_vain(proposal_id):
                self.store.decide(proposal_id, "stale", CHANGED, reason)
            else:
                continue
            stale.append(str(proposal_id))
        return tuple(stale)

    def _why_vain(self, proposal_id: str) -> str:
        """Say why a proposal that waits can no longer be run; empty where it can."""
        budget, n_measured = self.spec.budget.experiments, len(self.measurements())
        proposal = self._proposal(proposal_id)
        misfit = self._misfit(proposal, self._measured_keys(proposal.stage))
        if misfit is not None:
            return f"it {misfit.rule}"
        if n_measured >= budget:
            return f"the budget is used: {n_measured} of {counted(budget, 'experiment')} are measured"
        return ""

    def _misfit(self, proposal: ProposalRow, taken: set[str]) -> Misfit | None:
        frame = self._book().frame.set_index("proposal_id")
        if frame.at[proposal.proposal_id, "is_measured"]:  # with replicates allowed its configuration is not taken
            return Misfit("must have no result yet; it is measured already")
        return find_misfit(proposal.proposed, self.space, self.pool, taken)

    def _note_decided(self, proposal_ids: Sequence[str]) -> None:
        """Write that cycles are decided about, where nothing of them waits any longer."""
        waiting = self._book().waiting
        for cycle in sorted({self._proposal(proposal_id).cycle for proposal_id in proposal_ids}):
            note_decided(self, cycle, waiting)

    def _measured_keys(self, stage: str) -> set[str]:
        """Return the configurations that may not be run again because they are measured, at a stage or after it."""
        if self.spec.acquisition.allow_replicates:
            return set()
        rows = self.measurements()
        return set((measured_from(self.spec, stage, rows) if stage else rows)["key"])

    def _taken_keys(self, proposal: ProposalRow) -> set[str]:
        """Return the configurations that may not be run: measured, or open under another proposal."""
        if self.spec.acquisition.allow_replicates:
            return set()
        others = self._book().open
        others = others[others["proposal_id"] != proposal.proposal_id]
        others = open_from(self.spec, proposal.stage, others) if proposal.stage else others
        return {*others["key"], *self._measured_keys(proposal.stage)}
