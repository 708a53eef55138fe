"""Whole numbers that solve linear equations: all of them, from one echelon form of exact integers.

A number with a step is `low + step * z` for a whole number `z`; an equation over such numbers is one over the `z`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

LARGEST = 2**40  # entries beyond this are not exact any more when they are multiplied as floats
NEAR = 1e-6  # how near to a whole number counts as one


def as_fraction(number: float) -> Fraction:
    """Return the short fraction that a float stands for: 1/3 for 0.3333333333333333, else its decimal digits."""
    exact = Fraction(repr(float(number)))
    short = exact.limit_denominator(10**6)
    return short if abs(short - exact) <= abs(exact) * Fraction(1, 10**14) else exact


@dataclass(frozen=True, eq=False)
class Lattice:
    """The solutions `z = z0 + K t` of `M z = r` in whole numbers; `o` equations over `k` numbers.

    Attributes:
        scale: What the right-hand sides are multiplied by so that `M` is whole. Length `o`.
        echelon: `M U`, lower triangular in its pivots. Shape `o x k`.
        pivots: The row of each column that has a pivot. Length `p`.
        basis: Columns that lead to a solution. Shape `k x p`.
        kernel: Short steps `K` from one solution to the next. Shape `k x (k - p)`.
    """

    scale: np.ndarray
    echelon: np.ndarray
    pivots: tuple[int, ...]
    basis: np.ndarray
    kernel: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[Fraction]], k: int) -> Lattice | None:
        """Solve equations with these factors of `k` whole numbers; None where exact numbers grow too long."""
        scale = [lcm(*(factor.denominator for factor in row)) for row in rows]
        M = np.array([[int(f * s) for f in row] for row, s in zip(rows, scale, strict=True)], dtype=object)
        H, U, pivots = _echelon(M.reshape(len(rows), k))
        K = _shortened(U[:, len(pivots) :])
        if any(abs(int(entry)) > LARGEST for part in (H, U, K, np.array(scale, dtype=object)) for entry in part.flat):
            return None
        numbers = [part.astype(np.float64) for part in (np.array(scale, dtype=object), H, U[:, : len(pivots)], K)]
        return cls(numbers[0], numbers[1], pivots, numbers[2], numbers[3])

    def near(self, rhs: np.ndarray, target: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return solutions near to targets, and where there is any.

        Args:
            rhs: Right-hand sides. Shape `n x o`.
            target: Where to, not whole. Shape `n x k`.
            offset: What is added before numbers are cut: 0.5 rounds to the nearest. Length `k`, or `n x k`.
        """
        rhs = rhs * self.scale
        y = np.zeros((len(rhs), len(self.pivots)))
        for i, row in enumerate(self.pivots):
            y[:, i] = (rhs[:, row] - y[:, :i] @ self.echelon[row, :i]) / self.echelon[row, i]
        whole = np.round(y)
        reached = whole @ self.echelon[:, : len(self.pivots)].T
        slack = NEAR + 1e-11 * (np.abs(rhs) + np.abs(reached))
        is_solved = (np.abs(reached - rhs) <= slack).all(axis=1)
        z = whole @ self.basis.T
        if self.kernel.shape[1]:
            t = (target - z) @ np.linalg.pinv(self.kernel).T
            offset = np.broadcast_to(offset, target.shape)[:, : t.shape[1]]
            z = z + np.floor(np.round(t, 9) + offset) @ self.kernel.T
        return z, is_solved


def _echelon(M: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return `M U`, the unimodular `U` and the rows with a pivot, by Euclid's algorithm on columns of integers."""
    H, U, pivots = M.copy(), np.eye(M.shape[1], dtype=int).astype(object), list[int]()
    for row in range(len(H)):
        first = len(pivots)
        while len(used := [j for j in range(first, H.shape[1]) if H[row, j]]) > 1:
            least = min(used, key=lambda j: abs(H[row, j]))
            for j in used:
                if j != least:
                    share = (2 * H[row, j] + H[row, least]) // (2 * H[row, least])
                    H[:, j] -= share * H[:, least]
                    U[:, j] -= share * U[:, least]
        if used:
            for part in (H, U):
                part[:, [first, used[0]]] = part[:, [used[0], first]]
            pivots.append(row)
    return H, U, tuple(pivots)


def _shortened(K: np.ndarray) -> np.ndarray:
    """Return the same lattice by shorter columns: each less what it has in common with the others."""
    K, is_shorter = K.copy(), True
    while is_shorter:
        is_shorter = False
        for i in range(K.shape[1]):
            for j in range(K.shape[1]):
                square = int(K[:, j] @ K[:, j])
                share = 0 if i == j else (2 * int(K[:, i] @ K[:, j]) + square) // (2 * square)
                shorter = K[:, i] - share * K[:, j]
                if share and shorter @ shorter < K[:, i] @ K[:, i]:
                    K[:, i], is_shorter = shorter, True
    return K
