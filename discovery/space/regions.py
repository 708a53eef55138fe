"""Drawing where lists, counts and sums hang together: choose what is listed and what is zero, then walk what is left.

What is listed and what is held at zero is drawn first; the linear constraints then leave a polytope for the rest, and
a walk goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np

from discovery.space.polytope import center_of, null_space, reach
from discovery.space.system import System

MAX_FACES = 64  # different polytopes that one call walks through
REACHABLE = 1e-9  # relative: how near a sum must come to its right-hand side


@dataclass(frozen=True, eq=False)
class Rows:
    """Configurations on their way; `k` continuous numbers, `l` lists, `p` inequalities.

    Attributes:
        codes: Positions in the lists. Shape `n x l`.
        U: Shares of the bounds. Shape `n x k`.
        low: Lowest share of each; equal to `high` where it is held at zero. Shape `n x k`.
        high: Highest share of each. Shape `n x k`.
        b: What is left of the right-hand sides of inequalities. Shape `n x p`.
        P: Projections onto the directions along which equalities stay as they are. Shape `n x k x k`.
    """

    codes: np.ndarray
    U: np.ndarray
    low: np.ndarray
    high: np.ndarray
    b: np.ndarray
    P: np.ndarray

    def __len__(self) -> int:
        return len(self.U)

    @property
    def _parts(self) -> tuple[np.ndarray, ...]:
        return self.codes, self.U, self.low, self.high, self.b, self.P

    def at(self, places: np.ndarray) -> Rows:
        """Return some of them. `places` is a mask or positions."""
        return Rows(*(part[places] for part in self._parts))

    def where(self, mask: np.ndarray, other: Rows) -> Rows:
        """Return other rows where a mask is true, these elsewhere."""
        pairs = zip(self._parts, other._parts, strict=True)
        return Rows(*(np.where(mask.reshape(-1, *[1] * (own.ndim - 1)), new, own) for own, new in pairs))


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
        codes, low, high = self._codes(is_on[:, k:], rng), *self._bounds(is_on[:, :k])
        b, e = self._left(codes)
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
        """Move rows by hit-and-run."""
        for _ in range(n_steps):
            rows = self.step(rows, np.ones(len(rows)), rng)
        return rows

    def step(self, rows: Rows, scale: np.ndarray, rng: np.random.Generator) -> Rows:
        """Move each row along one direction within the linear constraints.

        Args:
            rows: The rows.
            scale: How far at most, as a share of what there is room for. Length `n`.
            rng: Source of directions and lengths.
        """
        A = self.of.matrices[0]
        direction = np.einsum("nk,nkl->nl", rng.standard_normal(rows.U.shape), rows.P)
        slack = np.hstack([rows.U @ A.T - rows.b, rows.U - rows.low, rows.high - rows.U]).clip(0.0)
        approach = np.hstack([-(direction @ A.T), -direction, direction])
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
        return replace(rows, codes=codes, b=self._left(codes)[0])

    def points(self, rows: Rows) -> np.ndarray:
        """Return rows as points. Shape `n x d`."""
        X = np.zeros((len(rows), self.of.space.n_dims))
        for i, (codec, start) in enumerate(self.of.continuous):
            X[:, start] = rows.U[:, i]
            if self.of.is_raw[i]:
                raw = codec.low + rows.U[:, i] * (codec.high - codec.low)
                X[:, start] = codec.encode(raw.clip(codec.low, codec.high))[:, 0]
        for i, (listed, part) in enumerate(self.of.listed):
            X[:, part] = listed.encode(rows.codes[:, i])
        return X

    def rows_at(self, X: np.ndarray) -> Rows:
        """Return points as rows: what is zero and counted stays zero. Shape `n x d`."""
        k = len(self.of.continuous)
        U = np.zeros((len(X), k))
        for i, (codec, start) in enumerate(self.of.continuous):
            raw = codec.decode(X[:, [start]])
            U[:, i] = (raw - codec.low) / (codec.high - codec.low) if self.of.is_raw[i] else X[:, start]
        codes = (
            np.array([codec.decode(X[:, part]) for codec, part in self.of.listed])
            .reshape(len(self.of.listed), len(X))
            .T
        )
        counted = np.isin(np.arange(k), [i for group in self.of.groups for i in group.members])
        low, high = self._bounds(~(counted & (np.abs(U - self.of.zeros) <= 1e-12)))
        b, _ = self._left(codes)
        P = np.array([self._projection(low[i] < high[i]) for i in range(len(X))]).reshape(len(X), k, k)
        return Rows(codes, U.clip(low, high), low, high, b, P)

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

    def _codes(self, is_on: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw positions in the lists; counted ones are zero or not, as the supports say. Shape `n x l`."""
        n, codes = len(is_on), []
        counted = {int(i) - len(self.of.continuous) for group in self.of.groups for i in group.members}
        for i, numbers in enumerate(self.of.numbers):
            if i not in counted:
                codes.append(rng.integers(len(numbers), size=n))
                continue
            others, zero = np.flatnonzero(numbers != 0), int(np.argmin(np.abs(numbers)))
            drawn = others[rng.integers(len(others), size=n)] if len(others) else np.full(n, zero)
            codes.append(np.where(is_on[:, i], drawn, zero))
        return np.array(codes, dtype=np.intp).reshape(len(self.of.listed), n).T

    def _bounds(self, is_on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest shares. Shape `n x k` each."""
        low, high = np.zeros(is_on.shape), np.ones(is_on.shape)
        for group in (g for g in self.of.groups if g.least > 0):
            for i in group.members[group.members < is_on.shape[1]]:
                codec = self.of.continuous[i][0]
                low[:, i] = np.maximum(low[:, i], (group.least - codec.low) / (codec.high - codec.low))
        return np.where(is_on, low, self.of.zeros), np.where(is_on, high, self.of.zeros)

    def _left(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
