"""Today's part of a space or of a pool: some parameters have a value that is given, some values are not to be had.

The encoding stays what it is, so checkpoints fit. A value that is given becomes a list of one value; constraints are
rewritten with it, so that what is left of a plane or a simplex is still met exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.campaign import category_text
from discovery.errors import ConfigurationError, NoCandidateError
from discovery.space.cells import CellFault, faults_where, listed
from discovery.space.codecs import Codec, ContinuousCodec, ListedCodec, NumberReader, Reader
from discovery.space.open_pool import OpenPool
from discovery.space.pool import CandidatePool
from discovery.space.rewriting import LESS, SLACK, forced_zeros, range_rules, with_values
from discovery.space.space import SearchSpace

if TYPE_CHECKING:
    from discovery.space.stream import StreamedPool

Value = Any
"""A number, a category, a truth value or a molecule, as tables hold it."""
Span = tuple[float, float]
"""Lowest and highest number of a range."""


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
    fixed = {**fixed, **forced_zeros(space.constraints, fixed)}
    codecs = tuple(_codec_today(codec, fixed, without.get(codec.name, ())) for codec in space.codecs)
    rules = [rule for constraint in space.constraints for rule in with_values(constraint, fixed)]
    free = [codec for codec in space.codecs if codec.name not in fixed]
    rules += [rule for codec in free for rule in range_rules(codec, without.get(codec.name, ()))]
    rest = replace(space, codecs=codecs, constraints=tuple(rules))
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
    left, said = is_left(pool.frame, space, fixed, without), []
    codecs = {codec.name: codec for codec in space.codecs}
    for name, value in fixed.items():
        has = is_same(pool.frame[name], value)
        said.append(f"{int(has.sum())} of {len(pool)} candidates have {name} = {category_text(value)}")
    for name, values in without.items():
        gone = is_gone(pool.frame[name], values, codecs[name])
        said.append(f"{int(gone.sum())} have {name} {_spoken(values)}, which is not to be had")
    if not left.any():
        raise NoCandidateError(f"No candidate is left today: {'; '.join(said)}.", _known(pool, fixed))
    return left


def is_left(
    frame: pd.DataFrame, space: SearchSpace, fixed: Mapping[str, Value], without: Mapping[str, Sequence[Value | Span]]
) -> np.ndarray:
    """Say which configurations are left today. Shape `n`, bool."""
    codecs = {codec.name: codec for codec in space.codecs}
    left = np.ones(len(frame), dtype=bool)
    for name, value in fixed.items():
        left &= is_same(frame[name], value)
    for name, values in without.items():
        left &= ~is_gone(frame[name], values, codecs[name])
    return left


def restrict_candidates(
    pool: CandidatePool | StreamedPool,
    space: SearchSpace,
    fixed: Mapping[str, Value],
    without: Mapping[str, Sequence[Value | Span]],
) -> CandidatePool | StreamedPool:
    """Return what is left of candidates, whether they are held or streamed.

    Raises:
        NoCandidateError: If nothing is left of candidates that are held.
    """
    if isinstance(pool, OpenPool):
        pool = pool.placed(space, fixed)
    if isinstance(pool, CandidatePool):
        return restrict_pool(pool, allowed_rows(pool, space, fixed, without))
    return pool.restricted(lambda frame: is_left(frame, space, fixed, without))


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
        raise NoCandidateError(f"Every value of {codec.name} is out today: {listed(codec.values)}.", LESS)
    return _some(codec, left)


def _pinned(codec: Codec, value: Value) -> ListedCodec:
    """Return the codec of a parameter with one value."""
    if isinstance(codec, ListedCodec):
        keep = np.flatnonzero(is_same(codec.column(np.arange(len(codec.labels))), value))
        if not len(keep):
            raise NoCandidateError(f"No configuration is left today: {codec.name} cannot be {category_text(value)}.")
        return _some(codec, keep)
    number = np.array([float(value)])
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
