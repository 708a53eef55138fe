"""What simulated campaigns come to, experiment by experiment, in the measure of what is wanted.

Counted as `discovery status` counts it: by measured outcomes. The share of a hypervolume is counted by true ones, since
a lucky measurement would exceed what there is. Next in the tour: `discovery.evaluation.aimed_forecast`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from discovery.errors import ConfigurationError
from discovery.standing import hypervolume, hypervolumes, is_allowed, overall, reference_point, scores, signed

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec, Objective

Outcomes = Mapping[str, np.ndarray]

MEANT = {
    "share": "the share of the hypervolume that there is",
    "desirability": "the overall desirability",
    "hits": "a number of hits",
    "distance": "how far the nearest is from target or window",
}
"""What a target means, by measure."""


@dataclass(frozen=True)
class Replayed:
    """Campaigns that were replayed on worlds.

    Attributes:
        spec: The campaign.
        measured: Outcomes of the experiments made before, raw units, NaN where one is not measured. Shape `k` each.
        known: Where among the candidates those experiments are.
        is_free: Candidates that could be chosen. Shape `N`.
        rows: Candidates in the order run. Shape `f x n`.
        gave: Their measured outcomes, raw units. Shape `f x n` each.
    """

    spec: CampaignSpec
    measured: Outcomes
    known: tuple[int, ...]
    is_free: np.ndarray
    rows: np.ndarray
    gave: Outcomes


@dataclass(frozen=True)
class ComeTo:
    """What campaigns came to.

    Attributes:
        now: What is reached already; None where nothing counts yet.
        path: What is reached now (where anything is) and after each further experiment. Shape `f x n` or `f x (n + 1)`.
            Infinite on the bad side where nothing counts.
        most: What can be reached in each world without the help of noise. Shape `f`.
    """

    now: float | None
    path: np.ndarray
    most: np.ndarray


def measure_of_goal(spec: CampaignSpec) -> str:
    """Return what a campaign's progress is measured by.

    `share` of the hypervolume that there is, number of `hits`, `distance` to target or window, `desirability`, or the
    `best` outcome (that is allowed).
    """
    if spec.combine == "desirability":
        return "desirability"
    if len(spec.objectives) > 1:
        return "share"
    return {"hits": "hits", "match": "distance"}.get(spec.objective.goal, "best")


def default_target(spec: CampaignSpec) -> float | None:
    """Return what counts as reached: `stop.target`; for a window to lie within it."""
    is_window = measure_of_goal(spec) == "distance" and spec.objective.window is not None
    return 0.0 if spec.stop.target is None and is_window else spec.stop.target


def sign_of(spec: CampaignSpec) -> float:
    """Return -1 where progress goes down (a distance, or an outcome that is to be low), else 1."""
    measure = measure_of_goal(spec)
    return -1.0 if measure == "distance" or (measure == "best" and spec.objective.goal == "minimize") else 1.0


def check_target(measure: str, target: float | None) -> None:
    """Refuse a target that makes no sense for what is wanted.

    Raises:
        ConfigurationError: If it does not.
    """
    if target is None:
        return
    if measure in ("share", "desirability") and not 0 < target <= 1:
        raise ConfigurationError(
            f"The target of this forecast must lie between 0 and 1 ({MEANT[measure]}); got {target:g}.",
            "Write 0.9 for 90 %.",
        )
    if measure in ("hits", "distance") and target < 0:
        raise ConfigurationError(f"The target of this forecast must be at least 0 ({MEANT[measure]}); got {target:g}.")


def progress_of(replayed: Replayed, truth: Outcomes) -> ComeTo:
    """Say what campaigns came to.

    Args:
        replayed: The campaigns.
        truth: Outcomes of all candidates in each world without noise, raw units. Shape `f x N` each.
    """
    spec = replayed.spec
    measure = measure_of_goal(spec)
    if measure == "share":
        return _shares(replayed, truth)
    before, after, everywhere = (scored(spec, part) for part in (replayed.measured, replayed.gave, truth))
    free = np.where(replayed.is_free, everywhere, np.nan)
    if measure == "hits":
        n_now = float(np.nansum(before))
        return ComeTo(n_now, _with_start(n_now, n_now + np.nancumsum(after, axis=1)), n_now + np.nansum(free, axis=1))
    turn = sign_of(spec)  # scores are signed so that more is better
    known = None if np.isnan(before).all() else float(np.nanmax(before))
    low = -np.inf if known is None else known
    running = np.maximum(np.maximum.accumulate(np.where(np.isnan(after), -np.inf, after), axis=1), low)
    most = np.maximum(np.where(np.isnan(free), -np.inf, free).max(axis=1), low)
    if known is None:
        return ComeTo(None, turn * running, turn * most)
    return ComeTo(turn * known, turn * _with_start(known, running), turn * most)


def _with_start(now: float, path: np.ndarray) -> np.ndarray:
    return np.column_stack([np.full(len(path), now), path])


def raw_of(objective: Objective, score: float) -> float:
    """Return an outcome with a score: of a match the one above target or window."""
    if objective.goal == "match":
        _, high = objective.window or (0.0, objective.target or 0.0)
        return high - score
    return -score if objective.goal == "minimize" else score


def scored(spec: CampaignSpec, outcomes: Outcomes) -> np.ndarray:
    """Return how good experiments are where one number says it, more is better; NaN where one is not allowed.

    Args:
        spec: The campaign; of several objectives without a desirability the first counts.
        outcomes: Outcomes by name, raw units. Any shape.
    """
    shape = np.shape(outcomes[spec.objective.name])
    flat = {name: np.asarray(y, float).ravel() for name, y in outcomes.items()}
    found = overall(spec, flat) if spec.combine == "desirability" else signed(spec.objective, flat[spec.objective.name])
    return np.where(is_allowed(spec, flat), found, np.nan).reshape(shape)


def _shares(replayed: Replayed, truth: Outcomes) -> ComeTo:
    """Return the shares of each world's hypervolume, from the worst of its candidates (or the references) on."""
    spec, shares = replayed.spec, list[np.ndarray]()
    n_known = len(replayed.known)
    for i, own in enumerate(replayed.rows):
        world = {name: y[i] for name, y in truth.items()}
        values = scores(spec, world)
        reference = reference_point(spec, values)
        whole = hypervolume(values[is_allowed(spec, world)], reference)
        order = [*replayed.known, *own]
        volumes = hypervolumes(spec, {name: y[order] for name, y in world.items()}, reference)
        shares.append(volumes / whole if whole > 0 else np.ones(len(order)))
    path = np.array(shares)[:, max(n_known - 1, 0) :]
    return ComeTo(
        float(np.quantile(path[:, 0], 0.5, method="inverted_cdf")) if n_known else None, path, np.ones(len(path))
    )
