"""The page and the introduction that go with the review form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from discovery.review import HypothesisView, Neighbor, ProposalCard, Setting
from discovery.review.form import KEEP_OTHERS, FormAnswer, read_answer
from discovery.review.page import N_DRAWN, edit_example, form_introduction, proposal_label, review_page, review_table


@pytest.fixture
def card() -> ProposalCard:
    """A proposal with text, a number with a unit, and a number without one."""
    return ProposalCard(
        proposal_id="lab-c002-00",
        campaign="lab",
        cycle=2,
        status="PROPOSED",
        settings=(Setting("ligand", "A|B", ""), Setting("temperature", 60.0, "degC"), Setting("equivalents", 1.5, "")),
        outcome="yield",
        unit="%",
        mean=104.0,
        sd=20.0,
        interval=(70.0, 100.0),
        is_cut=True,
        hypotheses=(HypothesisView("history", 104.0, 20.0, 1.0, 1.0, "history-1"),),
        argument="history argues for it.",
        intent="It exploits.",
        neighbors=(Neighbor("m2", 70.0, 0.1, {"temperature": 50.0}),),
        n_measurements=3,
        seed=7,
    )


def test_a_label_is_short_and_chooses_its_proposal(card: ProposalCard) -> None:
    """What the form lists says what would be run, and is read back as the proposal."""
    label = proposal_label(card)
    assert label == "lab-c002-00: A|B, 60 degC, equivalents 1.5; yield 100 %"
    (verdict,) = read_answer(FormAnswer(KEEP_OTHERS, (label,), reviewer="Ada"), ["lab-c002-00"], ["ligand"])
    assert (verdict.proposal_id, verdict.decision) == ("lab-c002-00", "approve")


def test_the_example_of_an_edit_can_be_read(card: ProposalCard) -> None:
    """Who copies the example gets what it says."""
    answer = FormAnswer(KEEP_OTHERS, edits=edit_example(card), reviewer="Ada")
    (verdict,) = read_answer(answer, ["lab-c002-00"], ["ligand", "temperature", "equivalents"])
    assert verdict.values == {"equivalents": "1.5"}


def test_the_table_has_a_row_for_every_proposal(card: ProposalCard) -> None:
    """Units stand in the head, a bar in a value does not break the row, and the outcome stays within its range."""
    head, _, first, second = review_table([card, replace(card, proposal_id="lab-c002-01")]).splitlines()
    assert head == "| proposal | ligand | temperature (degC) | equivalents | expected yield (%) | 90 % interval |"
    assert first == r"| lab-c002-00 | A\|B | 60 | 1.5 | 100 | 70 to 100 |"
    assert second.startswith("| lab-c002-01 |")


def test_the_page_holds_what_the_card_says(card: ProposalCard) -> None:
    """Below the table stands everything that the card in the terminal says to decide by."""
    text = review_page([card])
    for said in (
        "# 1 proposal of lab to be decided",
        "## lab-c002-00",
        "temperature: **60 degC**",
        "Expected yield: 100 %, between 70 and 100 with 90 % probability (cut at the range of yield).",
        "history argues for it. It exploits.",
        "weight 100 %",
        "- m2: yield 70 %, with temperature 50",
    ):
        assert said in text


def test_molecules_are_drawn_on_the_first_cards(card: ProposalCard) -> None:
    """A molecule stands on the page as its structure; a page of very many proposals stays small."""
    molecular = replace(card, settings=(Setting("smiles", "CCO", "", kind="molecule"), *card.settings))
    text = review_page([molecular] * (N_DRAWN + 3))
    assert text.count("![smiles](data:image/svg+xml;base64,") == N_DRAWN
    assert "data:image" not in review_page([card])


def test_the_introduction_says_what_is_asked_and_until_when(card: ProposalCard) -> None:
    """It links to the cards and names the moment; a fault of the last answer stands first."""
    until = datetime(2026, 11, 30, 16, 59, tzinfo=UTC)
    text = form_introduction([card, card], "/page", until)
    assert text.startswith("**2 proposals of lab wait for your decision.** [Read the cards](/page)")
    assert "go stale on 2026-11-30 at 16:59 UTC" in text
    again = form_introduction([card], "/page", fault="Your name must be given.")
    assert again.startswith("**Nothing was decided by the last answer.** Your name must be given. Please answer again.")
    assert "1 proposal of lab waits" in again and "stale" not in again
