"""The proposals of a campaign as the session sees them: which are open, and which configurations may not come again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.lifecycle import ProposalStatus, TrialStatus
from discovery.space.today import Today

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace
    from discovery.store import Store

ASKED = "ask"
"""Name of the metric whose detail is the plan of a cycle."""
OPEN = (ProposalStatus.PROPOSED, ProposalStatus.APPROVED)


@dataclass(frozen=True)
class ProposalBook:
    """All proposals of a campaign at one moment.

    Attributes:
        frame: `Store.proposals` with three more columns: `is_abandoned` (its trial was given up), `is_open` (a result
            may still come) and `is_running` (open, and with a trial that has not reported).
    """

    frame: pd.DataFrame

    @classmethod
    def read(cls, store: Store, campaign: str) -> ProposalBook:
        """Read the proposals of a campaign."""
        with store.transaction():
            frame = store.proposals(campaign)
            trials = store.trials(campaign, [TrialStatus.ABANDONED, TrialStatus.RUNNING])
        is_lost = trials["status"] == TrialStatus.ABANDONED
        is_abandoned = frame["proposal_id"].isin(set(trials.loc[is_lost, "proposal_id"]))
        under_way = set(trials.loc[~is_lost & trials["reported_at"].isna(), "proposal_id"])
        is_open = frame["status"].isin(OPEN) & ~frame["is_measured"].astype(bool) & ~is_abandoned
        is_running = is_open & frame["proposal_id"].isin(under_way)
        return cls(frame.assign(is_abandoned=is_abandoned, is_open=is_open, is_running=is_running))

    @property
    def open(self) -> pd.DataFrame:
        """Proposals that a result may still come for."""
        return self.frame[self.frame["is_open"]]

    @property
    def waiting(self) -> pd.DataFrame:
        """Open proposals that nobody has decided about."""
        return self.open[self.open["status"] == ProposalStatus.PROPOSED]

    @property
    def to_run(self) -> pd.DataFrame:
        """Open proposals that are approved."""
        return self.open[self.open["status"] == ProposalStatus.APPROVED]

    @property
    def n_open(self) -> int:
        """Number of open proposals."""
        return len(self.open)

    @property
    def n_waiting(self) -> int:
        """Number of proposals that wait for a decision."""
        return len(self.waiting)

    @property
    def n_running(self) -> int:
        """Number of open proposals whose results a laboratory owes."""
        return int(self.frame["is_running"].sum())

    @property
    def last_cycle(self) -> int:
        """The last cycle that made proposals; 0 where there is none."""
        return int(self.frame["cycle"].max()) if len(self.frame) else 0

    @property
    def excluded(self) -> pd.DataFrame:
        """Proposals whose configurations may not be proposed: open, rejected by a person, or given up."""
        is_out = self.frame["is_open"] | self.frame["is_abandoned"]
        return self.frame[is_out | (self.frame["status"] == ProposalStatus.REJECTED)]

    @property
    def excluded_keys(self) -> tuple[str, ...]:
        """Configurations that may not be proposed."""
        return tuple(self.excluded["key"])


def today_of(metrics: pd.DataFrame, cycle: int) -> Today:
    """Return what was given and missing when a cycle's proposals were made.

    Args:
        metrics: The campaign's numbers (`Store.metrics`).
        cycle: The cycle; of one without a plan nothing is known.
    """
    details = metrics.loc[(metrics["name"] == ASKED) & (metrics["cycle"] == cycle), "detail"].tolist()
    plan = json.loads(details[-1]) if details else {}
    return Today.from_plan(plan.get("given", {}), plan.get("without", {}))


def proposal_table(frame: pd.DataFrame, spec: CampaignSpec, proposal_ids: Sequence[str] | None = None) -> pd.DataFrame:
    """Return proposals as people and laboratories read them.

    Args:
        frame: What `Store.proposals` gave.
        spec: The campaign.
        proposal_ids: Only these, in this order; default all.

    Returns:
        One row per proposal: `proposal_id`, `stage` where the campaign has any, the parameters, `<y>_pred` and `<y>_sd`
        of every outcome that is foreseen, then cycle, status and how the proposal was made.
    """
    name = spec.objective.name
    if proposal_ids is not None:
        frame = frame.set_index("proposal_id", drop=False).loc[list(proposal_ids)]
    others = [other for other in spec.believed[1:] if f"{other}_mean" in frame]
    names = {"mean": f"{name}_pred", "sd": f"{name}_sd", **{f"{other}_mean": f"{other}_pred" for other in others}}
    named = frame.rename(columns=names).reset_index(drop=True)
    said = [f"{outcome}{suffix}" for outcome in (name, *others) for suffix in ("_pred", "_sd")]
    stage = ["stage"] if spec.stages and "stage" in frame else []
    first = ["proposal_id", *stage, *spec.parameter_names, *said, "cycle", "status"]
    return named[[*first, *(column for column in named if column not in first)]]


def is_representable(space: SearchSpace, frame: pd.DataFrame) -> np.ndarray:
    """Return which rows are configurations of the space: an earlier version of the campaign may have had another.

    Returns:
        Shape `n`, bool.
    """
    fits = np.ones(len(frame), dtype=bool)
    fits[[fault.row for fault in space.check(frame)]] = False
    return fits
