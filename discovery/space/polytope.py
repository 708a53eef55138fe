"""What linear constraints leave of the unit cube: a polytope, points drawn from it, and points brought back to it.

It is described in BoTorch's convention, `sum(coefficient * x) >= rhs`; points are drawn by hit-and-run and brought
back along the line to the center.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discovery.errors import ConfigurationError

EncodedConstraint = tuple[np.ndarray, np.ndarray, float]  # indices, coefficients, right-hand side

FLAT = 1e-9  # a polytope thinner than this lies in a plane


def contradiction() -> ConfigurationError:
    """Return the error for constraints that no configuration meets."""
    return ConfigurationError(
        "constraints must be possible together; no configuration within the bounds meets all of them.",
        "Relax a constraint or a bound.",
    )


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
        basis = null_space(E)
        center = center_of(A, b, E, e, basis)
        if center is None:
            raise contradiction()
        is_flat = _flat_sides(A, b, E, e, center, basis)
        if is_flat.any():
            E, e = np.vstack([E, A[is_flat]]), np.concatenate([e, b[is_flat]])
            A, b, basis = A[~is_flat], b[~is_flat], null_space(E)
            center = center - np.linalg.pinv(E) @ (E @ center - e)
        return cls(dims, A, b, E, e, center, basis)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw points by hit-and-run, one chain each, all chains from the center. Shape `n x k`."""
        x = np.tile(self.center, (n, 1))
        for _ in range(64 + 16 * len(self.dims)):  # steps until the start is forgotten; chains run side by side
            direction = rng.standard_normal((n, self.basis.shape[1])) @ self.basis.T
            speed, slack = direction @ self.A.T, (x @ self.A.T - self.b).clip(0.0)
            forward, backward = reach(slack, -speed), reach(slack, speed)
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
        share = np.minimum(reach(np.broadcast_to(slack, (len(x), len(slack))), -(direction @ self.A.T)), 1.0)
        return np.where(outside[:, None], (self.center + share[:, None] * direction).clip(0.0, 1.0), x)

    def _onto_equalities(self, x: np.ndarray) -> np.ndarray:
        return self.center + (x - self.center) @ self.basis @ self.basis.T


def reach(slack: np.ndarray, approach: np.ndarray) -> np.ndarray:
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


def null_space(E: np.ndarray) -> np.ndarray:
    """Return orthonormal directions along which equalities stay as they are. Shape `o x k` to `k x f`."""
    if not len(E):
        return np.eye(E.shape[1])
    _, singular, vectors = np.linalg.svd(E)
    rank = int((singular > 1e-10 * singular.max()).sum())
    return vectors[rank:].T


def center_of(A: np.ndarray, b: np.ndarray, E: np.ndarray, e: np.ndarray, basis: np.ndarray) -> np.ndarray | None:
    """Return the Chebyshev center of `A x >= b` within the equalities, by a linear program.

    Returns:
        The center, shape `k`; None where no point of the unit cube meets all of them.
    """
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
        return None
    center = np.asarray(found.x[:k])
    return center - np.linalg.pinv(E) @ (E @ center - e) if len(E) else center  # the solver stops at 1e-7


def _flat_sides(
    A: np.ndarray, b: np.ndarray, E: np.ndarray, e: np.ndarray, center: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Return which inequalities hold with equality everywhere, such as both of `x <= y` and `x >= y`. Shape `p`."""
    from scipy.optimize import linprog

    is_flat, norms = np.zeros(len(A), dtype=bool), np.linalg.norm(A @ basis, axis=1)
    thin = np.flatnonzero((A @ center - b <= FLAT * np.abs(A).sum(axis=1)) & (norms > FLAT))
    for i in thin if len(E) < A.shape[1] else ():
        equalities = {"A_eq": E, "b_eq": e} if len(E) else {}
        found = linprog(c=-A[i], A_ub=-A, b_ub=-b, bounds=[(0.0, 1.0)] * A.shape[1], **equalities)
        is_flat[i] = found.status == 0 and -found.fun - b[i] <= FLAT * np.abs(A[i]).sum()
    return is_flat
