"""What the parts of the store share: the database, and one query in one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from discovery.errors import InputError
from discovery.store.sql import fetch_frame, fetch_one

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.store.connection import Database

NUMBER, TEXT = "number", "text"


@dataclass(frozen=True)
class Columns:
    """What the rows of a campaign are made of.

    Attributes:
        parameters: Name of each parameter to `number` or `text`.
        outcomes: Names of the outcomes.
        held: Values of parameters in measurements that were made before there was the parameter.
        blocks: Columns of results whose levels are random effects.
    """

    parameters: dict[str, str]
    outcomes: list[str]
    held: dict[str, Any] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the columns as JSON values."""
        return asdict(self)


def columns_of(spec: CampaignSpec) -> Columns:
    """Return what the rows of a campaign are made of, by its file."""
    kinds = {p.name: NUMBER if p.type in ("continuous", "discrete") else TEXT for p in spec.parameters}
    return Columns(kinds, list(spec.outcome_names), spec.held, list(spec.blocks))


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
        """Return a campaign's parameters (name to `number` or `text`) and the names of its outcomes."""
        columns = self._all_columns(campaign)
        return columns.parameters, columns.outcomes

    def _all_columns(self, campaign: str) -> Columns:
        """Return what the rows of a campaign are made of, by its latest version.

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
        stored = json.loads(row["columns"])
        return Columns(stored["parameters"], stored["outcomes"], stored.get("held", {}), stored.get("blocks", []))


def typed(frame: pd.DataFrame, parameters: dict[str, str]) -> pd.DataFrame:
    """Give parameter columns their dtypes: float64 for numbers, object for text."""
    kinds = {name: "float64" if kind == NUMBER else "object" for name, kind in parameters.items()}
    return frame.astype({name: kind for name, kind in kinds.items() if name in frame})


def digest(*parts: object) -> str:
    """Return 32 hex digits that stand for a sequence of words."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:32]
