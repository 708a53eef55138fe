"""What the parts of a campaign share: spec, space, pool and store, and what has been measured and proposed so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from discovery.errors import InputError
from discovery.session.changes import register
from discovery.session.checking import check_in_versions
from discovery.session.failures import link_failures
from discovery.session.marks import block_levels
from discovery.session.progress import CampaignProgress, measure_progress
from discovery.session.proposals import ProposalBook, is_representable, proposal_table
from discovery.session.stopping import read_gains
from discovery.settings import start_torch
from discovery.space import CandidatePool, SearchSpace
from discovery.space.censored import sides_of

if TYPE_CHECKING:
    from discovery.aimed_cycle import Results
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
        checked = check_in_versions(raw, self.spec, self.space, self.store)
        return link_failures(checked, self._book().frame)

    def measurements(self) -> pd.DataFrame:
        """Return all measurements in the order of ingestion (`Store.measurements`)."""
        return self._named_as_now(self.store.measurements(self.name))

    def proposals(self) -> pd.DataFrame:
        """Return all proposals: id, parameters, `<y>_pred`, `<y>_sd`, cycle, status and how they were made."""
        return proposal_table(self._book().frame, self.spec)

    def observations(self, outcome: str = "") -> Observations:
        """Return what has been measured of an outcome, encoded; rows that the present space cannot represent are out.

        Args:
            outcome: The outcome; default the first objective's. Experiments that lack it are left out.
        """
        return self._observed(self._usable(), outcome or self.spec.objective.name)

    def results(self, seen: Mapping[str, Sequence[int]] | None = None, lost: Sequence[str] | None = None) -> Results:
        """Return what has been measured of every outcome that the belief has to foresee.

        Args:
            seen: Positions of the measurements that counted, by outcome; default all that there are.
            lost: Proposals whose experiments were infeasible; default all that there are.
        """
        from discovery.aimed_cycle import Results
        from discovery.session.failures import success_observations

        rows = self._usable()
        if seen is not None:
            rows = rows[rows["position"].isin({position for positions in seen.values() for position in positions})]
        parts = {name: rows if seen is None else rows[rows["position"].isin(seen[name])] for name in self.spec.believed}
        of = {name: self._observed(part, name) for name, part in parts.items()}
        succeeded = success_observations(self, rows, lost)
        return Results(of, self.space.encode(rows), tuple(self.space.keys(rows)), succeeded)

    def seen(self) -> dict[str, tuple[int, ...]]:
        """Return the positions of the measurements that count for every outcome."""
        rows = self._usable()
        return {name: tuple(map(int, rows.loc[rows[name].notna(), "position"])) for name in self.spec.believed}

    def _observed(self, rows: pd.DataFrame, name: str) -> Observations:
        """Return the measurements of one outcome among rows that the space can represent."""
        from discovery.cycle import Observations

        rows = rows[rows[name].notna()]
        sem = rows[f"{name}_sem"].fillna(0.0).to_numpy(float) if f"{name}_sem" in rows else None
        return Observations(
            X=self.space.encode(rows),
            y=rows[name].to_numpy(float, copy=True),
            yvar=None if sem is None else sem**2,
            keys=tuple(self.space.keys(rows)),
            limits=sides_of(rows, name),
            blocks=block_levels(rows, self.spec.blocks),
            is_robust=self.spec.outcome(name).outliers == "auto",
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

    @cached_property
    def shelves(self) -> dict[str, ModelShelf]:
        """The checkpoints of every outcome that the belief has to foresee, the first objective's first."""
        from discovery.session.models import ModelShelf

        device = start_torch(self.device)
        others = {o: ModelShelf(self.store, self.spec, self.space, device, o) for o in self.spec.believed[1:]}
        return {self.spec.objective.name: self.shelf, **others}

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
