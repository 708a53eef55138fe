"""The space in which a campaign and its history are compared: the campaign's own, widened by what the history adds.

Levels that the campaign does not offer become further levels, numbers beyond its bounds stay the numbers that they
are (their coordinates leave the unit interval), further columns and further elements become further coordinates. The
campaign's own rows keep their coordinates; proposals never leave its own space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, CategoricalParameter, ContinuousParameter, SimplexConstraint, category_text
from discovery.space.blocks import Block
from discovery.space.cells import CategoryReader, CellFault, faults_where, is_blank, listed, read_numbers
from discovery.space.codecs import Codec, ContinuousCodec, Kind, ListedCodec
from discovery.space.descriptors import describe_others, descriptor_source
from discovery.space.elements import element_in, element_pattern, element_properties
from discovery.space.mixture import Mix
from discovery.space.space import SearchSpace

ELEMENTS, COMPOSITION = "elements", "composition"
"""Names of blocks where elements differ: all fractions as one, and the descriptors of a composition, one each."""
Tables = Sequence[pd.DataFrame]


@dataclass(frozen=True)
class OpenCodec(ContinuousCodec):
    """A number whose bounds say where 0 and 1 of the encoding lie, and nothing more."""

    kind: Kind = "continuous"

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return values, and faults for those without a logarithm where the scale is one."""
        values, faults = read_numbers(cells)
        wrong = values <= 0 if self.is_log else np.zeros(len(values), dtype=bool)
        return np.where(wrong, np.nan, values), faults + faults_where(wrong, cells, "must be above 0")

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates. Shape `n x 1`; beyond the unit interval where values are beyond the bounds."""
        low, high = self._scale(np.array([self.low])), self._scale(np.array([self.high]))
        return ((self._scale(canonical) - low) / (high - low))[:, None]


@dataclass(frozen=True)
class Fractions:
    """The parameters that are fractions of elements, and how such columns are named.

    Attributes:
        names: The campaign's own.
        pattern: Text before and after the symbol.
        total: What fractions add up to.
    """

    names: tuple[str, ...]
    pattern: tuple[str, str]
    total: float

    @classmethod
    def of(cls, spec: CampaignSpec) -> Fractions | None:
        """Find them: continuous parameters under one simplex constraint, each named after a different element."""
        linear = {p.name for p in spec.parameters if isinstance(p, ContinuousParameter) and p.scale == "linear"}
        for constraint in spec.constraints:
            if isinstance(constraint, SimplexConstraint) and linear.issuperset(constraint.parameters):
                pattern = element_pattern(constraint.parameters)
                if pattern is not None:
                    return cls(constraint.parameters, pattern, constraint.total)
        return None

    def columns(self, names: Sequence[str]) -> dict[str, str]:
        """Return the symbols of those columns that are fractions, by column, in the order of the symbols."""
        found = {name: element_in(name, self.pattern) for name in names}
        return dict(sorted(((n, s) for n, s in found.items() if s is not None), key=lambda item: item[1]))


@dataclass(frozen=True, eq=False)
class Composition:
    """What the properties of elements say about compositions.

    Attributes:
        columns: Coordinate of each element's fraction. Shape `e`.
        low: Raw fraction at coordinate 0. Shape `e`.
        width: Raw fraction per unit of the coordinate. Shape `e`.
        properties: Properties of the elements, each in the unit interval. Shape `e x p`.
    """

    columns: np.ndarray
    low: np.ndarray
    width: np.ndarray
    properties: np.ndarray

    @property
    def n_dims(self) -> int:
        """Number of coordinates that it adds: mean and spread of each property."""
        return 2 * int(self.properties.shape[1])


@dataclass(frozen=True, eq=False)
class AlignedSpace:
    """A campaign's space, widened so that its history fits in.

    Attributes:
        own: The campaign's space.
        union: The widened space; a parameter's own coordinates come before those that it gained.
        fill: What the campaign's rows have in the coordinates of the widened space that are not their own. Shape `D`.
        composition: Further coordinates where elements differ, or None. The fractions then are one block: different
            elements have no lengthscales in common.
        differences: In words, what differs and what is made of it.
    """

    own: SearchSpace
    union: SearchSpace
    fill: np.ndarray
    composition: Composition | None
    differences: tuple[str, ...]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Where each parameter stands; the composition comes last."""
        if self.composition is None:
            return self.union.blocks
        n, columns = self.union.n_dims, self.composition.columns
        fractions = Block(ELEMENTS, "continuous", int(columns.min()), int(columns.max()) + 1, 0, ())
        others = [block for block in self.union.blocks if block.start not in columns]
        means = [Block(COMPOSITION, "continuous", n + i, n + i + 1, 0, ()) for i in range(self.composition.n_dims)]
        return (*sorted([*others, fractions], key=lambda block: block.start), *means)

    @property
    def n_dims(self) -> int:
        """Number of encoded coordinates, the composition's included."""
        return self.blocks[-1].stop

    @property
    def is_wider(self) -> bool:
        """Whether there are coordinates that the own space does not have."""
        return self.n_dims > self.own.n_dims

    @cached_property
    def position(self) -> np.ndarray:
        """Coordinate of the widened space for each coordinate of the own one. Shape `d`."""
        starts = _starts(self.union)
        return np.concatenate([starts[codec.name] + np.arange(codec.n_dims) for codec in self.own.codecs])

    @cached_property
    def mixes(self) -> tuple[Mix, ...]:
        """The mixtures of the own space, at their coordinates of the widened one."""
        return tuple(replace(mix, dims=self.position[mix.dims]) for mix in self.own.mixes)

    def block_at(self, dim: int) -> Block:
        """Return the block of the widened space that holds a coordinate of the own one."""
        return next(block for block in self.blocks if block.start <= self.position[dim] < block.stop)


def align(
    spec: CampaignSpec, space: SearchSpace, tables: Tables, held: Mapping[str, float | str]
) -> AlignedSpace | None:
    """Widen a campaign's space by what tables of its history add.

    Args:
        spec: The campaign.
        space: Its space.
        tables: Cells as read; every table has a column for each parameter, each column of `held` and each fraction.
        held: Further columns, and the values at which the campaign holds them.

    Returns:
        The widened space, the same for any order of the tables; None where nothing differs.
    """
    widened = [_widen(codec, spec, tables) for codec in space.codecs]
    fractions = Fractions.of(spec)
    names = {str(name) for table in tables for name in table.columns}
    symbols = {} if fractions is None else fractions.columns([*{*space.names, *names}])
    further = [_held_codec(name, value, tables) for name, value in sorted(held.items()) if name not in symbols]
    is_mixed = any(name not in space.names for name in symbols) or any(
        (_numbers(name, [table]) == 0).all() for table in tables for name in symbols
    )
    words = [text for _, text in widened if text] + [
        f"{codec.name} is learned across; this campaign holds it at {held[codec.name]}." for codec in further
    ]
    if is_mixed:
        words.append(f"Elements differ ({listed(list(symbols.values()))}): compositions are compared by properties.")
    if not words:
        return None
    codecs = {codec.name: codec for codec, _ in widened}
    if fractions is not None and is_mixed:
        parts = {name: codecs.pop(name, OpenCodec(name, 0.0, fractions.total)) for name in symbols}
        codecs |= parts
    union = SearchSpace((*codecs.values(), *further), space.constraints, True)
    fill = np.zeros(union.n_dims)
    for codec in further:
        start = _starts(union)[codec.name]
        fill[start : start + codec.n_dims] = codec.encode(codec.read(pd.Series([held[codec.name]]))[0])[0]
    return AlignedSpace(space, union, fill, _composition(union, symbols) if is_mixed else None, tuple(words))


def _starts(space: SearchSpace) -> dict[str, int]:
    """Return the first coordinate of each parameter."""
    stops = np.cumsum([codec.n_dims for codec in space.codecs]).tolist()
    return {codec.name: stop - codec.n_dims for codec, stop in zip(space.codecs, stops, strict=True)}


def _widen(codec: Codec, spec: CampaignSpec, tables: Tables) -> tuple[Codec, str]:
    """Return the codec that reads what the tables hold, and what was widened in words."""
    if isinstance(codec, ListedCodec) and codec.kind == "categorical":
        return _with_levels(codec, spec, tables)
    if codec.kind not in ("continuous", "discrete"):
        return codec, ""
    low, high = _ends(codec)
    values = _numbers(codec.name, tables)
    is_known = np.ones(len(values), dtype=bool)
    is_known[[fault.row for fault in codec.read(pd.Series(values))[1]]] = False
    if is_known.all():
        return codec, ""
    is_log = isinstance(codec, ContinuousCodec) and codec.is_log
    reach = f"from {values.min():.6g} to {values.max():.6g}"
    text = f"{codec.name} goes {reach} in the history, {low:.6g} to {high:.6g} here: values are used as they are."
    return OpenCodec(codec.name, low, high if high > low else low + 1.0, is_log, codec.kind), text


def _ends(codec: Codec) -> tuple[float, float]:
    if isinstance(codec, ContinuousCodec):
        return codec.low, codec.high
    numbers = np.array(codec.values, dtype=np.float64)
    return float(numbers.min()), float(numbers.max())


def _numbers(name: str, tables: Tables) -> np.ndarray:
    """Return all numbers that a column holds in any table. Shape `n`."""
    values = np.concatenate([read_numbers(table[name].reset_index(drop=True))[0] for table in tables])
    return values[~np.isnan(values)]


def _with_levels(codec: ListedCodec, spec: CampaignSpec, tables: Tables) -> tuple[Codec, str]:
    """Give a categorical parameter the levels that only the history has, sorted; described ones where levels are."""
    others = _other_levels(codec.name, codec.reader, tables)
    if not others:
        return codec, ""
    own, place = tuple(map(str, codec.values)), "is a level of its own"
    table = np.eye(len(own) + len(others))
    if not codec.is_one_hot:
        parameter = next(p for p in spec.parameters if p.name == codec.name)
        assert isinstance(parameter, CategoricalParameter) and parameter.descriptors is not None
        others, described = describe_others(parameter, descriptor_source(spec, parameter.descriptors), others)
        table, place = np.vstack([codec.table, described]), "is placed by its descriptors"
    labels = own + tuple(others)
    text = f"{codec.name} has levels that this campaign does not offer ({listed(others)}): each {place}."
    typos = [f" Is {a!r} a misspelt {b!r}?" for a in others for b in own if a.casefold() == b.casefold()]
    reader = CategoryReader(labels).read
    widened = replace(codec, labels=np.array(labels, dtype=object), table=table, reader=reader)
    return (widened, text + "".join(typos)) if others else (codec, "")


def _other_levels(
    name: str, read: Callable[[pd.Series], tuple[np.ndarray, list[CellFault]]], tables: Tables
) -> tuple[str, ...]:
    """Return the levels of a column that a reader does not know, sorted."""
    cells = pd.concat([table[name] for table in tables], ignore_index=True)
    unknown = cells[(read(cells)[0] < 0) & ~is_blank(cells)]
    return tuple(sorted({category_text(value) for value in unknown.unique()}))


def _held_codec(name: str, value: float | str, tables: Tables) -> Codec:
    """Return the codec of a further column: over the values of campaign and history."""
    if isinstance(value, str):
        own = CategoryReader([value]).read
        labels = (category_text(value), *_other_levels(name, own, tables))
        return ListedCodec(
            name, "categorical", np.array(labels, dtype=object), np.eye(len(labels)), CategoryReader(labels).read
        )
    values = np.append(_numbers(name, tables), value)
    low, high = float(values.min()), float(values.max())
    return OpenCodec(name, low, high if high > low else low + 1.0)


def _composition(union: SearchSpace, symbols: Mapping[str, str]) -> Composition:
    """Describe the elements of a widened space."""
    starts, codecs = _starts(union), {codec.name: codec for codec in union.codecs}
    ends = np.array([_ends(codecs[name]) for name in symbols])
    columns = np.array([starts[name] for name in symbols])
    return Composition(columns, ends[:, 0], ends[:, 1] - ends[:, 0], element_properties(list(symbols.values())))
