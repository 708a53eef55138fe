"""Valid configurations near a configuration: one exchange away, around it, and on the way to another."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from discovery.campaign import CardinalityConstraint, Constraint, ExcludeConstraint, LinearConstraint, SimplexConstraint
from discovery.space.codecs import ListedCodec
from discovery.space.curves import onto_curves
from discovery.space.sampling import is_valid

if TYPE_CHECKING:
    from discovery.space.regions import Regions
    from discovery.space.space import SearchSpace

MANY = 64  # combinations of lists that chance goes through by itself
N_TRIED = 512  # values of a list that are all tried
SMALLEST = 4.0  # steps around are 10 to the power of -SMALLEST to 0 of the room that there is
HALVINGS = 10  # of the way to a point that may not be valid


def is_rough(space: SearchSpace) -> bool:
    """Say whether gradient steps alone leave good configurations out.

    That is so where lists have many combinations, and where constraints are not linear in the encoding.
    """
    lists = [len(codec.labels) for codec in space.codecs if isinstance(codec, ListedCodec)]
    names = {codec.name for codec in space.codecs if isinstance(codec, ListedCodec)}
    others = [
        c for c in space.other_constraints if not (isinstance(c, ExcludeConstraint) and names.issuperset(c.names))
    ]
    return bool(others) or space.regions.of.is_tied or float(np.prod(lists)) > MANY


def exchanges(space: SearchSpace, x: np.ndarray) -> np.ndarray:
    """Return valid points with another value in one list, or with the values of two parameters exchanged.

    Args:
        space: The space.
        x: A point. Length `d`.

    Returns:
        Points. Shape `m x d`.
    """
    regions = space.regions
    rows = regions.rows_at(x[None])
    found = [(rows.codes[0], rows.U[0])][:0]
    for i, (codec, _) in enumerate(regions.of.listed):
        for code in _others(int(rows.codes[0, i]), len(codec.labels)):
            codes = rows.codes[0].copy()
            codes[i] = code
            found.append((codes, rows.U[0]))
    found += _swaps(regions, rows.codes[0], rows.U[0])
    if not found:
        return np.empty((0, space.n_dims))
    X = regions.placed(np.array([codes for codes, _ in found]), np.array([U for _, U in found]))
    return X[is_valid(space, X)]


def around(space: SearchSpace, x: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return valid points along the linear constraints, as many near as far. Shape `m x d`, `m <= n`."""
    rows = space.regions.rows_at(x[None]).at(np.zeros(n, dtype=np.intp))
    share = 10.0 ** (-SMALLEST * rng.random(n))
    rows = onto_curves(space.regions, space.regions.step(rows, share, rng, is_partial=True))
    X = space.regions.points(rows)
    return X[is_valid(space, X)]


def toward(space: SearchSpace, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return valid points on the way from a valid point to another, the farthest first. Shape `m x d`.

    Continuous numbers move, along the linear constraints; lists and what is held at zero stay.
    """
    regions = space.regions
    rows = regions.rows_at(x[None])
    shares = regions.along(rows, regions.shares(target[None]) - rows.U, 0.5 ** np.arange(HALVINGS))
    X = regions.placed(np.repeat(rows.codes, HALVINGS, axis=0), shares)
    return X[is_valid(space, X)]


def _others(code: int, n_values: int) -> list[int]:
    """Return positions to try instead of one: all, or of many those at distances that double."""
    if n_values <= N_TRIED:
        return [other for other in range(n_values) if other != code]
    steps = [2**k for k in range(n_values.bit_length())]
    return [code + sign * step for step in steps for sign in (-1, 1) if 0 <= code + sign * step < n_values]


def _swaps(regions: Regions, codes: np.ndarray, U: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Exchange the values of any two parameters that a sum or a count has in common."""
    continuous = {codec.name: (i, codec) for i, (codec, _) in enumerate(regions.of.continuous)}
    listed = {codec.name: (i, codec) for i, (codec, _) in enumerate(regions.of.listed)}
    common: list[Constraint] = [
        c for c in regions.of.space.constraints if isinstance(c, CardinalityConstraint | SimplexConstraint)
    ]
    common += [c for c in regions.of.space.constraints if isinstance(c, LinearConstraint) and c.relation == "=="]
    pairs = dict.fromkeys(pair for c in common for pair in combinations(c.names, 2))
    found = []
    for first, second in pairs:
        if first in continuous and second in continuous:
            (i, one), (j, other) = continuous[first], continuous[second]
            a, b = one.low + U[i] * (one.high - one.low), other.low + U[j] * (other.high - other.low)
            swapped = U.copy()
            swapped[i], swapped[j] = (b - one.low) / (one.high - one.low), (a - other.low) / (other.high - other.low)
            if a != b and swapped[[i, j]].min() >= 0 and swapped[[i, j]].max() <= 1:
                found.append((codes, swapped))
        elif first in listed and second in listed:
            (i, one_list), (j, other_list) = listed[first], listed[second]
            if one_list.values == other_list.values and codes[i] != codes[j]:
                exchanged = codes.copy()
                exchanged[[i, j]] = codes[[j, i]]
                found.append((exchanged, U))
    return found
