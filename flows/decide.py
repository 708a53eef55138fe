"""Review by a form on the Prefect pages: the run shows what waits, suspends, and writes the answer when it is resumed.

Nothing is kept here that could be lost. While people think, no process runs and the proposals wait in the store, where
the command line may decide about them as well; the first valid decision stands. A resumed run starts again from the
top and finds the form that was answered; an answer that cannot be carried out makes it ask again. Next in the tour:
`discovery.review.form`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from discovery.errors import InputError, StoreLockedError, counted
from discovery.review.form import read_answer
from discovery.session import Campaign, Decision, DecisionReport
from flows.artifacts import artifact_key
from flows.events import tell_events
from flows.forms import Forms, ReviewForm, close_forms
from flows.steps import decide_step, opened, run_name
from flows.wake import wake


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

    Ends when nothing waits that no other open form asks about.

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
            get_run_logger().info("Nothing is left to ask that no other open form asks about.")
            close_forms(one)
            return outcome
        answer = forms.ask(one, shown, fault)
        report, fault = _carry_out(file, one, answer, shown)
        forms = forms.next()
        outcome = DecideOutcome(one.name, _lines(report.decided), _lines(report.before), report.waiting)
        _tell(one, outcome, fault, forms)


def _carry_out(file: str, one: Campaign, form: ReviewForm, shown: Sequence[str]) -> tuple[DecisionReport, str]:
    """Write an answer; returns what became of it, and in words why it cannot be written, where it cannot."""
    try:
        verdicts = read_answer(form.answer(), shown, one.space.names)
        written = decide_step(file, verdicts, form.reviewer.strip())
    except (InputError, StoreLockedError) as error:
        written = str(error)
    if isinstance(written, str):
        return DecisionReport((), one.decisions(shown), one.waiting()), written
    return written, ""


def _tell(one: Campaign, outcome: DecideOutcome, fault: str, forms: Forms) -> None:
    """Show what was decided, tell Prefect, and wake the campaign."""
    create_markdown_artifact(outcome_markdown(outcome, fault), key=artifact_key(one.name, "decisions"))
    if fault:
        get_run_logger().warning("Nothing was decided. %s", fault)
    for line in (*outcome.decided, *outcome.before):
        get_run_logger().info(line)
    tell_events(one.store)
    if outcome.decided and outcome.waiting:  # where nothing waits any longer the event has woken it
        wake(one.name, key=f"{forms.run.id}-{forms.key}")


def outcome_markdown(outcome: DecideOutcome, fault: str = "") -> str:
    """Write what came of one answer as Markdown; a fault says why nothing did."""
    parts = [f"# Decisions about {outcome.campaign}", ""]
    parts += [f"- {line}" for line in outcome.decided] or [f"Nothing was decided by this answer. {fault}".strip()]
    if outcome.before:
        parts += ["", "## Decided by others first, and left as it was", ""]
        parts += [f"- {line}" for line in outcome.before]
    if outcome.waiting:
        parts += ["", f"{counted(len(outcome.waiting), 'proposal')} to be decided: {', '.join(outcome.waiting)}."]
    return "\n".join(parts)


def _lines(decisions: Sequence[Decision]) -> tuple[str, ...]:
    return tuple(one.line for one in decisions)
