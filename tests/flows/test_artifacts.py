"""What the Prefect pages show, as text."""

from __future__ import annotations

import re

import pytest

from flows.artifacts import artifact_key, cycle_markdown
from flows.progress import CycleSummary, TrainingStep, listening, tell

SUMMARY = CycleSummary(
    campaign="Lab_1",
    cycle=2,
    outcome="yield",
    unit="%",
    proposals=(
        {
            "proposal_id": "Lab_1-a",
            "ligand": "x|y",
            "yield_pred": 80.2,
            "yield_sd": 3.1,
            "status": "APPROVED",
            "yield": 81.0,
        },
        {
            "proposal_id": "Lab_1-b",
            "ligand": "z",
            "yield_pred": 70.0,
            "yield_sd": 12.0,
            "status": "APPROVED",
            "yield": None,
        },
    ),
    best=92.5,
    weights={"history": 0.8},
    n_measurements=3,
    n_budget=6,
)


@pytest.mark.parametrize("campaign", ["Suzuki_case 4", "ÄÖ--x", "a.b/c"])
def test_keys_are_what_prefect_accepts(campaign):
    """Keys have lower-case letters, digits and single dashes only."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", artifact_key(campaign, "cycles"))


def test_a_cycle_becomes_a_table():
    """The page of a cycle has its proposals as a table, the best so far and the weights; bars are escaped.

    What is not measured yet shows its status.
    """
    text = cycle_markdown(SUMMARY)
    assert "3 of 6 experiments are measured. Best yield (%) so far: 92.5." in text
    assert "| proposal | predicted | measured | ligand |" in text
    assert r"| a | 80.2 ± 3.1 | 81 | x\|y |" in text and "| b | 70 ± 12 | approved | z |" in text
    assert "- history: 0.800" in text


def test_a_cycle_without_proposals_can_be_shown():
    """A cycle that proposed nothing is written without a table."""
    assert "|" not in cycle_markdown(CycleSummary("lab", 0, "yield", "", (), None))


def test_listeners_hear_only_while_they_listen():
    """An event reaches who listens at that moment, and nobody else."""
    heard: list[object] = []
    with listening(heard.append):
        tell(TrainingStep("history", 1, 2))
    tell(TrainingStep("history", 2, 2))
    assert heard == [TrainingStep("history", 1, 2)]
