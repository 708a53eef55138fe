"""What was corrected and retracted in a campaign, for people: a table, and a sentence for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from discovery.report.grids import Grid
from discovery.report.style import number
from discovery.session.doubts import Doubt


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


def doubts_grid(doubts: Sequence[Doubt]) -> Grid:
    """Return measurements that are doubtful, with what had been foretold and how sure the belief is."""
    return Grid(
        title="Doubtful measurements",
        columns=("measurement", "found", "foretold", "probability that it is wild"),
        rows=tuple(
            (one.measurement_id, f"{one.outcome} {one.found}", one.foretold or "-", f"{one.probability:.2f}")
            for one in doubts
        ),
        n_text=3,
        note="They count, a wild value for less. Correct, retract or repeat what is wrong.",
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
        outcomes = _outcomes(row, "_before")
        return ", ".join(f"{name} {number(value)}" for name, value in outcomes.items()), "retracted"
    return was, now


def _differing(row: Mapping[Any, Any]) -> list[str]:
    before, after = _values(row, "_before"), _values(row)
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _values(row: Mapping[Any, Any], suffix: str = "") -> dict[str, Any]:
    """Return a measurement's values by column name."""
    configuration, sems = (json.loads(row[f"{part}{suffix}"]) for part in ("configuration", "sems"))
    return {**configuration, **_outcomes(row, suffix), **{f"{name}_sem": sem for name, sem in sems.items()}}


def _outcomes(row: Mapping[Any, Any], suffix: str = "") -> dict[str, Any]:
    """Return a measurement's outcomes, one that is a bound as text such as `< 5`."""
    outcomes, limits = (json.loads(row[f"{part}{suffix}"] or "{}") for part in ("outcomes", "limits"))
    return {name: f"{limits[name]} {number(value)}" if name in limits else value for name, value in outcomes.items()}
