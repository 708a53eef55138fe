"""Drawing positions in lists so that equalities can still be met: one list after the other, within what is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from discovery.space.system import System

REACHABLE = 1e-9  # relative: how near a sum must come to its right-hand side
N_ORDERS = 8  # orders in which lists are drawn, so that none always comes first


def draw_lists(
    system: System, is_on: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw positions in all lists.

    Lists that are neither counted nor in an equality are drawn evenly. Counted ones are zero or not, as the supports
    say. Of those in equalities, values come up evenly among those that leave the sum in reach of the others.

    Args:
        system: The space as linear systems.
        is_on: Which listed numbers may differ from zero. Shape `n x l`.
        low: Lowest shares of the continuous numbers. Shape `n x k`.
        high: Highest shares. Shape `n x k`.
        rng: Source of the draws.

    Returns:
        Positions. Shape `n x l`.
    """
    codes = _freely(system, is_on, rng)
    E, G = system.matrices[3], system.matrices[4]
    tied = np.flatnonzero(G.any(axis=0))
    if not len(tied):
        return codes
    least, most = high @ E.clip(max=0.0).T + low @ E.clip(0.0).T, high @ E.clip(0.0).T + low @ E.clip(max=0.0).T
    for part in np.array_split(np.arange(len(codes)), N_ORDERS):
        ends = least[part], most[part]
        codes[part] = _fitted(system, codes[part], is_on[part], ends, tied[rng.permutation(len(tied))], rng)
    return codes


def _freely(system: System, is_on: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, codes = len(is_on), []
    counted = {int(i) - len(system.continuous) for group in system.groups for i in group.members}
    for i, numbers in enumerate(system.numbers):
        if i not in counted:
            codes.append(rng.integers(len(numbers), size=n))
            continue
        others, zero = np.flatnonzero(numbers != 0), int(np.argmin(np.abs(numbers)))
        drawn = others[rng.integers(len(others), size=n)] if len(others) else np.full(n, zero)
        codes.append(np.where(is_on[:, i], drawn, zero))
    return np.array(codes, dtype=np.intp).reshape(len(system.listed), n).T


def _fitted(
    system: System,
    codes: np.ndarray,
    is_on: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    order: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw lists anew, in an order, each among the values that the ones after it can still make up for.

    Args:
        system: The space as linear systems.
        codes: Positions to begin with. Shape `n x l`.
        is_on: As of `draw_lists`.
        ends: Lowest and highest sums that the continuous numbers can bring. Shape `n x o` each.
        order: The lists to draw, in their order.
        rng: Source of the draws.
    """
    codes, (least, most) = codes.copy(), ends
    _, _, _, E, G, e = system.matrices
    slack = REACHABLE * (np.abs(E).sum(axis=1) + np.abs(G).sum(axis=1) + np.abs(e))
    terms = [system.numbers[j][:, None] * G[:, j] for j in order]  # values x equalities
    allowed = [_allowed(system, j, is_on) for j in order]  # n x values
    lows = [_extreme(term, mask, np.min, np.inf) for term, mask in zip(terms, allowed, strict=True)]
    highs = [_extreme(term, mask, np.max, -np.inf) for term, mask in zip(terms, allowed, strict=True)]
    left = np.broadcast_to(e, least.shape)
    for step, j in enumerate(order):
        low, high = least + sum(lows[step + 1 :]), most + sum(highs[step + 1 :])
        rest = left[:, None, :] - terms[step]  # n x values x equalities
        fits = ((rest >= low[:, None, :] - slack) & (rest <= high[:, None, :] + slack)).all(axis=2) & allowed[step]
        draw = np.argmax(rng.random(fits.shape) * fits, axis=1)
        codes[:, j] = np.where(fits.any(axis=1), draw, codes[:, j])
        left = left - terms[step][codes[:, j]]
    return codes


def _allowed(system: System, j: int, is_on: np.ndarray) -> np.ndarray:
    """Return which values of a list the supports allow. Shape `n x values`."""
    numbers = system.numbers[j]
    is_counted = any(len(system.continuous) + j in group.members for group in system.groups)
    return (numbers != 0) == is_on[:, [j]] if is_counted else np.ones((len(is_on), len(numbers)), dtype=bool)


def _extreme(term: np.ndarray, mask: np.ndarray, end: Callable[..., np.ndarray], nothing: float) -> np.ndarray:
    """Return the lowest or highest term among allowed values. Shape `n x equalities`."""
    return np.asarray(end(np.where(mask[:, :, None], term, nothing), axis=1))
