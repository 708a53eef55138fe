"""What experiments cost: the same for all, a formula of parameters, or a column of the candidates.

Next in the tour: `discovery.session.aims`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.campaign.expressions import parse
from discovery.errors import ConfigurationError, InputError
from discovery.space import CandidatePool

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import Pool


def costs_of(spec: CampaignSpec, pool: Pool | None, frame: pd.DataFrame, keys: Sequence[str]) -> np.ndarray:
    """Return the cost of configurations.

    Args:
        spec: The campaign; it names a cost.
        pool: Its candidates, or None.
        frame: A column per parameter.
        keys: Identity of each configuration.

    Returns:
        Costs above 0; of a configuration that is no candidate the mean of all candidates. Shape `n`.

    Raises:
        InputError: If one is not a number above 0, or `cost` is neither a formula nor a column.
    """
    if not isinstance(spec.cost, str):
        return np.full(len(frame), float(spec.cost or 0.0))
    if is_column(spec, pool):
        assert isinstance(pool, CandidatePool)
        cells = pd.to_numeric(pool.frame[spec.cost], errors="coerce").to_numpy(float)
        _check(cells, pool.keys)
        by_key = pd.Series(cells, index=list(pool.keys))
        return by_key.reindex(list(keys)).fillna(float(cells.mean())).to_numpy(float)
    formula = parse(spec.cost, spec.parameter_names, "cost")
    costs = formula({name: frame[name].to_numpy(float) for name in formula.names})
    _check(costs, keys)
    return costs


def check_costs(spec: CampaignSpec, pool: object) -> None:
    """Check what every candidate costs, where costs can be told beforehand.

    Args:
        spec: The campaign.
        pool: Its candidates; anything but a pool that is at hand is not looked at.

    Raises:
        InputError: If a cost is not a number above 0.
        ConfigurationError: If `cost` is neither a formula of parameters nor a column of the candidates.
    """
    if spec.cost is not None and isinstance(pool, CandidatePool):
        costs_of(spec, pool, pool.frame, pool.keys)


def can_cost(spec: CampaignSpec, pool: Pool | None) -> bool:
    """Say whether costs can be told: of a column of the candidates only where these are at hand."""
    if not isinstance(spec.cost, str) or is_column(spec, pool):
        return spec.cost is not None
    try:
        return set(parse(spec.cost, None, "cost").names) <= set(spec.parameter_names)
    except ConfigurationError:
        return False


def is_column(spec: CampaignSpec, pool: Pool | None) -> bool:
    """Say whether `cost` names a column of the candidates."""
    return isinstance(pool, CandidatePool) and spec.cost in pool.frame and spec.cost not in spec.parameter_names


def _check(costs: np.ndarray, keys: Sequence[str]) -> None:
    wrong = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)))
    if len(wrong):
        raise InputError(
            f"cost must be a number above 0 for every experiment; got {costs[wrong[0]]:g} at {list(keys)[wrong[0]]}.",
            "Correct the formula or the column that `cost` names.",
        )
