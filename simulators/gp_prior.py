"""Generic tasks: random functions of varied Gaussian-process priors, with trends, warps, floors and noise.

The family says nothing about a mechanism; it says how functions of this space's parameters may look at all. What it
varies, per task, with ranges (lengthscales in unit-cube distance; two levels of a category are one apart, descriptors
share one parameter's distance):

- kernel: Matérn 3/2, Matérn 5/2 or RBF; joint (half of the tasks), additive (a quarter), a mixture of both (a quarter);
- lengthscale per parameter: ln l ~ N(ln 0.4 + ln(active parameters)/2, 0.7), so that roughness does not grow with the
  number of parameters; a parameter is irrelevant with probability 0.3, never all of them;
- inputs: Kumaraswamy warps of numeric columns in half of the tasks, ln a, ln b ~ N(0, 0.4);
- trend: linear and quadratic, 5–80 % of the variance in 70 % of the tasks;
- output map (linear, softplus, sigmoid; floors) and heteroscedastic noise: see `simulators.gp_outputs`.

Source:
    Dimension-scaled lengthscales: Hvarfner et al. (2024), Vanilla Bayesian Optimization Performs Great in High
    Dimensions; departures: shorter and narrower. Warps, irrelevant inputs and noise: Müller et al. (2023), PFNs4BO, the
    HEBO+ prior. Relations between tasks: see `simulators.gp_relations`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from discovery.errors import ConfigurationError
from discovery.tasks.task import TaskBatch
from simulators.columns import DESCRIPTORS, NUMBER, ONE_HOT, Columns, bound_columns, configurations, require_bound
from simulators.draws import Draws
from simulators.gp_functions import MATERN32, MATERN52, RBF, FunctionPrior, draw_functions, warped
from simulators.gp_outputs import OutputMap, apply_output_map, draw_noise_sd, draw_output_map, draw_trend
from simulators.measuring import measure

if TYPE_CHECKING:
    from discovery.space import SearchSpace

LENGTHSCALE_MEDIAN = 0.4  # of a task with one active parameter
LENGTHSCALE_LOG_SD = 0.7
JOINT_TASKS, ADDITIVE_TASKS = 0.5, 0.25  # shares of tasks; the others mix both structures
WARPED_TASKS = 0.5  # share of tasks whose numeric columns are warped
NO_TREND_SHARE = 0.3  # share of tasks without a trend
TREND_SHARE = (0.05, 0.8)  # share of the variance that a trend explains in the others
WARP_LOG_SD = 0.4  # of both Kumaraswamy exponents
CORRELATIONS = (0.95, 0.7, 0.3, 0.0, -0.5)  # of a source task with its target: related, unrelated, inverted


@dataclass(frozen=True)
class Latent:
    """Priors of `t` latent functions.

    Attributes:
        functions: What varies around the trends.
        trend_share: Share of the variance that a linear and quadratic trend explains. Shape `t`.
    """

    functions: FunctionPrior
    trend_share: Tensor

    def evaluate(self, columns: Columns, X: Tensor, draws: Draws) -> Tensor:
        """Draw functions with their trends and evaluate them. Shape `t x n x d` in, `t x n` out."""
        values = draw_functions(self.functions, columns, X, draws)
        trend = draw_trend(columns, self.functions.active, draws)
        share = self.trend_share.unsqueeze(1)
        return (1.0 - share).sqrt() * values + share.sqrt() * trend.evaluate(warped(self.functions, X))

    def at(self, index: Tensor) -> Latent:
        """Return the latent priors of some tasks; an index may come more than once."""
        return Latent(self.functions.at(index), self.trend_share[index])


def draw_latent(columns: Columns, t: int, p_irrelevant: float, draws: Draws) -> Latent:
    """Draw the priors of `t` latent functions."""
    n_blocks, d = columns.n_blocks, columns.n_dims
    level = draws.uniform(t, n_blocks)
    active = level >= p_irrelevant
    active |= level == level.amax(dim=1, keepdim=True)  # at least one parameter matters
    center = log(LENGTHSCALE_MEDIAN) + 0.5 * active.sum(dim=1, keepdim=True).log()
    structure = draws.uniform(t)
    mixed = torch.where(structure < JOINT_TASKS + ADDITIVE_TASKS, 0.0, draws.uniform(t))
    bends = columns.per_column({NUMBER: 1.0, ONE_HOT: 0.0, DESCRIPTORS: 0.0}, draws.device)
    is_warped = draws.flag(WARPED_TASKS, t, 1) * bends
    functions = FunctionPrior(
        family=torch.tensor((MATERN32, MATERN52, RBF), device=draws.device)[draws.index(3, t)],
        lengthscale=torch.exp(center + draws.normal(t, n_blocks, sd=LENGTHSCALE_LOG_SD)),
        active=active,
        joint_share=torch.where(structure < JOINT_TASKS, 1.0, mixed),
        warp=torch.exp(draws.normal(2, t, d, sd=WARP_LOG_SD) * is_warped),
    )
    has_trend = ~draws.flag(NO_TREND_SHARE, t)
    return Latent(functions, draws.uniform(t, low=TREND_SHARE[0], high=TREND_SHARE[1]) * has_trend)


@dataclass(frozen=True)
class GPPrior:
    """Random functions of varied Gaussian-process priors, on the range of an outcome.

    Attributes:
        outcome_range: Lowest and highest outcome, raw units; all outcomes lie within, clipped where noise leaves it.
        p_irrelevant: Probability that a parameter does not matter.
        noise: Limits of the typical noise as a share of the range; drawn log-uniformly.
        correlations: What `sample_related` draws the correlation of a source with its target from.
        columns: Columns of the bound space; set by `bind`.
    """

    name: ClassVar[str] = "gp_prior"
    field: ClassVar[str] = "generic"
    inputs: ClassVar[str] = "any parameters"
    outputs: ClassVar[str] = "one outcome on a given range"
    source: ClassVar[str] = "PFNs4BO (Müller et al., 2023), dimension-scaled priors (Hvarfner et al., 2024)"

    outcome_range: tuple[float, float] = (0.0, 100.0)
    p_irrelevant: float = 0.3
    noise: tuple[float, float] = (0.003, 0.08)
    correlations: tuple[float, ...] = CORRELATIONS
    columns: Columns | None = dataclasses.field(default=None, repr=False, metadata={"is_override": False})

    def __post_init__(self) -> None:
        low, high = self.outcome_range
        if not low < high:
            raise ConfigurationError(f"gp_prior: outcome_range must be [low, high] with low < high; got {low}, {high}.")
        if not 0.0 <= self.p_irrelevant < 1.0:
            raise ConfigurationError(f"gp_prior: p_irrelevant must lie in [0, 1); got {self.p_irrelevant!r}.")
        if not 0.0 < self.noise[0] < self.noise[1]:
            raise ConfigurationError(f"gp_prior: noise must be [low, high] with 0 < low < high; got {self.noise!r}.")
        if not self.correlations or max(abs(rho) for rho in self.correlations) > 1.0:
            raise ConfigurationError(f"gp_prior: correlations must lie in [-1, 1]; got {self.correlations!r}.")

    def bind(self, space: SearchSpace) -> GPPrior:
        """Return the distribution on a space; every space will do.

        Raises:
            ConfigurationError: If `space` is not a search space.
        """
        return replace(self, columns=bound_columns(self.name, space))

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks, see `TaskDistribution.sample`.

        Returns:
            A batch; its truth also holds `lengthscale` and `active` (`t x n_blocks`), `family`, `joint_share`,
            `trend_share` and `output` (`t`; see the records of `gp_functions` and `gp_outputs`).

        Raises:
            ConfigurationError: If `bind` has not been called.
            InputError: If a number is below one.
            ShapeError: If the points have another shape.
        """
        columns = require_bound(self.name, self.columns)
        draws = Draws(generator, torch.device(device))
        X = configurations(columns, n_tasks, n_points, draws, points)
        latent = draw_latent(columns, n_tasks, self.p_irrelevant, draws)
        return self.observe(X, latent, latent.evaluate(columns, X, draws), draws)

    def observe(self, X: Tensor, latent: Latent, values: Tensor, draws: Draws) -> TaskBatch:
        """Map latent values to outcomes and measure them with noise.

        Args:
            X: Encoded configurations. Shape `t x n x d`.
            latent: The priors that the values come from, for the truth.
            values: Latent values. Shape `t x n`.
            draws: Source of the randomness.

        Returns:
            The batch of tasks.
        """
        columns = require_bound(self.name, self.columns)
        output: OutputMap = draw_output_map(X.shape[0], draws)
        share = apply_output_map(output, values)
        low, high = self.outcome_range
        noise_sd = draw_noise_sd(columns, X, share, self.noise, draws)
        functions = latent.functions
        truth = {
            "Y": (low + (high - low) * share).unsqueeze(-1),
            "lengthscale": functions.lengthscale,
            "active": functions.active,
            "family": functions.family,
            "joint_share": functions.joint_share,
            "trend_share": latent.trend_share,
            "output": output.kind,
        }
        return measure(self.name, X, truth, (high - low) * noise_sd, (low, high), draws)
