"""Chemical elements as numbers: how compositions of different elements can be compared.

A composition is described by the weighted mean and the weighted spread of a few properties of its elements, so that a
plate of Ni, Fe and Ce says something about one of Ni, Co and Ta.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

PROPERTIES = ("group", "period", "electronegativity", "covalent_radius_pm", "d_electrons", "ionization_energy_ev")
"""The columns of the table.

Group and period of the periodic table (lanthanides and actinides count as group 3); electronegativity after Pauling
(CRC Handbook of Chemistry and Physics); covalent radius (Cordero et al. 2008, Covalent radii revisited); d electrons
and first ionization energy of the neutral atom in its ground state (NIST Atomic Spectra Database). Noble gases and most
radioactive elements are left out.
"""

_TABLE = """
H 1 1 2.20 31 0 13.60
Li 1 2 0.98 128 0 5.39
Be 2 2 1.57 96 0 9.32
B 13 2 2.04 84 0 8.30
C 14 2 2.55 73 0 11.26
N 15 2 3.04 71 0 14.53
O 16 2 3.44 66 0 13.62
F 17 2 3.98 57 0 17.42
Na 1 3 0.93 166 0 5.14
Mg 2 3 1.31 141 0 7.65
Al 13 3 1.61 121 0 5.99
Si 14 3 1.90 111 0 8.15
P 15 3 2.19 107 0 10.49
S 16 3 2.58 105 0 10.36
Cl 17 3 3.16 102 0 12.97
K 1 4 0.82 203 0 4.34
Ca 2 4 1.00 176 0 6.11
Sc 3 4 1.36 170 1 6.56
Ti 4 4 1.54 160 2 6.83
V 5 4 1.63 153 3 6.75
Cr 6 4 1.66 139 5 6.77
Mn 7 4 1.55 150 5 7.43
Fe 8 4 1.83 142 6 7.90
Co 9 4 1.88 138 7 7.88
Ni 10 4 1.91 124 8 7.64
Cu 11 4 1.90 132 10 7.73
Zn 12 4 1.65 122 10 9.39
Ga 13 4 1.81 122 10 6.00
Ge 14 4 2.01 120 10 7.90
As 15 4 2.18 119 10 9.79
Se 16 4 2.55 120 10 9.75
Br 17 4 2.96 120 10 11.81
Rb 1 5 0.82 220 0 4.18
Sr 2 5 0.95 195 0 5.69
Y 3 5 1.22 190 1 6.22
Zr 4 5 1.33 175 2 6.63
Nb 5 5 1.60 164 4 6.76
Mo 6 5 2.16 154 5 7.09
Tc 7 5 2.10 147 5 7.12
Ru 8 5 2.20 146 7 7.36
Rh 9 5 2.28 142 8 7.46
Pd 10 5 2.20 139 10 8.34
Ag 11 5 1.93 145 10 7.58
Cd 12 5 1.69 144 10 8.99
In 13 5 1.78 142 10 5.79
Sn 14 5 1.96 139 10 7.34
Sb 15 5 2.05 139 10 8.61
Te 16 5 2.10 138 10 9.01
I 17 5 2.66 139 10 10.45
Cs 1 6 0.79 244 0 3.89
Ba 2 6 0.89 215 0 5.21
La 3 6 1.10 207 1 5.58
Ce 3 6 1.12 204 1 5.54
Pr 3 6 1.13 203 0 5.47
Nd 3 6 1.14 201 0 5.53
Pm 3 6 1.13 199 0 5.58
Sm 3 6 1.17 198 0 5.64
Eu 3 6 1.20 198 0 5.67
Gd 3 6 1.20 196 1 6.15
Tb 3 6 1.20 194 0 5.86
Dy 3 6 1.22 192 0 5.94
Ho 3 6 1.23 192 0 6.02
Er 3 6 1.24 189 0 6.11
Tm 3 6 1.25 190 0 6.18
Yb 3 6 1.10 187 0 6.25
Lu 3 6 1.00 187 1 5.43
Hf 4 6 1.30 175 2 6.83
Ta 5 6 1.50 170 3 7.55
W 6 6 1.70 162 4 7.86
Re 7 6 1.90 151 5 7.83
Os 8 6 2.20 144 6 8.44
Ir 9 6 2.20 141 7 8.97
Pt 10 6 2.20 136 9 8.96
Au 11 6 2.40 136 10 9.23
Hg 12 6 1.90 132 10 10.44
Tl 13 6 1.80 145 10 6.11
Pb 14 6 1.80 146 10 7.42
Bi 15 6 1.90 148 10 7.29
Th 3 7 1.30 206 2 6.31
U 3 7 1.70 196 1 6.19
"""

ELEMENTS: dict[str, tuple[float, ...]] = {
    symbol: tuple(map(float, numbers)) for symbol, *numbers in (line.split() for line in _TABLE.split("\n") if line)
}
"""Properties by symbol."""
ELECTRONEGATIVITY: dict[str, float] = {symbol: values[2] for symbol, values in ELEMENTS.items()}
"""After Pauling, by symbol."""

_NAME = re.compile(r"(?P<before>(?:.*[^A-Za-z0-9])?)(?P<symbol>[A-Z][a-z]?)(?P<after>(?:[^A-Za-z0-9].*)?)")


def element_pattern(names: Sequence[str]) -> tuple[str, str] | None:
    """Find the text before and after the symbol where every name holds a different element in one pattern.

    Example:
        >>> element_pattern(["Ni_load", "Fe_load"])
        ('', '_load')
        >>> element_pattern(["Ni", "acid"]) is None
        True
    """
    matches = [_NAME.fullmatch(name) for name in names]
    found = {(match["before"], match["after"]) for match in matches if match is not None}
    if len(found) != 1:
        return None
    pattern = found.pop()
    symbols = [element_in(name, pattern) for name in names]
    return pattern if None not in symbols and len(set(symbols)) == len(names) else None


def element_in(name: str, pattern: tuple[str, str]) -> str | None:
    """Return the symbol in a name of a pattern (`element_pattern`); None where the name is something else."""
    before, after = pattern
    if not (name.startswith(before) and name.endswith(after)):
        return None
    symbol = name[len(before) : len(name) - len(after)]
    return symbol if symbol in ELEMENTS else None


def element_properties(symbols: Sequence[str]) -> np.ndarray:
    """Return the properties of some elements, each scaled to the unit interval over them.

    Returns:
        Properties. Shape `e x p`; a property in which the elements do not differ is left out.
    """
    table = np.array([ELEMENTS[symbol] for symbol in symbols])
    low, width = table.min(axis=0), np.ptp(table, axis=0)
    return (table - low)[:, width > 0] / width[width > 0]
