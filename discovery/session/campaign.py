"""The campaign as one object: ask, tell, and everything between, on top of the store.

Holds no state that matters: a new object on the same store goes on where the last one stopped. Heavy rooms are imported
inside methods, so that reading a status does not load torch. Next in the tour: `discovery.session.laboratory`.
"""

from __future__ import annotations

import os
from pathlib import Path

from discovery.campaign import CampaignSpec, load_spec
from discovery.session.corrections import Correcting
from discovery.session.explaining import Explaining
from discovery.session.forecasting import Forecasting
from discovery.session.laboratory import Laboratory
from discovery.session.reviewing import Reviewing
from discovery.store import Store, store_path


class Campaign(Explaining, Forecasting, Reviewing, Laboratory, Correcting):
    """One campaign on its store, composed of one part per activity.

    Args:
        spec: The campaign.
        store: Where it is kept.
        device: Where models live: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigurationError: If the space cannot be built.
        InputError: If the candidates cannot be read.
        StoreError: If the store cannot be used.
    """

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str] | CampaignSpec,
        *,
        store: Store | str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> Campaign:
        """Open a campaign and register it; a changed file is a new version of it.

        Args:
            source: The campaign file, or a spec.
            store: The store, its URL or its path; default `spec.store`, else `DISCOVERY_STORE`, else
                `discovery.duckdb` beside the campaign file.
            device: Where models live: `auto`, `cpu` or `cuda`.

        Raises:
            ConfigurationError: If the file is wrong.
            StoreError: If the store cannot be used.
        """
        spec = source if isinstance(source, CampaignSpec) else load_spec(Path(source))
        if store is None:
            return cls(spec, Store.of(spec), device)
        return cls(spec, store if isinstance(store, Store) else Store(store_path(store)), device)
