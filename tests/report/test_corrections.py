"""Corrections are told with what was, what is, by whom and why."""

from __future__ import annotations

import pandas as pd

from discovery.report.corrections import correction_sentence, corrections_grid

ROW = {
    "measurement_id": "lab-m0002-r1",
    "corrected_id": "lab-m0002",
    "is_retracted": False,
    "reason": "digits transposed",
    "corrected_by": "ada",
    "configuration_before": '{"heat": 40.0}',
    "outcomes_before": '{"yield": 18.5}',
    "sems_before": "{}",
    "limits_before": "{}",
    "configuration": '{"heat": 40.0}',
    "outcomes": '{"yield": 81.5}',
    "sems": '{"yield": 2.0}',
    "limits": "{}",
}
GONE = ROW | {"measurement_id": "lab-m0003-r1", "corrected_id": "lab-m0003", "is_retracted": True, "reason": "spilled"}


def test_only_what_differs_is_told() -> None:
    """Values that stay are left out; one that was not there is a dash; a retraction names the outcome that went."""
    grid = corrections_grid(pd.DataFrame([ROW, GONE]))
    assert grid.rows == (
        ("lab-m0002", "yield 18.5, yield_sem -", "yield 81.5, yield_sem 2", "ada", "digits transposed"),
        ("lab-m0003", "yield 18.5", "retracted", "ada", "spilled"),
    )


def test_a_correction_is_one_sentence() -> None:
    """The sentence has both ids, both values and the reason; one that changes nothing lets the row count again."""
    said = "lab-m0002 corrected to lab-m0002-r1, yield 18.5 -> 81.5, yield_sem - -> 2 (digits transposed)"
    assert correction_sentence(ROW) == said
    assert correction_sentence(GONE) == "lab-m0003 retracted (spilled)"
    again = ROW | {"outcomes": ROW["outcomes_before"], "sems": "{}"}
    assert "lab-m0002-r1, counts again" in correction_sentence(again)
