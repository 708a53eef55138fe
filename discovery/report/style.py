"""How reports look: one color per method and hypothesis, everywhere the same, and how numbers are written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

# Okabe and Ito (2008): told apart with color-blind eyes. Dashes tell methods apart in black and white.
COLORS: Mapping[str, str] = {
    "belief": "#0072b2",
    "cold_gp": "#d55e00",
    "random": "#7a7a7a",
    "no_transfer": "#009e73",
    "history": "#cc79a7",
    "simulator:reaction_kinetics": "#e69f00",
    "simulator:gp_prior": "#56b4e9",
}
MORE_COLORS = ("#8c6bb1", "#b8a100", "#1b7f8c", "#a6502e", "#4d6b9c", "#6b8e23")
DASHES: Mapping[str, str] = {"belief": "solid", "cold_gp": "dash", "random": "dot"}


def color(name: str) -> str:
    """Return the color of a method or hypothesis; the same name has the same color in every report."""
    if name in COLORS:
        return COLORS[name]
    return MORE_COLORS[hashlib.blake2b(name.encode()).digest()[0] % len(MORE_COLORS)]


def rank(name: str) -> int:
    """Return the place of a hypothesis where several are stacked: what knows nothing first, then what was measured."""
    known = ("no_transfer", "history", "deep_kernel", "pretrained")
    return known.index(name) if name in known else len(known)


def dash(name: str) -> str:
    """Return the line style of a method."""
    return DASHES.get(name, "dashdot")


def faded(name: str, alpha: float) -> str:
    """Return the color of a method or hypothesis with some transparency, as CSS."""
    code = color(name)
    red, green, blue = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def number(value: object, digits: int = 4) -> str:
    """Write a number with some significant digits, truth as `true` or `false`, the rest as it is; `-` for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def count(value: float) -> str:
    """Write a count of experiments: whole, or with one decimal where it is a mean."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """Write a duration in a unit that a person reads; `-` where there is none."""
    if value is None or value == 0:
        return "-"
    if value < 0.001:
        return "< 1 ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def labeled(name: str, unit: str) -> str:
    """Return a quantity's label with its unit: `yield (%)`."""
    return f"{name} ({unit})" if unit else name
