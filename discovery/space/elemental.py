"""Properties of the chemical elements, from the package mendeleev: what compositions are compared by.

The package is an extra (`materials`) and is loaded with the first formula. Counts of valence electrons are read off the
ground-state configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from discovery.errors import ConfigurationError
from discovery.space.elements import ELECTRONEGATIVITY

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "mendeleev_number": "Mendeleev number",
    "atomic_weight": "atomic weight (u)",
    "density": "density (g/cm^3)",
    "covalent_radius_pyykko": "covalent radius (pm)",
    "dipole_polarizability": "polarizability (bohr^3)",
}
"""Columns of mendeleev's table that are used as they are, and what they are called here."""
PROPERTIES = (
    *COLUMNS.values(),
    "electronegativity (Pauling)",
    "ionization energy (eV)",
    *(f"valence {shell} electrons" for shell in "spdf"),
)
"""Names of the properties, in order."""
SYMBOLS = tuple(sorted(ELECTRONEGATIVITY))
"""Elements that have all properties: no noble gas, and of the radioactive ones technetium, promethium, Th and U."""

_SHELL = re.compile(r"\d([spdf])(\d*)")


@cache
def elemental_table() -> np.ndarray:
    """Return the properties of all elements.

    Electronegativity is Pauling's where mendeleev has it, else that of `discovery.space.elements` (Pm, Eu, Tb, Yb).

    Returns:
        Properties. Shape `e x p`; rows as `SYMBOLS`, columns as `PROPERTIES`, in their units.

    Raises:
        ConfigurationError: If mendeleev is not installed, or lacks a number.
    """
    elements, ionization = _tables()
    own = elements.set_index("symbol").loc[list(SYMBOLS)]
    neutral = ionization[ionization["ion_charge"] == 0].set_index("atomic_number")["ionization_energy"]
    measured = own["en_pauling"].to_numpy(dtype=np.float64)
    known = np.array([ELECTRONEGATIVITY[symbol] for symbol in SYMBOLS])
    table = np.column_stack(
        [
            own[list(COLUMNS)].to_numpy(dtype=np.float64),
            np.where(np.isnan(measured), known, measured),
            neutral.loc[own["atomic_number"]].to_numpy(dtype=np.float64),
            np.array([_valence(text) for text in own["electronic_configuration"]]),
        ]
    )
    if not np.isfinite(table).all():
        i, j = np.argwhere(~np.isfinite(table))[0]
        raise ConfigurationError(
            f"mendeleev must know the {PROPERTIES[j]} of {SYMBOLS[i]}; it has none.",
            "Install the release that was measured with: python -m pip install 'discovery-pipeline[materials]'.",
        )
    return table


def _tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return mendeleev's tables of elements and of ionization energies."""
    try:
        from mendeleev.fetch import fetch_table
    except ImportError:
        raise ConfigurationError(
            "Elemental properties need the package mendeleev, which is not installed.",
            "Install it: python -m pip install 'discovery-pipeline[materials]'.",
        ) from None
    return fetch_table("elements"), fetch_table("ionizationenergies")


def _valence(configuration: str) -> list[float]:
    """Return the electrons outside the noble-gas core in s, p, d and f shells; `[Ar] 3d6 4s2` has 2, 0, 6, 0."""
    counts = dict.fromkeys("spdf", 0.0)
    for shell, number in _SHELL.findall(configuration.partition("]")[2] or configuration):
        counts[shell] += float(number or 1)
    return list(counts.values())


def weighted_means(mixtures: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the properties of mixtures of elements.

    Args:
        mixtures: Fractions by symbol, adding up to one. Length `n`.

    Returns:
        The fraction-weighted mean of each property, and its standard deviation over the atoms. Shape `n x p` each.
    """
    shares = np.zeros((len(mixtures), len(SYMBOLS)))
    place = {symbol: i for i, symbol in enumerate(SYMBOLS)}
    rows = np.repeat(np.arange(len(mixtures)), [len(each) for each in mixtures])
    shares[rows, [place[symbol] for each in mixtures for symbol in each]] = [
        fraction for each in mixtures for fraction in each.values()
    ]
    table = elemental_table()
    center = table.mean(axis=0)  # differences of large squares would lose digits
    means = shares @ (table - center)
    variance = (shares @ (table - center) ** 2 - means**2).clip(0.0)
    return means + center, np.sqrt(np.where(variance < 1e-12, 0.0, variance))
