"""From a campaign file to an aim: what is wanted of every outcome, what they must keep to, and what experiments cost.

Next in the tour: `discovery.acquisition.aims`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from discovery.session.costing import costs_of, is_column

if TYPE_CHECKING:
    from torch import Tensor

    from discovery.acquisition.aims import Aim
    from discovery.aimed_cycle import Results
    from discovery.campaign import CampaignSpec
    from discovery.space import Pool, SearchSpace


def make_aim(spec: CampaignSpec, space: SearchSpace, pool: Pool | None, results: Results) -> Aim:
    """Return what a campaign aims at after its measurements.

    Args:
        spec: The campaign.
        space: Its space.
        pool: Its candidates, or None.
        results: What has been measured; says how much of `budget.cost` is spent.

    Raises:
        InputError: If an experiment's cost is not a number above 0.
    """
    from discovery.acquisition.costs import cost_exponent
    from discovery.aimed_cycle import aim_of

    costs = None if spec.cost is None else Costs(spec, space, pool)
    spent = 0.0 if costs is None or not results.n else float(costs.of(results.X).sum())
    return replace(aim_of(spec), log_cost=costs, cost_exponent=cost_exponent(spent, spec.budget.cost))


def cost_left(aim: Aim, spec: CampaignSpec, results: Results, pending_X: Sequence[Sequence[float]]) -> float | None:
    """Return what experiments may cost from now on, those under way taken off; None where that is not limited.

    Args:
        aim: What `make_aim` gave.
        spec: The campaign.
        results: What has been measured.
        pending_X: Encoded configurations under way.
    """
    if not isinstance(aim.log_cost, Costs) or spec.budget.cost is None:
        return None
    rows = [*results.X, *(np.array(row) for row in pending_X)]
    return spec.budget.cost - (float(aim.log_cost.of(np.array(rows)).sum()) if rows else 0.0)


@dataclass(frozen=True)
class Costs:
    """What encoded configurations cost.

    Attributes:
        spec: The campaign; it names a cost.
        space: Its space.
        pool: Its candidates, or None.
    """

    spec: CampaignSpec
    space: SearchSpace
    pool: Pool | None

    def of(self, X: np.ndarray) -> np.ndarray:
        """Return the cost of encoded configurations. Shape `n x d` to `n`."""
        frame = self.space.decode(X)
        keys = self.space.keys(frame) if is_column(self.spec, self.pool) else [""] * len(frame)
        return costs_of(self.spec, self.pool, frame, keys)

    def __call__(self, X: Tensor) -> Tensor:
        """Return the logarithm of the cost of encoded rows; without a gradient. Shape `n x d` to `n`."""
        return X.new_tensor(np.log(self.of(X.detach()[:, : self.space.n_dims].cpu().numpy())))
