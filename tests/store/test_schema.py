"""The schema moves forward in whole steps, backs up what it changes and refuses what it does not know."""

import duckdb
import pytest

from discovery.errors import StoreError
from discovery.store.schema import TABLES, VIEWS, Migration, migrate, read_migrations, version_of

LAST = len(read_migrations())
NEXT = Migration(LAST + 1, "notes", "CREATE TABLE notes (note VARCHAR); INSERT INTO notes VALUES ('kept')")
BROKEN = Migration(
    LAST + 1, "broken", "CREATE TABLE notes (note VARCHAR); ALTER TABLE campaigns ADD COLUMN x INTEGER; SELECT 1/"
)


def _names(connection, source):
    return {
        row[0]
        for row in connection.execute(f"SELECT {source[:-1]}_name FROM duckdb_{source}() WHERE NOT internal").fetchall()
    }


def test_a_new_store_has_every_documented_table_and_view(store):
    """What the design lists is what the file holds."""
    with store.database.opened() as connection:
        assert _names(connection, "tables") == set(TABLES)
        assert _names(connection, "views") == set(VIEWS)


def test_a_failing_migration_leaves_the_old_schema(store):
    """A migration that breaks halfway is undone whole: tables, columns and version are as before."""
    with store.database.opened() as connection:
        before = connection.execute("SELECT table_name, column_name FROM duckdb_columns()").fetchall()
        with pytest.raises(StoreError, match=rf"Migration {LAST + 1:04d}_broken .* failed"):
            migrate(connection, store.path, [*read_migrations(), BROKEN])
        assert connection.execute("SELECT table_name, column_name FROM duckdb_columns()").fetchall() == before
        assert version_of(connection, store.path) == LAST
    assert store.campaign("lab").version == 1


def test_an_existing_file_is_backed_up_before_it_is_changed(store):
    """The state before a migration stays readable beside the file, with its rows."""
    with store.database.opened() as connection:
        assert migrate(connection, store.path, [*read_migrations(), NEXT]) == (LAST + 1,)
        assert connection.execute("SELECT note FROM notes").fetchall() == [("kept",)]
        assert migrate(connection, store.path, [*read_migrations(), NEXT]) == ()
    backup = store.path.with_name(f"lab.before-{LAST + 1:04d}.duckdb")
    with duckdb.connect(str(backup), read_only=True) as connection:
        assert version_of(connection, backup) == LAST
        assert connection.execute("SELECT campaign FROM v_campaigns").fetchall() == [("lab",)]


def test_a_newer_schema_is_refused_and_untouched(store):
    """An old release does not write into a file that a later one made."""
    with store.database.opened() as connection:
        migrate(connection, store.path, [*read_migrations(), NEXT])
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=f"must have schema version {LAST} or lower; got {LAST + 1}"):
        store.campaigns()
    assert store.path.read_bytes() == before


def test_a_new_file_is_not_backed_up(store):
    """There is nothing to save before the first migration."""
    assert [path.name for path in store.path.parent.glob("*.duckdb")] == ["lab.duckdb"]


def test_migrations_are_numbered_without_a_gap(tmp_path):
    """A forgotten number is a fault of the release, found at once."""
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0003_b.sql").write_text("SELECT 1")
    with pytest.raises(StoreError, match=r"got \[1, 3\]"):
        read_migrations(tmp_path)
