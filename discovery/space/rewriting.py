"""Constraints with values put into them: what is left of each for the parameters that have no value yet.

What is left of a plane, a simplex or a count of ingredients is a smaller one, so that it is still met exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from discovery.campaign import (
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    SimplexConstraint,
    category_text,
)
from discovery.errors import NoCandidateError
from discovery.space.codecs import Codec, ContinuousCodec

SLACK = 1e-9  # relative: two numbers nearer than this are the same value
LESS = "Take less out with --without."


def range_rules(codec: Codec, ranges: Sequence[Any]) -> list[Constraint]:
    """Return what ranges of a continuous parameter come to: a new bound, or a gap within the bounds."""
    if not isinstance(codec, ContinuousCodec):
        return []
    rules: list[Constraint] = []
    for value in ranges:
        low, high = map(float, value)
        if low <= codec.low and high >= codec.high:
            text = f"Every value of {codec.name} is out today: {codec.low:g} to {codec.high:g}."
            raise NoCandidateError(text, LESS)
        if low <= codec.low:
            rules.append(LinearConstraint(coefficients={codec.name: 1.0}, relation=">=", rhs=high))
        elif high >= codec.high:
            rules.append(LinearConstraint(coefficients={codec.name: 1.0}, relation="<=", rhs=low))
        else:
            rules.append(
                ExcludeConstraint(type="exclude", when={codec.name: (category_text(low), category_text(high))})
            )
    return rules


def with_values(constraint: Constraint, fixed: Mapping[str, Any]) -> list[Constraint]:
    """Return a constraint as it is for the parameters that are not fixed; empty where it holds whatever they are."""
    known = {name: float(fixed[name]) for name in constraint.names if _is_number(fixed.get(name))}
    if not known:
        return [constraint]
    if isinstance(constraint, CardinalityConstraint):
        return _fewer(constraint, known)
    if isinstance(constraint, SimplexConstraint):
        factors = dict.fromkeys(constraint.parameters, 1.0)
        return _shorter(LinearConstraint(coefficients=factors, relation="==", rhs=constraint.total), known)
    return _shorter(constraint, known) if isinstance(constraint, LinearConstraint) else [constraint]


def forced_zeros(constraints: Sequence[Constraint], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that must be zero because those that are fixed are as many as may differ from it."""
    zeros: dict[str, Any] = {}
    for constraint in constraints:
        if isinstance(constraint, CardinalityConstraint):
            used = [name for name in constraint.parameters if name in fixed and abs(float(fixed[name])) > SLACK]
            if len(used) == constraint.max:
                zeros |= {name: 0.0 for name in constraint.parameters if name not in fixed}
    return zeros


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _shorter(constraint: LinearConstraint, known: Mapping[str, float]) -> list[Constraint]:
    """Put known values into a weighted sum."""
    left = {name: factor for name, factor in constraint.coefficients.items() if name not in known and factor}
    terms = [factor * known[name] for name, factor in constraint.coefficients.items() if name in known]
    rhs = constraint.rhs - sum(terms)
    if left:
        return [LinearConstraint(coefficients=left, relation=constraint.relation, rhs=rhs)]
    slack = SLACK * (sum(map(abs, terms)) + abs(constraint.rhs))
    is_met = (constraint.relation == ">=" or rhs >= -slack) and (constraint.relation == "<=" or rhs <= slack)
    if not is_met:
        raise _broken(constraint, known)
    return []


def _fewer(constraint: CardinalityConstraint, known: Mapping[str, float]) -> list[Constraint]:
    """Count known values; what may still differ from zero is left."""
    used = [value for value in known.values() if abs(value) > SLACK]
    left, n_left = [name for name in constraint.parameters if name not in known], constraint.max - len(used)
    if n_left < 0 or any(abs(value) < constraint.least * (1 - SLACK) for value in used):
        raise _broken(constraint, known)
    if not left:
        return []
    return [constraint.model_copy(update={"parameters": tuple(left), "max": n_left})]


def _broken(constraint: Constraint, known: Mapping[str, float]) -> NoCandidateError:
    said = ", ".join(f"{name} = {category_text(value)}" for name, value in known.items())
    return NoCandidateError(f"No configuration is left today: {said} breaks the constraint {constraint}.")
