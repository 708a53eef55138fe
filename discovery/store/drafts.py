"""Drafts on their way into the store: one row of `proposals` each. Next in the tour: `discovery.store.proposals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from discovery.lifecycle import ProposalStatus
from discovery.store.codec import detail_to_json, predictions_to_json, to_json

if TYPE_CHECKING:
    from discovery.cycle import ProposalDraft


def draft_frame(campaign: str, cycle: int, ids: Sequence[str], drafts: Sequence[ProposalDraft]) -> pd.DataFrame:
    """Return drafts as the rows that are stored.

    Args:
        campaign: Whose they are.
        cycle: Number of the cycle.
        ids: Ids of the proposals.
        drafts: What the cycle gave, in the order of the batch.
    """
    rows: list[dict[str, Any]] = [
        {
            "proposal_id": proposal_id,
            "campaign": campaign,
            "cycle": cycle,
            "position": position,
            "status": str(ProposalStatus.PROPOSED),
            "key": draft.key,
            "configuration": to_json(draft.configuration),
            "encoded": to_json(draft.X),
            "candidate_row": draft.row,
            "predictions": predictions_to_json(draft.predictions),
            "mean": float(draft.mean),
            "sd": float(draft.sd),
            "acqf_name": draft.acqf_name,
            "acqf_value": float(draft.acqf_value),
            "argued_by": draft.argued_by,
            "argument": to_json(draft.argument),
            "is_exploring": bool(draft.is_exploring),
            "n_measurements": draft.n_measurements,
            "seed": draft.seed,
            "detail": detail_to_json(draft.others, draft.numbers, draft.stage),
        }
        for position, (proposal_id, draft) in enumerate(zip(ids, drafts, strict=True))
    ]
    frame = pd.DataFrame(rows).astype({"candidate_row": "Int64", "seed": "int64"})
    return frame.assign(created_at=pd.Timestamp.now("UTC"))
