"""Tables of history as they are meant: units converted, and one source for each level of a column.

A table with several tasks holds, more often than not, the one that the campaign itself is about. Its rows must not
teach: levels under `except` are left out, so are levels that the campaign's own tables name in the same column, and a
level that holds the campaign's own measurements is refused.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from discovery.campaign import CampaignRef, CampaignSpec, FileRef, TableExperiment, category_text, history_name
from discovery.campaign.units import Conversion, conversion, of_differences, unit_of
from discovery.errors import ConfigurationError, InputError
from discovery.ingest import RawRows, RejectedRow, read_rows
from discovery.space.cells import column_of, is_blank, listed

Ref = str | FileRef | CampaignRef
_NUMBER = re.compile(r"\s*([<>]=?)?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
LEAST_ALIKE = 3  # rows that must be the campaign's own before a level counts as the campaign itself


def by_task(refs: Iterable[Ref], spec: CampaignSpec) -> tuple[Ref, ...]:
    """Put one source for each level in the place of tables that hold several tasks.

    Args:
        refs: Sources as the campaign file names them.
        spec: The campaign.

    Returns:
        Sources that are one task each; levels in the order in which they first occur. All others stay as they are.

    Raises:
        ConfigurationError: If a column of tasks is a parameter or an outcome, a level that is named does not occur, or
            none is left.
        InputError: If a file cannot be read or does not have the column.
    """
    return tuple(one for ref in refs for one in _levels_of(ref, spec))


def _levels_of(ref: Ref, spec: CampaignSpec) -> list[Ref]:
    if not isinstance(ref, FileRef) or ref.task is None:
        return [ref]
    if ref.task in (*spec.parameter_names, *spec.outcome_names):
        raise ConfigurationError(
            f"experience.history: task of {ref.file} must be a column that is neither parameter nor outcome; got "
            f"{ref.task!r}.",
            "A parameter is learned across without it.",
        )
    cells = column_of(_read(spec.resolve(ref.file)).frame, ref.task, ref.file)
    levels = list(dict.fromkeys(category_text(cell) for cell in cells[~is_blank(cells)]))
    unknown = [level for level in (*ref.only, *ref.excluded) if level not in levels]
    if unknown:
        raise ConfigurationError(
            f"experience.history: {unknown[0]!r} must be a level of {ref.task!r} in {ref.file}; got {listed(levels)}.",
            "Correct only or except.",
        )
    own = _own_levels(ref.task, spec)
    kept = [level for level in levels if level not in (*ref.excluded, *own) and level in (ref.only or levels)]
    if not kept:
        raise ConfigurationError(
            f"experience.history: {ref.file} must hold a level of {ref.task!r} other than those left out; got "
            f"{listed(levels)}.",
            "Remove the entry, or name another column as task.",
        )
    return [ref.model_copy(update={"only": (level,), "excluded": ()}) for level in kept]


def rows_of_no_task(refs: Iterable[Ref], spec: CampaignSpec) -> dict[str, tuple[RejectedRow, ...]]:
    """Return, by file, the rows of tables with several tasks that say none, or could not be cut into cells.

    Args:
        refs: Sources as the campaign file names them.
        spec: The campaign.
    """
    found = {}
    for ref in refs:
        if isinstance(ref, FileRef) and ref.task is not None:
            rows = _read(spec.resolve(ref.file))
            blank = rows.frame.index[is_blank(rows.frame[ref.task])]
            nameless = [RejectedRow(int(number), ref.task, "", "must name the task") for number in blank]
            found[ref.file] = (*rows.malformed, *nameless)
    return {name: rejected for name, rejected in found.items() if rejected}


def _read(path: Path) -> RawRows:
    """Read a table; the last few are remembered, for one is read once per level."""
    stamp = path.stat() if path.is_file() else None
    return _remembered(path, 0 if stamp is None else stamp.st_mtime_ns, 0 if stamp is None else stamp.st_size)


@lru_cache(maxsize=4)
def _remembered(path: Path, changed: int, size: int) -> RawRows:
    return read_rows(path)


def _own_tables(spec: CampaignSpec) -> list[pd.DataFrame]:
    """Return the campaign's own tables: candidates, and where its experiments are answered from."""
    own = [spec.candidates, spec.experiment.path if isinstance(spec.experiment, TableExperiment) else None]
    paths = {spec.resolve(name) for name in own if name is not None}
    return [_read(path).frame for path in sorted(paths) if path.is_file()]


def _own_levels(column: str, spec: CampaignSpec) -> set[str]:
    """Return the levels of a column in the campaign's own tables."""
    tables = [table for table in _own_tables(spec) if column in table.columns]
    return {category_text(cell) for table in tables for cell in table.loc[~is_blank(table[column]), column]}


def read_file(ref: str | FileRef, spec: CampaignSpec) -> RawRows:
    """Read a table of history: the rows of its level, in the campaign's units.

    Args:
        ref: One of what `by_task` gives.
        spec: The campaign.

    Raises:
        ConfigurationError: If a unit cannot be converted, or the rows are the campaign's own measurements.
        InputError: If the file cannot be read, or lacks a column whose unit is given.
    """
    if isinstance(ref, str):
        return read_rows(spec.resolve(ref))
    rows = _read(spec.resolve(ref.file))
    if ref.task is not None and ref.only:
        text = rows.frame[ref.task].map(category_text, na_action="ignore")
        rows = dataclasses.replace(rows, frame=rows.frame[text.isin(ref.only).to_numpy()], malformed=())
    frame = rows.frame.copy()
    for name, unit in (ref.units or {}).items():
        if unit_of(spec, name):  # else it is an outcome that is not looked at now
            _convert(frame, name, unit, spec, ref.file)
    if ref.task is not None:
        _refuse_own(frame, ref, spec)
    return dataclasses.replace(rows, frame=frame)


def _convert(frame: pd.DataFrame, name: str, unit: str, spec: CampaignSpec, source: str) -> None:
    """Convert one column and its standard errors in place; cells that are no numbers stay for the checks to refuse."""
    if name not in frame:
        raise InputError(
            f"{source} must have the column {name!r} whose unit is given; got {', '.join(map(str, frame))}.",
            "Remove it from units, or correct the name.",
        )
    convert = conversion(unit, unit_of(spec, name))
    frame[name] = _converted(frame[name], convert)
    if f"{name}_sem" in frame:
        frame[f"{name}_sem"] = _converted(frame[f"{name}_sem"], of_differences(convert))


def _converted(cells: pd.Series, convert: Conversion) -> pd.Series:
    """Convert the numbers in cells, also those behind < and >, to 12 significant digits."""
    found = cells.astype(str).str.extract(_NUMBER.pattern + r"$")
    is_number = found[1].notna() & ~is_blank(cells)
    values = found.loc[is_number, 1].to_numpy(dtype=np.float64)
    numbers = np.char.mod("%.12g", convert(values) + 0.0)
    converted = cells.astype(object)
    converted[is_number] = found.loc[is_number, 0].fillna("").to_numpy(dtype=object) + numbers.astype(object)
    return converted


def _refuse_own(frame: pd.DataFrame, ref: FileRef, spec: CampaignSpec) -> None:
    """Refuse a level most of whose rows are, outcome included, among the campaign's own."""
    columns = [*spec.parameter_names, spec.objective.name]
    tables = [table for table in _own_tables(spec) if set(columns) <= set(table.columns)]
    if not set(columns) <= set(frame.columns) or not tables:
        return
    own = {row for table in tables for row in _rows(table[columns])}
    rows = _rows(frame[columns])
    n_own = sum(row in own for row in rows)
    if n_own >= LEAST_ALIKE and 2 * n_own > len(rows):
        raise ConfigurationError(
            f"experience.history must not hold the campaign's own measurements; {n_own} of {len(rows)} rows of "
            f"{history_name(ref)} are among them.",
            f"Leave them out: {{file: {ref.file}, task: {ref.task}, except: [{', '.join(ref.only)}]}}.",
        )


def _rows(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return rows as text, numbers in one way of writing."""
    texts = [[f"{float(c):.9g}" if _is_plain(c) else str(c).strip() for c in frame[name]] for name in frame]
    return list(zip(*texts, strict=True))


def _is_plain(cell: object) -> bool:
    match = _NUMBER.fullmatch(str(cell))
    return match is not None and match[1] is None
