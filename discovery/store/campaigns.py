"""Campaigns: every version of a spec with its hash, and whether the campaign still runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.errors import ConfigurationError
from discovery.lifecycle import NEW, CampaignStatus, check_transition
from discovery.store.base import NUMBER, TEXT, StorePart
from discovery.store.codec import to_json
from discovery.store.records import CampaignRow

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec

RESERVED_COLUMNS = frozenset(
    {"campaign", "key", "position", "proposal_id", "source", "status"}
    | {"measurement_id", "trial_id", "ingested_at"}
    | {"cycle", "candidate_row", "mean", "sd", "acqf_name", "acqf_value", "argued_by", "is_exploring"}
    | {"n_measurements", "seed", "created_at", "is_edited", "is_measured"}
)
"""Columns of the store's own in tables of measurements and proposals: no parameter or outcome may be named so."""

_INSERT = """
INSERT INTO campaigns
    (campaign, version, spec_hash, spec, base_dir, objective, goal, columns, status, reason, created_at)
VALUES ($campaign, $version, $spec_hash, $spec, $base_dir, $objective, $goal, $columns, $status, '', now())
"""


class Campaigns(StorePart):
    """Campaigns in the store; the spec's name is the id."""

    def register_campaign(self, spec: CampaignSpec) -> CampaignRow:
        """Store a spec as a new version of its campaign, unless the latest version is the same.

        A new version opens a finished campaign again.

        Raises:
            ConfigurationError: If a parameter or outcome is named like one of the store's own columns.
        """
        _check_names(spec)
        with self.database.transaction() as connection:
            latest = self._latest(spec.name)
            if latest is not None and latest.spec_hash == spec.spec_hash:
                return latest
            if latest is None:
                check_transition("campaign", NEW, CampaignStatus.ACTIVE, spec.name)
            values = {
                "campaign": spec.name,
                "version": 1 if latest is None else latest.version + 1,
                "spec_hash": spec.spec_hash,
                "spec": spec.model_dump_json(),
                "base_dir": str(spec.base_dir),
                "objective": spec.objective.name,
                "goal": str(spec.objective.goal),
                "columns": to_json(_columns_of(spec)),
                "status": str(CampaignStatus.ACTIVE),
            }
            connection.execute(_INSERT, values)
            return self.campaign(spec.name)

    def campaign(self, name: str) -> CampaignRow:
        """Return a campaign at its latest version.

        Raises:
            InputError: If no such campaign is registered.
        """
        with self.database.transaction():
            self._columns(name)
            row = self._latest(name)
            assert row is not None  # the line above has seen it, in the same transaction
            return row

    def campaigns(self) -> pd.DataFrame:
        """Return all campaigns at their latest versions: campaign, version, status, objective, goal, counts, times."""
        return self._frame("""
            SELECT c.campaign, c.version, c.spec_hash, c.status, c.reason, c.objective, c.goal, c.created_at,
                   (SELECT count(*) FROM v_measurements m WHERE m.campaign = c.campaign) AS n_measurements,
                   (SELECT count(*) FROM proposals p WHERE p.campaign = c.campaign) AS n_proposals
            FROM v_campaigns c ORDER BY c.campaign
        """)

    def set_campaign_status(self, name: str, status: str, reason: str = "") -> None:
        """Finish a campaign or open it again; the status that it has already is no move.

        Raises:
            InputError: If no such campaign is registered.
            StatusError: If the campaign may not move there.
        """
        with self.database.transaction() as connection:
            row = self.campaign(name)
            if row.status == status:
                return
            check_transition("campaign", row.status, status, name)
            connection.execute(
                "UPDATE campaigns SET status = $status, reason = $reason WHERE campaign = $name AND version = $version",
                {"status": str(status), "reason": reason, "name": name, "version": row.version},
            )

    def _latest(self, name: str) -> CampaignRow | None:
        row = self._one(
            """SELECT campaign, version, spec_hash, status, reason, objective, goal, spec::VARCHAR AS spec_json,
                      base_dir, created_at FROM v_campaigns WHERE campaign = $name""",
            name=name,
        )
        return None if row is None else CampaignRow(**row)


def _columns_of(spec: CampaignSpec) -> dict[str, object]:
    kinds = {p.name: NUMBER if p.type in ("continuous", "discrete") else TEXT for p in spec.parameters}
    return {"parameters": kinds, "outcomes": list(spec.outcome_names)}


def _check_names(spec: CampaignSpec) -> None:
    names = [parameter.name for parameter in spec.parameters] + list(spec.outcome_names)
    taken = [name for name in names if name in RESERVED_COLUMNS]
    if taken:
        raise ConfigurationError(
            f"Parameters and outcomes must not be named like a column of the store; got {', '.join(taken)} in "
            f"campaign {spec.name}.",
            f"Write for example {taken[0]}_value.",
        )
