"""Cuts through the belief at a proposal: along one parameter with all others held, and over two at once.

The parameters of a simplex are not free of each other: where one goes up, the others of it go down in proportion, so
that the total stays. What breaks a constraint is marked and not left out. `discovery.report.slices` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.campaign import SimplexConstraint

if TYPE_CHECKING:
    from discovery.review.foresight import Foresight
    from discovery.space import SearchSpace
    from discovery.space.codecs import Codec

N_ALONG = 41  # values of a continuous parameter along a slice
N_ACROSS = 25  # values of it at each side of a map
N_LISTED = 24  # listed values that are shown, at most; the proposal's own is always among them
N_MAPPED = 3  # parameters whose pairs are mapped


@dataclass(frozen=True)
class Slice:
    """The belief along one parameter through the proposal.

    Attributes:
        parameter: The parameter.
        unit: Its unit; may be empty.
        scale: `linear`, `log` or `listed` (values side by side).
        values: Values, rising or as listed.
        mean: The belief's mean there, raw units.
        low: Lower end of the central 90 % interval of a measurement.
        high: Its upper end.
        is_allowed: Whether the constraints allow the configuration.
        here: Position of the proposal's own value.
    """

    parameter: str
    unit: str
    scale: str
    values: tuple[object, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    is_allowed: tuple[bool, ...]
    here: int


@dataclass(frozen=True)
class PairMap:
    """The belief's mean over two parameters through the proposal.

    Attributes:
        parameters: The one across and the one upwards.
        units: Their units; may be empty.
        scales: Their scales, as of a slice.
        across: Values of the first.
        upwards: Values of the second.
        mean: Mean, raw units: a row for every value upwards.
        is_allowed: Whether the constraints allow a configuration, rows alike.
        here: Positions of the proposal's own values.
    """

    parameters: tuple[str, str]
    units: tuple[str, str]
    scales: tuple[str, str]
    across: tuple[object, ...]
    upwards: tuple[object, ...]
    mean: tuple[tuple[float, ...], ...]
    is_allowed: tuple[tuple[bool, ...], ...]
    here: tuple[int, int]


@dataclass(frozen=True)
class Cutter:
    """Cuts through a belief at one configuration.

    Attributes:
        space: The campaign's space.
        foresight: What is believed.
        configuration: Where the cuts go through, raw values.
    """

    space: SearchSpace
    foresight: Foresight
    configuration: Mapping[str, object]

    def slices(self) -> tuple[Slice, ...]:
        """Cut along every parameter that has an order or a list; molecules and formulas have neither."""
        codecs = [codec for codec in self.space.codecs if is_cut(codec)]
        if not codecs:
            return ()
        values = [self._values(codec, N_ALONG) for codec in codecs]
        frames = [self._varied({codec.name: chosen}) for codec, chosen in zip(codecs, values, strict=True)]
        frame = pd.concat(frames, ignore_index=True)
        X = self.space.encode(frame)
        mean, (low, high), allowed = self.foresight.at(X).mean, self.foresight.interval(X), self._allowed(frame)
        ends = np.cumsum([len(chosen) for chosen in values])[:-1]
        parts = zip(*(np.split(column, ends) for column in (mean, low, high, allowed)), strict=True)
        return tuple(
            self._slice(codec, chosen, *part) for codec, chosen, part in zip(codecs, values, parts, strict=True)
        )

    def _slice(self, codec: Codec, values: Sequence[object], *columns: np.ndarray) -> Slice:
        mean, low, high, allowed = columns
        return Slice(
            parameter=codec.name,
            unit=self._unit(codec),
            scale=_scale(codec),
            values=tuple(values),
            mean=_numbers(mean),
            low=_numbers(low),
            high=_numbers(high),
            is_allowed=_flags(allowed),
            here=self._position(codec, values),
        )

    def maps(self, order: Sequence[str]) -> tuple[PairMap, ...]:
        """Map the mean over pairs of parameters.

        Args:
            order: Parameters, the most interesting first; pairs of the first three that can be cut are mapped.
        """
        codecs = {codec.name: codec for codec in self.space.codecs if is_cut(codec)}
        chosen = [codecs[name] for name in order if name in codecs][:N_MAPPED]
        return tuple(self._map(across, upwards) for across, upwards in combinations(chosen, 2))

    def _map(self, first: Codec, second: Codec) -> PairMap:
        across, upwards = self._values(first, N_ACROSS), self._values(second, N_ACROSS)
        i, j = (grid.ravel() for grid in np.meshgrid(range(len(across)), range(len(upwards))))
        frame = self._varied({first.name: [across[k] for k in i], second.name: [upwards[k] for k in j]})
        shape = (len(upwards), len(across))
        mean = self.foresight.at(self.space.encode(frame)).mean.reshape(shape)
        return PairMap(
            parameters=(first.name, second.name),
            units=(self._unit(first), self._unit(second)),
            scales=(_scale(first), _scale(second)),
            across=tuple(across),
            upwards=tuple(upwards),
            mean=tuple(map(_numbers, mean)),
            is_allowed=tuple(map(_flags, self._allowed(frame).reshape(shape))),
            here=(self._position(first, across), self._position(second, upwards)),
        )

    def _values(self, codec: Codec, n: int) -> list[object]:
        """Return values along a parameter, the proposal's own among them."""
        own = self._own(codec)
        if codec.kind == "continuous":
            grid = codec.decode(np.linspace(0, 1, n)[:, None]).tolist()
            return sorted({*grid, own})
        listed = list(codec.values)
        if len(listed) <= N_LISTED:
            return listed
        place = listed.index(own)
        first = min(max(0, place - N_LISTED // 2), len(listed) - N_LISTED)
        return listed[first : first + N_LISTED]

    def _own(self, codec: Codec) -> object:
        here = self.space.typed(pd.DataFrame([dict(self.configuration)]))
        value: object = here[codec.name].tolist()[0]
        return value

    def _position(self, codec: Codec, values: Sequence[object]) -> int:
        return list(values).index(self._own(codec))

    def _varied(self, columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
        """Return the configuration with other values in some columns; what a simplex binds to them follows."""
        n = len(next(iter(columns.values())))
        frame = pd.DataFrame([dict(self.configuration)] * n)[list(self.space.names)]
        for name, values in columns.items():
            frame[name] = pd.Series(list(values), index=frame.index)
        for constraint in self.space.constraints:
            if isinstance(constraint, SimplexConstraint):
                self._balance(frame, constraint, set(columns))
        return frame

    def _balance(self, frame: pd.DataFrame, constraint: SimplexConstraint, varied: set[str]) -> None:
        """Scale the other parameters of a simplex so that its total stays, as far as their bounds allow."""
        others = [name for name in constraint.parameters if name not in varied]
        if len(others) == len(constraint.parameters) or not others:
            return
        set_now = frame[[name for name in constraint.parameters if name in varied]].to_numpy(float).sum(1)
        held = frame[others].to_numpy(float)
        total = held.sum(1)
        share = np.where(total[:, None] > 0, held / np.where(total > 0, total, 1.0)[:, None], 1 / len(others))
        frame[others] = share * np.clip(constraint.total - set_now, 0.0, None)[:, None]
        for codec in self.space.codecs:
            if codec.name in others:
                frame[codec.name] = frame[codec.name].clip(getattr(codec, "low", None), getattr(codec, "high", None))

    def _allowed(self, frame: pd.DataFrame) -> np.ndarray:
        return self.space.is_feasible(frame)

    def _unit(self, codec: Codec) -> str:
        units = {parameter.name: getattr(parameter, "unit", "") or "" for parameter in self.space.parameters}
        return units.get(codec.name, "")


def is_cut(codec: Codec) -> bool:
    """Say whether a parameter can be gone along: it has an order or a list of values."""
    return codec.kind == "continuous" or len(codec.values) > 0


def _scale(codec: Codec) -> str:
    if codec.kind == "continuous":
        return "log" if getattr(codec, "is_log", False) else "linear"
    return "linear" if codec.kind == "discrete" else "listed"


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(values.tolist())


def _flags(values: np.ndarray) -> tuple[bool, ...]:
    return tuple(map(bool, values))
