"""The schema and its way forward: numbered SQL files, each applied once, in one transaction, never undone.

A file that an earlier release made is backed up beside itself before it is changed; a file that a later release made
is refused. To change a constraint a migration makes a new table, copies and swaps; views that select `*` are made anew.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from discovery.errors import StoreError
from discovery.store.sql import first_line, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent / "migrations"
TABLES = (
    "campaigns",
    "measurements",
    "rejected_rows",
    "proposals",
    "reviews",
    "trials",
    "evidence",
    "model_versions",
    "metrics",
    "leases",
    "outbox",
    "schema_version",
)
VIEWS = ("v_campaigns", "v_measurements", "v_best_so_far", "v_proposals", "v_weights", "v_calibration_inputs")
_LEDGER = (
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name VARCHAR, applied_at TIMESTAMPTZ)"
)


@dataclass(frozen=True)
class Migration:
    """One step of the schema: `0001_first.sql` is version 1, named `first`."""

    version: int
    name: str
    sql: str


@cache
def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Read the numbered SQL files of a folder in order.

    Raises:
        StoreError: If the numbers are not 1, 2, 3, ... without a gap.
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        if match:
            found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    numbers = [migration.version for migration in found]
    if numbers != list(range(1, len(numbers) + 1)):
        raise StoreError(f"Migrations in {folder} must be numbered 1, 2, 3, ...; got {numbers}.")
    return tuple(found)


def migrate(
    connection: duckdb.DuckDBPyConnection, path: Path, migrations: Sequence[Migration] | None = None
) -> tuple[int, ...]:
    """Bring an open file's schema up to date, and return the versions that were applied.

    Args:
        connection: The open file, outside a transaction.
        path: The file, for messages and the backup's name.
        migrations: All migrations in order; default those that this release ships.

    Raises:
        StoreError: If the file is of a later release or not a store, or a migration fails; its schema stays as it was.
    """
    known = read_migrations() if migrations is None else migrations
    current = version_of(connection, path)
    if current > len(known):
        raise StoreError(
            f"The store {path} must have schema version {len(known)} or lower; got {current}.",
            "A later release wrote it: install that release.",
        )
    pending = known[current:]
    if pending and current:
        copy_database(
            connection, free_path(path.with_name(f"{path.stem}.before-{pending[0].version:04d}{path.suffix}"))
        )
    for migration in pending:
        _apply(connection, path, migration)
    return tuple(migration.version for migration in pending)


def version_of(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return an open file's schema version; 0 for a new file.

    Raises:
        StoreError: If the file holds tables and is not a store.
    """
    try:
        row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0]
        return int(row[0])
    except duckdb.CatalogException:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    if names:
        raise StoreError(
            f"The store {path} must be a discovery store or a new file; got one with the table {min(names)}.",
            "Name another file.",
        )
    return 0


def copy_database(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Copy an open file, schema and rows, into a new one; nobody can write meanwhile because this process holds it."""
    row = connection.execute("SELECT current_database()").fetchone()
    source = str(row[0]).replace('"', '""') if row else ""
    connection.execute(f"ATTACH {quoted(target)} AS copy_target")
    try:
        connection.execute(f'COPY FROM DATABASE "{source}" TO copy_target')
    finally:
        connection.execute("DETACH copy_target")


def free_path(path: Path) -> Path:
    """Return the path, or the first of `name-2`, `name-3`, ... that does not exist."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


def _apply(connection: duckdb.DuckDBPyConnection, path: Path, migration: Migration) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(_LEDGER)
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO schema_version VALUES ($version, $name, now())",
            {"version": migration.version, "name": migration.name},
        )
        connection.execute("COMMIT")
    except duckdb.Error as error:
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        named = f"{migration.version:04d}_{migration.name}"
        raise StoreError(
            f"Migration {named} of the store {path} failed: {first_line(error)}.", "Nothing was changed."
        ) from error
