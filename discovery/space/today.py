"""What holds today: values that are given, and values that are not to be had, checked against the campaign.

It is stored in the plan of the cycle, so that its proposals can be computed again. How a space or a pool is cut down by
it is in `discovery.space.restricted`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.campaign import category_text
from discovery.campaign.parts import nearest
from discovery.errors import InputError
from discovery.space.cells import listed
from discovery.space.restricted import is_gone, restrict_candidates, restrict_space

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import CandidatePool, SearchSpace
    from discovery.space.codecs import Codec
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

_SPAN = re.compile(r"\s*(?P<low>[-+.\deE]*?)\s*\.\.\s*(?P<high>[-+.\deE]*)\s*")
_NUMERIC = ("continuous", "discrete")
Values = Mapping[str, object]


@dataclass(frozen=True)
class Today:
    """What holds for the proposals of one cycle.

    Attributes:
        given: Value by parameter that is not chosen.
        without: By parameter, values that are not to be had: numbers, categories, or `(low, high)` for a range.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    without: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, spec: CampaignSpec, space: SearchSpace, given: Values | None, without: Values | None) -> Today:
        """Check what a person says about today.

        Args:
            spec: The campaign.
            space: Its space.
            given: Value by parameter, typed or as text. Every parameter with `context: true` needs one; others may be
                given too.
            without: By parameter, one value or a list of them, typed or as text; a range of numbers as `(low, high)`
                or as text such as `90..110`, `..40` and `90..`.

        Raises:
            InputError: If a context parameter is not given, a name or a value is unknown, or a value is given and not
                to be had.
        """
        codecs = {codec.name: codec for codec in space.codecs}
        for name in (*(given or {}), *(without or {})):
            if name not in codecs:
                raise InputError(f"--given and --without must name parameters; got {name!r}.", nearest(name, codecs))
        missing = [name for name in spec.context_names if name not in (given or {})]
        if missing:
            flags = " ".join(f"--given {name}=VALUE" for name in missing)
            names = ", ".join(f"{name!r}: VALUE" for name in missing)
            raise InputError(
                f"{' and '.join(missing)} must be given to propose: {spec.name} is told it and does not choose it.",
                f"Add {flags} (Python: ask(given={{{names}}})).",
            )
        values = {name: _given(codecs[name], value) for name, value in (given or {}).items()}
        gone = {name: _without(codecs[name], said) for name, said in (without or {}).items()}
        for name, value in values.items():
            if name in gone and is_gone(np.array([value]), gone[name], codecs[name]).any():
                raise InputError(
                    f"{name} must not be given as {category_text(value)} and be without it.", "Remove one of the two."
                )
        return cls(values, gone)

    @classmethod
    def from_plan(cls, given: Mapping[str, Any], without: Mapping[str, Sequence[Any]]) -> Today:
        """Read what a plan stored: ranges are lists there."""
        spans = {name: tuple(tuple(v) if isinstance(v, list) else v for v in vs) for name, vs in without.items()}
        return cls(dict(given), spans)

    def restrict(self, space: SearchSpace, pool: Pool | None) -> tuple[SearchSpace, Pool | None]:
        """Return what is left of a campaign's space and candidates.

        Raises:
            NoCandidateError: If nothing is; says why.
        """
        if not self.given and not self.without:
            return space, pool
        if pool is None:
            return restrict_space(space, self.given, self.without), None
        return space, restrict_candidates(pool, space, self.given, self.without)

    def sentence(self, spec: CampaignSpec) -> str:
        """Say it for people, such as `Given: temperature 23.5 degC. Without: catalyst P1-L1.`; empty if nothing is."""
        units = {p.name: f" {unit}" for p in spec.parameters if (unit := getattr(p, "unit", ""))}
        given = [f"{name} {_spoken(value)}{units.get(name, '')}" for name, value in self.given.items()]
        gone = [
            f"{name} {', '.join(map(_spoken, values))}{units.get(name, '')}" for name, values in self.without.items()
        ]
        parts = [f"Given: {', '.join(given)}."] * bool(given) + [f"Without: {'; '.join(gone)}."] * bool(gone)
        return " ".join(parts)


def _given(codec: Codec, value: object) -> Any:
    """Read the value of a parameter."""
    codes, faults = codec.read(pd.Series([value], name=codec.name, dtype=object))
    if faults:
        known = [category_text(label) for label in codec.values]
        hint = nearest(category_text(value), known) if known and codec.kind not in _NUMERIC else ""
        raise InputError(f"{codec.name} {faults[0].reason}; got {category_text(value)!r} as given.", hint)
    return _plain(codec.column(codes)[0])


def _without(codec: Codec, said: object) -> tuple[Any, ...]:
    """Read the values of a parameter that are not to be had."""
    many = said if isinstance(said, list | set | frozenset) or _is_many(said) else [said]
    values = tuple(_one(codec, value) for value in many)  # type: ignore[attr-defined]
    if not values:
        raise InputError(f"--without {codec.name} must name a value; got none.")
    return tuple(dict.fromkeys(values))


def _is_many(said: object) -> bool:
    """Say whether a tuple is a list of values; two numbers are a range."""
    is_span = isinstance(said, tuple) and len(said) == 2 and all(isinstance(v, int | float | None) for v in said)
    return isinstance(said, tuple) and not is_span


def _one(codec: Codec, value: object) -> Any:
    """Read a value or a range that is not to be had."""
    ends = _ends(value) if codec.kind in _NUMERIC else None
    if ends is None:
        if codec.kind == "continuous":
            text = (
                f"{codec.name} must be without a range such as 90..110, it is continuous; got {category_text(value)!r}"
            )
            raise InputError(f"{text}.", "Use `..40` or `90..` for everything below or above.")
        return _given(codec, value)
    low, high = _within(codec, *ends)
    if not low <= high:
        raise InputError(f"A range of {codec.name} must go from low to high; got {low:g}..{high:g}.", "Swap them?")
    labels = np.array(codec.values or (low,), dtype=object)
    if codec.kind == "discrete" and not is_gone(labels, [(low, high)], codec).any():
        raise InputError(f"A range of {codec.name} must hold one of {listed(codec.values)}; got {low:g}..{high:g}.")
    return (low, high)


def _within(codec: Codec, low: float | None, high: float | None) -> tuple[float, float]:
    """Return a range with ends; where none is said, or it lies beyond the parameter, it ends where that does."""
    values = [float(v) for v in codec.values] or [codec.low, codec.high]  # type: ignore[arg-type, attr-defined]
    if (low is not None and low > values[-1]) or (high is not None and high < values[0]):
        text = f"A range of {codec.name} must lie within {values[0]:g} to {values[-1]:g}"
        raise InputError(f"{text}; got {'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}.")
    return (
        values[0] if low is None else max(low, values[0]),
        values[-1] if high is None else min(high, values[-1]),
    )


def _ends(value: object) -> tuple[float | None, float | None] | None:
    """Return the ends of a range, None for one that is open; None where it is no range."""
    if isinstance(value, tuple | list) and len(value) == 2:
        low, high = value
    elif isinstance(value, str) and (found := _SPAN.fullmatch(value)):
        low, high = found["low"] or None, found["high"] or None
    else:
        return None
    try:
        return (None if low is None else float(low), None if high is None else float(high))
    except ValueError:
        return None


def _plain(cell: Any) -> Any:
    """Return a cell as JSON has it."""
    return cell.item() if isinstance(cell, np.generic) else cell


def _spoken(value: Any) -> str:
    return f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else category_text(value)
