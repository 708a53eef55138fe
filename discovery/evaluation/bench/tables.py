"""Published tables into tables of campaigns: what is wanted, only what can be varied, blanks and context dealt with.

The rules look at inputs alone, never at outcomes:

* a blank category is the category `none`; a row with a blank number, or without the outcome, is left out;
* a context column (a temperature at which conductivity is compared, say) is held at its most frequent value;
* a column that does not vary is left out; a part of a whole is 0 where a table lacks its column;
* a censored outcome stays at its bound: what counts is the order, and there it ties with others at the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discovery.evaluation.bench.datasets import Column, TaskSource
from discovery.space.cells import is_blank, read_numbers

NONE = "none"
CONTEXT: Mapping[str, str] = {
    "electrolyte_conductivity": "temperature",  # conductivity rises with it almost always
    "polymer_electrolytes": "temperature",
    "mpea_mechanical": "test_temperature",
}
ROUNDING = 1e-4  # of the sum of all parts
CONTEXT_WIDTH = 1.0  # rows within this of the context's value count as being at it


@dataclass(frozen=True, eq=False)
class TaskTable:
    """A table that can be replayed.

    Attributes:
        name: Name of the task.
        columns: Parameters, in order.
        outcome: What is measured.
        frame: One row per measurement: parameters as numbers and text, then the outcome.
        context: Value at which the context column was held, or None.
        facts: What else the authors say.
        further: What else is measured and wanted, beside the outcome.
    """

    name: str
    columns: tuple[Column, ...]
    outcome: Column
    frame: pd.DataFrame
    context: float | None
    facts: Mapping[str, str]
    further: tuple[Column, ...] = ()

    @property
    def outcomes(self) -> tuple[Column, ...]:
        """All that is measured and wanted."""
        return (self.outcome, *self.further)

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return [column.name for column in self.columns]

    @property
    def fractions(self) -> set[str]:
        """Parameters that are parts of a whole."""
        return {column.name for column in self.columns if column.is_part}

    @property
    def n_distinct(self) -> int:
        """Number of distinct configurations."""
        return len(self.frame[self.names].drop_duplicates())

    def varying(self) -> TaskTable:
        """Return the table without parameters that do not vary."""
        kept = tuple(column for column in self.columns if self.frame[column.name].nunique() > 1)
        return replace(self, columns=kept, frame=self.frame[[column.name for column in (*kept, *self.outcomes)]])


def read_task(
    source: TaskSource, context: str | None, at: float | None = None, *, is_front: bool = False
) -> TaskTable | None:
    """Read a published table as a table of a campaign.

    Args:
        source: The published table.
        context: Column that is held at one value, or None.
        at: That value; default the most frequent one.
        is_front: Whether every outcome with a goal is wanted; else the first alone.

    Returns:
        The table with all parameters that hold anything, or None where it has no outcome with a goal, or one alone
        where several are wanted.
    """
    outcomes = [column for column in source.columns if column.role == "outcome" and column.goal]
    outcomes = outcomes if is_front else outcomes[:1]
    if len(outcomes) < 1 + is_front:
        return None
    raw = source.read()
    parameters = [c for c in source.columns if c.role == "parameter" and not is_blank(raw[c.name]).all()]
    frame = pd.DataFrame({c.name: _cells(raw[c.name], c) for c in (*parameters, *outcomes)})
    if context in frame:
        at = _most_frequent(frame[context]) if at is None else at
        frame = frame[(frame[context] - at).abs() <= CONTEXT_WIDTH]
        parameters = [c for c in parameters if c.name != context]
    frame = frame[[c.name for c in (*parameters, *outcomes)]].dropna().reset_index(drop=True)
    frame = _rounded_parts(frame, [c.name for c in parameters if c.is_part])
    facts = {key: str(value) for key, value in source.facts.items()}
    held = at if context else None
    return TaskTable(source.name, tuple(parameters), outcomes[0], frame, held, facts, tuple(outcomes[1:]))


def as_history(table: TaskTable, campaign: TaskTable) -> pd.DataFrame | None:
    """Return a sibling's rows as history of a campaign, or None where it cannot teach it anything.

    The sibling keeps its columns. A part of the whole that its authors did not use is 0; what else it lacks makes it
    none of this campaign's kin.

    Args:
        table: The sibling.
        campaign: The campaign, parameters that do not vary left out.
    """
    lacking = set(campaign.names) - set(table.names)
    is_whole = bool(table.fractions) == bool(campaign.fractions)  # else one of them is all of one part
    is_same = [column.name for column in table.outcomes] == [column.name for column in campaign.outcomes]
    if not is_same or lacking - campaign.fractions or not is_whole:
        return None
    return table.frame.assign(**dict.fromkeys(sorted(lacking), 0.0))


def _cells(cells: pd.Series, column: Column) -> pd.Series:
    """Return a column as numbers, NaN where a cell is none, or as text, `none` where it is blank."""
    if column.kind == "continuous":
        return pd.Series(read_numbers(cells)[0], index=cells.index)
    return cells.astype(str).str.strip().mask(is_blank(cells), NONE)


def _rounded_parts(frame: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Let parts that add up to one but for rounding add up to one."""
    total = frame[parts].sum(axis=1)
    is_whole = (total - 1).abs() < ROUNDING
    return frame.assign(**{name: frame[name].where(~is_whole, frame[name] / total) for name in parts})


def _most_frequent(values: pd.Series) -> float:
    """Return the whole number that most values round to."""
    rounded, counts = np.unique(values.dropna().round(), return_counts=True)
    return float(rounded[counts.argmax()])
