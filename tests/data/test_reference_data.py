"""The committed data are what the manifest says, small, plain, and free of rows that two tasks share."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.make import csv_bytes
from data.sources import sha256_of

DATA = Path(__file__).parents[2] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text(encoding="utf-8"))
FILES = {path: entry for family in MANIFEST.values() for path, entry in family["files"].items()}
OUTCOMES = {"buchwald_hartwig": "yield", "suzuki_perera": "yield", "suzuki_reizman": "yield", "chembl": "p_activity"}
OUTCOMES |= {"opv_blends": "degradation", "electrolytes": "conductivity"}


def read(path: Path) -> pd.DataFrame:
    """Read one table, with `none` and empty cells kept as text."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, keep_default_na=False)


def tasks(family: str) -> pd.DataFrame:
    """Read all task tables of a family into one, with the task's name beside each row."""
    paths = [path for path in MANIFEST[family]["files"] if "/compounds/" not in path]
    return pd.concat([read(DATA / path).assign(task=Path(path).stem) for path in paths], ignore_index=True)


def test_files_are_those_of_the_manifest():
    """Every data file is in the manifest and every file of the manifest is there, with its digest and rows."""
    present = {path.relative_to(DATA).as_posix() for name in MANIFEST for path in (DATA / name).rglob("*.*")}
    assert present == set(FILES)
    for path, entry in FILES.items():
        table = read(DATA / path)
        assert sha256_of((DATA / path).read_bytes()) == entry["sha256"], path
        assert (len(table), sha256_of(csv_bytes(table))) == (entry["rows"], entry["rows_sha256"]), path


@pytest.mark.parametrize(
    ("family", "n_tasks", "n_rows"),
    [
        ("buchwald_hartwig", 15, 3955),
        ("suzuki_perera", 15, 5760),
        ("suzuki_reizman", 4, 385),
        ("chembl", 30, 48714),
        ("opv_blends", 1, 1040),
        ("electrolytes", 3, 1100),
    ],
)
def test_counts_are_those_of_the_publications(family, n_tasks, n_rows):
    """No row is lost or doubled on the way from the package."""
    table = tasks(family)
    assert (table["task"].nunique(), len(table)) == (n_tasks, n_rows)
    assert (MANIFEST[family]["n_tasks"], MANIFEST[family]["n_rows"]) == (n_tasks, n_rows)


@pytest.mark.parametrize("family", list(MANIFEST))
def test_the_manifest_says_where_data_come_from(family):
    """Each family has title, package with release, license, citation, and a meaning with unit for every column."""
    entry = MANIFEST[family]
    assert set(entry["columns"]) == set(tasks(family).columns) - {"task"}
    assert all(entry[key] for key in ("title", "license", "copyright", "citation"))
    assert all(entry["source"].values())


@pytest.mark.parametrize("family", list(MANIFEST))
def test_outcomes_are_plausible(family):
    """Percents, potencies from mmol/L to 10 pmol/L, losses from none to all, conductivities in mS/cm: in range."""
    ranges = {"yield": (0, 100), "p_activity": (2, 12), "degradation": (0, 1), "conductivity": (0, 20)}
    low, high = ranges[OUTCOMES[family]]
    assert tasks(family)[OUTCOMES[family]].between(low, high).all()


def test_the_folder_is_small_and_its_names_are_plain():
    """All data stay under 3 MB, and names hold lower-case letters, digits and underscores."""
    files = [path for path in DATA.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert all(re.fullmatch(r"[a-z0-9_]+\.(csv|parquet)", Path(path).name) for path in FILES)


@pytest.mark.parametrize("family", ["buchwald_hartwig", "suzuki_perera", "suzuki_reizman"])
def test_no_two_reaction_tasks_share_a_measurement(family):
    """No configuration has the same outcome in two tasks, but for yields of exactly zero, which tell nothing apart."""
    table = tasks(family)
    table = table[table["yield"] > 0].drop_duplicates()
    shared = table.duplicated([column for column in table.columns if column != "task"], keep=False)
    assert not shared.any(), table[shared]


def test_targets_share_molecules_and_hardly_any_potency():
    """Two targets may test one molecule, and agree on the digit in at most 2 % of the smaller one's rows."""
    table = tasks("chembl")
    n_rows = table["task"].value_counts()
    pairs = table.merge(table, on=["smiles", "p_activity"])
    shared = pairs[pairs["task_x"] < pairs["task_y"]].groupby(["task_x", "task_y"]).size()
    smaller = [min(n_rows[a], n_rows[b]) for a, b in shared.index]
    assert (shared.to_numpy() <= 0.02 * np.array(smaller)).all(), shared[shared > 0.02 * np.array(smaller)]


@pytest.mark.parametrize("family", ["buchwald_hartwig", "suzuki_perera"])
def test_every_category_is_a_known_compound(family):
    """Categories of the tasks and rows of the compound tables are the same set."""
    table = tasks(family)
    for column in set(table.columns) - {"yield", "task"}:
        known = read(DATA / family / "compounds" / f"{column}s.csv")
        assert set(table[column]) == set(known[column]), column


@pytest.mark.skipif("DISCOVERY_DATASETS" not in os.environ, reason="DISCOVERY_DATASETS names no folder")
@pytest.mark.parametrize(
    ("family", "elsewhere", "pattern"),
    [
        ("buchwald_hartwig", "buchwald_hartwig", "*.csv"),
        ("suzuki_perera", "suzuki_perera", "*__2?.csv"),
        ("suzuki_reizman", "suzuki_flow_cases", "reizman_case_*.csv"),
        ("chembl", "moleculeace", "CHEMBL*.csv"),
    ],
)
def test_values_agree_with_another_copy(family, elsewhere, pattern):
    """The same measurements taken from elsewhere have the same configurations and, to six digits, outcomes."""
    ours, outcome = tasks(family).drop(columns="task"), OUTCOMES[family]
    paths = sorted((Path(os.environ["DISCOVERY_DATASETS"]) / elsewhere).glob(pattern))
    theirs = pd.concat([pd.read_csv(path, keep_default_na=False) for path in paths])[list(ours.columns)]
    order = [column for column in ours.columns if column != outcome] + [outcome]
    ours, theirs = (table.sort_values(order).reset_index(drop=True) for table in (ours, theirs))
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-5)
