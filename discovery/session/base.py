"""What the parts of a campaign share: spec, space, pool and store, and what has been measured and proposed so far."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError
from discovery.session.changes import register
from discovery.session.checking import check_in_versions
from discovery.session.progress import CampaignProgress, measure_progress
from discovery.session.proposals import ProposalBook, is_representable, proposal_table
from discovery.session.stopping import read_gains
from discovery.settings import start_torch
from discovery.space import CandidatePool, SearchSpace

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.cycle import Observations
    from discovery.ingest import CheckedRows, RawRows
    from discovery.session.models import ModelShelf
    from discovery.store import ProposalRow, Store


class CampaignPart:
    """Base of the campaign's parts; registers the campaign.

    Args:
        spec: The campaign.
        store: Where it is kept.
        device: Where models live: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigurationError: If the space cannot be built, or the file has changed in a way that its measurements do not
            allow.
        InputError: If the candidates cannot be read.
    """

    def __init__(self, spec: CampaignSpec, store: Store, device: str = "auto") -> None:
        self.spec, self.store, self.device = spec, store, device
        self.name = spec.name
        self.space = SearchSpace.from_spec(spec)
        self.pool = CandidatePool.from_spec(spec, self.space)
        self._is_changed = register(self).version > 1

    def check(self, raw: RawRows) -> CheckedRows:
        """Check rows against the campaign; one that only an earlier version of it has room for may land as well.

        Args:
            raw: What `ingest.read_rows` gave.

        Raises:
            InputError: If a column is missing.
        """
        return check_in_versions(raw, self.spec, self.space, self.store)

    def measurements(self) -> pd.DataFrame:
        """Return all measurements in the order of ingestion (`Store.measurements`)."""
        return self._named_as_now(self.store.measurements(self.name))

    def proposals(self) -> pd.DataFrame:
        """Return all proposals: id, parameters, `<y>_pred`, `<y>_sd`, cycle, status and how they were made."""
        return proposal_table(self._book().frame, self.spec)

    def observations(self) -> Observations:
        """Return what has been measured, encoded; rows that the present space cannot represent are left out."""
        from discovery.cycle import Observations

        rows = self._usable()
        name = self.spec.objective.name
        sem = rows[f"{name}_sem"].fillna(0.0).to_numpy(float) if f"{name}_sem" in rows else None
        return Observations(
            X=self.space.encode(rows),
            y=rows[name].to_numpy(float, copy=True),
            yvar=None if sem is None else sem**2,
            keys=tuple(self.space.keys(rows)),
        )

    def progress(self) -> CampaignProgress:
        """Say where the campaign stands and whether it is over."""
        with self.store.transaction():
            measured, book, gains = self.measurements(), self._book(), read_gains(self.store.metrics(self.name))
        fits = is_representable(self.space, measured)
        return measure_progress(self.spec, self.pool, measured, book, gains[-1] if gains else None, fits)

    @cached_property
    def shelf(self) -> ModelShelf:
        """The checkpoints of this campaign."""
        from discovery.session.models import ModelShelf

        return ModelShelf(self.store, self.spec, self.space, start_torch(self.device))

    def _usable(self) -> pd.DataFrame:
        measured = self.measurements()
        return measured[is_representable(self.space, measured)]

    def _book(self) -> ProposalBook:
        book = ProposalBook.read(self.store, self.name)
        return replace(book, frame=self._named_as_now(book.frame))

    def _other_keys(self) -> dict[str, str]:
        """Return measurements whose configurations have other keys now than when they landed, and the keys."""
        if not self._is_changed:
            return {}
        stored = self.store.configurations(self.name)
        now = self._named_as_now(stored.copy())
        is_other = stored["key"] != now["key"]
        return dict(zip(now.loc[is_other, "measurement_id"], now.loc[is_other, "key"], strict=True))

    def _named_as_now(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return stored rows with the keys that their configurations have now: parameters may have come or gone."""
        if self._is_changed and len(rows):
            fits = is_representable(self.space, rows)
            rows.loc[fits, "key"] = self.space.keys(rows[fits])
        return rows

    def _proposal(self, proposal_id: str) -> ProposalRow:
        proposal = self.store.proposal(proposal_id)
        if proposal.campaign != self.name:
            raise InputError(f"Proposal must belong to campaign {self.name}; {proposal_id} is of {proposal.campaign}.")
        return proposal
