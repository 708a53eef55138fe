"""What can be varied: the kinds of parameters, and how a category is written as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from discovery.campaign.materials import CompositionParameter, MixtureParameter
from discovery.campaign.parts import Number, Part, Positive, Text, fault

FINEST = 1e-9  # of the size of a parameter: tables hold 12 digits


def category_text(value: object) -> str:
    """Return a category as text: `1` for 1 and 1.0, `true` for True, else the text without outer blanks."""
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return "true" if value else "false"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return str(value).strip()


def _category(value: Any) -> Any:
    if value is None:
        raise fault("", "must be a category; got null", "Put quotes around it: 'null'.")
    return value if isinstance(value, dict | list) else category_text(value)


Category = Annotated[Text, BeforeValidator(_category)]
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""Words for true and false, in small letters."""


def truth_of(value: object) -> bool | None:
    """Return the truth that a word, number or truth value stands for, or None: `True`, `yes`, `1` and `1.0` are one."""
    return TRUTHS.get(category_text(value).casefold())


def _check_listed(held: object, values: Sequence[object]) -> None:
    if held is not None and held not in values:
        raise fault("held", f"must be one of the values; got {held!r}", f"Known: {', '.join(map(str, values))}.")


class ContinuousParameter(Part):
    """A number between two bounds.

    Attributes:
        name: Column of the tables.
        bounds: Lowest and highest value, in `unit`.
        unit: Unit of the values; for people.
        scale: `log` where equal ratios matter equally; the encoding is then linear in the logarithm.
        step: What proposals move in, counted from the lowest value; None for readable digits.
        held: Its value in measurements that were made before this campaign varied it, or None.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["continuous"]
    name: Text
    bounds: tuple[Number, Number]
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    step: Positive | None = None
    held: Number | None = None
    context: bool = False

    @model_validator(mode="after")
    def _check_bounds(self) -> ContinuousParameter:
        low, high = self.bounds
        if not low < high:
            raise fault("bounds", f"must be [low, high] with low below high; got [{low:g}, {high:g}]", "Swap them?")
        if self.scale == "log" and low <= 0:
            raise fault("bounds", f"must be above 0 on a log scale; got {low:g}", "Raise it or use scale: linear.")
        if self.held is not None and not low <= self.held <= high:
            raise fault("held", f"must be within the bounds [{low:g}, {high:g}]; got {self.held:g}", "Widen them.")
        return self

    @model_validator(mode="after")
    def _check_step(self) -> ContinuousParameter:
        low, high = self.bounds
        if self.step is None:
            return self
        if self.step > (high - low) * (1 + 1e-9):
            text = f"must be at most the width of the bounds, {high - low:g}; got {self.step:g}"
            raise fault("step", text, "Lower it, or widen the bounds.")
        if self.step < FINEST * max(high - low, abs(low), abs(high)):
            raise fault("step", f"must not be finer than numbers are; got {self.step:g}", "Leave it out.")
        if self.context:
            raise fault("step", "must not stand beside context: true, which is given and not chosen", "Remove it.")
        return self


class DiscreteParameter(Part):
    """A number out of a list; the order of the numbers means something.

    Attributes:
        name: Column of the tables.
        values: The numbers allowed, in `unit`; kept sorted.
        unit: Unit of the values; for people.
        held: Its value in measurements that were made before this campaign varied it, or None.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["discrete"]
    name: Text
    values: Annotated[tuple[Number, ...], Field(min_length=1)]
    unit: str = ""
    held: Number | None = None
    context: bool = False

    @field_validator("values")
    @classmethod
    def _sort_values(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        ordered = tuple(sorted(value + 0.0 for value in values))
        for low, high in pairwise(ordered):
            if high - low <= 1e-9 * max(abs(low), abs(high)):
                raise fault("", f"must differ from each other; got {low:g} twice", "Remove one of them.")
        return ordered

    @model_validator(mode="after")
    def _check_held(self) -> DiscreteParameter:
        _check_listed(self.held, self.values)
        return self


class CategoricalParameter(Part):
    """A name out of a list; names have no order.

    Attributes:
        name: Column of the tables.
        values: The categories, as text.
        descriptors: CSV file with numbers that describe each category, or None.
        held: Its value in measurements that were made before this campaign varied it, or None.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["categorical"]
    name: Text
    values: Annotated[tuple[Category, ...], Field(min_length=1)]
    descriptors: Text | None = None
    held: Category | None = None
    context: bool = False

    @field_validator("values")
    @classmethod
    def _check_values(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise fault("", f"must differ from each other; got {twice[0]!r} twice", "Remove one of them.")
        return values

    @model_validator(mode="after")
    def _check_held(self) -> CategoricalParameter:
        _check_listed(self.held, self.values)
        return self


class BooleanParameter(Part):
    """Something that is done or not; false and true count as 0 and 1 in constraints.

    Attributes:
        name: Column of the tables.
        held: Its value in measurements that were made before this campaign varied it, or None.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["boolean"]
    name: Text
    held: Annotated[bool, Field(strict=True)] | None = None
    context: bool = False

    @property
    def values(self) -> tuple[bool, bool]:
        """Both values."""
        return (False, True)


class MoleculeParameter(Part):
    """A molecule written as SMILES; chosen from `candidates`.

    Attributes:
        name: Column of the tables that holds the SMILES.
        fingerprint: Which fragments molecules are compared by: `mixed` is the four others together.
        descriptors: Whether computed properties (size, polarity, lipophilicity, charge) are compared too.
        context: Whether it is given when proposals are asked for, and not chosen.
    """

    type: Literal["molecule"]
    name: Text
    fingerprint: Literal["mixed", "ecfp4", "fcfp4", "atom_pairs", "torsions"] = "mixed"
    descriptors: bool = True
    context: bool = False


Parameter = Annotated[
    ContinuousParameter
    | DiscreteParameter
    | CategoricalParameter
    | BooleanParameter
    | MoleculeParameter
    | CompositionParameter
    | MixtureParameter,
    Field(discriminator="type"),
]
LISTED = (DiscreteParameter, CategoricalParameter, BooleanParameter)
"""Kinds of parameters that are a list of values."""
