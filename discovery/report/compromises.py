"""What a campaign with several objectives, a target, hits, limits or costs has come to, as plots over experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from discovery.report.figures import INK, layout
from discovery.report.page import Section
from discovery.report.style import color, faded, labeled
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
    from discovery.campaign import CampaignSpec
    from discovery.report.campaign import CampaignFrames
    from discovery.report.grids import Grid


def goal_text(spec: CampaignSpec) -> str:
    """Say what a campaign wants, such as `maximize yield (%), minimize waste`."""
    wanted = [_wanted_text(spec, i) for i in range(len(spec.objectives))]
    limits = [str(limit) for limit in spec.outcome_constraints]
    return ", ".join(wanted) + (f"; where {', '.join(limits)}" if limits else "")


def _wanted_text(spec: CampaignSpec, i: int) -> str:
    objective = spec.objectives[i]
    named = labeled(objective.name, spec.outcome(objective.name).unit)
    if objective.goal == "match":
        low, high = objective.window or (objective.target, objective.target)
        return f"match {named} {low:g}" if low == high else f"match {named} {low:g} to {high:g}"
    if objective.goal == "hits":
        return f"hits of {named} {'above' if objective.above else 'below'} {objective.threshold:g}"
    return f"{objective.goal} {named}"


def progress_sections(frames: CampaignFrames, prefix: str, grid: Grid) -> list[Section]:
    """Return what measurements have come to by what the campaign wants, with the best conditions.

    Args:
        frames: The campaign, with at least one measurement of the first objective's outcome.
        prefix: What stands before the sections' names.
        grid: The best conditions, or compromises, found.
    """
    spec = frames.spec
    if len(spec.objectives) == 1 or spec.combine == "desirability":
        title, y = _over_experiments(spec, frames)
        return [Section(f"{prefix}Progress", "", _steps(y, title), grid)]
    values = scores(spec, frames.measurements)
    volume = hypervolumes(spec, frames.measurements, reference_point(spec, values))
    text = "Experiments that no other beats in every objective."
    counted = (
        "How much of all combinations of outcomes is beaten, from the worst measured outcomes (or the references)."
    )
    return [
        Section(f"{prefix}Best compromises", text, front_figure(frames), grid),
        Section(f"{prefix}Hypervolume", counted, _steps(volume, "hypervolume")),
    ]


def front_figure(frames: CampaignFrames) -> go.Figure:
    """Plot the first two objectives of every experiment, the best compromises among them marked and joined."""
    spec, table = frames.spec, frames.measurements
    x_name, y_name = (objective.name for objective in spec.objectives[:2])
    on_front = is_compromise(scores(spec, table), is_allowed(spec, table))
    figure = go.Figure()
    others, best = table[~on_front], table[on_front].sort_values(x_name)
    dots = {"color": faded("belief", 0.45), "size": 7}
    figure.add_scatter(x=others[x_name], y=others[y_name], mode="markers", marker=dots, name="measured")
    figure.add_scatter(
        x=best[x_name],
        y=best[y_name],
        mode="markers+lines" if len(spec.objectives) == 2 else "markers",
        line={"color": color("belief"), "width": 1, "dash": "dot"},
        marker={"color": color("belief"), "size": 10},
        name="best compromises",
    )
    figure.update_xaxes(title=labeled(x_name, spec.outcome(x_name).unit))
    figure.update_yaxes(title=labeled(y_name, spec.outcome(y_name).unit))
    return layout(figure, 400)


def _over_experiments(spec: CampaignSpec, frames: CampaignFrames) -> tuple[str, np.ndarray]:
    """Return what counts and how it has grown: hits so far, the nearest, the best that is allowed."""
    table, objective = frames.measurements, spec.objective
    named = labeled(objective.name, spec.outcome(objective.name).unit)
    allowed = is_allowed(spec, table)
    y = table[objective.name].to_numpy(float)
    if spec.combine == "desirability":
        return "highest desirability", _running(overall(spec, table))
    if objective.goal == "hits":
        return "hits so far", np.nancumsum(np.where(allowed, signed(objective, y), 0.0))
    if objective.goal == "match":
        return f"distance of {named}", -_running(np.where(allowed, -distance(objective, y), np.nan))
    sign = -1.0 if objective.goal == "minimize" else 1.0
    return f"best {named}" + (" that is allowed" if spec.outcome_constraints else ""), sign * _running(
        overall(spec, table)
    )


def _running(score: np.ndarray) -> np.ndarray:
    """Return the highest score so far; NaN before the first."""
    best = np.maximum.accumulate(np.where(np.isnan(score), -np.inf, score))
    return np.where(np.isinf(best), np.nan, best)


def _steps(y: np.ndarray, title: str) -> go.Figure:
    figure = go.Figure()
    line = {"color": color("belief"), "width": 3, "shape": "hv"}
    figure.add_scatter(x=np.arange(1, len(y) + 1), y=y, mode="lines", line=line, showlegend=False)
    figure.update_xaxes(title="experiment", tickcolor=INK)
    figure.update_yaxes(title=title)
    return layout(figure, 320)
