"""What was corrected and retracted in a campaign, for people: a table, and a sentence for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from discovery.report.grids import Grid
from discovery.report.style import number

PARTS = ("configuration", "outcomes", "sems")


def corrections_grid(corrections: pd.DataFrame) -> Grid:
    """Return what measurements were and are, by whom and why (`Store.corrections`)."""
    return Grid(
        title="Corrected measurements",
        columns=("measurement", "was", "is", "by", "why"),
        rows=tuple(
            (str(row["corrected_id"]), *was_and_is(row), str(row["corrected_by"]), str(row["reason"]))
            for row in corrections.to_dict("records")
        ),
        n_text=5,
    )


def correction_sentence(row: Mapping[Any, Any]) -> str:
    """Say in one sentence what became of a measurement."""
    before, after = _values(row, "_before"), _values(row)
    changed = ", ".join(f"{name} {number(before.get(name))} -> {number(after.get(name))}" for name in _differing(row))
    said = "retracted" if row["is_retracted"] else f"corrected to {row['measurement_id']}, {changed or 'counts again'}"
    return f"{row['corrected_id']} {said} ({row['reason']})"


def was_and_is(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Return what differs between a measurement and what took its place, before and after."""
    both, names = (_values(row, "_before"), _values(row)), _differing(row)
    was, now = (", ".join(f"{name} {number(values.get(name))}" for name in names) for values in both)
    if row["is_retracted"]:
        outcomes = json.loads(row["outcomes_before"])
        return ", ".join(f"{name} {number(value)}" for name, value in outcomes.items()), "retracted"
    return was, now


def _differing(row: Mapping[Any, Any]) -> list[str]:
    before, after = _values(row, "_before"), _values(row)
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _values(row: Mapping[Any, Any], suffix: str = "") -> dict[str, Any]:
    """Return a measurement's values by column name."""
    configuration, outcomes, sems = (json.loads(row[f"{part}{suffix}"]) for part in PARTS)
    return {**configuration, **outcomes, **{f"{name}_sem": sem for name, sem in sems.items()}}
