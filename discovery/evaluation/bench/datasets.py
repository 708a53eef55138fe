"""Families of measured tables as they were published: the checkout's `data/`, and the folder of `DISCOVERY_DATASETS`.

Both become the same record: columns with roles and units, one table per task. Nothing is cleaned here; next in the
tour: `discovery.evaluation.bench.tables`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import discovery
from discovery.errors import InputError
from discovery.settings import datasets_dir
from discovery.space.descriptors import read_table

Role = Literal["parameter", "outcome", "other"]
_ROLES: dict[str, Role] = {"parameter": "parameter", "target": "outcome"}
SEVERAL = "several objectives"  # kind of a family with a front of compromises
LIQUID_FRONT = "liquid_two_objectives"
_GOALS = {"maximise": "maximize", "minimise": "minimize"}


@dataclass(frozen=True)
class Column:
    """A column of a published table.

    Attributes:
        name: Its name.
        role: `parameter`, `outcome`, or `other` (descriptors, remarks).
        kind: `continuous`, `categorical` or `smiles`.
        unit: Unit of the values; may be empty.
        low: Lowest value that the authors state, or None.
        high: Highest value that the authors state, or None.
        goal: What is wanted of an outcome: `maximize`, `minimize`, or empty.
    """

    name: str
    role: Role
    kind: str = "continuous"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    goal: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a whole: where a table lacks the column, none of it was used."""
        return "fraction" in self.unit


@dataclass(frozen=True)
class TaskSource:
    """A published table.

    Attributes:
        name: Name of the task.
        path: CSV or Parquet file.
        columns: Its columns.
        facts: What else the authors say about it, such as the scaffold.
    """

    name: str
    path: Path
    columns: tuple[Column, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> pd.DataFrame:
        """Read the table; cells of a CSV stay text."""
        return read_table(self.path)


@dataclass(frozen=True)
class FamilySource:
    """A published family of tables.

    Attributes:
        name: Name of the family.
        title: What it is, in one line.
        kind: What is measured: `reaction yield`, `composition`, `bioactivity`, ….
        tasks: Its tables.
        is_front: Whether every outcome with a goal is an objective; else the first alone.
    """

    name: str
    title: str
    kind: str
    tasks: tuple[TaskSource, ...]
    is_front: bool = False


def checkout_dir() -> Path | None:
    """Return the checkout's `data` folder, or None where the library is installed without one."""
    folder = Path(discovery.__file__).resolve().parent.parent / "data"
    return folder if (folder / "manifest.json").is_file() else None


def family_sources() -> dict[str, FamilySource]:
    """Return every family that is at hand, by name.

    Families of the checkout come first; the folder's copies of those are left out, and so are single molecular
    properties, which are no campaigns.
    """
    found = {source.name: source for source in _checkout_families()}
    folder = datasets_dir()
    for path in sorted(folder.glob("*/dataset.json")) if folder else []:
        if path.parent.name not in found:
            found[path.parent.name] = read_family(path)
    if "suzuki_flow_cases" in found:  # holds the four cases and a fifth
        found.pop("suzuki_reizman", None)
    if "liquid_handling" in found:
        title = "Transfers of liquids by a robot: the error and its spread, both small"
        found[LIQUID_FRONT] = replace(
            found["liquid_handling"], name=LIQUID_FRONT, title=title, kind=SEVERAL, is_front=True
        )
    return found


def read_family(path: Path) -> FamilySource:
    """Read a `dataset.json`.

    Raises:
        InputError: If the file is no description of a family.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        shared = {column["name"]: _column(column) for column in stored.get("columns", ())}
        tasks = tuple(_task(entry, shared, path.parent) for entry in stored["tasks"])
        return FamilySource(path.parent.name, stored["title"], stored["kind"], tasks)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} must describe a family of tables; {type(error).__name__}: {error}.") from error


def _column(stored: Mapping[str, Any]) -> Column:
    return Column(
        name=stored["name"],
        role=_ROLES.get(stored["role"], "other"),
        kind=stored["type"],
        unit=stored.get("unit", ""),
        low=stored.get("low"),
        high=stored.get("high"),
        goal=_GOALS.get(stored.get("goal", ""), ""),
    )


def _task(stored: Mapping[str, Any], shared: Mapping[str, Column], folder: Path) -> TaskSource:
    columns = tuple(
        shared[column] if isinstance(column, str) else _column(column) for column in stored.get("columns", list(shared))
    )
    facts = {key: value for key, value in stored.items() if isinstance(value, str)}
    return TaskSource(stored["task"], folder / stored["file"], columns, facts)


_YIELD = Column("yield", "outcome", unit="%", low=0.0, high=100.0, goal="maximize")
_FLOW = (
    Column("catalyst", "parameter", "categorical"),
    Column("residence_time", "parameter", unit="s", low=60.0, high=600.0),
    Column("temperature", "parameter", unit="degC", low=30.0, high=110.0),
    Column("catalyst_loading", "parameter", unit="mol%", low=0.5, high=2.5),
)
_CHECKOUT: dict[str, tuple[str, str, str, tuple[Column, ...]]] = {
    "buchwald_hartwig": (
        "buchwald_hartwig",
        "Pd-catalyzed C-N couplings, one task per aryl halide",
        "reaction yield",
        (*(Column(name, "parameter", "categorical") for name in ("ligand", "base", "additive")), _YIELD),
    ),
    "suzuki_perera": (
        "suzuki_perera",
        "Suzuki-Miyaura couplings on a nanomole flow platform, one task per pair of reactants",
        "reaction yield",
        (*(Column(name, "parameter", "categorical") for name in ("ligand", "base", "solvent")), _YIELD),
    ),
    "suzuki_reizman": (
        "suzuki_reizman",
        "Suzuki-Miyaura couplings in flow, four substrate pairs",
        "reaction yield",
        (*_FLOW, _YIELD),
    ),
    "suzuki_two_objectives": (
        "campaigns/suzuki_turnover",
        "Suzuki-Miyaura couplings in flow, four substrate pairs: a high yield and many turnovers of the catalyst",
        SEVERAL,
        (*_FLOW, _YIELD, Column("turnover", "outcome", low=0.0, high=200.0, goal="maximize")),
    ),
    "moleculeace": (
        "chembl",
        "Potency of small molecules, one task per protein target and measure",
        "bioactivity",
        (
            Column("smiles", "parameter", "smiles"),
            Column("p_activity", "outcome", unit="-log10(mol/L)", goal="maximize"),
        ),
    ),
}


def _checkout_families() -> Iterator[FamilySource]:
    """Yield the families of the checkout; their columns stand in `data/manifest.json` as prose, here as roles."""
    folder = checkout_dir()
    if folder is None:
        return
    for name, (directory, title, kind, columns) in _CHECKOUT.items():
        files = sorted((folder / directory).glob("*.csv")) + sorted((folder / directory).glob("*.parquet"))
        if files:
            tasks = tuple(TaskSource(path.stem, path, columns) for path in files)
            yield FamilySource(name, title, kind, tasks, kind == SEVERAL)
