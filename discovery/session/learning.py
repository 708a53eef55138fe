"""The campaign's learning: meta-training, adapting, and refining when it has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from discovery.lifecycle import CampaignStatus
from discovery.session.base import CampaignPart
from discovery.session.doubts import note_doubts
from discovery.session.happenings import note_finish, note_harm
from discovery.session.ledgers import OTHER_BELIEF, TASK_GROUPS
from discovery.session.progress import CampaignProgress

if TYPE_CHECKING:
    from discovery.belief.belief import Belief, Hypothesis
    from discovery.belief.records import BeliefSummary
    from discovery.meta.refine import RefineResult, Score
    from discovery.meta.train import TrainedHypothesis
    from discovery.session.models import Report

ALARM = "e_value_alarm"
"""Name of the metric that says that experience does not fit this task."""


class Learning(CampaignPart):
    """What a campaign learns before, during and after its experiments."""

    @cached_property
    def _loaded(self) -> dict[str, tuple[Hypothesis, ...]]:
        return {}

    def meta_train(self, report: Report | None = None, force: bool = False) -> tuple[TrainedHypothesis, ...]:
        """Meta-train the hypotheses, or take from the registry what fits (never what has seen this campaign).

        Args:
            report: Called with (hypothesis, step, steps).
            force: Whether to train even what the registry has.

        Returns:
            The hypotheses about the first objective's outcome, then those about each further one.
        """
        trained = {name: shelf.train(report, force=force) for name, shelf in self.shelves.items()}
        self._loaded.update({name: self._load(items) for name, items in trained.items()})
        return tuple(item for items in trained.values() for item in items)

    def hypotheses(self, outcome: str = "") -> tuple[Hypothesis, ...]:
        """Return the hypotheses about an outcome, ready to adapt; trains them where that was not done yet.

        Args:
            outcome: The outcome; default the first objective's.

        Raises:
            CheckpointError: If a checkpoint is damaged, of another space, or has seen this campaign.
        """
        name = outcome or self.spec.objective.name
        if name not in self._loaded:
            shelf = self.shelves[name]
            self._loaded[name] = self._load(shelf.in_use() or shelf.train(renew=False))
        return self._loaded[name]

    def all_hypotheses(self) -> dict[str, tuple[Hypothesis, ...]]:
        """Return the hypotheses about every outcome that the belief has to foresee, the first objective's first."""
        return {name: self.hypotheses(name) for name in self.shelves}

    def adapt(self) -> BeliefSummary:
        """Adapt to all measurements and store where the belief stands; an e-value of 20 or more is an alarm."""
        found = {name: belief.summary() for name, belief in self._beliefs().items()}
        summary = found.pop(self.spec.objective.name)
        with self.store.transaction():
            self._record_belief(summary, self.store.next_cycle(self.name), found)
        return summary

    def _beliefs(self) -> dict[str, Belief]:
        """Return what is believed of every outcome after all measurements, the first objective's first."""
        known = self.all_hypotheses()
        if self.spec.stages:
            from discovery.session.staging import staging_of
            from discovery.staged_cycle import believe_stages

            return believe_stages(staging_of(self.spec), known, self.results())
        from discovery.cycle import adapt

        return {name: adapt(hypotheses, self.observations(name)) for name, hypotheses in known.items()}

    def finish(self) -> CampaignProgress:
        """Mark the campaign finished where its progress says so."""
        with self.store.transaction():
            progress = self.progress()
            if progress.is_finished:
                note_finish(self, progress)
                self.store.set_campaign_status(self.name, CampaignStatus.FINISHED, progress.reason)
        return progress

    def refine(self, report: Report | None = None, score: Score | None = None) -> RefineResult | None:
        """Finish the campaign and let its tasks join the history; versions that do not lose are promoted.

        Args:
            report: Called with (hypothesis, step, steps).
            score: What judges a checkpoint on held-out tasks, lower is better; default `meta.refine.held_out_nlpd`.

        Returns:
            The result about the first objective's outcome, or None where there is nothing to refine.
        """
        return self.refine_all(report, score).get(self.spec.objective.name)

    def refine_all(self, report: Report | None = None, score: Score | None = None) -> dict[str, RefineResult]:
        """Do what `refine` does, and return the result about every outcome that is refined.

        Each outcome is a task of its own, goes on from a checkpoint of its own, and has a held-out check of its own.

        Args:
            report: Called with (hypothesis, step, steps).
            score: As for `refine`.

        Returns:
            Results by outcome; those with nothing to refine are left out, `why_no_refinement` says why.
        """
        from discovery.session.refining import refine_with

        progress, found = self.finish(), {}
        for name, shelf in self.shelves.items():
            result = refine_with(shelf, progress, self.observations(name), report, score)
            if result is not None:
                found[name] = result
        return found

    def why_no_refinement(self) -> str:
        """Say why `refine` would do nothing about any outcome; empty where it would do something."""
        from discovery.session.refining import why_not

        progress = self.progress()
        reasons = [why_not(shelf, progress, self.observations(name)) for name, shelf in self.shelves.items()]
        return reasons[0] if all(reasons) else ""

    def _load(self, trained: tuple[TrainedHypothesis, ...]) -> tuple[Hypothesis, ...]:
        from discovery.belief.hypotheses import load_hypotheses

        return load_hypotheses(trained, self.shelf.device)

    def _record_belief(
        self, summary: BeliefSummary, cycle: int, others: Mapping[str, BeliefSummary] | None = None
    ) -> None:
        """Write where the belief in every outcome stands, and the alarm of each that experience does not fit."""
        with self.store.transaction():
            seen = self.seen()
            for name, one in {self.spec.objective.name: summary, **(others or {})}.items():
                further = "" if name == self.spec.objective.name else name
                ids = {hypothesis.name: hypothesis.checkpoint_id for hypothesis in self.hypotheses(name)}
                if further:
                    detail = {"outcome": name, "checkpoint_ids": ids, **asdict(one)}
                    self.store.add_metric(self.name, cycle, OTHER_BELIEF, one.e_value, detail)
                else:
                    self.store.add_evidence(self.name, cycle, one, ids)
                if one.groups:
                    detail = {"outcome": name, "groups": one.groups}
                    self.store.add_metric(self.name, cycle, TASK_GROUPS, float(len(one.groups)), detail)
                note_doubts(self.store, self.name, cycle, one, seen[name], further)
                self._record_harm(one, cycle, ids, further)

    def _record_harm(self, summary: BeliefSummary, cycle: int, ids: Mapping[str, str], outcome: str) -> None:
        """Raise the alarm where it is due, once per cycle and outcome; an empty outcome is the first objective's."""
        from discovery.belief.weights import ALARM as LEVEL

        if summary.e_value < LEVEL:
            return
        note_harm(self, summary, ids, outcome)
        rows = self.store.metrics(self.name)
        raised = rows.loc[(rows["name"] == ALARM) & (rows["cycle"] == cycle), "detail"]
        if outcome not in [json.loads(text).get("outcome", "") for text in raised]:
            about = {"outcome": outcome} if outcome else {}
            self.store.add_metric(self.name, cycle, ALARM, summary.e_value, {"weights": summary.weights, **about})
