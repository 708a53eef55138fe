"""What a parameter means to a mechanism: roles by name, values in the mechanism's units.

A campaign calls its parameters what it likes; a mechanism wants kelvin and seconds. Roles are found by the words of a
parameter's name or given by hand; units by the parameter's unit or the last word of its name (`time_min`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

import torch
from torch import Tensor

from discovery.errors import ConfigurationError
from discovery.space.codecs import Codec, ContinuousCodec
from simulators.columns import NUMBER, ONE_HOT, Columns

ROLE_WORDS = {
    "temperature": r"temperature\w*|temp",
    "time": r"time\w*|residence\w*|duration\w*",
    "loading": r"loading\w*|catalyst",
    "equivalents": r"equiv\w*|eq",
    "concentration": r"conc|concentration\w*|molarity",
}
SINGLE_ROLES = ("temperature", "time")  # a second parameter of these roles counts as of no role
KELVIN = {  # unit -> (offset, factor): kelvin = (value + offset) * factor
    **dict.fromkeys(("k", "kelvin"), (0.0, 1.0)),
    **dict.fromkeys(("c", "°c", "degc", "celsius", "deg c"), (273.15, 1.0)),
    **dict.fromkeys(("f", "°f", "degf", "fahrenheit"), (459.67, 5.0 / 9.0)),
}
SECONDS = {  # unit -> seconds
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
UNITLESS_KELVIN = (293.15, 393.15)  # range that a temperature without a unit is mapped over
UNITLESS_SECONDS = 86400.0  # what the upper bound of a time without a unit stands for
SMALLEST_SHARE = 1e-4  # of the upper bound: amounts below count as this much, so that logarithms stay finite


@dataclass(frozen=True)
class RoleColumn:
    """A numeric column that a mechanism understands.

    Attributes:
        role: One of `ROLE_WORDS`.
        parameter: Name of the parameter.
        column: Its encoded column.
        low: Value at 0 on the unit cube, the parameter's own unit.
        high: Value at 1.
        is_log: The encoding is linear in the logarithm.
        offset: Value in the mechanism's unit = (own value + offset) * factor.
        factor: See `offset`.
    """

    role: str
    parameter: str
    column: int
    low: float
    high: float
    is_log: bool
    offset: float = 0.0
    factor: float = 1.0

    def values(self, X: Tensor) -> Tensor:
        """Return the column in K, s, or the parameter's own unit. Shape `t x n x d` in, `t x n` out."""
        x = X[..., self.column]
        line = self.low + x * (self.high - self.low)
        own = torch.exp(log(self.low) + x * log(self.high / self.low)) if self.is_log else line
        return (own + self.offset) * self.factor

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value in the mechanism's unit."""
        return (self.low + self.offset) * self.factor, (self.high + self.offset) * self.factor

    @property
    def reference(self) -> float:
        """A typical value in the mechanism's unit: the middle of temperatures, the geometric middle of amounts."""
        low, high = self.limits
        return 0.5 * (low + high) if self.role == "temperature" else exp(0.5 * log(max(low, high / 30.0) * high))

    def log_ratio(self, X: Tensor) -> Tensor:
        """Return `ln(value / reference)`, values kept above `SMALLEST_SHARE` of the upper bound. Gives `t x n`."""
        return (self.values(X).clamp_min(SMALLEST_SHARE * self.limits[1]) / self.reference).log()


@dataclass(frozen=True)
class Layout:
    """Which columns of a space mean what to a mechanism.

    Attributes:
        columns: Columns of the space.
        roles: Numeric columns with a role.
    """

    columns: Columns
    roles: tuple[RoleColumn, ...]

    def role(self, name: str) -> RoleColumn | None:
        """Return the column of a single role, or None."""
        return next((r for r in self.roles if r.role == name), None)

    @property
    def amounts(self) -> tuple[RoleColumn, ...]:
        """Columns that enter the rates by a power."""
        return tuple(r for r in self.roles if r.role not in SINGLE_ROLES)

    @property
    def others(self) -> tuple[tuple[int, str], ...]:
        """Number and kind of the blocks without a role."""
        taken = {r.parameter for r in self.roles}
        named = zip(self.columns.names, self.columns.kinds, strict=True)
        return tuple((i, kind) for i, (name, kind) in enumerate(named) if name not in taken)

    def features(self, X: Tensor) -> Tensor:
        """Return features of the blocks without a role: levels as they are, numbers as line and parabola.

        Shape `t x n x d` in, `t x n x c` out.
        """
        parts = [X[..., :0]]
        for i, kind in self.others:
            x = X[..., self.columns.slices[i]]
            if kind == ONE_HOT:
                parts.append(x)
                continue
            line = (x - 0.5) * (12.0 / x.shape[-1]) ** 0.5
            parts += [line, line.square() - 1.0 / x.shape[-1]]
        return torch.cat(parts, dim=-1)

    def feature_blocks(self) -> Tensor:
        """Return the position in `others` that every feature belongs to. Shape `c`."""
        widths = [int(self.columns.widths[i]) * (1 if kind == ONE_HOT else 2) for i, kind in self.others]
        return torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths, dtype=torch.int64))


def find_roles(columns: Columns, given: Mapping[str, str], units: Mapping[str, str]) -> tuple[RoleColumn, ...]:
    """Find the numeric parameters with a role, in the order of the parameters.

    Args:
        columns: Columns of the space.
        given: Roles by hand, parameter name -> role or `none`; they win over names.
        units: Units by hand, parameter name -> unit; they win over the space's.

    Returns:
        The columns; parameters without a role and amounts that may be negative are left out.

    Raises:
        ConfigurationError: If a role by hand is unknown or its parameter is not a numeric one of the space, or a
            temperature reaches absolute zero.
    """
    _check_given(columns, given)
    found: list[RoleColumn] = []
    known_units = {**columns.units, **units}
    for codec, kind, part in zip(columns.space.codecs, columns.kinds, columns.slices, strict=True):
        role = given.get(codec.name) or _role_of(codec.name)
        is_taken = role in SINGLE_ROLES and role in {r.role for r in found}
        if kind != NUMBER or codec.kind == "boolean" or role not in ROLE_WORDS or is_taken:
            continue
        low, high, is_log = _limits(codec)
        unit = (known_units.get(codec.name) or _last_word(codec.name)).strip().lower()
        column = RoleColumn(role, codec.name, part.start, low, high, is_log, *_conversion(role, unit, low, high))
        if role == "temperature" and column.limits[0] <= 0:
            raise ConfigurationError(
                f"Parameter {codec.name} must stay above absolute zero; got a lower bound of {low:g} {unit}.",
                "Correct its unit or its bounds.",
            )
        if role == "temperature" or (low >= 0 and high > 0):
            found.append(column)
    return tuple(found)


def _check_given(columns: Columns, given: Mapping[str, str]) -> None:
    known = [*ROLE_WORDS, "none"]
    pairs = zip(columns.space.codecs, columns.kinds, strict=True)
    numeric = [codec.name for codec, kind in pairs if kind == NUMBER and codec.kind != "boolean"]
    for name, role in given.items():
        if role not in known:
            raise ConfigurationError(f"roles: {name} must be one of {', '.join(known)}; got {role!r}.")
        if name not in numeric:
            raise ConfigurationError(
                f"roles: {name} must be a numeric parameter of the campaign; it has {', '.join(numeric) or 'none'}."
            )


def _role_of(name: str) -> str | None:
    """Return the role whose words stand in a parameter's name; `catalyst_loading` and `ResidenceTime` both match."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for role, pattern in ROLE_WORDS.items():
        if re.search(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", re.sub(r"[^a-z0-9]+", " ", words)):
            return role
    return None


def _limits(codec: Codec) -> tuple[float, float, bool]:
    """Lowest and highest value of a numeric parameter, and whether its encoding is logarithmic."""
    if isinstance(codec, ContinuousCodec):
        return codec.low, codec.high, codec.is_log
    values = [float(str(value)) for value in codec.values]
    return min(values), max(values), False


def _last_word(name: str) -> str:
    return re.split(r"[^a-z0-9°]+", name.lower())[-1]


def _conversion(role: str, unit: str, low: float, high: float) -> tuple[float, float]:
    """Offset and factor that carry a parameter's values to K or s; amounts stay as they are."""
    if role == "temperature":
        cold, hot = UNITLESS_KELVIN
        factor = (hot - cold) / (high - low) if high > low else 1.0
        return KELVIN.get(unit, (cold / factor - low, factor))
    if role == "time":
        return 0.0, SECONDS.get(unit, UNITLESS_SECONDS / high if high > 0 else 1.0)
    return 0.0, 1.0
