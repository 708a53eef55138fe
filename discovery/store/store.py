"""The store as one value: what every other room calls, composed of one part per table.

Each method is one transaction: it opens the file, works, commits and closes. Where several belong together,
`transaction` makes them one. Next in the tour: `discovery.store.measurements`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from discovery.store.campaigns import Campaigns
from discovery.store.connection import Database, store_path
from discovery.store.corrections import Corrections
from discovery.store.evidence import Evidence
from discovery.store.leases import Leases
from discovery.store.models import Models
from discovery.store.orphans import Orphans
from discovery.store.outbox import Outbox
from discovery.store.proposals import Proposals
from discovery.store.transfer import Transfer, restore
from discovery.store.trials import Trials

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec

DEFAULT_FILE = "discovery.duckdb"


class Store(Campaigns, Corrections, Proposals, Trials, Evidence, Models, Leases, Outbox, Orphans, Transfer):
    """One DuckDB file with everything that a laboratory remembers; made and migrated on first use.

    Holds no connection between calls, so it may be kept, passed to threads and pickled.

    Args:
        url: `duckdb:///lab.duckdb`, or a path.
        wait_s: How long a call waits while another process holds the file.

    Raises:
        ConfigurationError: If the URL names no file.
    """

    def __init__(self, url: str | os.PathLike[str], wait_s: float = 30.0) -> None:
        super().__init__(Database(store_path(url), wait_s))

    @classmethod
    def of(cls, spec: CampaignSpec, wait_s: float = 30.0) -> Store:
        """Return a campaign's store: the spec's `store`, else `DISCOVERY_STORE`, else `discovery.duckdb` beside it."""
        chosen = spec.store or os.environ.get("DISCOVERY_STORE") or DEFAULT_FILE
        in_environment = not spec.store and bool(os.environ.get("DISCOVERY_STORE"))
        return cls(store_path(chosen, "" if in_environment else spec.base_dir), wait_s)

    @classmethod
    def restore(cls, path: str | os.PathLike[str], target: str | os.PathLike[str], wait_s: float = 30.0) -> Store:
        """Make a store out of a backup and return it; the backup stays.

        Raises:
            StoreError: If the backup is missing, corrupt, too new or no store, or the target exists already.
        """
        return cls(restore(path, target, wait_s), wait_s)

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self.database.path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the calls of the body one transaction: all of them, or none where an error leaves the body.

        Keep the body short: nobody else can open the file meanwhile.

        Raises:
            StoreLockedError: If another process holds the file for longer than `wait_s`.
            StoreError: If the file cannot be used.
        """
        with self.database.transaction():
            yield
