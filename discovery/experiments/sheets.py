"""Sheets for the laboratory: the experiments of a batch as a table with blank outcomes, and files of it.

What `discovery ingest` reads back is exactly what is written here, filled in; a second row of column names holds the
units (`ingest.readers.UNITS`). Next in the tour: `discovery.experiments.manual`.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from discovery.campaign import (
    BooleanParameter,
    CampaignSpec,
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    ManualExperiment,
    Parameter,
    Plate,
)
from discovery.campaign.stages import STAGE
from discovery.errors import ConfigurationError, DiscoveryError
from discovery.ingest.controls import CONTROL
from discovery.ingest.excel import openpyxl
from discovery.ingest.failures import FAILED, INFEASIBLE, STATUS
from discovery.ingest.readers import UNITS, read_rows

PLACE = ("plate", "well", CONTROL)
"""Columns that say where on plates an experiment stands."""
RUN_ORDER, NOTE = "run_order", "note"
FORMATS = (".csv", ".xlsx")


@dataclass(frozen=True)
class Column:
    """One column of a sheet.

    Attributes:
        name: Its name, exactly that of the parameter or outcome.
        role: `place` (which experiment this is, and where), `parameter`, `outcome` or `note`.
        unit: Unit of the values; may be empty.
        values: The values that may stand there, where they are listed.
        bounds: Lowest and highest value, where there are any.
        is_text: Whether values are text.
    """

    name: str
    role: Literal["place", "parameter", "outcome", "note"]
    unit: str = ""
    values: tuple[str | float, ...] = ()
    bounds: tuple[float, float] | None = None
    is_text: bool = False


@dataclass(frozen=True, eq=False)
class Sheet:
    """Experiments to be made.

    Attributes:
        name: What the sheet is called.
        columns: Its columns in order.
        rows: One row per experiment or control in run order; None where a cell is blank.
        plate: The plate that they stand on, or None.
    """

    name: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    plate: Plate | None = None

    @property
    def records(self) -> list[list[object]]:
        """Cells row by row, whole numbers without a fraction; the units come first where there are any."""
        units = [UNITS, *(column.unit for column in self.columns[1:])]
        cells = [[_plain(cell) for cell in row] for row in self.rows.itertuples(index=False, name=None)]
        return [list(units), *cells] if any(units[1:]) else cells


def make_sheet(spec: CampaignSpec, proposals: pd.DataFrame, name: str, places: pd.DataFrame | None = None) -> Sheet:
    """Make the sheet of some proposals.

    Args:
        spec: The campaign.
        proposals: One row each: `proposal_id` and the parameters.
        name: What the sheet is called.
        places: Where each stands: `proposal_id`, `run_order`, `plate`, `well` and `control`, with a row for each
            control too (`place_batch`); default a plain list in the order of the proposals.

    Raises:
        ConfigurationError: If a parameter or an outcome is called like a column that says where one stands on plates.
    """
    columns = sheet_columns(spec, is_plated=places is not None)
    names, own = [column.name for column in columns], spec.parameter_names
    by_id: dict[object, dict[str, object]] = {row["proposal_id"]: row for row in _records(proposals)}
    if places is None:
        rows = [{RUN_ORDER: i + 1, **row} for i, row in enumerate(by_id.values())]
    else:
        controls = {} if (plate := plate_of(spec)) is None else {c.name: dict(c.values) for c in plate.controls}
        rows = [
            {**place, **by_id.get(place["proposal_id"], {}), **_control_cells(controls.get(str(place[CONTROL])), own)}
            for place in _records(places)
        ]
    blank = dict.fromkeys(column.name for column in columns if column.role == "outcome")
    frame = pd.DataFrame([{**row, **blank} for row in rows], dtype=object).reindex(columns=names).astype(object)
    return Sheet(name, columns, frame.where(frame.notna(), None), None if places is None else plate_of(spec))


def place_batch(layout: pd.DataFrame, proposal_ids: Sequence[str], batch: str) -> pd.DataFrame:
    """Turn a layout into the places of proposals; plates get names that no other batch has, such as `c003-P1`.

    Args:
        layout: What `plates.lay_out` gave.
        proposal_ids: The proposals of the batch in order.
        batch: Name of the batch, unique in the campaign.

    Returns:
        `proposal_id` (None for a control), `run_order`, `plate`, `well` and `control` (None for a proposal).
    """
    return pd.DataFrame(
        {
            "proposal_id": [proposal_ids[item] if item >= 0 else None for item in layout["item"]],
            RUN_ORDER: layout["run_order"].astype(object),
            "plate": [f"{batch}-P{number}" for number in layout["plate"]],
            "well": layout["well"].astype(object),
            CONTROL: [name or None for name in layout[CONTROL]],
        },
        dtype=object,
    )


def sheet_columns(spec: CampaignSpec, is_plated: bool = False) -> tuple[Column, ...]:
    """Return the columns of a campaign's sheets.

    Raises:
        ConfigurationError: If there are plates, and a parameter or an outcome is called like one of their columns.
    """
    own = {*spec.parameter_names, *spec.outcome_names}
    taken = [name for name in (RUN_ORDER, *PLACE) if name in own]
    if taken and is_plated:
        raise ConfigurationError(
            f"experiment.plate needs the column {taken[0]!r} for itself; it is a parameter or an outcome.",
            "Rename the parameter or outcome.",
        )
    places = ("proposal_id", RUN_ORDER, *((STAGE,) if spec.stages else ()), *(PLACE if is_plated else ()))
    return (
        *(Column(name, "place", is_text=name != RUN_ORDER) for name in places if name not in own),
        *(_parameter_column(parameter) for parameter in spec.parameters),
        *(_outcome_column(spec, name) for name in spec.outcome_names),
        Column(STATUS, "note", values=(FAILED, INFEASIBLE), is_text=True),
        *(() if NOTE in own else (Column(NOTE, "note", is_text=True),)),
    )


def plate_of(spec: CampaignSpec) -> Plate | None:
    """Return the plate that a campaign's experiments stand on, or None."""
    return spec.experiment.plate if isinstance(spec.experiment, ManualExperiment) else None


def sheet_bytes(sheet: Sheet, suffix: str) -> bytes:
    """Return a sheet as the content of a file.

    Args:
        sheet: The sheet.
        suffix: `.csv` or `.xlsx`.

    Raises:
        ConfigurationError: If openpyxl is not installed for `.xlsx`.
    """
    if suffix == ".xlsx":
        from discovery.experiments.workbook import workbook_bytes

        return workbook_bytes(sheet)
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([[column.name for column in sheet.columns], *sheet.records])
    text = out.getvalue()
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")  # the mark tells Excel how letters are written


def write_sheet(sheet: Sheet, path: Path) -> Path:
    """Write a sheet as CSV or Excel, by the suffix: whole, or not at all.

    Raises:
        ConfigurationError: If it may not be written there (`check_target`), or cannot.
    """
    check_target(path, [column.name for column in sheet.columns if column.role == "outcome"])
    content = sheet_bytes(sheet, path.suffix.lower())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"A sheet must be a file that can be written; got {path}: {error.strerror}.") from None
    return path


def check_target(path: Path, outcomes: Sequence[str]) -> None:
    """Check that a sheet may be written to a file.

    Args:
        path: The file.
        outcomes: Names of the campaign's outcomes.

    Raises:
        ConfigurationError: If it is neither `.csv` nor `.xlsx`, openpyxl is not installed for the latter, or somebody
            has filled the file in.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigurationError(f"A sheet must be one of {', '.join(FORMATS)}; got {path}.")
    if suffix == ".xlsx":
        openpyxl()
    if path.exists() and is_filled(path, outcomes):
        raise ConfigurationError(
            f"A sheet must not replace a file that somebody may have filled in; got {path}.",
            "Name another file, or remove this one.",
        )


def is_filled(path: Path, outcomes: Sequence[str]) -> bool:
    """Return whether a file says what became of an experiment, or is no table: then nobody knows what it holds."""
    try:
        frame = read_rows(path).frame
    except DiscoveryError:
        return True
    return bool(frame.reindex(columns=[*outcomes, STATUS]).notna().any(axis=None))


def _parameter_column(parameter: Parameter) -> Column:
    if isinstance(parameter, ContinuousParameter):
        return Column(parameter.name, "parameter", parameter.unit, bounds=parameter.bounds)
    if isinstance(parameter, DiscreteParameter):
        return Column(parameter.name, "parameter", parameter.unit, values=parameter.values)
    values = parameter.values if isinstance(parameter, CategoricalParameter | BooleanParameter) else ()
    return Column(parameter.name, "parameter", values=values, is_text=True)


def _outcome_column(spec: CampaignSpec, name: str) -> Column:
    outcome = spec.outcome(name)
    return Column(name, "outcome", outcome.unit, bounds=outcome.range)


def _control_cells(values: dict[str, str | float] | None, parameters: Sequence[str]) -> dict[str, object]:
    """Return what is in a control by column; what is no parameter goes into the note."""
    given = values or {}
    others = [f"{name} {_plain(value)}" for name, value in given.items() if name not in parameters]
    cells: dict[str, object] = {name: value for name, value in given.items() if name in parameters}
    return {**cells, NOTE: ", ".join(others)} if others else cells


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")]


def _plain(cell: object) -> object:
    """Return a cell as Python has it, whole numbers without a fraction."""
    value = cell.item() if isinstance(cell, np.generic) else cell
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
