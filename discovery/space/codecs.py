"""One parameter's way between raw values and encoded coordinates.

A codec reads a column to *canonical* values (floats within bounds, or positions in a list), and turns those into
coordinates, table cells and key texts. `space` puts the codecs side by side.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd

from discovery.campaign import (
    BooleanParameter,
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    truth_of,
)
from discovery.space.cells import CategoryReader, CellFault, faults_where, is_blank, listed, read_numbers, snap
from discovery.space.digits import number_texts, round_digits, without_noise

Kind = Literal["continuous", "discrete", "categorical", "boolean", "molecule", "molecule_descriptors", "composition"]
Reader = Callable[[pd.Series], tuple[np.ndarray, list[CellFault]]]


class Part(NamedTuple):
    """A block of one parameter's coordinates.

    Attributes:
        name: Name of the block; the parameter's, or one that starts with it.
        kind: What its coordinates are.
        width: Number of coordinates.
    """

    name: str
    kind: Kind
    width: int


class Codec(Protocol):
    """What the space asks of every parameter; canonical values have shape `n`."""

    @property
    def name(self) -> str:
        """Name of the parameter."""
        ...

    @property
    def kind(self) -> Kind:
        """Kind of the parameter."""
        ...

    @property
    def n_dims(self) -> int:
        """Number of encoded coordinates."""
        ...

    @property
    def values(self) -> tuple[object, ...]:
        """The list of raw values; empty for a continuous parameter."""
        ...

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return canonical values and the cells that are refused."""
        ...

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates. Shape `n x n_dims`; unit cube."""
        ...

    def decode(self, X: np.ndarray) -> np.ndarray:
        """Return the canonical values nearest to coordinates of shape `n x n_dims`."""
        ...

    def column(self, canonical: np.ndarray) -> np.ndarray:
        """Return table cells: floats, or categories as text."""
        ...

    def texts(self, canonical: np.ndarray) -> np.ndarray:
        """Return the texts that stand for the values in keys."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw canonical values, uniform in the encoding or over the list."""
        ...


@dataclass(frozen=True)
class ContinuousCodec:
    """A number between two bounds; one coordinate, linear in the value or in its logarithm.

    Attributes:
        low: Lowest value.
        high: Highest value.
        is_log: Whether the coordinate is linear in the logarithm.
        step: What proposals move in, counted from `low`, or None. It says nothing about what was measured, nor about
            the encoding, which is the same without it.
    """

    name: str
    low: float
    high: float
    is_log: bool = False
    kind: Kind = "continuous"
    step: float | None = field(default=None, repr=False)

    @property
    def n_steps(self) -> int:
        """Number of steps from `low` to the last value of the grid; 0 without steps."""
        return int((self.high - self.low) / self.step + 1e-9) if self.step else 0

    @property
    def n_dims(self) -> int:
        """One coordinate."""
        return 1

    @property
    def values(self) -> tuple[object, ...]:
        """No list."""
        return ()

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return values within the bounds, and faults for those further than 1e-9 of the range outside."""
        values, faults = read_numbers(cells)
        slack = 1e-9 * max(abs(self.low), abs(self.high))
        rule = f"must be between {self.low:.12g} and {self.high:.12g}"
        outside = (values < self.low - slack) | (values > self.high + slack)
        return values.clip(self.low, self.high), faults + faults_where(outside, cells, rule)

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates. Shape `n x 1`."""
        low, high, values = self._scale(np.array([self.low])), self._scale(np.array([self.high])), canonical
        return ((self._scale(values) - low) / (high - low)).clip(0.0, 1.0)[:, None]

    def decode(self, X: np.ndarray) -> np.ndarray:
        """Return values with 12 significant digits. Shape `n`."""
        values = self.exact(X[:, 0])
        if self.low and not self.is_log:  # what is added to `low` is no more exact than that
            values = without_noise(values, max(abs(self.low), abs(self.high)))
        return round_digits(values).clip(self.low, self.high)

    def exact(self, x: np.ndarray) -> np.ndarray:
        """Return values as they are computed; next to nothing of the range is nothing. Shape `n` to `n`."""
        low, high = self._scale(np.array([self.low])), self._scale(np.array([self.high]))
        raw = low + x.clip(0.0, 1.0) * (high - low)
        return np.exp(raw) if self.is_log else np.where(np.abs(raw) <= 1e-12 * (self.high - self.low), 0.0, raw)

    def is_on_grid(self, values: np.ndarray) -> np.ndarray:
        """Return where values can be set; everywhere without steps. Shape `n`."""
        if self.step is None:
            return np.ones(len(values), dtype=bool)
        z = (values - self.low) / self.step
        return np.asarray((np.abs(z - np.round(z)) <= 1e-6) & (z > -0.5) & (np.round(z) <= self.n_steps))

    def _scale(self, values: np.ndarray) -> np.ndarray:
        return np.log(values) if self.is_log else values

    def column(self, canonical: np.ndarray) -> np.ndarray:
        """Return the values themselves."""
        return canonical

    def texts(self, canonical: np.ndarray) -> np.ndarray:
        """Return the values with 12 significant digits."""
        return number_texts(canonical)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw uniformly in the encoding, or over the grid. Shape `n`."""
        if self.step is None or self.is_log:
            return self.decode(rng.random((n, 1)))
        return round_digits(self.low + self.step * rng.integers(self.n_steps + 1, size=n))


@dataclass(frozen=True, eq=False)
class ListedCodec:
    """A value out of a list, numbers or categories; the coordinates of each stand in a table.

    Attributes:
        labels: The values, floats or text. Length `k`.
        table: Coordinates of each value. Shape `k x n_dims`; unit cube; rows differ.
        reader: Reads a column to positions in `labels`.
    """

    name: str
    kind: Kind
    labels: np.ndarray
    table: np.ndarray
    reader: Reader

    @property
    def n_dims(self) -> int:
        """Number of columns of the table."""
        return int(self.table.shape[1])

    @property
    def is_one_hot(self) -> bool:
        """Whether each category has a coordinate of its own."""
        return self.kind == "categorical" and np.array_equal(self.table, np.eye(len(self.labels)))

    @property
    def values(self) -> tuple[object, ...]:
        """The list."""
        return tuple(self.labels.tolist())

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return positions in the list, and faults for cells that are not in it."""
        return self.reader(cells)

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return the rows of the table. Shape `n x n_dims`."""
        return self.table[canonical]

    def decode(self, X: np.ndarray) -> np.ndarray:
        """Return the positions of the nearest rows of the table. Shape `n`."""
        squares = np.einsum("kd,kd->k", self.table, self.table)
        return np.argmin(squares - 2.0 * (X @ self.table.T), axis=1)

    def column(self, canonical: np.ndarray) -> np.ndarray:
        """Return the values at the positions."""
        return self.labels[canonical]

    def texts(self, canonical: np.ndarray) -> np.ndarray:
        """Return numbers with 12 significant digits, categories in quotes."""
        if self.kind == "discrete":
            return number_texts(self.labels)[canonical]
        return np.array([json.dumps(label, ensure_ascii=False) for label in self.labels], dtype=object)[canonical]

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw positions uniformly. Shape `n`."""
        return rng.integers(len(self.labels), size=n)


@dataclass(frozen=True, eq=False)
class NumberReader:
    """Reads a column to positions in a sorted list of numbers."""

    allowed: np.ndarray

    def __call__(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return positions, -1 where a cell is refused, and the faults."""
        values, faults = read_numbers(cells)
        codes = snap(values, self.allowed)
        rule = f"must be one of {listed(self.allowed.tolist())}"
        return codes, faults + faults_where((codes < 0) & ~np.isnan(values), cells, rule)


def continuous_codec(parameter: ContinuousParameter) -> ContinuousCodec:
    """Return the codec of a continuous parameter."""
    low, high = parameter.bounds
    return ContinuousCodec(parameter.name, low, high, is_log=parameter.scale == "log", step=parameter.step)


def discrete_codec(parameter: DiscreteParameter) -> ListedCodec:
    """Return the codec of a discrete parameter: one coordinate, values scaled to the unit interval."""
    values = np.array(parameter.values)
    width = np.ptp(values) or 1.0
    return ListedCodec(
        parameter.name, "discrete", values, ((values - values[0]) / width)[:, None], NumberReader(values)
    )


def categorical_codec(parameter: CategoricalParameter, table: np.ndarray | None = None) -> ListedCodec:
    """Return the codec of a categorical parameter: one-hot, or descriptors of shape `k x n_dims`."""
    labels = np.array(parameter.values, dtype=object)
    coordinates = np.eye(len(labels)) if table is None else table
    return ListedCodec(parameter.name, "categorical", labels, coordinates, CategoryReader(parameter.values).read)


@dataclass(frozen=True, eq=False)
class TruthReader:
    """Reads a column of true and false, yes and no, or 1 and 0."""

    def __call__(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return 0 for false and 1 for true, -1 where a cell is refused, and the faults."""
        numbers, distinct = pd.factorize(cells.astype(object), use_na_sentinel=True)
        truths = [truth_of(value) for value in distinct]
        codes = np.array([-1 if truth is None else int(truth) for truth in truths] + [-1], dtype=np.intp)[numbers]
        blank = is_blank(cells)
        faults = faults_where(blank, cells, "must be given")
        return codes, faults + faults_where((codes < 0) & ~blank, cells, "must be true or false")


def boolean_codec(parameter: BooleanParameter) -> ListedCodec:
    """Return the codec of a boolean parameter: one coordinate, 0 for false and 1 for true."""
    labels = np.array(parameter.values, dtype=object)
    return ListedCodec(parameter.name, "boolean", labels, np.array([[0.0], [1.0]]), TruthReader())
