"""Tables from disk as text, and descriptors: numbers that say how alike the categories of a parameter are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from discovery import registry
from discovery.campaign import CampaignSpec, CategoricalParameter
from discovery.errors import ConfigurationError, InputError
from discovery.space.cells import CategoryReader, column_of, read_numbers


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Cells of a CSV stay the text that they are, so that categories such as `NA`, `None` or `01` survive.

    Returns:
        One row per data row of the file; blank cells of a CSV are empty text.

    Raises:
        InputError: If the file is absent, of another format, damaged, without rows, or repeats a column name.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                frame = _read_csv(path)
            case ".parquet":
                frame = pd.read_parquet(path)
            case _:
                raise InputError(f"A table must be a .csv or .parquet file; got {path}.", "Convert it.")
    except (OSError, ValueError) as error:  # pandas' and Arrow's parsing errors are ValueErrors
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}.", "Check the file.") from None
    names = frame.columns
    if not names.is_unique:
        raise InputError(f"{path} must not repeat a column; got {names[names.duplicated()][0]!r} twice.", "Rename one.")
    if frame.empty:
        raise InputError(f"{path} must have at least one data row; got none.")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    frame = raw.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index(raw.iloc[0].str.strip())
    return frame


def descriptor_source(spec: CampaignSpec, named: str) -> Path | str:
    """Return where a campaign file's `descriptors` come from: a file, or `plugin:NAME` as it stands."""
    return named if named.startswith(registry.PLUGGED) else spec.resolve(named)


def descriptor_table(parameter: CategoricalParameter, source: Path | str, others: Sequence[str] = ()) -> pd.DataFrame:
    """Return what describes the categories of a parameter: a file, or what a plug-in computes.

    Args:
        parameter: The parameter.
        source: The file, or `plugin:NAME`.
        others: Further categories that a plug-in describes.

    Returns:
        One row per category, one column named like the parameter or first among them, the others descriptors.

    Raises:
        ConfigurationError: If there is no such plug-in, or it does not give a row of numbers for every category.
        InputError: If the file cannot be read.
    """
    if isinstance(source, Path):
        return read_table(source)
    values = [*parameter.values, *others]
    made = registry.load("descriptors", source.removeprefix(registry.PLUGGED))(values)
    if not isinstance(made, pd.DataFrame) or len(made) != len(values):
        raise ConfigurationError(f"{source} must give a DataFrame with {len(values)} rows, one per category.")
    made = made.reset_index(drop=True)
    made.insert(0, parameter.name, values, allow_duplicates=False)
    return made


def read_descriptors(parameter: CategoricalParameter, path: Path | str) -> np.ndarray:
    """Read the descriptors of a parameter's categories, scaled to the unit interval column by column.

    The category stands in the column named like the parameter, else in the first. Columns of text and columns that do
    not vary over the listed categories are left out, and so are rows of other categories.

    Returns:
        Descriptors. Shape `k x n_dims`; unit cube; rows in the order of the parameter's values.

    Raises:
        ConfigurationError: If a category is missing or stands there twice, lacks a number, or two look the same.
    """
    table = descriptor_table(parameter, path)
    key = parameter.name if parameter.name in table.columns else str(table.columns[0])
    rows = _rows_of_levels(parameter, column_of(table, key), path)
    numbers = _numeric_columns(parameter, table.drop(columns=key).iloc[rows], path)
    low, width = numbers.min(axis=0), np.ptp(numbers, axis=0)
    scaled = (numbers - low)[:, width > 0] / width[width > 0]
    _check_distinct(parameter, scaled, path)
    return scaled


def describe_others(
    parameter: CategoricalParameter, path: Path | str, others: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Describe categories that a parameter does not offer, in the coordinates of those that it does.

    Args:
        parameter: The parameter.
        path: Its file of descriptors, or the plug-in that computes them.
        others: Further categories.

    Returns:
        Those of them that the file describes once and in full, and their coordinates. Shape `k x n_dims`; beyond the
        unit interval where a descriptor is beyond those of the parameter's own categories.
    """
    table = descriptor_table(parameter, path, others)
    key = parameter.name if parameter.name in table.columns else str(table.columns[0])
    own = table.drop(columns=key).iloc[_rows_of_levels(parameter, column_of(table, key), path)]
    columns = [name for name in own.columns if not read_numbers(own[name].reset_index(drop=True))[1]]
    numbers = np.stack([read_numbers(table[name])[0] for name in columns], axis=1)
    low, width = (f(_numeric_columns(parameter, own, path), axis=0) for f in (np.min, np.ptp))
    codes, _ = CategoryReader(others).read(table[key])
    is_good = (codes >= 0) & ~np.isnan(numbers).any(axis=1)
    is_once = is_good & (np.bincount(codes[is_good], minlength=len(others))[codes] == 1)
    rows = np.flatnonzero(is_once)[np.argsort(codes[is_once])]
    return tuple(others[code] for code in codes[rows]), ((numbers[rows] - low) / np.where(width, width, 1.0))[
        :, width > 0
    ]


def _rows_of_levels(parameter: CategoricalParameter, cells: pd.Series, path: Path | str) -> np.ndarray:
    """Return the row of each category, in their order. Shape `k`."""
    codes, _ = CategoryReader(parameter.values).read(cells)
    counts = np.bincount(codes[codes >= 0], minlength=len(parameter.values))
    for wrong, rule in ((counts == 0, "must describe every category; missing"), (counts > 1, "must not repeat")):
        if wrong.any():
            name = parameter.values[int(np.flatnonzero(wrong)[0])]
            raise ConfigurationError(
                f"{path} (descriptors of {parameter.name!r}) {rule} {name!r}.", "Correct the rows."
            )
    listed_rows = np.flatnonzero(codes >= 0)
    return listed_rows[np.argsort(codes[listed_rows])]


def _numeric_columns(parameter: CategoricalParameter, table: pd.DataFrame, path: Path | str) -> np.ndarray:
    """Return the columns that hold numbers. Shape `k x n_columns`."""
    columns = []
    for name in table.columns:
        values, faults = read_numbers(table[name].reset_index(drop=True))
        if len(faults) == len(values):
            continue
        if faults:
            level = parameter.values[faults[0].row]
            raise ConfigurationError(
                f"{path} must have a number for every category; got {faults[0].value!r} at {level!r}, {name!r}.",
                "Fill the cell or remove the column.",
            )
        columns.append(values)
    return np.stack(columns, axis=1) if columns else np.empty((len(table), 0))


def _check_distinct(parameter: CategoricalParameter, scaled: np.ndarray, path: Path | str) -> None:
    """Refuse descriptors under which two categories are the same point."""
    _, first, inverse = np.unique(scaled.round(12), axis=0, return_index=True, return_inverse=True)
    same = np.flatnonzero(first[inverse.reshape(-1)] != np.arange(len(scaled)))
    if len(same):
        one, other = parameter.values[same[0]], parameter.values[first[inverse.reshape(-1)[same[0]]]]
        raise ConfigurationError(
            f"{path} must tell all categories of {parameter.name!r} apart; {other!r} and {one!r} are equal.",
            "Add a column that differs, or leave descriptors out.",
        )
