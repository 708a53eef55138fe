"""The review form on the Prefect pages: what it asks, which runs show it, and what each of them was about.

What a form was about is kept with its run, so that `approve all` means what a person saw, whatever was proposed since.
Next in the tour: `discovery.review.form`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput, create_flow_run_input, delete_flow_run_input, read_flow_run_input
from prefect.input.run_input import keyset_from_base_key
from prefect.states import Cancelled
from pydantic import Field, create_model

from discovery.review.form import CHOICES, REJECT_ALL, FormAnswer
from discovery.review.page import edit_example, form_introduction, proposal_label, review_page
from discovery.session import Campaign
from flows.artifacts import artifact_key
from flows.wake import DECIDE, deployment_name

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from discovery.review import ProposalCard

SHOWN = "shown-"
"""What the names of a run's records begin with that say which proposals a form was about."""
MAX_FORMS = 100  # records that are read of one run

log = logging.getLogger(__name__)


class ReviewForm(RunInput):
    """What a person fills in; the order here is the order on the page.

    Whatever can be judged only beside the store is plain text here: the page refuses what breaks this schema, and the
    run asks again about the rest.
    """

    decision: str = Field(
        REJECT_ALL,
        title="Decision",
        description="Nothing is approved unless chosen here (click the arrows).",
        json_schema_extra={"enum": list(CHOICES)},
    )
    chosen: list[str] = Field(
        default_factory=list,
        title="Chosen proposals",
        description="For a decision about the chosen: tick them (click the arrows).",
    )
    edits: str = Field(
        "",
        title="Other values",
        description="To approve with other values, one line each: `{}`",
    )
    reason: str = Field("", title="Reason for rejecting", description="Needed where anything is rejected.")
    reviewer: str = Field(..., min_length=1, title="Your name", description="Kept with every decision.")
    note: str = Field("", title="Note", description="Anything else that is to be kept with the decisions.")

    def answer(self) -> FormAnswer:
        """Return the form as the library reads it."""
        return FormAnswer(self.decision, tuple(self.chosen), self.edits, self.reason, self.reviewer, self.note)


@dataclass(frozen=True)
class Forms:
    """The forms that a run shows, one after the other, until nothing is left to ask.

    What each form was about is kept with the run, so that `approve all` means what a person saw, whatever was proposed
    since.

    Attributes:
        run: The flow run, as it was when this process began.
        prefix: What the names of its forms begin with.
        number: The form that is asked now, from 0.
    """

    run: FlowRun
    prefix: str
    number: int

    @classmethod
    def of_run(cls, prefix: str) -> Forms:
        """Return the form that the current run has to go on with: the one that was answered, else a new one."""
        context = FlowRunContext.get()
        assert context is not None and context.flow_run is not None
        n_asked = len(_asked(context.flow_run))
        last = cls(context.flow_run, prefix, max(n_asked - 1, 0))
        response = keyset_from_base_key(f"suspended-{last.key}")["response"]
        return last if not n_asked or read_flow_run_input(response) is not None else last.next()

    @property
    def key(self) -> str:
        """Name of the form, unique in its run."""
        return f"{self.prefix}-{self.number}"

    @property
    def is_asked(self) -> bool:
        """Whether the run has shown this form."""
        return self.key in _asked(self.run)

    def next(self) -> Forms:
        """Return the form after this one."""
        return Forms(self.run, self.prefix, self.number + 1)

    def shown(self, one: Campaign, cycle: int | None) -> tuple[str, ...]:
        """Return what this form is about: the proposals that waited when it was made, and no other form asks about."""
        key = f"{SHOWN}{self.key}"
        known = read_flow_run_input(key)
        if known is not None and self.is_asked:
            return tuple(known)
        if known is not None:  # a process ended before it could ask
            delete_flow_run_input(key)
        one.expire_pending()
        elsewhere = set().union(*open_forms(one).values())
        asked = tuple(proposal_id for proposal_id in one.waiting(cycle) if proposal_id not in elsewhere)
        create_flow_run_input(key, list(asked))
        return asked

    def ask(self, one: Campaign, shown: Sequence[str], fault: str) -> ReviewForm:
        """Return the answer to this form; where there is none yet, suspend the run until there is."""
        form: type[ReviewForm] = ReviewForm
        timeout = None
        if not self.is_asked:
            cards = [one.card(proposal_id) for proposal_id in shown]
            page = create_markdown_artifact(
                review_page(cards, one.explanations(shown)), key=artifact_key(one.name, "review")
            )
            until = one.deadline(shown)
            introduction = form_introduction(cards, f"/artifacts/artifact/{page}", until, fault)
            form = _form_about(cards, introduction)
            timeout = None if until is None else max(1, int((until - datetime.now(UTC)).total_seconds()))
        answer = suspend_flow_run(wait_for_input=form, timeout=timeout, key=self.key)
        assert isinstance(answer, ReviewForm)
        return answer


def open_forms(one: Campaign) -> dict[UUID, set[str]]:
    """Return the suspended runs that ask about a campaign, with the proposals that they have shown."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[DECIDE])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
            ),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment_name(one.name)])),
        )
        kept = {run.id: client.filter_flow_run_input(run.id, SHOWN, MAX_FORMS, set()) for run in runs}
    return {run: {proposal_id for form in forms for proposal_id in form.decoded_value} for run, forms in kept.items()}


def close_forms(one: Campaign) -> int:
    """Cancel suspended runs whose form has nothing left to ask, because all of it was decided elsewhere.

    A server that does not answer is no fault of who decided: the form says so when it is answered.

    Args:
        one: The campaign.

    Returns:
        Number of runs that were cancelled.
    """
    waiting = set(one.waiting())
    try:
        over = {run: shown for run, shown in open_forms(one).items() if shown and not waiting & shown}
        with get_client(sync_client=True) as client:
            for run, shown in over.items():
                said = "; ".join(decision.line for decision in one.decisions(sorted(shown)))
                client.set_flow_run_state(run, Cancelled(message=f"Nothing is left to decide: {said}."))
    except httpx.HTTPError as error:
        log.warning("The Prefect server must answer to close forms; got %s.", error)
        return 0
    return len(over)


def _asked(run: FlowRun) -> set[str]:
    """Return the names of the forms that a run has shown."""
    return set(run.empirical_policy.pause_keys or ())


def _form_about(cards: Sequence[ProposalCard], introduction: str) -> type[ReviewForm]:
    """Return the form with its proposals to choose from, and one of them as the example of other values."""
    known = ReviewForm.model_fields
    chosen: Any = Field(
        default_factory=list,
        title=known["chosen"].title,
        description=known["chosen"].description,
        json_schema_extra={"items": {"type": "string", "enum": [proposal_label(card) for card in cards]}},
    )
    told = str(known["edits"].description).format(edit_example(cards[0]))
    edits: Any = Field("", title=known["edits"].title, description=told)
    form = create_model(ReviewForm.__name__, __base__=ReviewForm, chosen=(list[str], chosen), edits=(str, edits))
    return form.with_initial_data(description=introduction)
