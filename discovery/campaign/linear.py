"""Which comparisons of formulas are linear, and their factors."""

from __future__ import annotations

import ast
import math

from discovery.campaign.expressions import Comparison

Terms = dict[str, float]  # factors by name; the constant under ""


def linear_terms(comparison: Comparison) -> Terms | None:
    """Return left minus right side of a comparison as factors.

    Args:
        comparison: What `parse_comparison` gave.

    Returns:
        Factors by name, none of them 0, and the constant under the empty name; None where it is not linear.
    """
    left, right = _collect(comparison.left), _collect(comparison.right)
    if left is None or right is None:
        return None
    total = _sum(left, right, -1.0)
    return {name: factor for name, factor in total.items() if factor or not name} | {"": total.get("", 0.0)}


def _collect(node: ast.expr) -> Terms | None:
    """Return the factors of an expression; None where it is not linear."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return {"": _number(value)}
        case ast.Name(id=name):
            return {name: 1.0}
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            terms = _collect(operand)
            return None if terms is None else _sum({}, terms, -1.0 if isinstance(sign, ast.USub) else 1.0)
        case ast.BinOp(left=first, op=op, right=second):
            left, right = _collect(first), _collect(second)
            return None if left is None or right is None else _combined(left, op, right)
    return None


def _combined(left: Terms, op: ast.operator, right: Terms) -> Terms | None:
    """Return the sum, difference, product or quotient of linear expressions where it is linear too."""
    if isinstance(op, ast.Add | ast.Sub):
        return _sum(left, right, -1.0 if isinstance(op, ast.Sub) else 1.0)
    if isinstance(op, ast.Mult) and set(left) <= {""}:
        left, right = right, left
    factor = right.get("", 0.0)
    if not isinstance(op, ast.Mult | ast.Div) or not set(right) <= {""} or (isinstance(op, ast.Div) and factor == 0):
        return None
    return _sum({}, left, 1.0 / factor if isinstance(op, ast.Div) else factor)


def _sum(left: Terms, right: Terms, factor: float) -> Terms:
    """Return `left + factor * right`."""
    return {name: left.get(name, 0.0) + factor * right.get(name, 0.0) for name in (left | right)}


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
