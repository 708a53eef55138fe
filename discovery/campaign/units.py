"""Units: numbers of one turned into another, by the library pint, or a sentence why that cannot be.

Differences (standard errors) of units with an offset, such as degrees Celsius, are converted without the offset.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from discovery.campaign.parts import fault
from discovery.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np

    from discovery.campaign.spec import CampaignSpec

Conversion = Callable[["np.ndarray"], "np.ndarray"]


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(on_redefinition="ignore")


def conversion(source: str, target: str) -> Conversion:
    """Return a function that turns numbers of one unit into numbers of another.

    Args:
        source: Unit of the numbers, such as `K`.
        target: Unit that is wanted, such as `degC`.

    Returns:
        Takes and gives an array of floats of any shape.

    Raises:
        ConfigurationError: If a unit is unknown, or one cannot be turned into the other.
    """
    if source.strip() == target.strip():
        return lambda values: values
    registry = _registry()
    start, end = _unit(source), _unit(target)
    if not registry.Quantity(1.0, start).is_compatible_with(end):
        raise ConfigurationError(
            f"A unit must be one that can be turned into {target!r}; got {source!r}, which measures {_kind(start)} and "
            f"not {_kind(end)}.",
            "Correct one of the two units.",
        )

    def convert(values: np.ndarray) -> np.ndarray:
        converted: np.ndarray = registry.Quantity(values, start).to(end).magnitude
        return converted

    return convert


def of_differences(convert: Conversion) -> Conversion:
    """Return the conversion of differences of numbers, which have no offset."""
    import numpy as np

    zero, one = convert(np.array([0.0, 1.0]))
    return lambda values: values * (one - zero)


def _unit(text: str) -> Any:
    """Return what pint makes of a unit.

    Raises:
        ConfigurationError: If it knows no such unit.
    """
    advice = "Write it as pint does: degC, K, mol/L, g/mL, min, kPa."
    if "%" in text and text.strip() != "%":
        raise ConfigurationError(
            f"A unit must be known to be converted; got {text!r}: parts of what is not said in a number.", advice
        )
    try:
        return _registry().parse_units(text)
    except Exception:  # pint lets through whatever its parser of expressions raises
        raise ConfigurationError(f"A unit must be known to be converted; got {text!r}.", advice) from None


def _kind(unit: Any) -> str:
    """Return what a unit measures, such as `[length] / [time]`."""
    kind = str(unit.dimensionality)
    return "a plain number" if kind == "dimensionless" else kind


def unit_of(spec: CampaignSpec, name: str) -> str:
    """Return the unit of a parameter or an outcome; empty where it has none."""
    for part in (*spec.parameters, *spec.outcomes):
        if part.name == name:
            return str(getattr(part, "unit", ""))
    return ""


def check_units(spec: CampaignSpec) -> None:
    """Refuse units of history that cannot be turned into those of the campaign.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    for i, ref in enumerate(spec.experience.history):
        for name, unit in (getattr(ref, "units", None) or {}).items():
            key, known = f"experience.history[{i}].units.{name}", [*spec.parameter_names, *spec.outcome_names]
            if name not in known:
                text = f"must name a parameter or an outcome; got {name!r}"
                raise fault(key, text, f"Known: {', '.join(known)}.")
            own = unit_of(spec, name)
            if not own:
                text = f"must belong to a parameter or outcome with a unit; {name!r} has none"
                raise fault(key, text, f"Add it there: {{name: {name}, unit: ...}}.")
            try:
                conversion(unit, own)
            except ConfigurationError as error:
                said = error.message.removeprefix("A unit ").rstrip(".")
                raise fault(key, said, error.hint) from None
