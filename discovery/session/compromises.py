"""What a campaign has come to by what it wants: the front of compromises, hits, distance, what is allowed, cost.

Next in the tour: `discovery.session.progress`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery.errors import counted
from discovery.session.costing import can_cost, costs_of
from discovery.session.staging import StageStanding, stage_lines, staged_cost
from discovery.standing import (
    distance,
    hypervolumes,
    is_allowed,
    is_compromise,
    overall,
    reference_point,
    scores,
    signed,
)

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.space import Pool


@dataclass(frozen=True)
class Standing:
    """What a campaign has come to; None where the file asks for nothing of the kind.

    Attributes:
        front: Of several objectives, the measurements that no other beats in all of them: id, position, parameters and
            outcomes, sorted by the first objective.
        hypervolume: How much of all combinations the front beats, in the product of the outcomes' units.
        reference: The outcomes from which that is counted, by name.
        desirability: The highest overall desirability.
        n_hits: Measurements beyond the threshold.
        distance: How far the nearest measurement is from target or window, raw units.
        n_allowed: Measurements that meet the outcome constraints.
        cost: What the measured experiments have cost.
        stages: What was done at every stage.
        reached: Why `stop.target` is reached, in a sentence; empty where it is not.
    """

    front: tuple[dict[str, Any], ...] = ()
    hypervolume: float | None = None
    reference: dict[str, float] | None = None
    desirability: float | None = None
    n_hits: int | None = None
    distance: float | None = None
    n_allowed: int | None = None
    cost: float | None = None
    reached: str = ""
    stages: tuple[StageStanding, ...] = ()


def stand(
    spec: CampaignSpec, pool: Pool | None, usable: pd.DataFrame, measured: pd.DataFrame | None = None
) -> Standing:
    """Say what a campaign has come to.

    Args:
        spec: The campaign.
        pool: Its candidates, or None.
        usable: Measurements that the present space can represent (`Store.measurements`).
        measured: All measurements, which have cost something; default the same.
    """
    paid = usable if measured is None else measured
    cost = float(costs_of(spec, pool, paid, paid["key"].tolist()).sum()) if can_cost(spec, pool) else None
    cost = staged_cost(spec, paid) if spec.stages else cost
    allowed = is_allowed(spec, usable)
    goal, y = spec.objective.goal, usable[spec.objective.name].to_numpy(float)
    is_one, is_some = len(spec.objectives) == 1, bool((allowed & ~np.isnan(y)).any())
    is_wished = spec.combine == "desirability"
    front, volume, reference = ((), None, None) if is_one or is_wished else front_of(spec, usable)
    wish = float(np.nanmax(overall(spec, usable))) if is_wished and is_some else None
    n_hits = int(np.nansum(signed(spec.objective, y)[allowed])) if is_one and goal == "hits" else None
    nearest = float(np.nanmin(distance(spec.objective, y[allowed]))) if is_one and goal == "match" and is_some else None
    return Standing(
        front=front,
        hypervolume=volume,
        reference=reference,
        desirability=wish,
        n_hits=n_hits,
        distance=nearest,
        n_allowed=int(allowed.sum()) if spec.outcome_constraints else None,
        cost=cost,
        reached=_reached(spec, usable, wish, n_hits, nearest),
    )


def front_of(
    spec: CampaignSpec, measured: pd.DataFrame
) -> tuple[tuple[dict[str, Any], ...], float | None, dict[str, float] | None]:
    """Return the best compromises, the hypervolume that they beat, and from which outcomes on it is counted."""
    values, allowed = scores(spec, measured), is_allowed(spec, measured)
    on_front = is_compromise(values, allowed)
    if not on_front.any():
        return (), None, None
    reference = reference_point(spec, values)
    columns = ["measurement_id", "position", *spec.parameter_names, *spec.believed]
    order = np.argsort(-values[on_front][:, 0], kind="stable")
    rows = measured[on_front].iloc[order][columns].to_dict("records")
    volume = float(hypervolumes(spec, measured[on_front], reference)[-1])
    raw = {o.name: float(-r if o.goal == "minimize" else r) for o, r in zip(spec.objectives, reference, strict=True)}
    return tuple({str(name): cell for name, cell in row.items()} for row in rows), volume, raw


def _reached(
    spec: CampaignSpec, usable: pd.DataFrame, wish: float | None, n_hits: int | None, nearest: float | None
) -> str:
    """Say why `stop.target` is reached; empty where it is not, or none is named."""
    target, objective = spec.stop.target, spec.objective
    if target is None or usable.empty:
        return ""
    if wish is not None:
        return f"The target is reached: desirability {wish:.3g}, wanted {target:g}." if wish >= target else ""
    if n_hits is not None:
        return f"The target is reached: {counted(n_hits, 'hit')}, wanted {target:g}." if n_hits >= target else ""
    if nearest is not None:
        said = f"The target is reached: {objective.name} is {nearest:g} away, at most {target:g} wanted."
        return said if nearest <= target else ""
    score = overall(spec, usable)
    if np.isnan(score).all():
        return ""
    sign = -1.0 if objective.goal == "minimize" else 1.0
    best = sign * float(np.nanmax(score))
    is_reached = best <= target if sign < 0 else best >= target
    return f"The target is reached: {objective.name} {best:g}, wanted {target:g}." if is_reached else ""


def standing_lines(spec: CampaignSpec, standing: Standing) -> tuple[str, ...]:
    """Say in sentences what a campaign has come to; none for a campaign that wants one outcome high or low."""
    lines, objective = [], spec.objective
    unit = f" {spec.outcome(objective.name).unit}".rstrip()
    if standing.front:
        assert standing.reference is not None
        beyond = ", ".join(f"{name} {value:.4g}" for name, value in standing.reference.items())
        lines.append(
            f"{counted(len(standing.front), 'best compromise')}; hypervolume {standing.hypervolume:.4g}, counted from "
            f"{beyond}."
        )
        lines += [f"  {_compromise_text(spec, row)}" for row in standing.front]
    if standing.desirability is not None:
        lines.append(f"Highest desirability: {standing.desirability:.3g} of 1.")
    if standing.n_hits is not None:
        side = "above" if objective.above else "below"
        lines.append(f"{counted(standing.n_hits, 'hit')}: {objective.name} {side} {objective.threshold:g}{unit}.")
    if standing.distance is not None:
        aim = f"{objective.target:g}" if objective.window is None else f"the window {_window_text(objective.window)}"
        lines.append(f"Nearest to {aim}: {standing.distance:.4g}{unit} away.")
    if standing.n_allowed is not None:
        lines.append(f"{counted(standing.n_allowed, 'measurement')} within the outcome constraints.")
    lines += stage_lines(spec, standing.stages)
    if standing.cost is not None:
        limit = f" of {spec.budget.cost:g}" if spec.budget.cost is not None else ""
        lines.append(f"Cost so far: {standing.cost:g}{limit}.")
    return tuple(lines)


def _compromise_text(spec: CampaignSpec, row: dict[str, Any]) -> str:
    values = ", ".join(f"{name} {row[name]:.4g} {spec.outcome(name).unit}".rstrip() for name in spec.believed)
    where = ", ".join(f"{name} {value_text(row[name])}" for name in spec.parameter_names)
    return f"{values} at experiment {row['position']} ({where})"


def value_text(value: object) -> str:
    """Write a value of a parameter."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _window_text(window: tuple[float, float]) -> str:
    return f"{window[0]:g} to {window[1]:g}"
