"""Tables in and out of DuckDB: a frame is registered and inserted in one statement, a query comes back as a frame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

INCOMING = "incoming"
"""The name under which a frame is visible to the statement that reads it."""


def fetch_frame(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """Run a query and return its rows; times are UTC-aware."""
    frame: pd.DataFrame = connection.sql(query, params=dict(parameters or {})).to_arrow_table().to_pandas()
    return frame


def fetch_one(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> dict[str, Any] | None:
    """Run a query and return its first row by column name, or None; times are UTC-aware."""
    rows = connection.sql(query, params=dict(parameters or {})).to_arrow_table().slice(0, 1).to_pylist()
    return rows[0] if rows else None


def run_on_frame(
    connection: duckdb.DuckDBPyConnection,
    frame: pd.DataFrame,
    statement: str,
    parameters: Mapping[str, object] | None = None,
) -> list[tuple[Any, ...]]:
    """Run one statement that reads a frame as the table `incoming`, and return what it gives back."""
    connection.register(INCOMING, frame)
    try:
        return connection.execute(statement, dict(parameters or {})).fetchall()
    finally:
        connection.unregister(INCOMING)


def insert_frame(connection: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame) -> None:
    """Insert a frame into a table in one statement; its columns are named like the table's."""
    columns = ", ".join(f'"{column}"' for column in frame.columns)
    run_on_frame(connection, frame, f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {INCOMING}")


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, without its full stop."""
    return str(error).strip().split("\n")[0].rstrip(".!")


def quoted(value: str | os.PathLike[str]) -> str:
    """Quote a text for the few statements that take no parameters."""
    return "'" + os.fspath(value).replace("'", "''") + "'"
