"""What a campaign aims at, as values, and the acquisition function that serves it.

A campaign that wants one outcome high or low, and nothing else, goes the plain way (`pool.acquisition_for`). Next in
the tour: `discovery.cycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.acquisition.aim_acquisition import serve
from discovery.acquisition.pool import Search, acquisition_for
from discovery.errors import NotSupportedError

if TYPE_CHECKING:
    from discovery.belief.beliefs import Beliefs

MAXIMIZE, MINIMIZE = "maximize", "minimize"
PARETO, DESIRABILITY = "pareto", "desirability"


@dataclass(frozen=True)
class Want:
    """What is wanted of one outcome, raw units.

    Attributes:
        outcome: Name of the outcome.
        goal: `maximize`, `minimize`, `match` (a target or a window) or `hits` (values beyond a threshold).
        target: The value to match, or None.
        window: Lowest and highest value that match, or None.
        threshold: For hits: where a hit begins.
        above: For hits: whether they lie above the threshold.
        weight: Weight in the desirability, relative to the other wants.
        span: For the desirability: lowest and highest value of the ramp; a match lies between them.
        reference: For a Pareto front: the value that is just not good enough; None for one that is inferred.
    """

    outcome: str
    goal: str = MAXIMIZE
    target: float | None = None
    window: tuple[float, float] | None = None
    threshold: float | None = None
    above: bool = True
    weight: float = 1.0
    span: tuple[float, float] | None = None
    reference: float | None = None

    @property
    def sign(self) -> float:
        """-1 where less is better: to minimize, and for hits below a threshold; else 1."""
        return -1.0 if self.goal == MINIMIZE or (self.goal == "hits" and not self.above) else 1.0


@dataclass(frozen=True)
class Limit:
    """A constraint that is linear in outcomes: `sum of coefficient * outcome, relation, rhs`, raw units.

    Attributes:
        coefficients: Coefficient by name of the outcome.
        relation: `<=` or `>=`.
        rhs: The right-hand side.
    """

    coefficients: Mapping[str, float]
    relation: str
    rhs: float


@dataclass(frozen=True)
class Aim:
    """Everything that decides which experiment is the best next one.

    Attributes:
        wants: What is wanted; at least one.
        limits: What outcomes must keep to.
        combine: How several wants are combined: `pareto` (a front of trade-offs) or `desirability` (one number).
        discrimination: What it counts to tell hypotheses apart: 0 nothing, 1 nothing else counts.
        log_cost: Gives the logarithm of the cost of experiments (`n x d` encoded rows to `n`), or None.
        cost_exponent: How much cost counts (`costs.cost_exponent`): 1 improvement per cost, 0 not at all.
    """

    wants: tuple[Want, ...]
    limits: tuple[Limit, ...] = ()
    combine: str = PARETO
    discrimination: float = 0.0
    log_cost: Callable[[Tensor], Tensor] | None = field(default=None, compare=False)
    cost_exponent: float = 1.0

    @property
    def is_plain(self) -> bool:
        """Whether one outcome is to be high or low, and nothing else counts."""
        is_simple = len(self.wants) == 1 and self.wants[0].goal in (MAXIMIZE, MINIMIZE)
        counts_more = self.limits or self.discrimination or self.log_cost is not None or self.combine == DESIRABILITY
        return is_simple and not counts_more

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes that count, wanted ones first."""
        limited = [name for limit in self.limits for name in limit.coefficients]
        return tuple(dict.fromkeys([*(want.outcome for want in self.wants), *limited]))


def acquisition_over(aim: Aim, beliefs: Beliefs, search: Search, X_pending: Tensor) -> torch.nn.Module:
    """Build the acquisition function that serves an aim, given what runs or is chosen already.

    Args:
        aim: What counts.
        beliefs: The belief of every outcome.
        search: Name of the acquisition function and seed; the direction is the aim's.
        X_pending: Configurations under way or chosen in this batch. Shape `p x d`.

    Returns:
        The function: `b x 1 x d` (or with feature columns of the first outcome wanted) to `b`. Beyond the plain case
        its values are logarithms in raw units, and its `argument(x)` gives the hypotheses' shares.

    Raises:
        ConfigurationError: If a want lacks what its goal needs.
        NotSupportedError: If goals cannot be combined this way.
    """
    if aim.is_plain and beliefs.feasible is None:
        want = aim.wants[0]
        return acquisition_for(beliefs.of[want.outcome], replace(search, sign=want.sign), X_pending)
    if search.name != "log_ei":
        raise NotSupportedError(
            f"acquisition.name must be log_ei where more counts than one high or low outcome; got {search.name!r}.",
            "Leave acquisition.name out.",
        )
    return serve(aim, beliefs, search, X_pending)
