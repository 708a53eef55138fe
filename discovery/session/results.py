"""From results to rows that can be checked: what trials have reported, and which proposal a row answers.

Next in the tour: `discovery.ingest.readers`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from discovery.ingest.controls import CONTROL
from discovery.lifecycle import TrialStatus

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.ingest import CheckedRows
    from discovery.store import Store


def reported_rows(store: Store, spec: CampaignSpec) -> pd.DataFrame:
    """Return what running trials have reported: parameters, outcomes, ids, and what else they said.

    Returns:
        One row per reported trial that is not ingested yet, in the order started; may be empty.
    """
    trials = store.trials(spec.name, [TrialStatus.RUNNING])
    trials = trials[trials["reported_at"].notna()].reset_index(drop=True)
    if trials.empty:
        return trials
    values = store.proposals(spec.name).set_index("proposal_id").loc[trials["proposal_id"], spec.parameter_names]
    values = values.astype(object).fillna(spec.held) if spec.held else values  # of proposals from before a parameter
    outcomes = pd.DataFrame(trials["outcomes"].map(json.loads).tolist())
    extra = pd.DataFrame(trials["extra"].map(_cells).tolist(), index=trials.index)
    parts = [values.reset_index(drop=True), outcomes, trials[["proposal_id", "trial_id"]]]
    known = {CONTROL, *(column for part in parts for column in part)}  # a trial is no control, whatever its report says
    return pd.concat([*parts, extra[[column for column in extra if column not in known]]], axis="columns")


def _cells(text: str) -> dict[str, object]:
    """Return what else a trial said as cells of a row: lists and objects stay JSON."""
    said: dict[str, object] = json.loads(text)
    return {name: json.dumps(cell) if isinstance(cell, list | dict) else cell for name, cell in said.items()}


def link_by_key(checked: CheckedRows, proposals: pd.DataFrame) -> CheckedRows:
    """Link rows that name no proposal to the proposal of their configuration.

    A laboratory that sends back the configurations without their ids has answered them all the same. The rule depends
    on configurations only, so that the same rows are linked alike when their file comes again.

    Args:
        checked: Rows that may land.
        proposals: What `Store.proposals` gave.
    """
    by_key = proposals.drop_duplicates("key").set_index("key")["proposal_id"]
    found = pd.Series(checked.keys, index=checked.frame.index, dtype=object).map(by_key)
    named = checked.frame.get("proposal_id", pd.Series(None, index=checked.frame.index, dtype=object))
    linked = named.where(named.notna(), found)
    return replace(checked, frame=checked.frame.assign(proposal_id=linked.where(linked.notna(), None)))
