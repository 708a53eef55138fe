"""The growing file of results: one Parquet row per finished piece, kept at once, so that a killed run goes on.

While a bench runs every finished piece is a small Parquet file in `FILE.parts/`; `compact` folds them into `FILE`.
Both are written aside and moved into place: whatever moment a run is killed at, what was finished is there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from discovery.errors import InputError


def key_of(identity: Mapping[str, Any]) -> str:
    """Return the identity of a piece of work as 24 hex digits; the order of its entries does not matter."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class ResultsFile:
    """Finished pieces on disk. One process at a time may write it.

    Every row has `key`, which says what was run, and `settings_hash`, which says on what data by which code: a piece
    that is run again replaces its row.

    Attributes:
        path: The Parquet file.
    """

    path: Path

    @property
    def parts(self) -> Path:
        """Folder of pieces that are not in the file yet."""
        return self.path.with_name(self.path.name + ".parts")

    def read(self) -> pd.DataFrame:
        """Return all finished pieces, those in the folder last; empty where there are none.

        Raises:
            InputError: If the file is no results of a bench.
        """
        tables = [_read(self.path)] if self.path.exists() else []
        tables += [_read(part) for part in sorted(self.parts.glob("*.parquet"))]
        if not tables:
            return pd.DataFrame({"key": [], "settings_hash": []})
        together = pd.concat(tables, ignore_index=True)
        return together.drop_duplicates("key", keep="last", ignore_index=True)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep finished pieces, one file each; safe from several processes."""
        self.parts.mkdir(parents=True, exist_ok=True)
        for row in rows:
            _write(pd.DataFrame([dict(row)]), self.parts / f"{row['key']}.parquet")

    def compact(self) -> pd.DataFrame:
        """Fold the folder's pieces into the file, and return all."""
        rows = self.read()
        found = sorted(self.parts.glob("*.parquet"))
        if found:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _write(rows, self.path)
            for part in found:
                part.unlink()
            if not any(self.parts.iterdir()):
                self.parts.rmdir()
        return rows


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table aside and move it into place."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    frame.to_parquet(partial, index=False)
    os.replace(partial, path)


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} must be a Parquet file of a bench; {' '.join(str(error).split())}.", "Remove it, or name another."
        ) from None
    if not {"key", "settings_hash"} <= set(frame.columns):
        raise InputError(f"{path} must hold results of a bench; got the columns {', '.join(frame.columns)}.")
    return frame
