"""Formulas over columns, written as text: read with Python's own parser, never run by it, computed with NumPy.

`temperature * loading`, `sqrt(x) + log(y)`, `max(a, b) ** 2`; names that are no Python names stand in backticks:
`` "`aryl halide` / base" ``. Nonlinear constraints and costs are written so.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from discovery.campaign.parts import nearest
from discovery.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np

Relation = Literal["<=", ">=", "=="]

MAX_DEPTH = 100  # operations within operations
_ALLOWED = "Use numbers, names, +, -, *, /, ** and abs, min, max, exp, sqrt, log, log10."
_COMPARE = "Write it like 'temperature + 10*loading <= 120', with <=, >= or ==, and odd names in `backticks`."
_RELATIONS: dict[type[ast.cmpop], Relation] = {ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "=="}
FUNCTIONS = {  # NumPy's by ours
    "abs": "abs",
    "exp": "exp",
    "sqrt": "sqrt",
    "log": "log",
    "log10": "log10",
    "min": "minimum",
    "max": "maximum",
}
_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}

_OPERATORS = {"and", "or", "not", "if", "else", "in", "is", "for", "async", "await", "True", "False", "None"}
_NAMES_ALL_THE_SAME = sorted({*keyword.kwlist} - _OPERATORS)
"""Words of Python that mean nothing in a formula and may be names there: many an outcome is called `yield`."""


class Comparison(NamedTuple):
    """Two sides of a text and how they relate; names in the trees are as the file has them."""

    left: ast.expr
    relation: Relation
    right: ast.expr


@dataclass(frozen=True)
class Expression:
    """A formula that is computed for all rows at once.

    Attributes:
        text: As it was written.
        names: The names that it uses, in the order in which they stand there.
        tree: What the parser made of it; holds nothing but numbers, names and the operations that are allowed.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the formula.

        Args:
            columns: Numbers by name, each of length `n`; further columns are ignored.

        Returns:
            The values, NaN where it has none: division by zero, logarithm of a negative number, overflow. Shape `n`.
        """
        return self.sized(columns)[0]

    def sized(self, columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the formula and the size of the terms that are added up in it, which rounding is relative to.

        Returns:
            Values as of a call, and sizes of 0 and above. Shape `n` each.
        """
        import numpy as np

        n = len(next(iter(columns.values()))) if columns else 1
        with np.errstate(all="ignore"):
            value, size = _compute(self.tree, columns)
        return np.broadcast_to(value, n).copy(), np.broadcast_to(size, n).copy()


def parse(text: str, names: Iterable[str] | None = None, what: str = "Expression") -> Expression:
    """Read a formula.

    Args:
        text: The formula, such as `2.5 * loading + 0.1 * temperature`.
        names: The names that exist; None accepts any.
        what: What the text is, for messages.

    Raises:
        ConfigurationError: If the text is no formula, holds anything but what is allowed, or names something unknown.

    Example:
        >>> cost = parse("2 * loading + 1", ["loading"])
        >>> cost({"loading": np.array([0.5, 1.0])})
        array([2., 3.])
    """
    return expression_of(_tree(text, what, _ALLOWED), text, names, what)


def expression_of(
    tree: ast.expr, text: str, names: Iterable[str] | None = None, what: str = "Expression"
) -> Expression:
    """Return a tree as a formula.

    Raises:
        ConfigurationError: Like `parse`.
    """
    used: dict[str, None] = {}
    _check(tree, used, text, what, 0)
    if names is not None:
        check_known(used, names, text, what)
    return Expression(text, tuple(used), tree)


def check_known(used: Iterable[str], names: Iterable[str], text: str, what: str) -> None:
    """Refuse names that do not exist.

    Raises:
        ConfigurationError: Naming the first of them and the nearest known one.
    """
    known = list(names)
    for name in used:
        if name not in known:
            raise unreadable(text, f"must use known names; got {name!r}", nearest(name, known), what)


def parse_comparison(text: str) -> Comparison:
    """Read a comparison by `<=`, `>=` or `==`; its sides are not checked yet.

    Raises:
        ConfigurationError: If the text is no comparison, is a strict one, or holds several.
    """
    tree = _tree(text, "Constraint", _COMPARE, "must be a comparison")
    if not isinstance(tree, ast.Compare):
        raise unreadable(text, "must be a comparison", _COMPARE)
    if len(tree.ops) > 1:
        raise unreadable(text, "must hold one comparison; got several", "Write one constraint for each.")
    relation = _RELATIONS.get(type(tree.ops[0]))
    if isinstance(tree.ops[0], ast.Lt | ast.Gt):
        advice = "Measured numbers cannot tell < from <=: write <= or >=, and move the number where a gap is meant."
        raise unreadable(text, "must compare with <=, >= or ==", advice)
    if relation is None:
        raise unreadable(text, "must compare with <=, >= or ==", _COMPARE)
    return Comparison(tree.left, relation, tree.comparators[0])


def unreadable(text: str, rule: str, hint: str = "", what: str = "Constraint") -> ConfigurationError:
    """Return the error for a text that breaks a rule."""
    return ConfigurationError(f"{what} {text!r} {rule}.", hint)


def _tree(text: str, what: str, advice: str, rule: str = "must be a formula") -> ast.expr:
    """Parse a text; names in backticks, and words that Python keeps for itself, come back as they are."""
    odd = re.compile(rf"`([^`]*)`|\b({'|'.join(_NAMES_ALL_THE_SAME)})\b")
    aliases = {f"quoted_{i}_": "".join(found) for i, found in enumerate(odd.findall(text))}
    placeholders = iter(aliases)
    plain = odd.sub(lambda _: f" {next(placeholders)} ", text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise unreadable(text, rule, advice, what) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = aliases.get(node.id, node.id)
    return tree


def _check(node: ast.expr, used: dict[str, None], text: str, what: str, depth: int) -> bool:
    """Collect the names of an allowed tree, and return whether it is a number; refuse any other tree."""
    if depth > MAX_DEPTH:
        raise unreadable(text, f"must not nest more than {MAX_DEPTH} operations", "Write it in fewer.", what)
    parts = _parts(node)
    if parts is None:
        hint = "Write ** for powers." if _is_caret(node) else _ALLOWED
        raise unreadable(text, f"must be a formula; got {ast.unparse(node)!r}", hint, what)
    if isinstance(node, ast.Name):
        used[node.id] = None
        return False
    import numpy as np

    is_number = [_check(part, used, text, what, depth + 1) for part in parts]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and is_number[1] and not _compute(parts[1], {})[0]:
        raise unreadable(text, f"must not divide by zero; got {ast.unparse(node)!r}", "", what)
    if not all(is_number):
        return False
    with np.errstate(all="ignore"):
        if not math.isfinite(float(_compute(node, {})[0])):
            raise unreadable(text, f"must use finite numbers; got {ast.unparse(node)!r}", "", what)
    return True


def _is_caret(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor)


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """Return the operands of a node, none for numbers and names; None where the node is not allowed."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return []
        case ast.Name():
            return []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            is_full = len(args) > 1 if name in ("min", "max") else len(args) == 1
            return args if is_full and not any(isinstance(arg, ast.Starred) for arg in args) else None
    return None


def _compute(node: ast.expr, columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of an allowed tree, NaN where undefined, and the sizes of what is added up in them."""
    import numpy as np

    match node:
        case ast.Constant(value=int() | float() as number):
            value: np.ndarray = np.asarray(number if isinstance(number, float) else _whole(number))
            return value, np.abs(value)
        case ast.Name(id=name):
            value = np.asarray(columns[name], dtype=np.float64)
            return value, np.abs(value)
        case ast.UnaryOp(op=op, operand=operand):
            value, size = _compute(operand, columns)
            return (-value if isinstance(op, ast.USub) else value), size
        case ast.BinOp(left=left, op=op, right=right):
            (a, size_a), (b, size_b) = _compute(left, columns), _compute(right, columns)
            value = _defined(getattr(np, _OPERATIONS[type(op)])(a, b))
            return value, size_a + size_b if isinstance(op, ast.Add | ast.Sub) else np.abs(value)
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_compute(arg, columns)[0] for arg in args]
            function = getattr(np, FUNCTIONS[name])
            value = values[0] if len(values) > 1 else function(values[0])
            for other in values[1:]:
                value = function(value, other)
            return _defined(value), np.abs(value)
    raise TypeError(f"{type(node).__name__} is no part of a checked formula")


def _defined(value: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.where(np.isfinite(value), value, np.nan)


def _whole(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
