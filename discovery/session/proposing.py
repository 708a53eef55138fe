"""The campaign's proposing: ask for the next experiments, and compute any of them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError, NoCandidateError, StopAdvisedError
from discovery.lifecycle import CampaignStatus
from discovery.session.asking import AskPlan, differences, gain_of, propose, propose_aimed
from discovery.session.changes import changed_since
from discovery.session.failures import lost_proposals
from discovery.session.gains import aimed_gain_of
from discovery.session.learning import Learning
from discovery.session.leases import Check, running
from discovery.session.progress import without_bounds
from discovery.session.proposals import ASKED, ProposalBook, proposal_table
from discovery.session.records import Replay
from discovery.session.staging import is_link, plan_stages, propose_staged, staged_arena
from discovery.session.stopping import GAIN, ExpectedGain
from discovery.space.today import Today

if TYPE_CHECKING:
    from discovery.aimed_cycle import Arena, Known, Results
    from discovery.belief.records import HypothesisPrediction
    from discovery.cycle import CycleResult, Observations
    from discovery.meta.train import TrainedHypothesis
    from discovery.staged_cycle import StagedArena
    from discovery.store import ProposalRow

SECONDS = "adapt_propose_s"
"""Name of the metric that says how long adapting and proposing took, seconds."""
REPLAYED = ("mean", "sd", "acqf_name", "acqf_value", "seed")


class Proposing(Learning):
    """How a campaign comes to its proposals."""

    def ask(
        self,
        n: int | None = None,
        *,
        go_on: bool = False,
        given: Mapping[str, object] | None = None,
        without: Mapping[str, object] | None = None,
    ) -> pd.DataFrame:
        """Propose the next experiments and store them as PROPOSED.

        Args:
            n: How many; default `acquisition.batch_size`. Never more than the budget leaves.
            go_on: Whether to propose even where `stop.min_gain` asks for more than the next experiment may gain.
            given: Value by parameter that is not chosen today; every parameter with `context: true` needs one.
            without: By parameter, a value, a list of values or a range `(low, high)` that is not to be had today.

        Returns:
            The new proposals, like `proposals`.

        Raises:
            StopAdvisedError: If the next experiments are expected to gain less than `stop.min_gain`; nothing is
                proposed, and the campaign has ended for now.
            NoCandidateError: If the budget is used, or nothing is left to propose.
            InputError: If `n` is below one, a context parameter is not given, or a name or value of today is unknown.
            LeaseError: If another live process runs the campaign.
        """
        today = self.today(given, without)
        with running(self.store, self.name) as check:
            return self._ask(n, check, today, go_on=go_on)

    def today(self, given: Mapping[str, object] | None = None, without: Mapping[str, object] | None = None) -> Today:
        """Check what holds today, as `ask` does, and that it leaves something.

        Raises:
            InputError: If a context parameter is not given, or a name or value is unknown.
            NoCandidateError: If nothing is left of the space or of the candidates.
        """
        today = Today.read(self.spec, self.space, given, without)
        today.restrict(self.space, self.pool)
        return today

    def _ask(self, n: int | None, check: Check, today: Today, *, go_on: bool) -> pd.DataFrame:
        """Propose and store, as the one who runs the campaign."""
        with self.store.transaction():
            book, observed = self._book(), self.observations()
            n_allowed = self._allowed(n, book)
            lost = lost_proposals(self)
            results, seen = (None, {}) if self.spec.is_plain and not lost else (self.results(lost=lost), self.seen())
        plan = AskPlan.make(self.spec, self.space, book, len(observed.y) if results is None else results.n, n_allowed)
        plan = replace(plan, seen=seen, lost=lost, given=today.given, without=today.without)
        if self.spec.stages and results is not None:
            plan = plan_stages(plan, self.spec, self._usable(), book)
            result = propose_staged(plan, self._staged(self.all_hypotheses()), results)
        elif results is None:
            result = propose(plan, self.space, self.pool, self.hypotheses(), observed)
        else:
            result = propose_aimed(plan, self._arena(self.all_hypotheses(), results, plan), results)
        gain = self._expected_gain(plan, result, observed, results, go_on=go_on)
        with self.store.transaction():
            check()
            if gain is not None:
                self.store.add_metric(self.name, plan.cycle, GAIN, gain.per_experiment, gain.to_detail())
            if gain is None or gain.is_stored:
                ids = self._store_proposals(plan, result)
            else:
                self._record_belief(result.belief, plan.cycle, result.others)
            progress = self.finish()
            if not progress.is_finished:
                self.store.set_campaign_status(self.name, CampaignStatus.ACTIVE)
            frame = self._book().frame
        if gain is not None and not gain.is_stored:
            raise StopAdvisedError(
                progress.reason, "To go on all the same, add --continue (Python: ask(go_on=True)), or ask for less."
            )
        return proposal_table(frame, self.spec, ids)

    def replay(self, proposal_id: str) -> Replay:
        """Compute a stored proposal again from what was known when it was made.

        Raises:
            InputError: If it is no proposal of this campaign, how it was made was not stored, or the space has changed
                since.
            CheckpointError: If a checkpoint it was made with is missing or damaged.
        """
        with self.store.transaction():
            stored = self._proposal(proposal_id)
            plan = self._plan(stored)
            since = changed_since(self.store, self.name, stored.created_at)
            versions = trained_versions(stored.predictions)
            self._check_space(proposal_id, versions.values(), since)
            hypotheses = self._load(self.shelf.load_versions(versions))
            observed = _first(self.observations(), stored.n_measurements)
            results = self.results(plan.seen, plan.lost) if plan.seen else None
            others = {name: self._load(self._versions_of(name, said)) for name, said in stored.others.items()}
        if results is None:
            drafts = propose(plan, self.space, self.pool, hypotheses, observed).drafts
        elif self.spec.stages:
            known = {self.spec.objective.name: hypotheses, **others}
            drafts = propose_staged(plan, self._staged(known), results).drafts
        else:
            arena = self._arena({self.spec.objective.name: hypotheses, **others}, results, plan)
            drafts = propose_aimed(plan, arena, results).drafts
        draft = drafts[min(stored.position, len(drafts) - 1)]
        differing = differences(
            {"configuration": stored.proposed, **{name: getattr(stored, name) for name in REPLAYED}},
            {"configuration": draft.configuration, **{name: getattr(draft, name) for name in REPLAYED}},
        )
        return Replay(stored, draft, is_equal=not differing, differences=differing + since if differing else ())

    def _arena(self, known: Known, results: Results, plan: AskPlan) -> Arena:
        """Return where proposals are looked for, and what is wanted of them."""
        from discovery.aimed_cycle import FEASIBLE, Arena
        from discovery.belief.feasibility import success_hypotheses
        from discovery.session.aims import cost_left, make_aim

        if results.succeeded is not None:
            known = {**known, FEASIBLE: success_hypotheses(self.space, self.shelf.device)}
        aim = make_aim(self.spec, self.space, self.pool, results)
        return Arena(self.space, self.pool, known, aim, cost_left(aim, self.spec, results, plan.pending_X))

    def _versions_of(self, outcome: str, said: Iterable[HypothesisPrediction]) -> tuple[TrainedHypothesis, ...]:
        return self.shelves[outcome].load_versions(trained_versions(said))

    def _staged(self, known: Known) -> StagedArena:
        """Return where proposals of several stages are looked for."""
        return staged_arena(self.spec, self.space, self.pool, known)

    def _check_space(self, proposal_id: str, version_ids: Iterable[str], since: Sequence[str]) -> None:
        """Refuse a proposal whose checkpoints are of another space."""
        if any(self.store.model(version_id).space_hash != self.space.schema_hash for version_id in version_ids):
            said = "; ".join(since) or "the space has changed since"
            raise InputError(
                f"{proposal_id} must be of the present space to be computed again; {said}.",
                "What was stored with it stays: `discovery review FILE` shows it.",
            )

    def _allowed(self, n: int | None, book: ProposalBook) -> int:
        """Return how many proposals may be made: as many as wanted, and no more than the budget leaves."""
        wanted = self.spec.acquisition.batch_size if n is None else n
        if wanted < 1:
            raise InputError(f"The number of proposals must be at least 1; got {wanted}.")
        n_measured = len(self.measurements())
        left = self.spec.budget.experiments - n_measured - book.n_open
        if left < 1:
            raise NoCandidateError(
                f"The budget of {self.name} must leave an experiment to propose; {n_measured} are measured and "
                f"{book.n_open} proposals are open, of {self.spec.budget.experiments}.",
                "Ingest the results of open proposals, or raise budget.experiments.",
            )
        return min(wanted, left)

    def _expected_gain(
        self, plan: AskPlan, result: CycleResult, observed: Observations, results: Results | None, *, go_on: bool
    ) -> ExpectedGain | None:
        """Return what the proposals are expected to bring; None for random starts, and before anything counts.

        Of several outcomes, targets, hits and limits it is computed where `stop.min_gain` asks for it.
        """
        request, is_plain = plan.request(plan.n), self.spec.is_plain
        if plan.n_random or not (is_plain or self.spec.stop.min_gain is not None):
            return None
        if is_plain or results is None:
            gain, n = gain_of(self.hypotheses(), observed, result.drafts, request), len(observed.y)
        else:
            rows = without_bounds(self.spec, self._usable())
            known = self._arena(self.all_hypotheses(), results, plan).known
            gain, n = aimed_gain_of(self.spec, known, results, rows, result.drafts, request), len(self.measurements())
        if gain is None:
            return None
        is_enough = not self.spec.stop.is_too_little(gain, n)
        return ExpectedGain(gain, len(result.drafts), n, is_stored=is_enough or go_on)

    def _store_proposals(self, plan: AskPlan, result: CycleResult) -> list[str]:
        """Store drafts, plan, time and belief."""
        ids = self.store.add_proposals(self.name, plan.cycle, result.drafts)
        self.store.add_metric(self.name, plan.cycle, ASKED, plan.n, plan.to_detail())
        self.store.add_metric(self.name, plan.cycle, SECONDS, result.seconds)
        self._record_belief(result.belief, plan.cycle, result.others)
        return ids

    def _plan(self, proposal: ProposalRow) -> AskPlan:
        rows = self.store.metrics(self.name)
        details = rows.loc[(rows["name"] == ASKED) & (rows["cycle"] == proposal.cycle), "detail"].tolist()
        if not details:
            raise InputError(f"How {proposal.proposal_id} was made must be stored to replay it; nothing is.")
        return AskPlan.from_detail(details[-1])


def trained_versions(said: Iterable[HypothesisPrediction]) -> dict[str, str]:
    """Return checkpoints by hypothesis; one that follows another stage has none of its own."""
    return {one.hypothesis: one.checkpoint_id for one in said if not is_link(one.hypothesis)}


def _first(observed: Observations, n: int) -> Observations:
    """Return the first `n` observations."""
    return replace(
        observed,
        X=observed.X[:n],
        y=observed.y[:n],
        yvar=None if observed.yvar is None else observed.yvar[:n],
        keys=observed.keys[:n],
        limits=None if observed.limits is None else observed.limits[:n],
        blocks=tuple(block[:n] for block in observed.blocks),
    )
