"""Constraints on raw tables and, where they are linear in the encoding, as a polytope of encoded coordinates.

The polytope is described in BoTorch's convention, `sum(coefficient * x) >= rhs`; points are drawn from it by
hit-and-run and brought back to it along the line to its center.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from discovery.campaign import (
    BatchConstraint,
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    SimplexConstraint,
)
from discovery.errors import ConfigurationError
from discovery.space.codecs import Codec, ContinuousCodec

EncodedConstraint = tuple[np.ndarray, np.ndarray, float]  # indices, coefficients, right-hand side

INEQUALITY_SLACK = 1e-9  # relative to the size of the terms
EQUALITY_SLACK = 1e-6  # tables are often rounded: 0.333333 + 0.333333 + 0.333333


def satisfied(constraint: Constraint, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where a constraint holds.

    Args:
        constraint: The constraint, in raw units.
        columns: Canonical cells of each parameter: floats or text. Length `n`.

    Returns:
        True where it holds. Shape `n`.
    """
    match constraint:
        case SimplexConstraint(parameters=names, total=total):
            return _compare(dict.fromkeys(names, 1.0), "==", total, columns)
        case LinearConstraint(coefficients=coefficients, relation=relation, rhs=rhs):
            return _compare(coefficients, relation, rhs, columns)
        case CardinalityConstraint(parameters=names):
            return np.sum([np.abs(columns[name]) > 1e-9 for name in names], axis=0) <= constraint.max
        case ExcludeConstraint(when=when):
            return ~np.logical_and.reduce([_equals(columns[name], value) for name, value in when.items()])
        case BatchConstraint(parameters=names):
            return np.ones(len(columns[names[0]]), dtype=bool)  # it is about a batch, not about a configuration


def meets(constraints: Sequence[Constraint], codecs: Sequence[Codec], canonical: Sequence[np.ndarray]) -> np.ndarray:
    """Return where configurations meet all of the constraints.

    Args:
        constraints: The constraints, in raw units.
        codecs: The parameters that the constraints speak of, or more.
        canonical: Canonical values of each, length `n`.

    Returns:
        True where all hold. Shape `n`.
    """
    columns = {codec.name: codec.column(values) for codec, values in zip(codecs, canonical, strict=True)}
    return np.logical_and.reduce(
        [satisfied(constraint, columns) for constraint in constraints] or [np.ones(len(canonical[0]), dtype=bool)]
    )


def _compare(
    coefficients: Mapping[str, float], relation: str, rhs: float, columns: Mapping[str, np.ndarray]
) -> np.ndarray:
    terms = np.array([factor * columns[name] for name, factor in coefficients.items()])  # k x n
    excess, size = terms.sum(axis=0) - rhs, np.abs(terms).sum(axis=0) + abs(rhs)
    if relation == "==":
        return np.abs(excess) <= EQUALITY_SLACK * size
    return (excess if relation == "<=" else -excess) <= INEQUALITY_SLACK * size


def _equals(cells: np.ndarray, value: str) -> np.ndarray:
    if cells.dtype == object:
        return cells == value
    return np.isclose(cells, float(value), rtol=1e-9, atol=1e-12)


def encode_constraint(
    constraint: Constraint, codecs: Iterable[Codec], starts: Iterable[int]
) -> tuple[str, EncodedConstraint] | None:
    """Return a constraint over encoded coordinates, `>=` or `==`; None where it is not linear in them.

    Args:
        constraint: The constraint, in raw units.
        codecs: All parameters.
        starts: First coordinate of each.
    """
    if isinstance(constraint, SimplexConstraint):
        constraint = LinearConstraint(
            coefficients=dict.fromkeys(constraint.parameters, 1.0), relation="==", rhs=constraint.total
        )
    places = {codec.name: (codec, start) for codec, start in zip(codecs, starts, strict=True)}
    used = [places[name] for name in constraint.names]
    linear = [(c, start) for c, start in used if isinstance(c, ContinuousCodec) and not c.is_log]
    if not isinstance(constraint, LinearConstraint) or len(linear) < len(used):
        return None
    factors = np.array(list(constraint.coefficients.values()))
    low, width = np.array([c.low for c, _ in linear]), np.array([c.high - c.low for c, _ in linear])
    sign = -1.0 if constraint.relation == "<=" else 1.0
    indices = np.array([start for _, start in linear], dtype=np.int64)
    encoded = indices, sign * factors * width, float(sign * (constraint.rhs - factors @ low))
    return ("==" if constraint.relation == "==" else ">="), encoded


@dataclass(frozen=True, eq=False)
class Polytope:
    """The encoded coordinates that linear constraints leave, within the unit cube.

    Attributes:
        dims: Coordinates that any constraint restricts. Length `k`.
        A: Inequalities with the sides of the cube, `A x >= b`. Shape `p x k`.
        b: Right-hand sides. Length `p`.
        E: Equalities, `E x = e`. Shape `o x k`.
        e: Right-hand sides. Length `o`.
        center: The point furthest from every inequality. Length `k`.
        basis: Orthonormal directions along the equalities. Shape `k x f`.
    """

    dims: np.ndarray
    A: np.ndarray
    b: np.ndarray
    E: np.ndarray
    e: np.ndarray
    center: np.ndarray
    basis: np.ndarray

    @classmethod
    def build(cls, inequalities: Sequence[EncodedConstraint], equalities: Sequence[EncodedConstraint]) -> Polytope:
        """Put constraints together.

        Raises:
            ConfigurationError: If no point meets all of them.
        """
        dims = np.unique(np.concatenate([indices for indices, _, _ in (*inequalities, *equalities)]))
        A, b = _matrix(inequalities, dims)
        E, e = _matrix(equalities, dims)
        cube = np.eye(len(dims))
        A, b = np.vstack([A, cube, -cube]), np.concatenate([b, np.zeros(len(dims)), -np.ones(len(dims))])
        basis = _null_space(E)
        return cls(dims, A, b, E, e, _center(A, b, E, e, basis), basis)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw points by hit-and-run, one chain each, all chains from the center. Shape `n x k`."""
        x = np.tile(self.center, (n, 1))
        for _ in range(64 + 16 * len(self.dims)):  # steps until the start is forgotten; chains run side by side
            direction = rng.standard_normal((n, self.basis.shape[1])) @ self.basis.T
            speed, slack = direction @ self.A.T, (x @ self.A.T - self.b).clip(0.0)
            forward, backward = _reach(slack, -speed), _reach(slack, speed)
            x = x + ((forward + backward) * rng.random(n) - backward)[:, None] * direction
        return self._onto_equalities(x).clip(0.0, 1.0)

    def pull(self, x: np.ndarray) -> np.ndarray:
        """Bring points in: onto the equalities, then toward the center as far as needed.

        Args:
            x: Points, shape `n x k`. Those that meet all constraints come back as they are.
        """
        size = np.abs(self.A).sum(axis=1) + np.abs(self.b)
        on_plane = self._onto_equalities(x)
        outside = ((on_plane @ self.A.T - self.b) < -1e-10 * size).any(axis=1) | (
            np.abs(on_plane - x).max(axis=1) > 1e-9
        )
        direction = on_plane - self.center
        slack = (self.A @ self.center - self.b).clip(0.0)
        share = np.minimum(_reach(np.broadcast_to(slack, (len(x), len(slack))), -(direction @ self.A.T)), 1.0)
        return np.where(outside[:, None], (self.center + share[:, None] * direction).clip(0.0, 1.0), x)

    def _onto_equalities(self, x: np.ndarray) -> np.ndarray:
        return self.center + (x - self.center) @ self.basis @ self.basis.T


def _reach(slack: np.ndarray, approach: np.ndarray) -> np.ndarray:
    """Return how many steps fit before the first inequality is met. Shapes `n x p`, `n x p`; result `n`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(approach > 1e-15, slack / approach, np.inf).min(axis=1)
    return np.where(np.isfinite(steps), steps, 0.0)


def _matrix(constraints: Sequence[EncodedConstraint], dims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return constraints as a matrix over `dims` and right-hand sides."""
    matrix = np.zeros((len(constraints), len(dims)))
    for row, (indices, coefficients, _) in zip(matrix, constraints, strict=True):
        row[np.searchsorted(dims, indices)] = coefficients
    return matrix, np.array([rhs for _, _, rhs in constraints], dtype=np.float64)


def _null_space(E: np.ndarray) -> np.ndarray:
    if not len(E):
        return np.eye(E.shape[1])
    _, singular, vectors = np.linalg.svd(E)
    rank = int((singular > 1e-10 * singular.max()).sum())
    return vectors[rank:].T


def _center(A: np.ndarray, b: np.ndarray, E: np.ndarray, e: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return the Chebyshev center within the equalities, by a linear program."""
    from scipy.optimize import linprog

    k, norms = A.shape[1], np.linalg.norm(A @ basis, axis=1)
    found = linprog(
        c=np.append(np.zeros(k), -1.0),
        A_ub=np.column_stack([-A, norms]),
        b_ub=-b,
        A_eq=np.column_stack([E, np.zeros(len(E))]) if len(E) else None,
        b_eq=e if len(E) else None,
        bounds=[(0.0, 1.0)] * (k + 1),
    )
    if found.status != 0:
        raise ConfigurationError(
            "constraints must be possible together; no configuration within the bounds meets all of them.",
            "Relax a constraint or a bound.",
        )
    center = np.asarray(found.x[:k])
    return center - np.linalg.pinv(E) @ (E @ center - e) if len(E) else center  # the solver stops at 1e-7
