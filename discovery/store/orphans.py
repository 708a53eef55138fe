"""Rows that point at nothing: the store checks references when it writes, so that there should be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.store.base import StorePart

if TYPE_CHECKING:
    import pandas as pd

_ORPHANS = """
SELECT 'trials' AS "table", trial_id AS id, proposal_id AS lacks FROM trials t
WHERE NOT EXISTS (SELECT 1 FROM proposals p WHERE p.proposal_id = t.proposal_id)
UNION ALL
SELECT 'reviews', proposal_id, proposal_id FROM reviews r
WHERE NOT EXISTS (SELECT 1 FROM proposals p WHERE p.proposal_id = r.proposal_id)
UNION ALL
SELECT 'proposals', proposal_id, campaign FROM proposals p
WHERE NOT EXISTS (SELECT 1 FROM campaigns c WHERE c.campaign = p.campaign)
UNION ALL
SELECT 'measurements', measurement_id, campaign FROM measurements m
WHERE NOT EXISTS (SELECT 1 FROM campaigns c WHERE c.campaign = m.campaign)
ORDER BY 1, 2
"""


class Orphans(StorePart):
    """References in the store."""

    def orphans(self) -> pd.DataFrame:
        """Return rows that point at something that is not there: table, id, and what they lack."""
        return self._frame(_ORPHANS)
