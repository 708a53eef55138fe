"""Today's part of a space or of a pool: some parameters have a value that is given, some values are not to be had.

The encoding stays what it is, so checkpoints fit. A value that is given becomes a list of one value; constraints are
rewritten with it, so that what is left of a plane or a simplex is still met exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discovery.campaign import (
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    SimplexConstraint,
    category_text,
)
from discovery.errors import ConfigurationError, NoCandidateError
from discovery.space.cells import CellFault, faults_where, listed
from discovery.space.codecs import Codec, ContinuousCodec, ListedCodec, NumberReader, Reader
from discovery.space.pool import CandidatePool
from discovery.space.space import SearchSpace

Value = object
"""A number, a category, a truth value or a molecule, as tables hold it."""
Span = tuple[float, float]
"""Lowest and highest number of a range."""
SLACK = 1e-9  # relative: two numbers nearer than this are the same value


def restrict_space(
    space: SearchSpace, fixed: Mapping[str, Value], without: Mapping[str, Sequence[Value | Span]]
) -> SearchSpace:
    """Return what is left of a space that is searched freely, with the same encoding.

    Args:
        space: The whole space.
        fixed: Value by parameter that has no other today.
        without: Values and ranges by parameter that are not to be had today; see `is_gone` for their ends.

    Raises:
        NoCandidateError: If nothing is left; says why.
    """
    if not fixed and not without:
        return space
    fixed = {**fixed, **_zeros(space.constraints, fixed)}
    codecs = tuple(_codec_today(codec, fixed, without.get(codec.name, ())) for codec in space.codecs)
    rules = [rule for constraint in space.constraints for rule in _rules(constraint, fixed)]
    gaps = [gap for codec in space.codecs if codec.name not in fixed for gap in _gaps(codec, without)]
    rest = replace(space, codecs=codecs, constraints=(*rules, *gaps))
    try:
        _ = rest.polytope
    except ConfigurationError as error:
        raise _nothing(fixed, without, "the constraints cannot be met with that") from error
    return rest


def allowed_rows(
    pool: CandidatePool, space: SearchSpace, fixed: Mapping[str, Value], without: Mapping[str, Sequence[Value | Span]]
) -> np.ndarray:
    """Say which rows of a pool are left today. Shape `n`, bool.

    Raises:
        NoCandidateError: If none is; says what took them.
    """
    left, said = np.ones(len(pool), dtype=bool), []
    codecs = {codec.name: codec for codec in space.codecs}
    for name, value in fixed.items():
        has = is_same(pool.frame[name], value)
        said.append(f"{int(has.sum())} of {len(pool)} candidates have {name} = {category_text(value)}")
        left &= has
    for name, values in without.items():
        gone = is_gone(pool.frame[name], values, codecs[name])
        said.append(f"{int(gone.sum())} have {name} {_spoken(values)}, which is not to be had")
        left &= ~gone
    if not left.any():
        raise NoCandidateError(f"No candidate is left today: {'; '.join(said)}.", _known(pool, fixed))
    return left


def restrict_pool(pool: CandidatePool, mask: np.ndarray) -> CandidatePool:
    """Return some rows of a pool; encoding, keys and positions in the file stay. Shape of the mask `n`."""
    if mask.all():
        return pool
    keys = tuple(key for key, is_left in zip(pool.keys, mask, strict=True) if is_left)
    return replace(pool, frame=pool.frame[mask], X=pool.X[mask], keys=keys, rows=pool.rows[mask])


def is_same(cells: pd.Series | np.ndarray, value: Value) -> np.ndarray:
    """Say which cells hold a value; numbers within 1e-9 (relative). Shape `n`."""
    values = np.asarray(cells)
    if isinstance(value, int | float) and not isinstance(value, bool) and values.dtype != object:
        return np.isclose(values.astype(np.float64), float(value), rtol=SLACK, atol=1e-12)
    return np.asarray(values == value)


def is_gone(cells: pd.Series | np.ndarray, values: Sequence[Value | Span], codec: Codec) -> np.ndarray:
    """Say which cells are not to be had today.

    Of a list of numbers, the ends of a range are gone with it. Of a continuous parameter, an end that borders on what
    is left stays: without 90 to 110 of 30 to 110 leaves 90.

    Args:
        cells: What tables hold. Length `n`.
        values: Values and ranges.
        codec: The parameter.
    """
    gone = np.zeros(len(cells), dtype=bool)
    for value in values:
        if not isinstance(value, tuple | list):
            gone |= is_same(cells, value)
            continue
        numbers, (low, high) = np.asarray(cells, dtype=np.float64), map(float, value)
        if isinstance(codec, ContinuousCodec):
            below, above = numbers < high, numbers > low
            gone |= (above | (low <= codec.low)) & (below | (high >= codec.high))
        else:
            gone |= (numbers >= low) & (numbers <= high)
    return gone


def _codec_today(codec: Codec, fixed: Mapping[str, Value], values: Sequence[Value | Span]) -> Codec:
    """Return the codec of what is left of a parameter: the same coordinates, fewer values."""
    if codec.name in fixed:
        return _pinned(codec, fixed[codec.name])
    if not values or not isinstance(codec, ListedCodec):
        return codec  # ranges of a continuous parameter are constraints
    left = np.flatnonzero(~is_gone(codec.column(np.arange(len(codec.labels))), values, codec))
    if not len(left):
        raise NoCandidateError(f"Every value of {codec.name} is out today: {listed(codec.values)}.")
    return _some(codec, left)


def _pinned(codec: Codec, value: Value) -> ListedCodec:
    """Return the codec of a parameter with one value."""
    if isinstance(codec, ListedCodec):
        keep = np.flatnonzero(is_same(codec.column(np.arange(len(codec.labels))), value))
        if not len(keep):
            raise NoCandidateError(f"No configuration is left today: {codec.name} cannot be {category_text(value)}.")
        return _some(codec, keep)
    number = np.array([float(value)])  # type: ignore[arg-type]
    if not codec.read(pd.Series(number, name=codec.name))[0].tolist() == number.tolist():
        raise NoCandidateError(f"No configuration is left today: {codec.name} cannot be {number[0]:g}.")
    return ListedCodec(codec.name, "discrete", number, codec.encode(number), NumberReader(number))


def _some(codec: ListedCodec, keep: np.ndarray) -> ListedCodec:
    """Return the codec of some values of a list."""
    reader = _SomeReader(codec.reader, keep, codec.labels)
    return replace(codec, labels=codec.labels[keep], table=codec.table[keep], reader=reader)


@dataclass(frozen=True, eq=False)
class _SomeReader:
    """Reads a column to positions among those values of a list that are left."""

    reader: Reader
    keep: np.ndarray
    labels: np.ndarray

    def __call__(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return positions, -1 where a cell is refused, and the faults."""
        codes, faults = self.reader(cells)
        places = np.full(len(self.labels) + 1, -1, dtype=np.intp)  # the last one is that of -1
        places[self.keep] = np.arange(len(self.keep))
        found = places[codes]
        rule = f"must be one of {listed(self.labels[self.keep].tolist())} today"
        return found, faults + faults_where((found < 0) & (codes >= 0), cells, rule)


def _gaps(codec: Codec, without: Mapping[str, Sequence[Value | Span]]) -> list[Constraint]:
    """Return what ranges of a continuous parameter come to: a new bound, or a gap within the bounds."""
    if not isinstance(codec, ContinuousCodec):
        return []
    rules: list[Constraint] = []
    for value in without.get(codec.name, ()):
        low, high = map(float, value)  # type: ignore[call-overload]
        if low <= codec.low and high >= codec.high:
            raise NoCandidateError(f"Every value of {codec.name} is out today: {codec.low:g} to {codec.high:g}.")
        if low <= codec.low:
            rules.append(LinearConstraint(coefficients={codec.name: 1.0}, relation=">=", rhs=high))
        elif high >= codec.high:
            rules.append(LinearConstraint(coefficients={codec.name: 1.0}, relation="<=", rhs=low))
        else:
            rules.append(ExcludeConstraint(type="exclude", when={codec.name: [low, high]}))  # type: ignore[dict-item]
    return rules


def _rules(constraint: Constraint, fixed: Mapping[str, Value]) -> list[Constraint]:
    """Return a constraint as it is for the parameters that are not fixed; empty where it holds whatever they are."""
    known = {name: float(fixed[name]) for name in constraint.names if _is_number(fixed.get(name))}  # type: ignore[arg-type]
    if not known:
        return [constraint]
    if isinstance(constraint, CardinalityConstraint):
        return _fewer(constraint, known)
    if isinstance(constraint, SimplexConstraint):
        factors = dict.fromkeys(constraint.parameters, 1.0)
        return _shorter(LinearConstraint(coefficients=factors, relation="==", rhs=constraint.total), known)
    return _shorter(constraint, known) if isinstance(constraint, LinearConstraint) else [constraint]


def _zeros(constraints: Sequence[Constraint], fixed: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters that must be zero because those that are fixed are as many as may differ from it."""
    zeros: dict[str, Value] = {}
    for constraint in constraints:
        if isinstance(constraint, CardinalityConstraint):
            used = [name for name in constraint.parameters if name in fixed and abs(float(fixed[name])) > SLACK]  # type: ignore[arg-type]
            if len(used) == constraint.max:
                zeros |= {name: 0.0 for name in constraint.parameters if name not in fixed}
    return zeros


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float)


def _shorter(constraint: LinearConstraint, known: Mapping[str, float]) -> list[Constraint]:
    """Put known values into a weighted sum."""
    left = {name: factor for name, factor in constraint.coefficients.items() if name not in known and factor}
    terms = [factor * known[name] for name, factor in constraint.coefficients.items() if name in known]
    rhs = constraint.rhs - sum(terms)
    if left:
        return [LinearConstraint(coefficients=left, relation=constraint.relation, rhs=rhs)]
    slack = SLACK * (sum(map(abs, terms)) + abs(constraint.rhs))
    is_met = (constraint.relation == ">=" or rhs >= -slack) and (constraint.relation == "<=" or rhs <= slack)
    if not is_met:
        raise _broken(constraint, known)
    return []


def _fewer(constraint: CardinalityConstraint, known: Mapping[str, float]) -> list[Constraint]:
    """Count known values; what may still differ from zero is left."""
    used = [value for value in known.values() if abs(value) > SLACK]
    left, n_left = [name for name in constraint.parameters if name not in known], constraint.max - len(used)
    if n_left < 0 or any(abs(value) < constraint.least * (1 - SLACK) for value in used):
        raise _broken(constraint, known)
    if not left:
        return []
    return [constraint.model_copy(update={"parameters": tuple(left), "max": n_left})]


def _broken(constraint: Constraint, known: Mapping[str, float]) -> NoCandidateError:
    said = ", ".join(f"{name} = {category_text(value)}" for name, value in known.items())
    return NoCandidateError(f"No configuration is left today: {said} breaks the constraint {constraint}.")


def _nothing(
    fixed: Mapping[str, Value], without: Mapping[str, Sequence[Value | Span]], reason: str
) -> NoCandidateError:
    said = [f"{name} = {category_text(value)}" for name, value in fixed.items()]
    said += [f"without {name} {_spoken(values)}" for name, values in without.items()]
    return NoCandidateError(f"No configuration is left today ({', '.join(said)}): {reason}.")


def _spoken(values: Sequence[Value | Span]) -> str:
    """Write values and ranges for people."""
    return ", ".join(
        f"{category_text(value[0])} to {category_text(value[1])}"
        if isinstance(value, tuple | list)
        else category_text(value)
        for value in values
    )


def _known(pool: CandidatePool, fixed: Mapping[str, Value]) -> str:
    """Say which values the candidates have where one was given."""
    said = [f"{name}: {listed(sorted(pool.frame[name].unique().tolist()))}" for name in fixed]
    return f"The candidates have {'; '.join(said)}." if said else "Ask again when something is back, or add candidates."
