"""Whether sums and counts can be met together at all: decided exactly, as a mixed-integer linear program."""

from __future__ import annotations

import numpy as np

from discovery.campaign import NonlinearConstraint
from discovery.errors import ConfigurationError
from discovery.space.polytope import contradiction
from discovery.space.system import System


def refuse_impossible(system: System) -> None:
    """Refuse constraints that are proved to leave nothing, with the steps of numbers or without.

    Raises:
        ConfigurationError: If nothing within the bounds, or on the grids, meets all of them.
    """
    stepped = {codec.name for codec, _ in system.continuous if codec.step is not None}
    free = {codec.name for codec, _ in system.continuous} - stepped
    for constraint in system.space.constraints:
        is_curve = isinstance(constraint, NonlinearConstraint) and constraint.sides[1] == "=="
        if is_curve and stepped.intersection(constraint.names) and not free.intersection(constraint.names):
            raise ConfigurationError(
                f"constraints: ({constraint}) must hold a continuous parameter without step, which follows from the "
                "others; every one has a step.",
                "Remove a step, or list the candidates in a file.",
            )
    if some_shares(system) is not None:
        return
    if stepped and some_shares(system, with_steps=False) is not None:
        tied = sorted(name for name in stepped if any(name in c.names for c in system.space.constraints))
        raise ConfigurationError(
            f"constraints must be possible together with steps; no value on the grids of {', '.join(tied)} meets all.",
            "Change a step, a lowest bound or a constraint.",
        )
    raise contradiction()


def some_shares(system: System, *, with_steps: bool = True, weights: np.ndarray | None = None) -> np.ndarray | None:
    """Find lists, zeros and continuous numbers that meet all linear constraints and counts.

    Formulas, excluded combinations and inequalities over log-scale numbers are not looked at.

    Args:
        system: The space as linear systems.
        with_steps: Whether numbers with a step are on their grid.
        weights: Which of all solutions: the one whose shares and listed values weigh least. Length `k + (values)`.

    Returns:
        The shares, then a one for each listed value that is chosen; None where it is proved that nothing does, and
        empty where nothing is known.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    k, sizes = len(system.continuous), [len(numbers) for numbers in system.numbers]
    starts = np.cumsum([2 * k, *sizes])  # shares, which of them are on, and one switch for each listed value
    A, F, b, E, G, e = system.matrices
    rules = [LinearConstraint(_wide(A, F, system, starts), b - _slack(A, F, b), np.inf)] if len(b) else []
    if len(e):
        slack = _slack(E, G, e)
        rules.append(LinearConstraint(_wide(E, G, system, starts), e - slack, e + slack))
    for i in range(len(sizes)):
        one = np.zeros(starts[-1])
        one[starts[i] : starts[i + 1]] = 1.0
        rules.append(LinearConstraint(one, 1.0, 1.0))
    rules += [LinearConstraint(row, -np.inf, limit) for row, limit in _counts(system, starts)]
    if not rules:
        return np.empty(0)
    scale, is_whole, most = np.ones(starts[-1]), np.append(np.zeros(k), np.ones(starts[-1] - k)), np.ones(starts[-1])
    for i, (codec, _) in enumerate(system.continuous):
        if codec.step is not None and with_steps:  # the share is a whole number of steps
            scale[i], is_whole[i], most[i] = codec.step / (codec.high - codec.low), 1.0, codec.n_steps
    costs = np.zeros(starts[-1])
    if weights is not None:
        costs[:k], costs[2 * k :] = weights[:k] * scale[:k], weights[k:]
    rules = [LinearConstraint(rule.A * scale, rule.lb, rule.ub) for rule in rules]
    found = milp(costs, constraints=rules, integrality=is_whole, bounds=Bounds(0.0, most))
    if found.status == 2:  # proved to be infeasible
        return None
    return np.empty(0) if found.x is None else np.append(found.x[:k] * scale[:k], np.round(found.x[2 * k :]))


def _slack(M: np.ndarray, N: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    return 1e-9 * (np.abs(M).sum(axis=1) + np.abs(N).sum(axis=1) + np.abs(rhs))


def _wide(M: np.ndarray, N: np.ndarray, system: System, starts: np.ndarray) -> np.ndarray:
    """Return rows over shares and listed numbers as rows over all variables."""
    wide = np.zeros((len(M), starts[-1]))
    wide[:, : M.shape[1]] = M
    for i, numbers in enumerate(system.numbers):
        wide[:, starts[i] : starts[i + 1]] = N[:, [i]] * numbers
    return wide


def _counts(system: System, starts: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Return what counts ask for as rows with an upper limit: what is off is at zero, and few enough are on."""
    k, rows = len(system.continuous), []
    for group in system.groups:
        total, limit = np.zeros(starts[-1]), float(group.n_free)
        for member in group.members:
            if member >= k:  # listed: on unless it is zero
                i = int(member) - k
                total[starts[i] : starts[i + 1]] = (system.numbers[i] != 0).astype(float)
                continue
            codec, zero = system.continuous[member][0], system.zeros[member]
            least = max(0.0, (group.least - codec.low) / (codec.high - codec.low)) if group.least else 0.0
            above, below = np.zeros(starts[-1]), np.zeros(starts[-1])
            above[member], above[k + member] = 1.0, zero - 1.0  # u - zero <= (1 - zero) on
            below[member], below[k + member] = -1.0, least - zero  # u - zero >= (least - zero) on
            rows += [(above, float(zero)), (below, -float(zero))]
            total[k + member] = 1.0
        rows.append((total, limit))
    return rows
