"""What is allowed together: linear constraints written as text, and the typed ones.

Text is read with Python's own parser and never evaluated; names that are no Python names stand in backticks:
`` "`aryl halide` + 2 * base <= 3" ``.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from discovery.campaign.parameters import Category
from discovery.campaign.parts import Number, Part, Text, fault, nearest
from discovery.errors import ConfigurationError

Relation = Literal["<=", ">=", "=="]

_RELATIONS: dict[type[ast.cmpop], Relation] = {ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "=="}
_Linear = dict[str, float]  # coefficients by name; the constant under ""


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
    """

    type: Literal["cardinality"]
    parameters: Annotated[tuple[Text, ...], Field(min_length=1)]
    max: Annotated[int, Field(strict=True, ge=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return self.parameters

    def __str__(self) -> str:
        return f"at most {self.max} of {', '.join(self.parameters)} other than 0"


class ExcludeConstraint(Part):
    """A combination that must not be made.

    Attributes:
        when: The value of each parameter that together are forbidden; numbers as text.
    """

    type: Literal["exclude"]
    when: Annotated[dict[Text, Category], Field(min_length=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that the constraint restricts."""
        return tuple(self.when)

    def __str__(self) -> str:
        return f"not ({' and '.join(f'{name} = {value}' for name, value in self.when.items())})"


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
    quoted = re.findall(r"`([^`]*)`", text)
    aliases = {f"quoted_{i}_": name for i, name in enumerate(quoted)}
    placeholders = iter(aliases)
    plain = re.sub(r"`[^`]*`", lambda _: f" {next(placeholders)} ", text)
    left, relation, right = _comparison(text, plain)
    total = _sum(_collect(left, text, aliases), _collect(right, text, aliases), -1.0)
    constant = total.pop("", 0.0)
    coefficients = {name: factor for name, factor in total.items() if factor}
    if not coefficients:
        raise _unreadable(text, "must name at least one parameter")
    known = coefficients if names is None else list(names)
    for name in coefficients:
        if name not in known:
            raise _unreadable(text, f"must use known names; got {name!r}", nearest(name, known))
    if not all(map(math.isfinite, (constant, *coefficients.values()))):
        raise _unreadable(text, "must use finite numbers")
    return LinearConstraint(coefficients=coefficients, relation=relation, rhs=0.0 - constant)


def _unreadable(text: str, rule: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError(f"Constraint {text!r} {rule}.", hint)


def _comparison(text: str, plain: str) -> tuple[ast.expr, Relation, ast.expr]:
    """Return both sides of the comparison and its relation."""
    advice = "Write it like 'temperature + 10*loading <= 120', with <=, >= or ==, and odd names in `backticks`."
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text, "must be a comparison", advice) from None
    if not isinstance(tree, ast.Compare):
        raise _unreadable(text, "must be a comparison", advice)
    if len(tree.ops) > 1:
        raise _unreadable(text, "must hold one comparison; got several", "Write one constraint for each.")
    relation = _RELATIONS.get(type(tree.ops[0]))
    if relation is None:
        raise _unreadable(text, "must compare with <=, >= or ==", advice)
    return tree.left, relation, tree.comparators[0]


def _collect(node: ast.expr, text: str, aliases: Mapping[str, str]) -> _Linear:
    """Return the coefficients of a linear expression by name, the constant under the empty name."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return {"": float(value)}
        case ast.Name(id=name):
            return {aliases.get(name, name): 1.0}
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return _sum({}, _collect(operand, text, aliases), -1.0 if isinstance(sign, ast.USub) else 1.0)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            factor = -1.0 if isinstance(sign, ast.Sub) else 1.0
            return _sum(_collect(left, text, aliases), _collect(right, text, aliases), factor)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as sign, right=right):
            return _product(_collect(left, text, aliases), sign, _collect(right, text, aliases), text)
    raise _unreadable(text, f"must be linear; got {ast.unparse(node)!r}", "Use numbers, names, +, -, * and /.")


def _product(left: _Linear, sign: ast.operator, right: _Linear, text: str) -> _Linear:
    """Return the product or quotient where one side is a number."""
    if isinstance(sign, ast.Mult) and set(left) <= {""}:
        left, right = right, left
    factor = right.get("", 0.0)
    if not set(right) <= {""} or (isinstance(sign, ast.Div) and factor == 0):
        raise _unreadable(text, "must be linear: multiply by numbers and divide by numbers other than 0 only")
    return _sum({}, left, 1.0 / factor if isinstance(sign, ast.Div) else factor)


def _sum(left: _Linear, right: _Linear, factor: float) -> _Linear:
    """Return `left + factor * right`."""
    return {name: left.get(name, 0.0) + factor * right.get(name, 0.0) for name in (left | right)}


def read_linear(value: Any) -> Any:
    """Turn text into a linear constraint inside a validator; anything else passes through."""
    if not isinstance(value, str):
        return value
    try:
        return parse_linear(value)
    except ConfigurationError as error:
        rule = error.message.removeprefix(f"Constraint {value!r} ").rstrip(".")
        raise fault("", f"({value!r}) {rule}", error.hint) from None


def _kind(value: Any) -> str | None:
    if isinstance(value, Mapping):
        kind = value.get("type", "linear" if "coefficients" in value else None)
    else:
        kind = getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


LinearText = Annotated[LinearConstraint, BeforeValidator(read_linear)]
Constraint = Annotated[
    Annotated[LinearConstraint, Tag("linear")]
    | Annotated[SimplexConstraint, Tag("simplex")]
    | Annotated[CardinalityConstraint, Tag("cardinality")]
    | Annotated[ExcludeConstraint, Tag("exclude")],
    Discriminator(_kind),
]
ConstraintOrText = Annotated[Constraint, BeforeValidator(read_linear)]
