"""docs/store.md is true: tables as in a migrated file, statuses and metrics that exist, queries that answer."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from discovery.lifecycle import STATUSES
from discovery.store import Store
from discovery.store.schema import TABLES, VIEWS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n### ")[1:]}
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
COLUMN = re.compile(r"^\| `(\w+)` \| ([A-Z]+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> dict[str, list[tuple[str, str]]]:
    """Columns and types of every table and view of a new store."""
    store = Store(tmp_path_factory.mktemp("schema") / "new.duckdb")
    with store.database.opened() as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
        ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        found.setdefault(table, []).append((column, kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")))
    return found


def test_every_table_and_view_has_a_section():
    """The document has a section for each table and view, in the order of the schema."""
    assert tuple(SECTIONS) == TABLES + VIEWS


@pytest.mark.parametrize("name", TABLES + VIEWS)
def test_columns_are_those_of_the_file(name, schema):
    """A section lists every column with its type, in the order of the file."""
    section = SECTIONS[name].partition("\n## ")[0]
    written = [(column, kind) for column, kind, _ in COLUMN.findall(section)]
    borrowed = re.search(r"Columns\sof\s`(\w+)`", section)
    assert (schema[borrowed[1]] if borrowed else []) + written == schema[name]


@pytest.mark.parametrize(
    ("table", "kind"),
    [("campaigns", "campaign"), ("proposals", "proposal"), ("trials", "trial"), ("model_versions", "model")],
)
def test_statuses_are_those_of_the_life_cycles(table, kind):
    """A status column names every status of its life-cycle and no other."""
    meaning = dict((column, text) for column, _, text in COLUMN.findall(SECTIONS[table]))["status"]
    assert re.findall(r"`(\w+)`", meaning) == [str(status) for status in STATUSES[kind]]


def test_metrics_are_those_that_are_written():
    """The names of metrics in the document are those that the session writes."""
    from discovery.session import doubts, forecasting, learning, ledgers, models, proposing, stopping

    meaning = dict((column, text) for column, _, text in COLUMN.findall(SECTIONS["metrics"]))["name"]
    written = {proposing.ASKED, proposing.SECONDS, models.IN_USE, learning.ALARM}
    written |= {stopping.GAIN, forecasting.FORECAST, doubts.DOUBTFUL, ledgers.OTHER_BELIEF}
    assert set(re.findall(r"`(\w+)`", meaning)) == written


def test_patience_is_as_written(tmp_path):
    """The document names how long a call waits for a file that another process holds."""
    assert f"for {Store(tmp_path / 'x.duckdb').database.wait_s:g} s, then" in TEXT


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query.split())[:40])
def test_queries_answer(query, walk, walk_folder):
    """Every query runs on the store of docs/own-campaign.md and gives rows."""
    with duckdb.connect(str(walk_folder / "lab_backup.duckdb"), read_only=True) as connection:
        assert connection.execute(query).fetchall()


def test_a_backup_holds_what_the_store_holds(walk, walk_folder):
    """The restored store has the measurements of the one that was backed up, and the export one file per table."""
    before, after = (Store(walk_folder / name).measurements("lab") for name in ("discovery.duckdb", "restored.duckdb"))
    assert len(before) == 2
    assert before.equals(after)
    assert {path.stem for path in (walk_folder / "tables").glob("*.parquet")} == set(TABLES)
