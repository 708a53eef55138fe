"""Drawing where lists, counts and sums hang together: choose what is listed and what is zero, then walk what is left.

What is listed and what is held at zero is drawn first; the linear constraints then leave a polytope for the rest, and
a walk goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np

from discovery.space.lists import REACHABLE, draw_lists
from discovery.space.polytope import EncodedConstraint, center_of, null_space, reach
from discovery.space.rows import Limits, Rows
from discovery.space.system import System

MAX_FACES = 64  # different polytopes that one call walks through


@dataclass(frozen=True, eq=False)
class Regions:
    """The parts of a space that differ in what is listed and what is zero.

    Attributes:
        of: The space as linear systems.
    """

    of: System

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw configurations that meet linear constraints and counts.

        Returns:
            At most `n`; fewer, or none, where few of the lists and zeros that were drawn leave any.
        """
        k = len(self.of.continuous)
        is_on = self._supports(n, rng)
        low, high = self._bounds(is_on[:, :k])
        codes = draw_lists(self.of, is_on[:, k:], low, high, rng)
        b, e = self.left_of(codes)
        found = np.flatnonzero(self._is_reachable(low, high, b, e))
        if not len(found):
            return Rows(codes[:0], low[:0], low[:0], high[:0], b[:0], np.zeros((0, k, k)))
        sides = np.hstack([low[found], high[found], b[found], e[found]]).round(12)
        _, firsts, faces = np.unique(sides, axis=0, return_index=True, return_inverse=True)
        faces = faces.reshape(-1)
        chosen = dict.fromkeys(faces[rng.permutation(len(faces))].tolist())
        walks = {}
        for face in list(chosen)[:MAX_FACES]:
            i = found[firsts[face]]
            center, projection = self._center(low[i], high[i], b[i], e[i])
            if center is not None:
                walks[face] = center, projection
        found, faces = found[np.isin(faces, list(walks))], faces[np.isin(faces, list(walks))]
        if not len(found):
            return Rows(codes[:0], low[:0], low[:0], high[:0], b[:0], np.zeros((0, k, k)))
        again = rng.integers(len(found), size=n - len(found))
        found, faces = np.append(found, found[again]), np.append(faces, faces[again])
        U = np.array([walks[face][0] for face in faces])
        P = np.array([walks[face][1] for face in faces])
        rows = Rows(codes[found], U, low[found], high[found], b[found], P)
        return self.walk(rows, 32 + 8 * k, rng)

    def walk(self, rows: Rows, n_steps: int, rng: np.random.Generator) -> Rows:
        """Move rows by hit-and-run; log-scale numbers in equalities are drawn anew, even in their logarithms."""
        curved = np.flatnonzero(self.of.is_raw)
        for i in range(n_steps):
            rows = self.step(rows, np.ones(len(rows)), rng)
            rows = self._redrawn(rows, int(curved[i % len(curved)]), rng) if len(curved) else rows
        return rows

    def _redrawn(self, rows: Rows, i: int, rng: np.random.Generator) -> Rows:
        """Draw one log-scale number even in its logarithm; others follow along the equalities."""
        codec, slope = self.of.continuous[i][0], rows.P[:, i, i]
        direction = rows.P[:, i] / np.where(slope > 1e-9, slope, np.inf)[:, None]
        slack, approach = self._room(rows, direction)
        low, high = rows.U[:, i] - reach(slack, -approach), rows.U[:, i] + reach(slack, approach)
        ends = np.log(codec.low + np.array([low, high]).clip(0.0, 1.0) * (codec.high - codec.low))
        drawn = (np.exp(ends[0] + rng.random(len(rows)) * (ends[1] - ends[0])) - codec.low) / (codec.high - codec.low)
        return replace(rows, U=(rows.U + (drawn - rows.U[:, i])[:, None] * direction).clip(rows.low, rows.high))

    def step(self, rows: Rows, scale: np.ndarray, rng: np.random.Generator, *, is_partial: bool = False) -> Rows:
        """Move each row along one direction within the linear constraints.

        Args:
            rows: The rows.
            scale: How far at most, as a share of what there is room for. Length `n`.
            rng: Source of directions and lengths.
            is_partial: Whether a direction is of some of the numbers only, of few as often as of many.
        """
        direction = rng.standard_normal(rows.U.shape)
        if is_partial:
            direction *= rng.random(rows.U.shape) < rng.random((len(rows), 1))
        direction = np.einsum("nk,nkl->nl", direction, rows.P)
        slack, approach = self._room(rows, direction)
        forward, backward = reach(slack, approach), reach(slack, -approach)
        length = scale * ((forward + backward) * rng.random(len(rows)) - backward)
        return replace(rows, U=(rows.U + length[:, None] * direction).clip(rows.low, rows.high))

    def relisted(self, rows: Rows, rng: np.random.Generator) -> Rows:
        """Draw one list anew in every second row; lists that are counted or in an equality stay."""
        loose = np.flatnonzero(self.of.is_loose)
        if not len(loose):
            return rows
        codes, changed = rows.codes.copy(), np.flatnonzero(rng.random(len(rows)) < 0.5)
        which = loose[rng.integers(len(loose), size=len(changed))]
        sizes = np.array([len(numbers) for numbers in self.of.numbers])
        codes[changed, which] = rng.integers(sizes[which])
        return replace(rows, codes=codes, b=self.left_of(codes)[0])

    def points(self, rows: Rows) -> np.ndarray:
        """Return rows as points. Shape `n x d`."""
        return self.placed(rows.codes, rows.U)

    def placed(self, codes: np.ndarray, U: np.ndarray) -> np.ndarray:
        """Return positions in the lists, shape `n x l`, and shares, shape `n x k`, as points. Shape `n x d`."""
        X = np.zeros((len(U), self.of.space.n_dims))
        for i, (codec, start) in enumerate(self.of.continuous):
            X[:, start] = U[:, i]
            if self.of.is_raw[i]:
                raw = codec.low + U[:, i] * (codec.high - codec.low)
                X[:, start] = codec.encode(raw.clip(codec.low, codec.high))[:, 0]
        for i, (listed, part) in enumerate(self.of.listed):
            X[:, part] = listed.encode(codes[:, i])
        return X

    def cells(self, codes: np.ndarray, U: np.ndarray) -> dict[str, np.ndarray]:
        """Return raw values as constraints compute with them, not rounded. Shapes `n x l`, `n x k`; length `n`."""
        cells: dict[str, np.ndarray] = {}
        for i, (codec, _) in enumerate(self.of.continuous):
            raw = codec.low + U[:, i] * (codec.high - codec.low)
            cells[codec.name] = raw if self.of.is_raw[i] else codec.exact(U[:, i])
        for i, (listed, _) in enumerate(self.of.listed):
            is_number = listed.kind in ("discrete", "boolean")
            cells[listed.name] = (self.of.numbers[i] if is_number else listed.labels)[codes[:, i]]
        return cells

    def shares(self, X: np.ndarray) -> np.ndarray:
        """Return the shares of points. Shape `n x d` to `n x k`."""
        U = np.zeros((len(X), len(self.of.continuous)))
        for i, (codec, start) in enumerate(self.of.continuous):
            U[:, i] = X[:, start]
            if self.of.is_raw[i]:
                U[:, i] = (codec.decode(X[:, [start]]) - codec.low) / (codec.high - codec.low)
        return U

    def rows_at(self, X: np.ndarray) -> Rows:
        """Return points as rows: what is zero and counted stays zero. Shape `n x d`."""
        k, U = len(self.of.continuous), self.shares(X)
        codes = np.array([codec.decode(X[:, part]) for codec, part in self.of.listed], dtype=np.intp)
        codes = codes.reshape(len(self.of.listed), len(X)).T
        counted = np.isin(np.arange(k), [i for group in self.of.groups for i in group.members])
        low, high = self._bounds(~(counted & (np.abs(U - self.of.zeros) <= 1e-12)))
        P = np.array([self._projection(low[i] < high[i]) for i in range(len(X))]).reshape(len(X), k, k)
        return Rows(codes, U.clip(low, high), low, high, self.left_of(codes)[0], P)

    def along(self, row: Rows, direction: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return the shares of one row moved parts of a direction, as far as linear constraints let it.

        Args:
            row: A single row.
            direction: Where to, of which what leads along the equalities is taken. Shape `1 x k`.
            parts: How much of it. Length `n`.
        """
        direction = np.einsum("nk,nkl->nl", direction, row.P)
        room = np.minimum(reach(*self._room(row, direction)), 1.0)
        return (row.U + (room * parts)[:, None] * direction).clip(row.low, row.high)

    def limits_at(self, x: np.ndarray) -> Limits:
        """Return what the optimizer may move at a point, and the linear constraints on it. Length `d`."""
        row, (A, _, _, E, _, e) = self.rows_at(x[None]), self.of.matrices
        free = (row.low < row.high)[0] & ~self.of.is_raw & (np.abs(row.P[0]).sum(axis=0) > 1e-9)
        columns = np.array([start for _, start in self.of.continuous], dtype=np.int64)[free]
        rest = np.where(free, 0.0, row.U[0])
        e = self.left_of(row.codes)[1][0]

        def sides(M: np.ndarray, rhs: np.ndarray) -> list[EncodedConstraint]:
            moved = rhs - M @ rest
            return [(columns, line[free], float(side)) for line, side in zip(M, moved, strict=True) if line[free].any()]

        return Limits(columns, sides(A, row.b[0]), sides(E, e))

    def _room(self, rows: Rows, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far every side is, and how fast a direction comes nearer to it. Shape `n x (p + 2 k)` each."""
        A = self.of.matrices[0]
        slack = np.hstack([rows.U @ A.T - rows.b, rows.U - rows.low, rows.high - rows.U]).clip(0.0)
        return slack, np.hstack([-(direction @ A.T), -direction, direction])

    def _supports(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw which numbers may differ from zero, every allowed set as likely. Shape `n x (k + l)`."""
        is_on = np.ones((n, len(self.of.continuous) + len(self.of.listed)), dtype=bool)
        for group in self.of.groups:
            size = len(group.members)
            ways = np.array([comb(size, m) for m in range(group.n_free + 1)], dtype=np.float64)
            n_on = rng.choice(len(ways), size=n, p=ways / ways.sum())
            ranks = rng.random((n, size)).argsort(axis=1).argsort(axis=1)
            is_on[:, group.members] &= ranks < n_on[:, None]
        return is_on

    def _bounds(self, is_on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest shares. Shape `n x k` each."""
        low, high = np.zeros(is_on.shape), np.ones(is_on.shape)
        for group in (g for g in self.of.groups if g.least > 0):
            for i in group.members[group.members < is_on.shape[1]]:
                codec = self.of.continuous[i][0]
                low[:, i] = np.maximum(low[:, i], (group.least - codec.low) / (codec.high - codec.low))
        return np.where(is_on, low, self.of.zeros), np.where(is_on, high, self.of.zeros)

    def left_of(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the lists leave of the right-hand sides. Shapes `n x p`, `n x o`."""
        _, F, b, _, G, e = self.of.matrices
        v = (
            np.array([numbers[codes[:, i]] for i, numbers in enumerate(self.of.numbers)])
            .reshape(len(self.of.listed), len(codes))
            .T
        )
        return b - v @ F.T, e - v @ G.T

    def _is_reachable(self, low: np.ndarray, high: np.ndarray, b: np.ndarray, e: np.ndarray) -> np.ndarray:
        """Return where each constraint by itself can be met within the shares. Shape `n`."""
        A, _, rhs, E, _, total = self.of.matrices

        def most(M: np.ndarray) -> np.ndarray:
            return high @ M.clip(0.0).T + low @ M.clip(max=0.0).T

        slack = REACHABLE * (np.abs(A).sum(axis=1) + np.abs(rhs)), REACHABLE * (np.abs(E).sum(axis=1) + np.abs(total))
        is_fine = (most(A) >= b - slack[0]).all(axis=1)
        return is_fine & (most(E) >= e - slack[1]).all(axis=1) & (-most(-E) <= e + slack[1]).all(axis=1)

    def _center(
        self, low: np.ndarray, high: np.ndarray, b: np.ndarray, e: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the middle of one polytope, None where it is empty, and its projection."""
        A, _, _, E, _, _ = self.of.matrices
        free = low < high
        cube, sides = np.eye(int(free.sum())), np.concatenate([low[free], -high[free]])
        matrix = np.vstack([A[:, free], cube, -cube])
        used = np.abs(E[:, free]).sum(axis=1) > 0
        fixed = np.where(free, 0.0, low)
        rest = np.concatenate([b - A @ fixed, sides])
        kept, total = E[used][:, free], (e - E @ fixed)[used]
        center = low.copy()
        if free.any():
            found = center_of(matrix, rest, kept, total, null_space(kept))
            if found is None:
                return None, np.zeros((len(low), len(low)))
            center[free] = found
        return center, self._projection(free)

    def _projection(self, free: np.ndarray) -> np.ndarray:
        """Return the projection onto directions of the free shares along the equalities. Shape `k x k`."""
        P, E = np.zeros((len(free), len(free))), self.of.matrices[3][:, free]
        basis = null_space(E[np.abs(E).sum(axis=1) > 0])
        P[np.ix_(free, free)] = basis @ basis.T
        return P
