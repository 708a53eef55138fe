"""The store out of its file and back, whole."""

import duckdb
import pandas as pd
import pytest

from discovery.errors import StoreError
from discovery.store import Store
from discovery.store.schema import TABLES

ROWS = {"temperature": [10.0, 30.5], "ligand": ["A", "B"], "yield": [50.0, 61.25]}


def test_a_backup_restores_to_an_equal_store(store, check, draft, tmp_path):
    """Everything that was stored is in the restored file, and it goes on working."""
    store.add_measurements("lab", check(ROWS))
    store.add_proposals("lab", 1, [draft()], status="APPROVED")
    backup = store.backup(tmp_path / "backup.duckdb")
    store.add_measurements("lab", check({name: cells[:1] for name, cells in ROWS.items()}))
    restored = Store.restore(backup, tmp_path / "restored.duckdb")
    assert len(store.measurements("lab")) == 3
    assert restored.measurements("lab")["yield"].tolist() == ROWS["yield"]
    assert restored.proposal("lab-c001-00") == store.proposal("lab-c001-00")
    assert restored.add_measurements("lab", check(ROWS)).n_duplicates == 2
    pd.testing.assert_frame_equal(restored.reviews("lab"), store.reviews("lab"))


def test_nothing_is_overwritten(store, tmp_path):
    """A backup and a restored store are new files."""
    backup = store.backup(tmp_path / "backup.duckdb")
    before = backup.read_bytes()
    with pytest.raises(StoreError, match="must be a new file"):
        store.backup(backup)
    with pytest.raises(StoreError, match="must be a new file"):
        Store.restore(backup, store.path)
    assert backup.read_bytes() == before


@pytest.mark.parametrize("kind", ["missing", "text", "foreign"])
def test_what_is_no_backup_is_refused_and_leaves_no_file(tmp_path, kind):
    """A wrong file makes no store."""
    path = tmp_path / "backup.duckdb"
    if kind == "text":
        path.write_text("not a database")
    if kind == "foreign":
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE sales (a INTEGER)")
    before = {item.name for item in tmp_path.iterdir()}
    with pytest.raises(StoreError):
        Store.restore(path, tmp_path / "new.duckdb")
    assert {item.name for item in tmp_path.iterdir()} == before


def test_the_export_is_one_parquet_file_per_table(store, check, tmp_path):
    """Other tools read everything without DuckDB; exporting again replaces the files."""
    store.add_measurements("lab", check(ROWS))
    store.export(tmp_path / "it's out")
    files = store.export(tmp_path / "it's out")
    assert [file.name for file in files] == [f"{table}.parquet" for table in TABLES]
    measured = pd.read_parquet(tmp_path / "it's out" / "measurements.parquet")
    assert measured["measurement_id"].tolist() == ["lab-m0001", "lab-m0002"]
    assert len(pd.read_parquet(tmp_path / "it's out" / "campaigns.parquet")) == 1
