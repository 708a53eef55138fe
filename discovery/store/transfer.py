"""The store out of its file and back: Parquet for other tools, and backups that are whole files."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from discovery.errors import StoreError
from discovery.store.base import StorePart
from discovery.store.connection import Database, make_folder, store_path
from discovery.store.schema import TABLES, copy_database, version_of
from discovery.store.sql import first_line, quoted


class Transfer(StorePart):
    """Export and backup of a store."""

    def export(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write one Parquet file per table into a folder, and return the files; files of the same names are replaced.

        Raises:
            StoreError: If a file cannot be written.
        """
        target = Path(folder)
        make_folder(target)
        files = [target / f"{table}.parquet" for table in TABLES]
        with self.database.transaction() as connection:
            for table, file in zip(TABLES, files, strict=True):
                connection.execute(f"COPY {table} TO {quoted(file)} (FORMAT parquet)")
        return files

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copy the store into a new file, complete or not at all, and return the file.

        Raises:
            StoreError: If the file exists already.
        """
        target = store_path(path)
        _refuse_existing(target, "A backup")
        make_folder(target.parent)
        partial = _partial(target)
        try:
            with self.database.opened() as connection:
                copy_database(connection, partial)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        return target


def restore(path: str | os.PathLike[str], target: str | os.PathLike[str], wait_s: float = 30.0) -> Path:
    """Make a store out of a backup: a new file, checked and brought to this release's schema; the backup stays.

    Args:
        path: The backup.
        target: The file to make.
        wait_s: How long to wait while another process holds the backup.

    Returns:
        The new file.

    Raises:
        StoreError: If the backup is missing, corrupt, too new or no store, or the target exists already.
    """
    source, made = store_path(path), store_path(target)
    if not source.is_file():
        raise StoreError(f"A backup to restore must exist; got {source}.")
    _refuse_existing(made, "A restored store")
    partial = _partial(made)
    try:
        _copy_backup(source, partial)
        with Database(partial, wait_s).transaction():
            pass  # opening checks the file and brings its schema up to date
        os.replace(partial, made)
    finally:
        partial.unlink(missing_ok=True)
    return made


def _copy_backup(source: Path, partial: Path) -> None:
    make_folder(partial.parent)
    try:
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH {quoted(source)} AS original (READ_ONLY)")
            connection.execute("USE original")
            if not version_of(connection, source):
                raise StoreError(f"A backup must hold a store; got an empty file {source}.")
            copy_database(connection, partial)
    except duckdb.Error as error:
        raise StoreError(f"The backup {source} must be a readable store; got: {first_line(error)}.") from error


def _refuse_existing(path: Path, what: str) -> None:
    if path.exists():
        raise StoreError(f"{what} must be a new file; {path} exists.", "Name another file, or move that one away.")


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial-{os.getpid()}")
