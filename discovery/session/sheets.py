"""Sheets of a campaign: approved proposals handed over to people, and open ones written again.

Where an experiment stands on a plate is decided once, when it is handed over; every later sheet says the same. Next in
the tour: `discovery.experiments.sheets`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from discovery.experiments.manual import read_places, sheet_folder
from discovery.experiments.sheets import PLACE, RUN_ORDER, Sheet, make_sheet, plate_of
from discovery.ingest.controls import CONTROL
from discovery.lifecycle import TrialStatus
from discovery.session.leases import running
from discovery.session.proposals import ProposalBook

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.session.campaign import Campaign

Which = Literal["open", "approved", "proposed"]


def hand_over(campaign: Campaign) -> list[Path]:
    """Carry out the approved proposals of a campaign whose experiments people make.

    Args:
        campaign: Its file must say `experiment: {type: manual}`.

    Returns:
        The sheets that hold experiments whose results are awaited, in the order handed over.

    Raises:
        LeaseError: If another live process runs the campaign.
        ConfigurationError: If a sheet cannot be written.
    """
    with running(campaign.store, campaign.name):
        campaign.experiment()
    trials = campaign.store.trials(campaign.name, [TrialStatus.RUNNING])
    names = dict.fromkeys(name for name in trials["external_id"] if name)
    return [sheet_folder(campaign.spec) / name for name in names]


def open_sheet(campaign: Campaign, which: Which = "open") -> Sheet:
    """Return the sheet of proposals without a result.

    Args:
        campaign: The campaign.
        which: `open`: all of them; `approved` or `proposed`: those with that status.
    """
    book = ProposalBook.read(campaign.store, campaign.name)
    return sheet_of(campaign.spec, {"open": book.open, "approved": book.to_run, "proposed": book.waiting}[which])


def sheet_of(spec: CampaignSpec, proposals: pd.DataFrame) -> Sheet:
    """Return the sheet of some proposals, each in the well that it was given when it was handed over.

    Args:
        spec: The campaign.
        proposals: One row each: `proposal_id` and the parameters.
    """
    return make_sheet(spec, proposals, spec.name, None if plate_of(spec) is None else _known_places(spec, proposals))


def _known_places(spec: CampaignSpec, proposals: pd.DataFrame) -> pd.DataFrame | None:
    """Return where proposals stand, with the controls of their plates; blank for those that have no well yet.

    None where no proposal has a well: there is nothing to say of plates then.
    """
    ids = proposals["proposal_id"].tolist()
    known = read_places(sheet_folder(spec))
    placed = known[known["proposal_id"].isin(ids) & known["plate"].notna()].drop_duplicates("proposal_id")
    if placed.empty:
        return None
    is_control = known["proposal_id"].isna() & known[CONTROL].notna() & known["plate"].isin(placed["plate"])
    controls = known[is_control].drop_duplicates(["plate", "well"])
    rows = pd.concat([placed.assign(**{CONTROL: None}), controls])
    rows[RUN_ORDER] = pd.to_numeric(rows[RUN_ORDER], errors="coerce")
    waiting = pd.DataFrame({"proposal_id": [one for one in ids if one not in set(placed["proposal_id"])]})
    ordered = pd.concat([rows.sort_values(["sheet", RUN_ORDER]), waiting], ignore_index=True).astype(object)
    return ordered[["proposal_id", RUN_ORDER, *PLACE]].where(ordered.notna(), None)
