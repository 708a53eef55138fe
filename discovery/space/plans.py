"""Which numbers are rounded and which follow from them, so that equations hold exactly.

Each linear equation has one number without a step that follows from the others; what is left of the equations then
speaks of numbers with steps alone, and is solved in whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from discovery.campaign import LinearConstraint, NonlinearConstraint
from discovery.space.lattice import Lattice, as_fraction
from discovery.space.system import System


@dataclass(frozen=True, eq=False)
class Plan:
    """One way to divide `k` continuous numbers into rounded ones and ones that follow; `o` equations.

    Attributes:
        follow: Which numbers follow from an equation, one each. Length `f`.
        factors: What they are less of the others: `v[follow] = sides @ rhs - factors @ v`. Shape `f x k`.
        sides: Shape `f x o`.
        stepped: Which numbers have a step, in the order of the lattice. Length `s`.
        lattice: Their whole numbers where equations bind them, or None.
        rest: Equations that bind them, as sums of the given ones. Shape `e x o`.
        start: Their left sides where every number with a step is at its lowest. Length `e`.
        curved: Numbers that follow from equations that are not linear. Length `c`.
        is_hopeless: Whether equations bind numbers with steps in a way that is not decided.
    """

    follow: np.ndarray
    factors: np.ndarray
    sides: np.ndarray
    stepped: np.ndarray
    lattice: Lattice | None
    rest: np.ndarray
    start: np.ndarray
    curved: np.ndarray
    is_hopeless: bool = False

    @classmethod
    def of(cls, system: System, order: Sequence[int]) -> Plan:
        """Divide the numbers of a space; those that come first in an order follow, where they can."""
        codecs = [codec for codec, _ in system.continuous]
        k, n = len(codecs), len(system.equations)
        left = _factors(system.equations, [codec.name for codec in codecs])
        sides = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
        follow = _eliminated(left, sides, [i for i in order if codecs[i].step is None])
        stepped = [i for i in order if codecs[i].step is not None]
        bound = [i for i, row in enumerate(left) if i not in follow.values() and any(row)]
        rows = [[left[i][j] * as_fraction(codecs[j].step or 0) for j in stepped] for i in bound]
        start = [sum((left[i][j] * as_fraction(codecs[j].low) for j in stepped), Fraction(0)) for i in bound]
        places = list(follow)
        factors = np.array([[float(f) for f in left[follow[i]]] for i in places]).reshape(len(places), k)
        factors[np.arange(len(places)), places] = 0.0
        lattice = Lattice.of(rows, len(stepped)) if bound else None
        return cls(
            np.array(places, dtype=np.intp),
            factors,
            np.array([[float(f) for f in sides[follow[i]]] for i in places]).reshape(len(places), n),
            np.array(stepped, dtype=np.intp),
            lattice,
            np.array([[float(f) for f in sides[i]] for i in bound]).reshape(len(bound), n),
            np.array([float(value) for value in start]),
            np.array(_curved(system, [i for i in order if codecs[i].step is None and i not in follow]), dtype=np.intp),
            bool(bound) and lattice is None,
        )


def _factors(equations: Sequence[LinearConstraint], names: Sequence[str]) -> list[list[Fraction]]:
    return [[as_fraction(equation.coefficients.get(name, 0.0)) for name in names] for equation in equations]


def _eliminated(left: list[list[Fraction]], sides: list[list[Fraction]], order: Sequence[int]) -> dict[int, int]:
    """Solve equations for numbers, in place; return the equation of each number that follows."""
    follow: dict[int, int] = {}
    for column in order:
        row = next((i for i in range(len(left)) if i not in follow.values() and left[i][column]), None)
        if row is None:
            continue
        pivot = left[row][column]
        left[row], sides[row] = ([entry / pivot for entry in part[row]] for part in (left, sides))
        for i in range(len(left)):
            share = left[i][column]
            if i != row and share:
                left[i] = [own - share * other for own, other in zip(left[i], left[row], strict=True)]
                sides[i] = [own - share * other for own, other in zip(sides[i], sides[row], strict=True)]
        follow[column] = row
    return follow


def _curved(system: System, order: Sequence[int]) -> list[int]:
    """Return a number for each equation that is not linear, as far as there are any left."""
    names, found = [codec.name for codec, _ in system.continuous], list[int]()
    for constraint in system.space.constraints:
        if isinstance(constraint, NonlinearConstraint) and constraint.sides[1] == "==":
            own = [i for i in order if names[i] in constraint.names and i not in found]
            found += own[:1]
    return found
