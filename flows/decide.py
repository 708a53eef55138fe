"""Review by a form on the Prefect pages: the run shows what waits, suspends, and writes the answer when it is resumed.

Nothing is kept here that could be lost. While people think, no process runs and the proposals wait in the store, where
the command line may decide about them as well; the first valid decision stands. A resumed run starts again from the
top and finds the form that was answered; an answer that cannot be carried out makes it ask again. Next in the tour:
`discovery.review.form`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput, create_flow_run_input, delete_flow_run_input, read_flow_run_input
from prefect.input.run_input import keyset_from_base_key
from prefect.logging import get_run_logger
from pydantic import Field, create_model

from discovery.errors import InputError, StoreLockedError, counted
from discovery.review.form import CHOICES, REJECT_ALL, FormAnswer, read_answer
from discovery.review.page import edit_example, form_introduction, proposal_label, review_page
from discovery.session import Campaign, Decision, DecisionReport
from flows.artifacts import artifact_key
from flows.events import tell_events
from flows.steps import decide_step, opened, run_name
from flows.wake import wake

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from discovery.review import ProposalCard


class ReviewForm(RunInput):
    """What a person fills in; the order here is the order on the page.

    Whatever can be judged only beside the store is plain text here: the page refuses what breaks this schema, and the
    run asks again about the rest.
    """

    decision: str = Field(
        REJECT_ALL,
        title="Decision",
        description="Nothing is approved unless you say so here. Open the list by the arrows at its right.",
        json_schema_extra={"enum": list(CHOICES)},
    )
    chosen: list[str] = Field(
        default_factory=list,
        title="Chosen proposals",
        description="Only for a decision about the chosen. Open the list by the arrows, and tick what to approve.",
    )
    edits: str = Field(
        "",
        title="Other values",
        description="To run a proposal with other values; it counts as chosen. One line each, such as `{}`.",
    )
    reason: str = Field("", title="Reason for rejecting", description="Needed where anything is rejected.")
    reviewer: str = Field(..., min_length=1, title="Your name", description="Kept with every decision.")
    note: str = Field("", title="Note", description="Anything else that is to be kept with the decisions.")

    def answer(self) -> FormAnswer:
        """Return the form as the library reads it."""
        return FormAnswer(self.decision, tuple(self.chosen), self.edits, self.reason, self.reviewer, self.note)


@dataclass(frozen=True)
class DecideOutcome:
    """What came of a review.

    Attributes:
        campaign: Name of the campaign.
        decided: What the form decided, a sentence each.
        before: What others had decided first about the same proposals, and stands; a sentence each.
        waiting: Ids of the campaign's proposals that wait still.
    """

    campaign: str
    decided: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


@flow(name="decide", flow_run_name=run_name)
def decide(file: str, cycle: int | None = None) -> DecideOutcome:
    """Ask people about the proposals of a campaign that wait, and write what they decide.

    Ends when nothing waits that this run would ask about.

    Args:
        file: The campaign file.
        cycle: Only proposals of this cycle; default all that wait.
    """
    one = opened(file)
    forms = Forms.of_run(artifact_key(one.name, "all" if cycle is None else f"c{cycle:03d}"))
    outcome, fault = DecideOutcome(one.name), ""
    while True:
        shown = forms.shown(one, cycle)
        if not shown:
            return outcome
        answer = forms.ask(one, shown, fault)
        written = _carry_out(file, one, answer, shown)
        forms = forms.next()
        fault = written if isinstance(written, str) else ""
        if not isinstance(written, str):
            outcome = _finish(one, written, forms)
        else:
            get_run_logger().warning("Nothing was decided by %s: %s", answer.reviewer, written)
            outcome = DecideOutcome(one.name, before=_sentences(one.decisions(shown)), waiting=one.waiting())


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
        """Return what this form is about: the proposals that waited when it was made."""
        key = f"shown-{self.key}"
        known = read_flow_run_input(key)
        if known is not None and self.is_asked:
            return tuple(known)
        if known is not None:  # a process ended before it could ask
            delete_flow_run_input(key)
        one.expire_pending()
        waiting = one.waiting(cycle)
        create_flow_run_input(key, list(waiting))
        return waiting

    def ask(self, one: Campaign, shown: Sequence[str], fault: str) -> ReviewForm:
        """Return the answer to this form; where there is none yet, suspend the run until there is."""
        form: type[ReviewForm] = ReviewForm
        timeout = None
        if not self.is_asked:
            cards = [one.card(proposal_id) for proposal_id in shown]
            page = create_markdown_artifact(review_page(cards), key=artifact_key(one.name, "review"))
            until = one.deadline(shown)
            introduction = form_introduction(cards, f"/artifacts/artifact/{page}", until, fault)
            form = _form_about(cards, introduction)
            timeout = None if until is None else max(1, int((until - datetime.now(UTC)).total_seconds()))
        answer = suspend_flow_run(wait_for_input=form, timeout=timeout, key=self.key)
        assert isinstance(answer, ReviewForm)
        return answer


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


def _carry_out(file: str, one: Campaign, form: ReviewForm, shown: Sequence[str]) -> DecisionReport | str:
    """Write an answer; returns in words why it cannot be written."""
    try:
        verdicts = read_answer(form.answer(), shown, one.space.names)
        return decide_step(file, verdicts, form.reviewer.strip())
    except (InputError, StoreLockedError) as error:
        return str(error)


def _finish(one: Campaign, report: DecisionReport, forms: Forms) -> DecideOutcome:
    """Show what was decided, tell Prefect, and wake the campaign."""
    outcome = DecideOutcome(one.name, _sentences(report.decided), _sentences(report.before), report.waiting)
    create_markdown_artifact(outcome_markdown(outcome), key=artifact_key(one.name, "decisions"))
    for sentence in (*outcome.decided, *outcome.before):
        get_run_logger().info(sentence)
    tell_events(one.store)
    if report.decided and report.waiting:  # where nothing waits any longer the event has woken it
        wake(one.name, key=f"{forms.run.id}-{forms.key}")
    return outcome


def outcome_markdown(outcome: DecideOutcome) -> str:
    """Write what came of a review as Markdown."""
    parts = [f"# Decisions about {outcome.campaign}", *(f"- {sentence}" for sentence in outcome.decided)]
    if not outcome.decided:
        parts.append("Nothing was decided by this form.")
    if outcome.before:
        parts += ["", "## Decided by others first, and left as it was", ""]
        parts += [f"- {sentence}" for sentence in outcome.before]
    if outcome.waiting:
        parts += ["", f"{counted(len(outcome.waiting), 'proposal')} to be decided: {', '.join(outcome.waiting)}."]
    return "\n".join(parts)


def _sentences(decisions: Sequence[Decision]) -> tuple[str, ...]:
    return tuple(f"{one.proposal_id} {one.sentence}" for one in decisions)
