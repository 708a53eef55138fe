"""The review form: what may be answered, what it means, and that nothing is approved by mistake."""

from __future__ import annotations

import pytest

from discovery.errors import InputError
from discovery.review.form import APPROVE_ALL, CHOICES, KEEP_OTHERS, REJECT_ALL, REJECT_OTHERS, FormAnswer, read_answer

SHOWN = ("lab-c001-00", "lab-c001-01", "lab-c001-02")
PARAMETERS = ("temp", "temperature", "solvent", "smiles", "loading (mol%)")


def read(decision: str, **answer: object) -> dict[str, tuple[str, str]]:
    """Return decision and reason for every proposal that something is said about."""
    verdicts = read_answer(FormAnswer(**{"decision": decision, "reviewer": "Ada", **answer}), SHOWN, PARAMETERS)
    return {verdict.proposal_id: (verdict.decision, verdict.reason) for verdict in verdicts}


def edited(line: str) -> dict[str, object]:
    """Return the values that a line of other values gives the first proposal."""
    answer = FormAnswer(KEEP_OTHERS, edits=line, reviewer="Ada")
    (verdict,) = read_answer(answer, SHOWN, PARAMETERS)
    assert (verdict.proposal_id, verdict.decision) == (SHOWN[0], "edit")
    return dict(verdict.values)


@pytest.mark.parametrize(
    ("decision", "answer", "expected"),
    [
        (REJECT_ALL, {"reason": "too hot"}, dict.fromkeys(SHOWN, ("reject", "too hot"))),
        (REJECT_ALL, {"reason": "too hot", "note": "ask Bo"}, dict.fromkeys(SHOWN, ("reject", "too hot; ask Bo"))),
        (APPROVE_ALL, {}, dict.fromkeys(SHOWN, ("approve", ""))),
        (APPROVE_ALL, {"note": "go", "chosen": SHOWN}, dict.fromkeys(SHOWN, ("approve", "go"))),
        (KEEP_OTHERS, {"chosen": SHOWN[1:2]}, {SHOWN[1]: ("approve", "")}),
        (
            REJECT_OTHERS,
            {"chosen": (f"{SHOWN[1]}: SPhos, 80 degC; yield 83 %",), "reason": "dear"},
            {SHOWN[0]: ("reject", "dear"), SHOWN[1]: ("approve", ""), SHOWN[2]: ("reject", "dear")},
        ),
        (REJECT_OTHERS, {"chosen": SHOWN}, dict.fromkeys(SHOWN, ("approve", ""))),
        (KEEP_OTHERS, {"edits": f"{SHOWN[2]} temp=60"}, {SHOWN[2]: ("edit", "")}),
        (
            APPROVE_ALL,
            {"edits": f"{SHOWN[2]} temp=60"},
            {SHOWN[0]: ("approve", ""), SHOWN[1]: ("approve", ""), SHOWN[2]: ("edit", "")},
        ),
    ],
    ids=["none", "none, noted", "all", "all, chosen", "some", "some by label", "some are all", "edit", "all and edit"],
)
def test_an_answer_says_what_becomes_of_each(decision: str, answer: dict, expected: dict) -> None:
    """Every proposal that was shown gets what the decision says, and those that wait on get nothing."""
    assert read(decision, **answer) == expected


@pytest.mark.parametrize(
    ("decision", "answer", "message"),
    [
        (APPROVE_ALL, {"reviewer": "  "}, "Your name must be given"),
        (REJECT_ALL, {}, "A reason must be given"),
        (REJECT_OTHERS, {"chosen": SHOWN[:1]}, "A reason must be given"),
        (APPROVE_ALL, {"reason": "too hot"}, "nothing is rejected"),
        (KEEP_OTHERS, {"reason": "too hot", "chosen": SHOWN[:1]}, "nothing is rejected"),
        (APPROVE_ALL, {"chosen": SHOWN[:1]}, "the decision is to approve all"),
        (REJECT_ALL, {"chosen": SHOWN[:1], "reason": "no"}, "the decision is to reject all"),
        (REJECT_ALL, {"edits": f"{SHOWN[0]} temp=60", "reason": "no"}, "Other values are given"),
        (KEEP_OTHERS, {}, "none is chosen"),
        (KEEP_OTHERS, {"chosen": ("lab-c009-00",)}, "must be of this form; got lab-c009-00"),
        (KEEP_OTHERS, {"chosen": ("lab-c001-000",)}, "must be of this form; got lab-c001-000"),
        ("yes", {}, "The decision must be one of reject all, approve all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unclear_answer_is_refused(decision: str, answer: dict, message: str) -> None:
    """What is incomplete or contradicts itself is refused in words that say what to write."""
    with pytest.raises(InputError, match=message):
        read(decision, **answer)


def test_an_untouched_form_approves_nothing() -> None:
    """The first choice is to reject, and even that needs a name and a reason."""
    with pytest.raises(InputError, match=r"Your name .* A reason must"):
        read_answer(FormAnswer(CHOICES[0]), SHOWN, PARAMETERS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temp=60", {"temp": "60"}),
        (": temperature = 60, temp= 5", {"temperature": "60", "temp": "5"}),
        (" solvent=acetic acid temp=60", {"solvent": "acetic acid", "temp": "60"}),
        (' solvent="1,4-dioxane"', {"solvent": "1,4-dioxane"}),
        (" smiles=F/C=C\\F temp=1", {"smiles": "F/C=C\\F", "temp": "1"}),
        (" loading (mol%)=2.5", {"loading (mol%)": "2.5"}),
    ],
)
def test_other_values_are_read_as_people_write_them(text: str, expected: dict) -> None:
    """Blanks, commas and equals signs within values are no trouble, and quotes are not needed."""
    assert edited(f"\n {SHOWN[0]} {text}\n\n") == expected


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("temp=60", "must begin with one of lab-c001-00"),
        ("lab-c002-00 temp=60", "must begin with one of lab-c001-00"),
        (SHOWN[0], "must read parameter=value; got none"),
        (f"{SHOWN[0]} T=60", "got 'T=60', and the parameters are temp, temperature"),
        (f"{SHOWN[0]} temp=", "no value for temp"),
        (f"{SHOWN[0]} temp=1 temp=2", "a parameter twice"),
        (f"{SHOWN[0]} temp=1\n{SHOWN[0]} temp=2", "must stand in one line; got two"),
    ],
)
def test_other_values_that_cannot_be_read_are_refused(lines: str, message: str) -> None:
    """A line without a proposal of the form, a parameter or a value is refused, and so is a second one."""
    with pytest.raises(InputError, match=message):
        edited(lines)
