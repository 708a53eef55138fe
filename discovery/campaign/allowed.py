"""Whether each constraint makes sense for the parameters that it names, and can be met within their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from discovery.campaign.constraints import (
    BatchConstraint,
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    SimplexConstraint,
)
from discovery.campaign.parameters import (
    BooleanParameter,
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    Parameter,
    category_text,
    truth_of,
)
from discovery.campaign.parts import fault, nearest

if TYPE_CHECKING:
    from discovery.campaign.spec import CampaignSpec

NUMERIC = (ContinuousParameter, DiscreteParameter, BooleanParameter)


def check_constraints(spec: CampaignSpec) -> None:
    """Refuse constraints that name what is not there, do not fit their parameters, or can never be met.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    for i, constraint in enumerate(spec.constraints):
        for name in constraint.names:
            if name not in parameters:
                text = f"must use names of parameters; got {name!r}"
                raise fault(f"constraints[{i}]", text, nearest(name, parameters))
        if not isinstance(constraint, BatchConstraint):  # parameters of any kind may be shared
            _check(f"constraints[{i}]", constraint, [parameters[name] for name in constraint.names])


def _check(key: str, constraint: Constraint, used: Sequence[Parameter]) -> None:
    if isinstance(constraint, ExcludeConstraint):
        _check_exclude(key, constraint, used)
        return
    _check_numeric(key, used)
    if isinstance(constraint, SimplexConstraint | CardinalityConstraint):
        _check_distinct(key, constraint.parameters)
    if isinstance(constraint, SimplexConstraint):
        _check_simplex(key, constraint, used)
    elif isinstance(constraint, CardinalityConstraint):
        _check_cardinality(key, constraint, used)
    elif isinstance(constraint, LinearConstraint):
        _check_linear(key, constraint, used)


def _check_numeric(key: str, used: Sequence[Parameter]) -> None:
    for parameter in used:
        if not isinstance(parameter, NUMERIC):
            text = f"must use numbers; got the {parameter.type} parameter {parameter.name!r}"
            raise fault(key, text, "Use {type: exclude, when: ...} for categories.")


def _check_distinct(key: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise fault(f"{key}.parameters", f"must differ from each other; got {name!r} twice", "Remove one.")


def _check_exclude(key: str, constraint: ExcludeConstraint, used: Sequence[Parameter]) -> None:
    for parameter, value in zip(used, constraint.when.values(), strict=True):
        where = f"{key}.when.{parameter.name}"
        if isinstance(parameter, ContinuousParameter | DiscreteParameter):
            _check_excluded_numbers(where, parameter, value)
            continue
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, CategoricalParameter) and one not in parameter.values:
                text = f"must be one of the parameter's values; got {one!r}"
                raise fault(where, text, nearest(one, parameter.values))
            if isinstance(parameter, BooleanParameter) and truth_of(one) is None:
                raise fault(where, f"must be true or false; got {one!r}")


def _check_excluded_numbers(
    key: str, parameter: ContinuousParameter | DiscreteParameter, value: str | tuple[str, ...]
) -> None:
    numbers = [_number(key, one) for one in (value if isinstance(value, tuple) else (value,))]
    low, high = span(parameter)
    if isinstance(value, tuple):
        if len(numbers) != 2 or not numbers[0] <= numbers[1]:
            text = f"must be a number or the two ends of an interval, the lower one first; got {', '.join(value)}"
            raise fault(key, text, "Write one constraint for each of several numbers.")
        if numbers[1] < low or numbers[0] > high:
            text = f"must reach into the bounds, {low:g} to {high:g}; got {numbers[0]:g} to {numbers[1]:g}"
            raise fault(key, text, "Remove it: nothing there can be proposed.")
        return
    known = parameter.values if isinstance(parameter, DiscreteParameter) else ()
    if not low <= numbers[0] <= high or (known and numbers[0] not in known):
        allowed = ", ".join(map(category_text, known)) or f"{low:g} to {high:g}"
        raise fault(key, f"must be a value of the parameter; got {value}", f"Allowed: {allowed}.")


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise fault(key, f"must be a number; got {text!r}") from None


def span(parameter: Parameter) -> tuple[float, float]:
    """Return the lowest and highest value of a numeric parameter, raw units; false and true are 0 and 1."""
    if isinstance(parameter, ContinuousParameter):
        return parameter.bounds
    if isinstance(parameter, DiscreteParameter | BooleanParameter):
        return float(parameter.values[0]), float(parameter.values[-1])
    raise TypeError(f"{parameter.name!r} has no numbers")


def _check_simplex(key: str, constraint: SimplexConstraint, used: Sequence[Parameter]) -> None:
    for parameter in used:
        if span(parameter)[0] < 0:
            raise fault(key, f"must use parameters of 0 and above; got {parameter.name!r}", "Raise its lower bound.")
    low, high = (sum(values) for values in zip(*map(span, used), strict=True))
    if not low - 1e-9 <= constraint.total <= high + 1e-9:
        text = f"must have a total that the parameters can reach, {low:g} to {high:g}; got {constraint.total:g}"
        raise fault(key, text, "Change the total or the bounds.")


def _check_cardinality(key: str, constraint: CardinalityConstraint, used: Sequence[Parameter]) -> None:
    always = [parameter.name for parameter in used if not _can_be_zero(parameter)]
    if len(always) > constraint.max:
        text = f"must allow at least {len(always)}, for {', '.join(always)} cannot be 0; got {constraint.max}"
        raise fault(f"{key}.max", text, "Raise it, or let one of them be 0.")
    for parameter in used if constraint.least > 0 else ():
        low, high = span(parameter)
        if low < 0 or high < constraint.least:
            text = f"must be an amount that every parameter can have, and none below 0; {parameter.name!r} runs from"
            raise fault(f"{key}.least", f"{text} {low:g} to {high:g}, least is {constraint.least:g}", "Change a bound.")


def _can_be_zero(parameter: Parameter) -> bool:
    if isinstance(parameter, DiscreteParameter):
        return 0.0 in parameter.values
    return span(parameter)[0] <= 0 <= span(parameter)[1]


def _check_linear(key: str, constraint: LinearConstraint, used: Sequence[Parameter]) -> None:
    """Refuse a constraint that no configuration within the bounds meets."""
    factors = constraint.coefficients.values()
    ends = [sorted((factor * low, factor * high)) for factor, (low, high) in zip(factors, map(span, used), strict=True)]
    low, high = (sum(values) for values in zip(*ends, strict=True))
    slack = 1e-9 * (abs(low) + abs(high) + abs(constraint.rhs))
    too_low = constraint.relation != ">=" and low > constraint.rhs + slack
    too_high = constraint.relation != "<=" and high < constraint.rhs - slack
    if too_low or too_high:
        text = f"({constraint}) must be possible within the bounds; the left side runs from {low:g} to {high:g}"
        raise fault(key, text, "Change the constraint or the bounds.")
