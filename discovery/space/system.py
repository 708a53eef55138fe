"""A space as linear systems: what its constraints say about continuous and listed numbers together.

Continuous numbers stand as shares of their bounds: linear in the encoding, except that a log-scale number in an
equality is linear in the raw value, so that the equality stays a plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from discovery.campaign import (
    CardinalityConstraint,
    Constraint,
    LinearConstraint,
    NonlinearConstraint,
    SimplexConstraint,
)
from discovery.space.codecs import ContinuousCodec, ListedCodec

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace


@dataclass(frozen=True, eq=False)
class Group:
    """A cardinality constraint over members: continuous numbers first, then listed ones.

    Attributes:
        members: Positions of those that can be zero.
        n_free: How many of them may differ from zero.
        least: The smallest amount of one that differs from zero, raw units.
    """

    members: np.ndarray
    n_free: int
    least: float


@dataclass(frozen=True, eq=False)
class System:
    """Inequalities `A u + F v >= b` and equalities `E u + G v = e` over `k` shares `u` and `l` listed numbers `v`."""

    space: SearchSpace

    @cached_property
    def continuous(self) -> list[tuple[ContinuousCodec, int]]:
        """Continuous parameters with their coordinates."""
        pairs = zip(self.space.codecs, self.space.slices, strict=True)
        return [(codec, part.start) for codec, part in pairs if isinstance(codec, ContinuousCodec)]

    @cached_property
    def listed(self) -> list[tuple[ListedCodec, slice]]:
        """Listed parameters with their coordinates."""
        pairs = zip(self.space.codecs, self.space.slices, strict=True)
        return [(codec, part) for codec, part in pairs if isinstance(codec, ListedCodec)]

    @cached_property
    def numbers(self) -> list[np.ndarray]:
        """Values of each list as numbers; zeros for categories."""
        is_number = [codec.kind in ("discrete", "boolean") for codec, _ in self.listed]
        return [
            codec.labels.astype(np.float64) if is_one else np.zeros(len(codec.labels))
            for (codec, _), is_one in zip(self.listed, is_number, strict=True)
        ]

    @cached_property
    def is_raw(self) -> np.ndarray:
        """Which continuous numbers are on a log scale and stand as shares of the raw range. Shape `k`."""
        in_sum = {name for c in map(_as_sum, self.space.constraints) if c and c.relation == "==" for name in c.names}
        return np.array([codec.is_log and codec.name in in_sum for codec, _ in self.continuous], dtype=bool)

    @cached_property
    def zeros(self) -> np.ndarray:
        """Share at which each continuous number is zero. Shape `k`; outside 0 to 1 where it cannot be."""
        ends = [(codec.low, codec.high) for codec, _ in self.continuous]
        return np.array([-low / (high - low) for low, high in ends])

    @cached_property
    def matrices(self) -> tuple[np.ndarray, ...]:
        """The matrices `A, F, b, E, G, e`; inequalities over log-scale numbers are left to be checked."""
        rows: dict[str, list[tuple[np.ndarray, float]]] = {">=": [], "==": []}
        places = {codec.name: i for i, (codec, _) in enumerate(self.continuous)}
        is_curved = {codec.name for i, (codec, _) in enumerate(self.continuous) if codec.is_log and not self.is_raw[i]}
        lists = {codec.name: len(places) + i for i, (codec, _) in enumerate(self.listed)}
        for constraint in filter(None, map(_as_sum, self.space.constraints)):
            if is_curved.intersection(constraint.names):
                continue
            sign, row, rhs = -1.0 if constraint.relation == "<=" else 1.0, np.zeros(len(places) + len(lists)), 0.0
            for name, factor in constraint.coefficients.items():
                if name in places:
                    codec = self.continuous[places[name]][0]
                    row[places[name]], rhs = sign * factor * (codec.high - codec.low), rhs - sign * factor * codec.low
                else:
                    row[lists[name]] = sign * factor
            rows["==" if constraint.relation == "==" else ">="].append((row, rhs + sign * constraint.rhs))
        k = len(places)
        parts = [np.array([row for row, _ in found]).reshape(len(found), k + len(lists)) for found in rows.values()]
        (b, e) = (np.array([rhs for _, rhs in found]) for found in rows.values())
        return parts[0][:, :k], parts[0][:, k:], b, parts[1][:, :k], parts[1][:, k:], e

    @cached_property
    def groups(self) -> list[Group]:
        """What cardinality constraints ask for."""
        names = [codec.name for codec, _ in self.continuous] + [codec.name for codec, _ in self.listed]
        can_be = [
            0 <= zero <= 1 and not codec.is_log for zero, (codec, _) in zip(self.zeros, self.continuous, strict=True)
        ]
        can_be += [bool((numbers == 0).any()) for numbers in self.numbers]
        groups = []
        for constraint in self.space.constraints:
            if isinstance(constraint, CardinalityConstraint):
                members = [names.index(name) for name in constraint.parameters]
                free = [i for i in members if can_be[i]]
                n_free = min(constraint.max - (len(members) - len(free)), len(free))
                groups.append(Group(np.array(free, dtype=np.intp), n_free, constraint.least))
        return groups

    @cached_property
    def equations(self) -> tuple[LinearConstraint, ...]:
        """Equations that are linear in raw values, simplexes among them."""
        return tuple(c for c in map(_as_sum, self.space.constraints) if c and c.relation == "==")

    @property
    def is_tied(self) -> bool:
        """Whether chance and one polytope are not enough: counts, curved equations, sums with other numbers."""
        G, names = self.matrices[4], {codec.name for codec, _ in self.continuous}
        curved = [c for c in self.space.constraints if isinstance(c, NonlinearConstraint) and c.sides[1] == "=="]
        is_curved = any(names.intersection(c.names) for c in curved)
        return is_curved or bool(G.any()) or bool(self.is_raw.any()) or bool(self.groups)

    @cached_property
    def is_loose(self) -> np.ndarray:
        """Which lists are neither counted nor part of an equality. Shape `l`."""
        counted = {int(i) - len(self.continuous) for group in self.groups for i in group.members}
        return ~self.matrices[4].any(axis=0) & ~np.isin(np.arange(len(self.listed)), list(counted))


def _as_sum(constraint: Constraint) -> LinearConstraint | None:
    """Return a linear constraint or a simplex as a weighted sum, None for any other."""
    if isinstance(constraint, SimplexConstraint):
        factors = dict.fromkeys(constraint.parameters, 1.0)
        return LinearConstraint(coefficients=factors, relation="==", rhs=constraint.total)
    return constraint if isinstance(constraint, LinearConstraint) else None
