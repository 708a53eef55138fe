"""What proposals are expected to bring where more than one outcome high or low is wanted; asked for by `stop.min_gain`.

Next in the tour: `discovery.session.stopping`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from discovery.aimed_cycle import Known, Results
    from discovery.campaign import CampaignSpec
    from discovery.cycle import CycleRequest, ProposalDraft


def aimed_gain_of(
    spec: CampaignSpec,
    known: Known,
    results: Results,
    rows: pd.DataFrame,
    drafts: Sequence[ProposalDraft],
    request: CycleRequest,
) -> float | None:
    """Return the expected gain of drafts per experiment, in the goal's unit; None where nothing can be said.

    Args:
        spec: The campaign.
        known: Hypotheses by outcome.
        results: What has been measured.
        rows: The measurements, those that need not have been reached left blank (`without_bounds`).
        drafts: What is to be proposed.
        request: What the cycle was asked.
    """
    import torch

    from discovery.aimed_cycle import adapt_all
    from discovery.evaluation.aimed_gain import aimed_gain

    beliefs = adapt_all(known, results)

    def on_device(points: object) -> torch.Tensor:
        return torch.as_tensor(np.array(points), dtype=torch.float64, device=beliefs.device)

    running = None if request.pending_X is None else on_device(request.pending_X)
    measured = {name: rows[name].to_numpy(float) for name in spec.believed}
    X = on_device([draft.X for draft in drafts])
    gain = aimed_gain(spec, beliefs, measured, X, X_running=running, seed=request.seed)
    return None if gain is None else gain / len(drafts)
