"""Experiments that cost differently: what is gained per cost, and less so as the budget is used up."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def cost_exponent(spent: float, budget: float | None) -> float:
    """Say how much cost counts: improvement is divided by `cost ** exponent`.

    Improvement per cost alone never pays for a dear experiment, however good the region. So cheap experiments come
    first and the exponent cools from 1 to 0 as the budget is used: the last experiments are chosen by improvement.

    Args:
        spent: What was spent so far, in units of cost.
        budget: What may be spent in all, or None where that is not limited.

    Returns:
        Exponent between 0 and 1; 1 where there is no budget.

    Source:
        Lee et al. (2020), Cost-aware Bayesian optimization, section 4.1 (EI-cool); departures: no initial design is
        set aside.
    """
    if budget is None or budget <= 0:
        return 1.0
    return min(max(1.0 - spent / budget, 0.0), 1.0)


def take_off_cost(values: Tensor, X: Tensor, log_cost: Callable[[Tensor], Tensor], exponent: float) -> Tensor:
    """Take the cost off log acquisition values.

    Args:
        values: Logarithms of acquisition values. Shape `n`.
        X: Encoded configurations. Shape `n x d`.
        log_cost: Gives the logarithm of their cost. Shape `n x d` to `n`.
        exponent: `cost_exponent`.

    Returns:
        Logarithms of the value per cost. Shape `n`.
    """
    return values - exponent * log_cost(X) if exponent > 0 else values
