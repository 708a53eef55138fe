"""Constraints on raw tables: where they hold, by how much they are missed, and which are linear in the encoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from discovery.campaign import (
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    NonlinearConstraint,
    SimplexConstraint,
    truth_of,
)
from discovery.space.cells import refuse
from discovery.space.codecs import Codec, ContinuousCodec
from discovery.space.polytope import EncodedConstraint

EXACT = 1e-9  # relative to the size of the terms
ROUNDED = 1e-6  # of equalities in tables, which are often rounded: 0.333333 + 0.333333 + 0.333333
Columns = Mapping[str, np.ndarray]


def is_met(constraint: Constraint, columns: Columns, *, is_exact: bool = False) -> np.ndarray:
    """Return where a constraint holds.

    Args:
        constraint: The constraint, in raw units.
        columns: Canonical cells of each parameter: floats (0 and 1 for false and true) or text. Length `n`.
        is_exact: Whether equalities must hold to 1e-9; else to 1e-6, and what is below 1e-9 counts as 0.

    Returns:
        True where it holds; False where a formula has no value. Shape `n`.
    """
    if isinstance(constraint, CardinalityConstraint) and not is_exact:
        columns = {name: np.where(np.abs(columns[name]) > EXACT, columns[name], 0.0) for name in constraint.parameters}
    is_equality = isinstance(constraint, SimplexConstraint) or _relation(constraint) == "=="
    return miss(constraint, columns) <= (ROUNDED if is_equality and not is_exact else EXACT)


def _relation(constraint: Constraint) -> str:
    if isinstance(constraint, NonlinearConstraint):
        return constraint.sides[1]
    return constraint.relation if isinstance(constraint, LinearConstraint) else ""


def miss(constraint: Constraint, columns: Columns) -> np.ndarray:
    """Return by how much a constraint is missed, relative to the size of its terms.

    Args:
        constraint: The constraint, in raw units.
        columns: As of `is_met`.

    Returns:
        0 where it holds exactly, infinity where a formula has no value. Shape `n`.
    """
    match constraint:
        case SimplexConstraint(parameters=names, total=total):
            return _miss_of_sum(dict.fromkeys(names, 1.0), "==", total, columns)
        case LinearConstraint(coefficients=coefficients, relation=relation, rhs=rhs):
            return _miss_of_sum(coefficients, relation, rhs, columns)
        case NonlinearConstraint(sides=(left, relation, right)):
            (above, size), (below, other) = left.sized(columns), right.sized(columns)
            return _relative(above - below, size + other, relation)
        case CardinalityConstraint(parameters=names, max=most, least=least):
            amounts = np.abs([columns[name] for name in names])
            too_small = ((amounts > 0) & (amounts < least * (1 - EXACT))).sum(axis=0)
            return ((amounts > 0).sum(axis=0) - most).clip(0.0) + too_small
        case ExcludeConstraint(when=when):
            is_there = [_matches(columns[name], value) for name, value in when.items()]
            return np.logical_and.reduce(is_there).astype(np.float64)
    raise TypeError(f"{type(constraint).__name__} says nothing about a configuration alone")


def as_read(constraints: Iterable[Constraint], codecs: Sequence[Codec]) -> tuple[Constraint, ...]:
    """Return constraints with molecules and formulas written as tables hold them: `Co3Fe7` excludes `Fe0.7Co0.3`.

    Raises:
        InputError: If an excluded molecule or formula cannot be read.
    """
    written = {codec.name: codec for codec in codecs if codec.kind in ("molecule", "composition")}
    return tuple(_as_read(c, written) if isinstance(c, ExcludeConstraint) else c for c in constraints)


def _as_read(constraint: ExcludeConstraint, written: Mapping[str, Codec]) -> ExcludeConstraint:
    when = dict(constraint.when)
    for name in when.keys() & written.keys():
        said = when[name]
        cells, faults = written[name].read(pd.Series(said if isinstance(said, tuple) else [said], name=name))
        refuse(faults, "an exclude constraint")
        found = written[name].column(cells).tolist()
        when[name] = tuple(found) if isinstance(said, tuple) else found[0]
    return constraint.model_copy(update={"when": when})


def meets(
    constraints: Sequence[Constraint],
    codecs: Sequence[Codec],
    canonical: Sequence[np.ndarray],
    *,
    is_exact: bool = False,
) -> np.ndarray:
    """Return where configurations meet all of the constraints.

    Args:
        constraints: The constraints, in raw units.
        codecs: The parameters that the constraints speak of, or more.
        canonical: Canonical values of each, length `n`.
        is_exact: As of `is_met`.

    Returns:
        True where all hold. Shape `n`.
    """
    columns = cells_of(codecs, canonical)
    return np.logical_and.reduce(
        [is_met(constraint, columns, is_exact=is_exact) for constraint in constraints]
        or [np.ones(len(canonical[0]), dtype=bool)]
    )


def cells_of(codecs: Sequence[Codec], canonical: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return canonical values as constraints compute with them: floats or text, 0 and 1 for false and true."""
    cells = {codec.name: codec.column(values) for codec, values in zip(codecs, canonical, strict=True)}
    truths = {codec.name for codec in codecs if codec.kind == "boolean"}
    return {name: column.astype(np.float64) if name in truths else column for name, column in cells.items()}


def _miss_of_sum(coefficients: Mapping[str, float], relation: str, rhs: float, columns: Columns) -> np.ndarray:
    terms = np.array([factor * columns[name] for name, factor in coefficients.items()])  # k x n
    return _relative(terms.sum(axis=0) - rhs, np.abs(terms).sum(axis=0) + abs(rhs), relation)


def _relative(excess: np.ndarray, size: np.ndarray, relation: str) -> np.ndarray:
    """Return how far left minus right is on the wrong side, relative to a size; infinity where undefined."""
    wrong = np.abs(excess) if relation == "==" else (excess if relation == "<=" else -excess).clip(0.0)
    share = np.divide(wrong, size, out=np.zeros(len(wrong)), where=wrong != 0)
    return np.where(np.isnan(share), np.inf, share)


def _matches(cells: np.ndarray, value: str | tuple[str, ...]) -> np.ndarray:
    """Return where cells hold a category or number, one of several categories, or a number of an interval."""
    if cells.dtype == object:
        return np.isin(cells.astype(str), value)
    ends = sorted(map(_number, (value,) if isinstance(value, str) else value))
    at_end = [np.isclose(cells, end, rtol=1e-9, atol=1e-12) for end in ends]
    return np.logical_or.reduce([*at_end, (cells >= ends[0]) & (cells <= ends[-1])])


def _number(text: str) -> float:
    """Return a number; the words for true and false are 1 and 0."""
    try:
        return float(text)
    except ValueError:
        return float(bool(truth_of(text)))


def encode_constraint(
    constraint: Constraint, codecs: Iterable[Codec], starts: Iterable[int]
) -> tuple[str, EncodedConstraint] | None:
    """Return a constraint over encoded coordinates, `>=` or `==`; None where it is not linear in them.

    Args:
        constraint: The constraint, in raw units.
        codecs: All parameters.
        starts: First coordinate of each.
    """
    if isinstance(constraint, SimplexConstraint):
        constraint = LinearConstraint(
            coefficients=dict.fromkeys(constraint.parameters, 1.0), relation="==", rhs=constraint.total
        )
    places = {codec.name: (codec, start) for codec, start in zip(codecs, starts, strict=True)}
    used = [places[name] for name in constraint.names]
    linear = [(c, start) for c, start in used if isinstance(c, ContinuousCodec) and not c.is_log]
    if not isinstance(constraint, LinearConstraint) or len(linear) < len(used):
        return None
    factors = np.array(list(constraint.coefficients.values()))
    low, width = np.array([c.low for c, _ in linear]), np.array([c.high - c.low for c, _ in linear])
    sign = -1.0 if constraint.relation == "<=" else 1.0
    indices = np.array([start for _, start in linear], dtype=np.int64)
    encoded = indices, sign * factors * width, float(sign * (constraint.rhs - factors @ low))
    return ("==" if constraint.relation == "==" else ">="), encoded
