"""The campaign's explaining: why a proposal was made, computed from what was known when it was.

Next in the tour: `discovery.review.explanation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from discovery.errors import DiscoveryError, InputError
from discovery.review import make_card
from discovery.session.changes import changed_since
from discovery.session.doubts import with_doubts
from discovery.session.proposing import Proposing, trained_versions
from discovery.session.staging import staging_of

if TYPE_CHECKING:
    import pandas as pd

    from discovery.belief.belief import Belief
    from discovery.belief.records import HypothesisPrediction
    from discovery.cycle import Observations
    from discovery.review.explanation import Explanation, Scene
    from discovery.store import ProposalRow

N_SHORT = 12  # proposals that are explained on a page; more would keep people waiting


class Explaining(Proposing):
    """How a campaign explains its proposals."""

    def explain(self, proposal_id: str, outcome: str = "", *, lesson: bool = True, plots: bool = False) -> Explanation:
        """Explain a proposal with the belief that made it; nothing is stored.

        Args:
            proposal_id: The proposal.
            outcome: The outcome whose prediction is explained; default the first objective's.
            lesson: Whether to say what the experiment would teach.
            plots: Whether to add slices along every parameter and maps over pairs of those that matter most.

        Raises:
            InputError: If it is no proposal of this campaign, nothing is believed about the outcome, or the space has
                changed since.
            CheckpointError: If a checkpoint it was made with is missing or damaged.
        """
        from discovery.review.explanation import explain

        with self.store.transaction():
            proposal, usable = self._proposal(proposal_id), self._usable()
            name = outcome or self.spec.objective.name
            said = self._said(proposal, name)
            since = changed_since(self.store, self.name, proposal.created_at)
            self._check_space(proposal_id, trained_versions(said).values(), since)
            scene = self._scene(proposal, name, said, usable)
            card = with_doubts(make_card(proposal, usable, self.spec, self.space, name), self.store, self.spec)
        return explain(proposal, card, scene, lesson=lesson, plots=plots)

    def explanations(self, proposal_ids: Sequence[str]) -> dict[str, Explanation]:
        """Explain several proposals in short, for a page: at most `N_SHORT`, and those only that can be explained."""
        found = {}
        for proposal_id in proposal_ids[:N_SHORT]:
            with suppress(DiscoveryError, RuntimeError):  # a lost checkpoint, another space: the card says enough
                found[proposal_id] = self.explain(proposal_id, lesson=False)
        return found

    @cached_property
    def _adapted(self) -> dict[tuple[object, ...], Belief]:
        """The belief that was made last: proposals of one cycle share it."""
        return {}

    def _said(self, proposal: ProposalRow, outcome: str) -> tuple[HypothesisPrediction, ...]:
        """Return what was stored about an outcome of a proposal."""
        if outcome == self.spec.objective.name:
            return proposal.predictions
        if outcome not in proposal.others:
            raise InputError(
                f"The outcome must be one that {proposal.proposal_id} was made from; got {outcome!r}.",
                f"Known: {', '.join([self.spec.objective.name, *proposal.others])}.",
            )
        return proposal.others[outcome]

    def _scene(
        self, proposal: ProposalRow, outcome: str, said: tuple[HypothesisPrediction, ...], usable: pd.DataFrame
    ) -> Scene:
        """Return what a proposal was made from, as far as one outcome is concerned."""
        from discovery.campaign import Objective
        from discovery.review.explanation import Scene
        from discovery.review.foresight import Foresight

        seen = self._plan(proposal).seen.get(outcome)
        has_it = usable[usable[outcome].notna()]
        measured = has_it.head(said[0].n_measurements) if seen is None else has_it[has_it["position"].isin(seen)]
        observed = self._observed(measured, outcome)
        if self.spec.stages:
            belief = self._staged_belief(proposal, outcome)
        else:
            belief = self._belief(outcome, trained_versions(said), observed)
        wanted = {objective.name: objective for objective in self.spec.objectives}
        objective = wanted.get(outcome, Objective(name=outcome))
        foresight = Foresight.of(belief, objective, observed.y)
        return Scene(self.spec, self.space, self.pool, foresight, observed, measured)

    def _staged_belief(self, proposal: ProposalRow, outcome: str) -> Belief:
        """Return the belief of then about an outcome of a stage, which may follow an earlier one."""
        from discovery.staged_cycle import believe_stages

        told = {self.spec.objective.name: proposal.predictions, **proposal.others}
        key = (outcome, proposal.campaign, proposal.cycle)
        if key not in self._adapted:
            known = {name: self._load(self._versions_of(name, said)) for name, said in told.items()}
            beliefs = believe_stages(staging_of(self.spec), known, self.results(self._plan(proposal).seen))
            self._adapted.clear()
            self._adapted[key] = beliefs[outcome]
        return self._adapted[key]

    def _belief(self, outcome: str, versions: dict[str, str], observed: Observations) -> Belief:
        """Return the belief of then about an outcome."""
        from discovery.cycle import adapt

        key = (outcome, tuple(versions.items()), observed.keys, tuple(observed.y))
        if key not in self._adapted:
            hypotheses = self._load(self.shelves[outcome].load_versions(versions))
            self._adapted.clear()
            self._adapted[key] = adapt(hypotheses, observed)
        return self._adapted[key]
