"""Whether sums and counts can be met together at all: decided exactly, as a mixed-integer linear program."""

from __future__ import annotations

import numpy as np

from discovery.space.system import System


def is_possible(system: System) -> bool:
    """Say whether any lists, zeros and continuous numbers meet all linear constraints and counts.

    Formulas, excluded combinations and inequalities over log-scale numbers are not looked at.

    Args:
        system: The space as linear systems.

    Returns:
        False where it is proved that nothing does.
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
        return True
    is_whole = np.append(np.zeros(k), np.ones(starts[-1] - k))
    found = milp(np.zeros(starts[-1]), constraints=rules, integrality=is_whole, bounds=Bounds(0.0, 1.0))
    return bool(found.status != 2)  # 2: proved to be infeasible


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
