"""From latent random functions to outcomes: trends below them, monotone warps and floors above, noise on top.

Reads standardized functions of `simulators.gp_functions`, gives outcomes in raw units. Next in the tour:
`simulators.measuring`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from simulators.columns import DESCRIPTORS, NUMBER, ONE_HOT, Columns
from simulators.draws import Draws

LINEAR, SKEWED, BOUNDED = range(3)
LEVEL = (0.3, 0.7)  # of the range: where linear outcomes lie
AMPLITUDE = (0.08, 0.25)  # of the range: standard deviation of linear outcomes, log-uniform
SKEW = (1.0, 3.0)  # steepness of the softplus, per latent standard deviation
STEEPNESS = (0.7, 4.0)  # steepness of the sigmoid, per latent standard deviation, log-uniform
MIDPOINT = (-0.5, 1.5)  # latent value at which the sigmoid and the softplus bend: above 0, good outcomes are rare
FLOOR_SHARE = 0.4  # share of the warped tasks with a floor below which outcomes read as the lower limit
FLOOR = (0.02, 0.2)  # of the range
LEVEL_SLOPE_SD = 0.8  # of ln noise over the range of the outcome
INPUT_SLOPE_SD = 0.5  # of ln noise over one parameter
UNIT_SPREAD = {NUMBER: 12.0**0.5, ONE_HOT: 1.0, DESCRIPTORS: 12.0**0.5}  # 1 / sd of a column on the unit cube
CURVATURE = 30.0**0.5  # brings the centered square of a uniform column, turning at random, to a spread of one


@dataclass(frozen=True)
class OutputMap:
    """Monotone, non-decreasing maps from latent values to shares of the outcome's range, one per task.

    Attributes:
        kind: `LINEAR`, `SKEWED` or `BOUNDED`. Shape `t`.
        level: Level of the linear ones. Shape `t`.
        amplitude: Slope of the linear ones. Shape `t`.
        steepness: Of softplus or sigmoid. Shape `t`.
        midpoint: Latent value where they bend. Shape `t`.
        floor: Share of the range that is cut off below. Shape `t`.
    """

    kind: Tensor
    level: Tensor
    amplitude: Tensor
    steepness: Tensor
    midpoint: Tensor
    floor: Tensor


def draw_output_map(t: int, draws: Draws) -> OutputMap:
    """Draw the maps of `t` tasks."""
    kind = draws.index(3, t)
    skewed = draws.uniform(t, low=SKEW[0], high=SKEW[1])
    sigmoid = draws.log_uniform(t, low=STEEPNESS[0], high=STEEPNESS[1])
    has_floor = draws.flag(FLOOR_SHARE, t) & (kind != LINEAR)
    return OutputMap(
        kind=kind,
        level=draws.uniform(t, low=LEVEL[0], high=LEVEL[1]),
        amplitude=draws.log_uniform(t, low=AMPLITUDE[0], high=AMPLITUDE[1]),
        steepness=torch.where(kind == SKEWED, skewed, sigmoid),
        midpoint=draws.uniform(t, low=MIDPOINT[0], high=MIDPOINT[1]),
        floor=draws.uniform(t, low=FLOOR[0], high=FLOOR[1]) * has_floor,
    )


def apply_output_map(output: OutputMap, latent: Tensor) -> Tensor:
    """Map latent values to shares of the range. Shape `t x n` in and out; values in [0, 1]."""
    kind, level, amplitude, steepness, midpoint, floor = (
        value.unsqueeze(1)
        for value in (output.kind, output.level, output.amplitude, output.steepness, output.midpoint, output.floor)
    )
    bent = steepness * (latent - midpoint)
    linear = level + amplitude * latent
    skewed = torch.nn.functional.softplus(bent) / (3.0 * steepness)  # reaches 1 three sd above the bend
    share = torch.where(kind == LINEAR, linear, torch.where(kind == SKEWED, skewed, torch.sigmoid(bent)))
    return ((share - floor) / (1.0 - floor)).clamp(0.0, 1.0)


@dataclass(frozen=True)
class Trend:
    """Linear and quadratic trends of `t` tasks, of about unit variance.

    Attributes:
        linear: Weight per column. Shape `t x d`.
        quadratic: Curvature per column, zero for coded categories. Shape `t x d`.
        center: Where a column's parabola turns. Shape `t x d`.
    """

    linear: Tensor
    quadratic: Tensor
    center: Tensor

    def evaluate(self, X: Tensor) -> Tensor:
        """Return the trends at (warped) configurations. Shape `t x n x d` in, `t x n` out."""
        line = torch.einsum("tnd,td->tn", X - 0.5, self.linear)
        center = self.center.unsqueeze(1)  # t x 1 x d
        square = (X - center).square() - (1.0 / 12.0 + (0.5 - center).square())  # zero mean over a uniform column
        parabola = torch.einsum("tnd,td->tn", square, self.quadratic)
        return line + parabola


def draw_trend(columns: Columns, active: Tensor, draws: Draws) -> Trend:
    """Draw the trends of tasks in their active parameters. Shape of `active`: `t x n_blocks`."""
    t, d, device = active.shape[0], columns.n_dims, active.device
    described = torch.tensor([kind == DESCRIPTORS for kind in columns.kinds], device=device)
    n_shared = torch.where(described, columns.widths.to(device), 1)  # descriptors share one parameter's variance
    unit = columns.per_column(UNIT_SPREAD, device) / columns.spread(n_shared.sqrt())
    on = columns.spread(active / active.to(torch.float64).sum(dim=1, keepdim=True).sqrt())  # t x d
    numeric = columns.per_column({NUMBER: 1.0, ONE_HOT: 0.0, DESCRIPTORS: 0.0}, device)
    weight = 1.0 - numeric * (1.0 - 0.5**0.5)  # a number's variance is half line, half parabola
    return Trend(
        linear=draws.normal(t, d) * unit * on * weight,
        quadratic=draws.normal(t, d) * CURVATURE * on * weight * numeric,
        center=draws.uniform(t, d),
    )


def draw_noise_sd(columns: Columns, X: Tensor, share: Tensor, limits: tuple[float, float], draws: Draws) -> Tensor:
    """Draw heteroscedastic noise: its logarithm is linear in the outcome and in the parameters.

    Args:
        columns: Columns of the space.
        X: Encoded configurations. Shape `t x n x d`.
        share: Noise-free outcomes as shares of the range. Shape `t x n`.
        limits: Limits of the typical noise as a share of the range.
        draws: Source of the randomness.

    Returns:
        Standard deviations as shares of the range. Shape `t x n`.
    """
    t = X.shape[0]
    typical = draws.log_uniform(t, 1, low=limits[0], high=limits[1])
    by_level = draws.normal(t, 1, sd=LEVEL_SLOPE_SD) * (share - 0.5)
    slope = draws.normal(t, columns.n_dims, sd=INPUT_SLOPE_SD / columns.n_blocks**0.5)
    by_input = torch.einsum("tnd,td->tn", X - 0.5, slope)
    return typical * torch.exp((by_level + by_input).clamp(-1.5, 1.5))
