"""What the parts of the store share: the database, and one query in one transaction."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from discovery.errors import InputError
from discovery.store.sql import fetch_frame, fetch_one

if TYPE_CHECKING:
    import pandas as pd

    from discovery.store.connection import Database

NUMBER, TEXT = "number", "text"


class StorePart:
    """Base of the store's parts.

    Args:
        database: The file that they read and write.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def _frame(self, query: str, **parameters: object) -> pd.DataFrame:
        with self.database.transaction() as connection:
            return fetch_frame(connection, query, parameters)

    def _one(self, query: str, **parameters: object) -> dict[str, Any] | None:
        with self.database.transaction() as connection:
            return fetch_one(connection, query, parameters)

    def _execute(self, statement: str, **parameters: object) -> None:
        with self.database.transaction() as connection:
            connection.execute(statement, parameters)

    def _columns(self, campaign: str) -> tuple[dict[str, str], list[str]]:
        """Return a campaign's parameters (name to `number` or `text`) and the names of its outcomes.

        Raises:
            InputError: If no such campaign is registered.
        """
        row = self._one("SELECT columns FROM v_campaigns WHERE campaign = $campaign", campaign=campaign)
        if row is None:
            known = self._frame("SELECT campaign FROM v_campaigns ORDER BY campaign")["campaign"].tolist()
            raise InputError(
                f"Campaign must be registered in {self.database.path}; got {campaign!r}.",
                f"Known: {', '.join(known)}." if known else "The store is empty: run or ingest a campaign first.",
            )
        columns = json.loads(row["columns"])
        return columns["parameters"], columns["outcomes"]


def typed(frame: pd.DataFrame, parameters: dict[str, str]) -> pd.DataFrame:
    """Give parameter columns their dtypes: float64 for numbers, object for text."""
    kinds = {name: "float64" if kind == NUMBER else "object" for name, kind in parameters.items()}
    return frame.astype({name: kind for name, kind in kinds.items() if name in frame})


def digest(*parts: object) -> str:
    """Return 32 hex digits that stand for a sequence of words."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:32]
