"""Campaigns: every version of a spec with its hash, and whether the campaign still runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from discovery.campaign import CampaignSpec
from discovery.campaign.changes import SpecChange, differences, file_contents
from discovery.campaign.sharing import Sharing
from discovery.errors import ConfigurationError
from discovery.lifecycle import NEW, CampaignStatus, check_transition
from discovery.settings import current_user
from discovery.store.base import StorePart, columns_of
from discovery.store.codec import to_json
from discovery.store.records import CampaignRow

if TYPE_CHECKING:
    import pandas as pd

RESERVED_COLUMNS = frozenset(
    {"campaign", "key", "position", "proposal_id", "source", "status"}
    | {"measurement_id", "trial_id", "ingested_at"}
    | {"cycle", "candidate_row", "mean", "sd", "acqf_name", "acqf_value", "argued_by", "is_exploring"}
    | {"n_measurements", "seed", "created_at", "is_edited", "is_measured"}
)
"""Columns of the store's own in tables of measurements and proposals: no parameter or outcome may be named so."""

_INSERT = """
INSERT INTO campaigns (campaign, version, spec_hash, spec, base_dir, objective, goal, columns, status, reason,
                       created_at, changed_by, changes)
VALUES ($campaign, $version, $spec_hash, $spec, $base_dir, $objective, $goal, $columns, $status, '', now(),
        $changed_by, $changes)
"""
_COLUMNS = """campaign, version, spec_hash, status, reason, objective, goal, spec::VARCHAR AS spec_json, base_dir,
              created_at, changed_by, changes, columns"""


class Campaigns(StorePart):
    """Campaigns in the store; the spec's name is the id."""

    def register_campaign(self, spec: CampaignSpec, changes: Sequence[SpecChange] | None = None) -> CampaignRow:
        """Store a spec as a new version of its campaign, unless the latest version is the same.

        Who did it is recorded (`settings.current_user`), and what differs. A new version opens a finished campaign
        again.

        Args:
            spec: The campaign.
            changes: What differs and what follows from it; default what the two files alone say.

        Returns:
            The latest version.

        Raises:
            ConfigurationError: If a parameter or outcome is named like one of the store's own columns.
        """
        _check_names(spec)
        with self.database.transaction() as connection:
            latest = self.latest_version(spec.name)
            if latest is not None and is_same(latest, spec):
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
                "columns": to_json({**columns_of(spec).to_json(), "contents": file_contents(spec)}),
                "status": str(CampaignStatus.ACTIVE),
                "changed_by": current_user(),
                "changes": to_json([asdict(c) for c in (changes_since(latest, spec) if changes is None else changes)]),
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
            row = self.latest_version(name)
            assert row is not None  # the line above has seen it, in the same transaction
            return row

    def latest_version(self, name: str) -> CampaignRow | None:
        """Return a campaign at its latest version; None where no such campaign is registered."""
        row = self._one(f"SELECT {_COLUMNS} FROM v_campaigns WHERE campaign = $name", name=name)
        return None if row is None else _decode(row)

    def versions(self, name: str) -> list[CampaignRow]:
        """Return every version of a campaign, in order.

        Raises:
            InputError: If no such campaign is registered.
        """
        with self.database.transaction():
            self._columns(name)
            rows = self._frame(f"SELECT {_COLUMNS} FROM campaigns WHERE campaign = $name ORDER BY version", name=name)
        return [_decode({str(key): cell for key, cell in row.items()}) for row in rows.to_dict("records")]

    def sharing(self, name: str) -> Sharing:
        """Return what a campaign says about who may learn from it; one that is not registered says what is default."""
        row = self._one(
            "SELECT spec ->> 'share' AS share, spec ->> 'team' AS team FROM v_campaigns WHERE campaign = $name",
            name=name,
        )
        said = {key: value for key, value in (row or {}).items() if value is not None}
        return Sharing(name, **said)

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


def is_same(row: CampaignRow, spec: CampaignSpec) -> bool:
    """Say whether a stored version is what a file says now: the same keys, and tables of the same content."""
    now = file_contents(spec)
    return row.spec_hash == spec.spec_hash and all(now.get(key, said) == said for key, said in row.contents.items())


def changes_since(row: CampaignRow | None, spec: CampaignSpec) -> tuple[SpecChange, ...]:
    """Compare a stored version with what a file says now; nothing differs from a version that there is not."""
    if row is None:
        return ()
    try:
        old = CampaignSpec.from_json(row.spec_json, row.base_dir)
    except ConfigurationError:  # an earlier release allowed what this one does not
        return (SpecChange("the file", f"version {row.version}, which this release cannot read", "as it is now"),)
    return differences(old, spec, row.contents)


def _decode(row: dict[str, Any]) -> CampaignRow:
    changes = tuple(SpecChange(**change) for change in json.loads(row.pop("changes")))
    contents = json.loads(row.pop("columns")).get("contents", {})
    return CampaignRow(**row, changes=changes, contents=contents)


def _check_names(spec: CampaignSpec) -> None:
    names = [parameter.name for parameter in spec.parameters] + list(spec.outcome_names)
    taken = [name for name in names if name in RESERVED_COLUMNS]
    if taken:
        raise ConfigurationError(
            f"Parameters and outcomes must not be named like a column of the store; got {', '.join(taken)} in "
            f"campaign {spec.name}.",
            f"Write for example {taken[0]}_value.",
        )
