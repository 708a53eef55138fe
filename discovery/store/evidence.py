"""The hypothesis ledger and numbers over time: where the belief stood when each cycle made its proposals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError
from discovery.store.base import StorePart
from discovery.store.codec import to_json
from discovery.store.schema import VIEWS
from discovery.store.sql import run_on_frame

if TYPE_CHECKING:
    from discovery.belief.records import BeliefSummary

_UPSERT = """
INSERT OR REPLACE INTO evidence
    (campaign, cycle, hypothesis, log_evidence, weight, e_value, n_measurements, checkpoint_id, recorded_at)
SELECT $campaign, $cycle, hypothesis, log_evidence, weight, $e_value, $n_measurements, checkpoint_id, now()
FROM incoming
"""

_FURTHER = """
WITH predicted AS (
    SELECT campaign, proposal_id, cycle, key,
           unnest(from_json((((detail -> 'outcomes') -> $outcome) -> 'predictions'), '["JSON"]')) AS prediction
    FROM proposals WHERE campaign = $campaign
)
SELECT p.campaign, p.proposal_id, p.cycle, m.measurement_id, m.position,
       p.prediction ->> 'hypothesis' AS hypothesis,
       (p.prediction ->> 'weight')::DOUBLE AS weight,
       p.prediction -> 'log_weights' AS log_weights,
       p.prediction -> 'means' AS means,
       p.prediction -> 'sds' AS sds,
       p.prediction ->> 'checkpoint_id' AS checkpoint_id,
       (p.prediction ->> 'n_measurements')::INTEGER AS n_measurements,
       (m.outcomes ->> $outcome)::DOUBLE AS outcome,
       coalesce(m.limits ->> $outcome, '') AS side
FROM predicted p
JOIN v_measurements m ON m.proposal_id = p.proposal_id AND m.key = p.key
WHERE (m.outcomes ->> $outcome) IS NOT NULL
ORDER BY ALL
"""


class Evidence(StorePart):
    """Evidence, metrics and the documented views in the store."""

    def add_evidence(
        self, campaign: str, cycle: int, summary: BeliefSummary, checkpoint_ids: Mapping[str, str] | None = None
    ) -> None:
        """Store where the belief stands in a cycle; a cycle that is run again replaces what it said.

        Args:
            campaign: Whose belief.
            cycle: Number of the cycle, from 1.
            summary: Evidence and weights by hypothesis.
            checkpoint_ids: The checkpoint of each hypothesis, where it has one.
        """
        names = list(summary.weights)
        frame = pd.DataFrame(
            {
                "hypothesis": names,
                "log_evidence": [float(summary.log_evidence[name]) for name in names],
                "weight": [float(summary.weights[name]) for name in names],
                "checkpoint_id": [str((checkpoint_ids or {}).get(name, "")) for name in names],
            }
        )
        words = {
            "campaign": campaign,
            "cycle": cycle,
            "e_value": float(summary.e_value),
            "n_measurements": summary.n_measurements,
        }
        with self.database.transaction() as connection:
            run_on_frame(connection, frame, _UPSERT, words)

    def evidence(self, campaign: str) -> pd.DataFrame:
        """Return the ledger: cycle, hypothesis, n_measurements, log_evidence, weight, e_value, checkpoint_id."""
        return self._frame(
            """SELECT cycle, hypothesis, n_measurements, log_evidence, weight, e_value, checkpoint_id, recorded_at
               FROM v_weights WHERE campaign = $campaign ORDER BY cycle, hypothesis""",
            campaign=campaign,
        )

    def add_metric(
        self, campaign: str, cycle: int, name: str, value: float, detail: Mapping[str, object] | None = None
    ) -> None:
        """Store one number about a cycle, such as its duration in seconds."""
        self._execute(
            "INSERT INTO metrics VALUES ($campaign, $cycle, $name, $value, $detail, now())",
            campaign=campaign,
            cycle=cycle,
            name=name,
            value=float(value),
            detail=to_json(detail or {}),
        )

    def metrics(self, campaign: str) -> pd.DataFrame:
        """Return a campaign's numbers in the order stored: cycle, name, value, detail (JSON), recorded_at."""
        return self._frame(
            """SELECT cycle, name, value, detail, recorded_at FROM metrics WHERE campaign = $campaign
               ORDER BY recorded_at, cycle, name""",
            campaign=campaign,
        )

    def calibration_inputs(self, campaign: str, outcome: str) -> pd.DataFrame:
        """Return what hypotheses said about a further outcome, beside what was measured; rows like the view's.

        The view `v_calibration_inputs` is about the first objective's outcome.
        """
        return self._frame(_FURTHER, campaign=campaign, outcome=outcome)

    def view(self, name: str, campaign: str) -> pd.DataFrame:
        """Return a campaign's rows of one of the documented views (`schema.VIEWS`); JSON columns stay text.

        Raises:
            InputError: If there is no such view.
        """
        if name not in VIEWS:
            raise InputError(f"View must be one of {', '.join(VIEWS)}; got {name!r}.")
        return self._frame(f"SELECT * FROM {name} WHERE campaign = $campaign ORDER BY ALL", campaign=campaign)
