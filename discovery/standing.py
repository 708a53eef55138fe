"""How good measured outcomes are by what the campaign file wants: compromises, hits, distances, what is allowed.

One place says it for the status, the report and backtests; plain arrays, no model. Every score is signed so that more
is better. Next in the tour: `discovery.session.progress`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec, Objective


class Outcomes(Protocol):
    """Outcomes by name, raw units, NaN where one is not measured, shape `n` each: arrays by name, or a DataFrame."""

    def __getitem__(self, name: str, /) -> Any:
        """Return the values of one outcome."""
        ...


class Wanted(Protocol):
    """What `signed` reads of an objective; the acquisition's own record of it will do."""

    @property
    def goal(self) -> str:
        """`maximize`, `minimize`, `match` or `hits`."""
        ...

    @property
    def target(self) -> float | None:
        """The value to match."""
        ...

    @property
    def window(self) -> tuple[float, float] | None:
        """The lowest and highest value that match."""
        ...

    @property
    def threshold(self) -> float | None:
        """Where a hit begins."""
        ...

    @property
    def above(self) -> bool:
        """Whether hits lie above it."""
        ...


SLACK = 1e-9  # of a constraint's terms: rounding


def signed(objective: Wanted, y: np.ndarray) -> np.ndarray:
    """Return how good outcomes are by one objective, more is better.

    Args:
        objective: What is wanted.
        y: Outcomes, raw units. Shape `n`.

    Returns:
        The outcome or its negative; for `match` minus the distance to target or window; for `hits` 1 for a hit, else 0.
        NaN where `y` is. Shape `n`.
    """
    y = np.asarray(y, dtype=float)
    if objective.goal == "match":
        return -distance(objective, y)
    if objective.goal == "hits":
        beyond = y - float(objective.threshold or 0.0)
        return np.where(np.isnan(y), np.nan, (beyond >= 0 if objective.above else beyond <= 0).astype(float))
    return -y if objective.goal == "minimize" else y


def distance(objective: Wanted, y: np.ndarray) -> np.ndarray:
    """Return how far outcomes are from the target, or from the window: 0 inside. Shape `n`; raw units."""
    target = objective.target
    low, high = objective.window or ((target or 0.0), (target or 0.0))
    return np.maximum(np.maximum(low - y, y - high), 0.0)


def scores(spec: CampaignSpec, outcomes: Outcomes) -> np.ndarray:
    """Return how good experiments are by every objective. Shape `n x m`; NaN where an outcome is not measured."""
    return np.column_stack([signed(objective, outcomes[objective.name]) for objective in spec.objectives])


def is_allowed(spec: CampaignSpec, outcomes: Outcomes) -> np.ndarray:
    """Say which experiments meet the outcome constraints; one that lacks an outcome of them does not. Shape `n`."""
    n = len(outcomes[spec.objective.name])
    allowed = np.ones(n, dtype=bool)
    for limit in spec.outcome_constraints:
        terms = np.column_stack([factor * np.asarray(outcomes[k], float) for k, factor in limit.coefficients.items()])
        total, slack = terms.sum(1), SLACK * (np.abs(terms).sum(1) + abs(limit.rhs))
        above, below = total >= limit.rhs - slack, total <= limit.rhs + slack
        allowed &= {"<=": below, ">=": above, "==": above & below}[limit.relation]
    return allowed


def desirabilities(spec: CampaignSpec, outcomes: Outcomes) -> np.ndarray:
    """Return the overall desirability: the weighted geometric mean of the single ones.

    Source:
        Derringer and Suich (1980), J. Quality Technology 12, 214, with linear ramps; departures: none.
    """
    weights = np.array([objective.weight for objective in spec.objectives])
    single = np.column_stack(
        [_desirability(spec, objective, outcomes[objective.name]) for objective in spec.objectives]
    )
    with np.errstate(divide="ignore"):
        return np.exp((np.log(single) * weights).sum(1) / weights.sum())


def _desirability(spec: CampaignSpec, objective: Objective, y: np.ndarray) -> np.ndarray:
    """Return the desirability of one outcome, from 0 to 1; hits without a ramp are 1 or 0. Shape `n`."""
    if objective.goal == "hits" and objective.desirability is None:
        return signed(objective, y)
    low, high = ramp(spec, objective)
    if objective.goal == "match":
        inner = objective.window or (objective.target, objective.target)
        y = np.asarray(y, dtype=float)
        rise = _share(y, low, float(inner[0] or 0.0))
        return np.minimum(rise, _share(-y, -high, -float(inner[1] or 0.0)))
    share = _share(np.asarray(y, dtype=float), low, high)
    is_falling = objective.goal == "minimize" or (objective.goal == "hits" and not objective.above)
    return 1 - share if is_falling else share


def _share(y: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((y - low) / (high - low), 0.0, 1.0)


def ramp(spec: CampaignSpec, objective: Objective) -> tuple[float, float]:
    """Return the outcomes between which the desirability of an objective changes; `validate` asks for them."""
    found = objective.desirability or spec.outcome(objective.name).range
    assert found is not None
    return found


def overall(spec: CampaignSpec, outcomes: Outcomes) -> np.ndarray:
    """Return one score per experiment where there is one: more is better, NaN where it is not allowed or not known.

    The score of the only objective, or the desirability of several; of a Pareto campaign there is none, and NaN stands
    for all.
    """
    if spec.combine == "desirability":
        value = desirabilities(spec, outcomes)
    elif len(spec.objectives) == 1:
        value = scores(spec, outcomes)[:, 0]
    else:
        value = np.full(len(outcomes[spec.objective.name]), np.nan)
    return np.where(is_allowed(spec, outcomes), value, np.nan)


def is_compromise(values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Say which experiments no other one beats in every objective: the Pareto front.

    Args:
        values: Scores, more is better. Shape `n x m`; rows with NaN are on no front.
        allowed: Which experiments may be on it. Shape `n`.
    """
    known = allowed & ~np.isnan(values).any(1)
    rows = values[known]
    at_least = (rows[:, None, :] >= rows[None, :, :]).all(-1)  # i is nowhere worse than j
    beaten = (at_least & ~at_least.T).any(0)
    found = np.zeros(len(values), dtype=bool)
    found[np.flatnonzero(known)[~beaten]] = True
    return found


def reference_point(spec: CampaignSpec, values: np.ndarray) -> np.ndarray:
    """Return the scores that a compromise must exceed to count: as the file says, else the worst of some.

    Args:
        spec: The campaign.
        values: Scores of experiments. Shape `n x m`, at least one row without NaN.
    """
    known = values[~np.isnan(values).any(1)]
    stated = [
        None if objective.reference is None else float(signed(objective, np.array([objective.reference]))[0])
        for objective in spec.objectives
    ]
    return np.array([low if said is None else said for low, said in zip(known.min(0), stated, strict=True)])


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the volume of what is beaten by some point and beats the reference.

    Args:
        values: Scores, more is better. Shape `k x m`.
        reference: Shape `m`.

    Source:
        Slicing by objectives, exact: Zitzler (1999), section 3.5; departures: none.
    """
    above = values[(values > reference).all(1)] - reference
    return _sliced(above) if len(above) else 0.0


def _sliced(points: np.ndarray) -> float:
    """Return the volume between the origin and points above it. Shape `k x m`."""
    if points.shape[1] == 1:
        return float(points.max())
    order = points[np.argsort(-points[:, -1], kind="stable")]
    if points.shape[1] == 2:
        widths = np.maximum.accumulate(order[:, 0])
        heights = order[:, 1] - np.append(order[1:, 1], 0.0)
        return float(widths @ heights)
    heights = order[:, -1] - np.append(order[1:, -1], 0.0)
    return float(sum(h * _sliced(order[: i + 1, :-1]) for i, h in enumerate(heights) if h > 0))


def hypervolumes(spec: CampaignSpec, outcomes: Outcomes, reference: np.ndarray) -> np.ndarray:
    """Return the hypervolume after every experiment. Shape `n`."""
    values, allowed = scores(spec, outcomes), is_allowed(spec, outcomes)
    found, volume, kept = [], 0.0, np.zeros((0, values.shape[1]))
    for row, may in zip(values, allowed, strict=True):
        if may and not np.isnan(row).any() and not (kept >= row).all(1).any():
            kept = np.vstack([kept[~(row >= kept).all(1)], row])
            volume = max(volume, hypervolume(kept, reference))  # rounding must not let it fall
        found.append(volume)
    return np.array(found)
