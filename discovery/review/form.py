"""The review form: what one person answers about several proposals at once, read into verdicts.

Pure: nothing is looked up, so that an answer means the same whenever it is read. What is unclear is refused in words
that say what to write; nothing is approved that was not asked for. Next in the tour: `discovery.session.reviewing`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from discovery.errors import InputError
from discovery.review.decisions import Verdict

REJECT_ALL = "reject all"
APPROVE_ALL = "approve all"
REJECT_OTHERS = "approve the chosen, reject the others"
KEEP_OTHERS = "approve the chosen, let the others wait"
CHOICES = (REJECT_ALL, APPROVE_ALL, REJECT_OTHERS, KEEP_OTHERS)
"""What may be decided; the first is what stands there before anybody has touched the form."""


@dataclass(frozen=True)
class FormAnswer:
    """A form as it was filled in.

    Attributes:
        decision: One of `CHOICES`.
        chosen: Proposals that are chosen: ids, or labels that begin with one.
        edits: Other values, one proposal a line: `ID parameter=value parameter=value`.
        reason: Why proposals are rejected.
        reviewer: Who decides.
        note: A remark that is kept with every decision.
    """

    decision: str
    chosen: tuple[str, ...] = ()
    edits: str = ""
    reason: str = ""
    reviewer: str = ""
    note: str = ""


def read_answer(answer: FormAnswer, shown: Sequence[str], parameters: Sequence[str]) -> tuple[Verdict, ...]:
    """Read what is wanted of each proposal.

    A proposal with other values counts as chosen. The rest is rejected or waits, as the decision says.

    Args:
        answer: The form.
        shown: Ids of the proposals that the form was about.
        parameters: Names of the campaign's parameters.

    Returns:
        Verdicts in the order shown; none for proposals that wait on.

    Raises:
        InputError: If the answer is incomplete or contradicts itself; names every fault.
    """
    chosen, strangers = _chosen_ids(answer.chosen, shown)
    edits, faults = _read_edits(answer.edits, shown, parameters)
    faults = [*strangers, *faults, *_contradictions(answer, chosen, edits, shown)]
    if faults:
        raise InputError(" ".join(faults))
    approved = set(shown) if answer.decision == APPROVE_ALL else {*chosen, *edits}
    keeps_others = answer.decision == KEEP_OTHERS
    note, reason = answer.note.strip(), _remark(answer.reason, answer.note)
    return tuple(
        Verdict(proposal_id, "edit" if proposal_id in edits else "approve", note, edits.get(proposal_id, {}))
        if proposal_id in approved
        else Verdict(proposal_id, "reject", reason)
        for proposal_id in shown
        if proposal_id in approved or not keeps_others
    )


def _chosen_ids(chosen: Sequence[str], shown: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the ids that are chosen, and faults."""
    found = {text: _id_at_start(text, shown) for text in chosen}
    strangers = [text for text, proposal_id in found.items() if not proposal_id]
    faults = [f"Chosen proposals must be of this form; got {', '.join(strangers)}."] if strangers else []
    return [proposal_id for proposal_id in found.values() if proposal_id], faults


def _id_at_start(text: str, shown: Sequence[str]) -> str:
    """Return the id that a text begins with; empty where it begins with none."""
    stripped = text.strip()
    fitting = [one for one in shown if re.match(rf"{re.escape(one)}(?![\w-])", stripped)]
    return max(fitting, key=len, default="")


def _read_edits(
    text: str, shown: Sequence[str], parameters: Sequence[str]
) -> tuple[dict[str, dict[str, object]], list[str]]:
    """Return the values that change by proposal, and faults."""
    edits: dict[str, dict[str, object]] = {}
    faults = []
    for line in filter(str.strip, text.splitlines()):
        proposal_id = _id_at_start(line, shown)
        if not proposal_id:
            faults.append(f"A line of other values must begin with one of {', '.join(shown)}; got {line.strip()!r}.")
            continue
        if proposal_id in edits:
            faults.append(f"Other values of {proposal_id} must stand in one line; got two.")
        values, wrong = _read_values(line.strip()[len(proposal_id) :], parameters)
        edits[proposal_id] = values
        if wrong:
            faults.append(f"Other values of {proposal_id} must read parameter=value; {wrong}.")
    return edits, faults


def _read_values(text: str, parameters: Sequence[str]) -> tuple[dict[str, object], str]:
    """Return the values that stand behind parameters' names, blanks and equals signs within them included, and a fault.

    A value goes on until the next name with an equals sign, so that `solvent=acetic acid` needs no quotes.
    """
    names = "|".join(re.escape(name) for name in sorted(parameters, key=len, reverse=True))
    before, *pairs = re.split(rf"(?:^|(?<=[\s,;:]))({names})\s*=", text)
    if before.strip(" \t,;:"):
        return {}, f"got {before.strip(' :')!r}, and the parameters are {', '.join(parameters)}"
    cleaned = [(name, value.strip(" \t,;").strip("\"'")) for name, value in zip(pairs[::2], pairs[1::2], strict=True)]
    values: dict[str, object] = dict(cleaned)
    if not values:
        return {}, "got none"
    if len(values) < len(cleaned):
        return values, "got a parameter twice"
    empty = [name for name, value in cleaned if not value]
    return values, f"got no value for {', '.join(empty)}" if empty else ""


def _contradictions(
    answer: FormAnswer, chosen: Sequence[str], edits: dict[str, dict[str, object]], shown: Sequence[str]
) -> list[str]:
    """Return what in an answer does not go together, in sentences."""
    about_chosen = answer.decision in (REJECT_OTHERS, KEEP_OTHERS)
    is_all = answer.decision == APPROVE_ALL
    others = [one for one in shown if one not in chosen and one not in edits]
    rejects = answer.decision == REJECT_ALL or (answer.decision == REJECT_OTHERS and bool(others))
    checks = {
        f"The decision must be one of {', '.join(CHOICES)}; got {answer.decision!r}.": answer.decision not in CHOICES,
        "Your name must be given.": not answer.reviewer.strip(),
        f"Proposals are chosen, and the decision is to {answer.decision}: choose a decision about the chosen, or "
        "choose none.": bool(chosen) and not about_chosen and not (is_all and set(chosen) == set(shown)),
        "Other values are given, and the decision is to reject all: choose another decision, or leave them out.": (
            bool(edits) and answer.decision == REJECT_ALL
        ),
        "The decision is about the chosen, and none is chosen: choose at least one.": (
            about_chosen and not chosen and not edits and not answer.edits.strip() and not answer.chosen
        ),
        "A reason must be given to reject.": rejects and not answer.reason.strip(),
        "A reason for rejecting is given, and nothing is rejected: choose another decision, or write a note instead.": (
            bool(answer.reason.strip()) and not rejects
        ),
    }
    return [sentence for sentence, is_wrong in checks.items() if is_wrong]


def _remark(*parts: str) -> str:
    return "; ".join(filter(None, (part.strip() for part in parts)))
