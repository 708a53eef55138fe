"""The outbox: events that a transaction decided, kept until somebody has told them.

An event is written in the transaction that makes it true, under a key of its own, so that it is neither lost with a
killed process nor told for something that was rolled back. Telling may happen twice; whoever hears must not mind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from discovery.store.base import StorePart, digest
from discovery.store.codec import to_json
from discovery.store.leases import process_owner

if TYPE_CHECKING:
    import pandas as pd


class Outbox(StorePart):
    """Events in the store."""

    def add_event(self, campaign: str, name: str, payload: Mapping[str, object], *what: object) -> str:
        """Write an event; the same one a second time changes nothing.

        Args:
            campaign: Whose event it is.
            name: What happened, such as `discovery.review.waiting`.
            payload: What listeners are told, as JSON values.
            *what: What makes this event different from the next of its name, such as the cycle.

        Returns:
            Its key.
        """
        key = digest("event", campaign, name, *what)
        self._execute(
            """INSERT INTO outbox VALUES ($key, $campaign, $name, $payload, now(), NULL, $owner)
               ON CONFLICT DO NOTHING""",
            key=key,
            campaign=campaign,
            name=name,
            payload=to_json(payload),
            owner=process_owner(),
        )
        return key

    def unsent_events(self) -> pd.DataFrame:
        """Return untold events, oldest first: event_key, campaign, name, payload, created_at, owner (who wrote it)."""
        return self._frame(
            """SELECT event_key, campaign, name, payload, created_at, owner FROM outbox
               WHERE sent_at IS NULL ORDER BY created_at, event_key"""
        )

    def mark_sent(self, event_keys: Sequence[str]) -> None:
        """Remember that events were told."""
        self._execute(
            "UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL AND list_contains($keys::VARCHAR[], event_key)",
            keys=list(event_keys),
        )
