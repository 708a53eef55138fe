"""What is allowed together: constraints written as text, linear or not, and the typed ones.

Text is read as `discovery.campaign.expressions` says; names that are no Python names stand in backticks:
`` "`aryl halide` + 2 * base <= 3" ``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from discovery.campaign.expressions import (
    Expression,
    Relation,
    check_known,
    expression_of,
    parse_comparison,
    unreadable,
)
from discovery.campaign.linear import Terms, linear_terms
from discovery.campaign.parameters import category_text
from discovery.campaign.parts import Number, Part, Text, fault
from discovery.errors import ConfigurationError

_KEYS = {"coefficients": "linear", "expression": "nonlinear"}  # kinds that may leave `type` out


class LinearConstraint(Part):
    """A weighted sum of quantities that stays on one side of a number.

    Attributes:
        coefficients: Factor per name, in raw units.
        relation: How the sum relates to `rhs`.
        rhs: The number on the right-hand side.
    """

    type: Literal["linear"] = "linear"
    coefficients: dict[str, Number]
    relation: Relation
    rhs: Number

    @model_validator(mode="after")
    def _check_coefficients(self) -> LinearConstraint:
        if not any(self.coefficients.values()):
            raise fault("coefficients", "must name at least one parameter with a factor other than 0; got none")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return tuple(self.coefficients)

    def __str__(self) -> str:
        terms = [f"{factor:+.12g} * {name}" for name, factor in self.coefficients.items()]
        return f"{' '.join(terms).removeprefix('+')} {self.relation} {self.rhs:.12g}"


class NonlinearConstraint(Part):
    """A comparison of two formulas, such as `temperature * loading <= 100`.

    Where a formula has no value (division by zero, logarithm of a negative number) the constraint is not met.

    Attributes:
        expression: The comparison as text.
    """

    type: Literal["nonlinear"] = "nonlinear"
    expression: Text

    @model_validator(mode="after")
    def _check_expression(self) -> NonlinearConstraint:
        try:
            names = self.names
        except ConfigurationError as error:
            raise fault("expression", *_rule_of(error, self.expression)) from None
        if not names:
            raise fault("expression", f"({self.expression!r}) must name at least one parameter")
        return self

    @property
    def sides(self) -> tuple[Expression, Relation, Expression]:
        """The left-hand side, how the sides relate, and the right-hand side."""
        return _sides(self.expression)

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return tuple(dict.fromkeys((*self.sides[0].names, *self.sides[2].names)))

    def __str__(self) -> str:
        return self.expression


class SimplexConstraint(Part):
    """Fractions that add up to a total.

    Attributes:
        parameters: Names of the fractions.
        total: What they add up to.
    """

    type: Literal["simplex"]
    parameters: Annotated[tuple[Text, ...], Field(min_length=2)]
    total: Number = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return self.parameters

    def __str__(self) -> str:
        return f"{' + '.join(self.parameters)} == {self.total:.12g}"


class CardinalityConstraint(Part):
    """At most so many of the parameters differ from zero.

    Attributes:
        parameters: Names of the parameters that are counted.
        max: The highest number of them that may differ from zero.
        least: The smallest amount of one that differs from zero.
    """

    type: Literal["cardinality"]
    parameters: Annotated[tuple[Text, ...], Field(min_length=1)]
    max: Annotated[int, Field(strict=True, ge=1)]
    least: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return self.parameters

    def __str__(self) -> str:
        least = f", each at least {self.least:.12g}" if self.least else ""
        return f"at most {self.max} of {', '.join(self.parameters)} other than 0{least}"


def _excluded(value: Any) -> Any:
    """Return a category as text, and a list of them as a tuple."""
    if isinstance(value, dict) or value is None:
        return value
    return tuple(map(category_text, value)) if isinstance(value, list | tuple) else category_text(value)


Excluded = Annotated[Text | tuple[Text, ...], BeforeValidator(_excluded)]


class ExcludeConstraint(Part):
    """A combination that must not be made.

    Attributes:
        when: What of each parameter is forbidden together, numbers as text: a value, several categories, or the ends
            of an interval of numbers, which belong to it.
    """

    type: Literal["exclude"]
    when: Annotated[dict[Text, Excluded], Field(min_length=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return tuple(self.when)

    def __str__(self) -> str:
        said = [f"{name} = {', '.join(v) if isinstance(v, tuple) else v}" for name, v in self.when.items()]
        return f"not ({' and '.join(said)})"


class BatchConstraint(Part):
    """Parameters that have one value in all proposals of a batch, such as the temperature of a plate.

    It says nothing about a configuration alone.

    Attributes:
        parameters: Names of the parameters.
    """

    type: Literal["batch"]
    parameters: Annotated[tuple[Text, ...], Field(min_length=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return self.parameters

    def __str__(self) -> str:
        return f"one value of {', '.join(self.parameters)} per batch"


def parse_linear(text: str, names: Iterable[str] | None = None) -> LinearConstraint:
    """Read a linear constraint such as `temperature + 10*loading <= 120`.

    Args:
        text: A comparison by `<=`, `>=` or `==`; names may stand on both sides.
        names: The names that exist; None accepts any.

    Returns:
        The constraint with all names on the left-hand side.

    Raises:
        ConfigurationError: If the text is no comparison, is not linear, or names something unknown.

    Example:
        >>> str(parse_linear("temperature + 10*loading <= 120", ["temperature", "loading"]))
        '1 * temperature +10 * loading <= 120'
    """
    comparison = parse_comparison(text)
    terms = linear_terms(comparison)
    if terms is None:
        advice = "Use numbers, names, +, - and *; multiply by numbers and divide by numbers other than 0 only."
        raise unreadable(text, "must be linear", advice)
    return _linear(text, comparison.relation, terms, names)


def _linear(text: str, relation: Relation, terms: Terms, names: Iterable[str] | None = None) -> LinearConstraint:
    """Return a linear comparison with its names on the left-hand side and its number on the right-hand side."""
    constant = terms[""]
    coefficients = {name: factor for name, factor in terms.items() if name}
    if not coefficients:
        raise unreadable(text, "must name at least one parameter")
    if names is not None:
        check_known(coefficients, names, text, "Constraint")
    if not all(map(math.isfinite, (constant, *coefficients.values()))):
        raise unreadable(text, "must use finite numbers")
    return LinearConstraint(coefficients=coefficients, relation=relation, rhs=0.0 - constant)


@lru_cache(maxsize=1024)
def _sides(text: str) -> tuple[Expression, Relation, Expression]:
    """Return both sides of a comparison of formulas and how they relate.

    Raises:
        ConfigurationError: If the text is no such comparison.
    """
    left, relation, right = parse_comparison(text)
    return expression_of(left, text, what="Constraint"), relation, expression_of(right, text, what="Constraint")


def _rule_of(error: ConfigurationError, text: str) -> tuple[str, str]:
    """Return what an error about a text says without naming it as a constraint, and its advice."""
    rule = error.message.removeprefix(f"Constraint {text!r} ").rstrip(".")
    return f"({text!r}) {rule}", error.hint


def read_linear(value: Any) -> Any:
    """Turn text into a linear constraint inside a validator; anything else passes through."""
    if not isinstance(value, str):
        return value
    try:
        return parse_linear(value)
    except ConfigurationError as error:
        raise fault("", *_rule_of(error, value)) from None


def read_constraint(value: Any) -> Any:
    """Turn text into a constraint inside a validator, linear where it is; anything else passes through."""
    if not isinstance(value, str):
        return value
    try:
        comparison = parse_comparison(value)
        terms = linear_terms(comparison)
        if terms is not None:
            return _linear(value, comparison.relation, terms)
        left, _, right = _sides(value)
        if not (left.names or right.names):
            raise unreadable(value, "must name at least one parameter")
    except ConfigurationError as error:
        raise fault("", *_rule_of(error, value)) from None
    return {"type": "nonlinear", "expression": value}


def _kind(value: Any) -> str | None:
    if isinstance(value, Mapping):
        kind = value.get("type", next((_KEYS[key] for key in value if key in _KEYS), None))
    else:
        kind = getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


LinearText = Annotated[LinearConstraint, BeforeValidator(read_linear)]
Constraint = Annotated[
    Annotated[LinearConstraint, Tag("linear")]
    | Annotated[NonlinearConstraint, Tag("nonlinear")]
    | Annotated[SimplexConstraint, Tag("simplex")]
    | Annotated[CardinalityConstraint, Tag("cardinality")]
    | Annotated[ExcludeConstraint, Tag("exclude")]
    | Annotated[BatchConstraint, Tag("batch")],
    Discriminator(_kind),
]
ConstraintOrText = Annotated[Constraint, BeforeValidator(read_constraint)]
