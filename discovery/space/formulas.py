"""Chemical formulas as fractions of elements, and one way to write each composition.

Two formulas are one composition where their fractions agree within a millionth: `Co0.3Fe0.7`, `Fe7Co3` and `Fe70Co30`
are one. Amounts follow their element or bracket; isotopes, charges and hydrates (`·`) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from discovery.space.elements import ELECTRONEGATIVITY, ELEMENTS

UNITS = 1_000_000  # a fraction is known to one part in so many
DECIMALS = 10_000  # fractions that are whole parts of this are written as decimals
MOST_ATOMS = 200  # in whole numbers, at most; beyond, fractions are written
NONMETALS = frozenset({"H", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I"})
"""What makes a compound, which is written in whole numbers; alloys are written in fractions."""

_TOKEN = re.compile(r"(?P<symbol>[A-Z][a-z]?)|(?P<open>[(\[])|(?P<close>[)\]])|(?P<amount>\d+\.?\d*|\.\d+)")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@lru_cache(maxsize=200_000)
def read_formula(text: str) -> tuple[str, str]:
    """Read a formula.

    Args:
        text: Such as `Fe0.7Co0.3`, `LiFePO4` or `(Ba0.5Sr0.5)TiO3`; blanks are ignored.

    Returns:
        The one way in which the composition is written, and why the text is no formula; one of the two is empty.

    Example:
        >>> read_formula("Co0.3Fe0.7")
        ('Fe0.7Co0.3', '')
        >>> read_formula("(Ba0.5Sr0.5)TiO3")
        ('BaSrTi2O6', '')
        >>> read_formula("Xx2O3")
        ('', 'must be made of elements that are known, and Xx is none')
    """
    try:
        amounts = _amounts("".join(text.translate(_DIGITS).split()))
    except ValueError as error:
        return "", str(error)
    return write_formula(amounts), ""


def fractions_of(formula: str) -> dict[str, float]:
    """Return the fractions of the elements in a formula that `read_formula` has written; they add up to one."""
    amounts = _amounts(formula)
    total = sum(amounts.values())
    return {symbol: amount / total for symbol, amount in amounts.items()}


def _amounts(text: str) -> dict[str, float]:
    """Return amounts by symbol in any unit.

    Raises:
        ValueError: Saying what must hold.
    """
    levels: list[dict[str, float]] = [{}]
    last: dict[str, float] = {}  # what an amount that comes now multiplies
    for kind, token in _tokens(text):
        if kind == "amount":
            _add(levels[-1], last, float(token) - 1.0)
            last = {}
        elif kind == "symbol":
            last = {token: 1.0}
            _add(levels[-1], last, 1.0)
        elif kind == "open":
            levels.append({})
            last = {}
        else:
            last = levels.pop()
            if not levels:
                raise ValueError("must close only brackets that it opens")
            _add(levels[-1], last, 1.0)
    if len(levels) > 1:
        raise ValueError("must close the brackets that it opens")
    present = {symbol: amount for symbol, amount in levels[0].items() if amount > 1e-12}
    if not present:
        raise ValueError("must hold an element with an amount above 0")
    return present


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each token.

    Raises:
        ValueError: If something else stands there, an element is unknown, or an amount follows nothing.
    """
    place, may_count = 0, False
    while place < len(text):
        match = _TOKEN.match(text, place)
        kind = (match.lastgroup or "") if match else ""
        if match is None or (kind == "amount" and not may_count):
            raise ValueError("must be a chemical formula such as Fe0.7Co0.3 or LiFePO4")
        if kind == "symbol" and match[0] not in ELEMENTS:
            raise ValueError(f"must be made of elements that are known, and {match[0]} is none")
        place, may_count = match.end(), kind in ("symbol", "close")
        yield kind, match[0]


def _add(total: dict[str, float], amounts: Mapping[str, float], factor: float) -> None:
    for symbol, amount in amounts.items():
        total[symbol] = total.get(symbol, 0.0) + factor * amount


def write_formula(amounts: Mapping[str, float]) -> str:
    """Write a composition: the least electronegative element first, as chemists do.

    Compounds are written in the smallest whole numbers, alloys in fractions that add up to one; what has no short
    form of its own kind is written in the other.

    Args:
        amounts: Amounts by symbol, above zero, in any unit.
    """
    symbols = sorted(amounts, key=lambda symbol: (ELECTRONEGATIVITY[symbol], symbol))
    units = _units(np.array([amounts[symbol] for symbol in symbols]))
    decimals = units / UNITS
    whole = _whole(units)
    is_short = not (units % (UNITS // DECIMALS)).any()
    if whole is not None and (NONMETALS.intersection(symbols) or not is_short or len(symbols) == 1):
        decimals = whole
    return "".join(
        f"{symbol}{'' if value == 1 else f'{value:.6f}'.rstrip('0').rstrip('.')}"
        for symbol, value in zip(symbols, decimals.tolist(), strict=True)
        if value > 0
    )


def _units(amounts: np.ndarray) -> np.ndarray:
    """Return fractions in millionths that add up to a million: what rounding loses goes to the largest rests."""
    exact = amounts / amounts.sum() * UNITS
    units = np.floor(exact + 1e-6)
    missing = int(UNITS - units.sum())
    units[np.argsort(units - exact, kind="stable")[:missing]] += 1
    return units


def _whole(units: np.ndarray) -> np.ndarray | None:
    """Return the smallest whole numbers with these fractions, or None where these are large."""
    multiples = np.arange(1, MOST_ATOMS + 1)[:, None] * units / UNITS
    is_near = (np.abs(multiples - multiples.round()) < 1e-3).all(axis=1) & (multiples.round() > 0).all(axis=1)
    for row in multiples[is_near].round():
        if np.array_equal(_units(row), units):
            return np.asarray(row)
    return None
