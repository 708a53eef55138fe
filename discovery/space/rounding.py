"""Numbers that a person can set: configurations are rounded to the steps of the file, or to readable digits.

A number without a step is rounded to about four digits of its range, of the value on a log scale, and to more where
constraints need them. Equations stay exact: some numbers are rounded and others follow (`discovery.space.plans`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from discovery.seeds import rng
from discovery.space.constraints import meets
from discovery.space.curves import onto_curves
from discovery.space.digits import round_digits, without_noise
from discovery.space.plans import Plan
from discovery.space.regions import Regions
from discovery.space.rows import Rows

DIGITS = (4, 5, 6, 8)  # significant digits that are tried, one after the other
N_PLANS = 6  # ways to choose which numbers follow from equations
N_TRIES = 18  # ways to round up or down
ALL_BUT_ONE = 1.0 - 1e-6  # rounds up what is not on the grid


@dataclass(frozen=True, eq=False)
class Rounding:
    """Rounds the continuous numbers of a space; lists stay as they are.

    Attributes:
        regions: The space.
    """

    regions: Regions

    @cached_property
    def has_steps(self) -> bool:
        """Whether any number has a step."""
        return any(codec.step is not None for codec, _ in self.regions.of.continuous)

    def rounded(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Round configurations that meet all constraints to ones that do so too.

        Args:
            X: Points of valid configurations. Shape `n x d`.

        Returns:
            Points, shape `n x d`, and where they can be proposed, shape `n`: numbers without a step keep their digits
            where no rounding meets the constraints; numbers with one cannot. Each row by itself: the same row, the
            same result.
        """
        out, is_done = X.copy(), np.zeros(len(X), dtype=bool)
        if not self.regions.of.continuous or not len(X):
            return out, ~is_done
        is_all_stepped = all(codec.step is not None for codec, _ in self.regions.of.continuous)
        for digits in DIGITS[:1] if is_all_stepped else DIGITS:
            for plan, offsets in self._ways(X, digits):
                left = np.flatnonzero(~is_done)
                if not len(left):
                    return out, is_done
                tried, is_fine = self._placed(X[left], digits, plan, np.broadcast_to(offsets, self._shape(X))[left])
                out[left[is_fine]], is_done[left[is_fine]] = tried[is_fine], True
        return out, is_done if self.has_steps else np.ones(len(X), dtype=bool)

    def is_set(self, X: np.ndarray) -> np.ndarray:
        """Return where every number with a step is on its grid. Shape `n x d` to `n`."""
        fine = np.ones(len(X), dtype=bool)
        for codec, start in self.regions.of.continuous:
            fine &= codec.is_on_grid(codec.decode(X[:, [start]]))
        return fine

    def moves(self, x: np.ndarray) -> np.ndarray:
        """Return what is one step away from a configuration and meets all constraints.

        Under equations, two or more numbers move at once.

        Args:
            x: A point on the grid. Length `d`.

        Returns:
            Points. Shape `m x d`.
        """
        plan, (_, step) = self._plans[0], self._grid
        K = np.eye(len(plan.stepped)) if plan.lattice is None else plan.lattice.kernel
        pairs = [K[:, i] - K[:, j] for i, j in combinations(range(K.shape[1]), 2)] if plan.lattice is not None else []
        ways = np.vstack([K.T, *(pair[None] for pair in pairs)]) if K.size else np.empty((0, len(plan.stepped)))
        ways = np.vstack([ways, -ways])
        if not len(ways):
            return np.empty((0, len(x)))
        X = np.repeat(x[None], len(ways), axis=0)
        V = self._values(X)
        V[:, plan.stepped] += ways * step[plan.stepped]
        moved, is_fine = self._finished(X, V, plan)
        return moved[is_fine]

    def _shape(self, X: np.ndarray) -> tuple[int, int]:
        return len(X), len(self.regions.of.continuous)

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest values and steps; 0 and infinity without a step. Length `k` each."""
        codecs = [codec for codec, _ in self.regions.of.continuous]
        low = np.array([0.0 if codec.step is None else codec.low for codec in codecs])
        return low, np.array([np.inf if codec.step is None else codec.step for codec in codecs])

    @cached_property
    def _plans(self) -> list[Plan]:
        """Plans in which other numbers follow; the widest first."""
        codecs, stream = [codec for codec, _ in self.regions.of.continuous], rng(0, "plans of rounding")
        order = sorted(range(len(codecs)), key=lambda i: (codecs[i].is_log, codecs[i].low - codecs[i].high))
        equations = [c for c in self.regions.of.space.constraints if getattr(c, "relation", "==") == "=="]
        orders = [order, *(order[i:] + order[:i] for i in range(1, min(len(order), 4)))]
        orders += [stream.permutation(len(codecs)).tolist() for _ in range(N_PLANS - len(orders))]
        return [Plan.of(self.regions.of, one) for one in (orders if equations else orders[:1])]

    def _ways(self, X: np.ndarray, digits: int) -> Iterator[tuple[Plan, np.ndarray]]:
        """Yield plans and what is added before numbers are cut: nearest, away from limits, then by turns."""
        k, stream = len(self.regions.of.continuous), rng(0, "ways of rounding")
        for plan in self._plans:
            yield plan, np.full(k, 0.5)
        yield self._plans[0], self._inward(X, digits)
        for i in range(N_TRIES):
            wide = 3.0 * stream.random(k) - 1.0 if i >= N_TRIES // 2 and self.has_steps else stream.random(k)
            yield self._plans[i % len(self._plans)], wide

    def _inward(self, X: np.ndarray, digits: int) -> np.ndarray:
        """Return what rounds away from the linear limits that are near. Shape `n x k`."""
        A = self.regions.of.matrices[0]
        U, width = self.regions.shares(X), np.array([c.high - c.low for c, _ in self.regions.of.continuous])
        b, _ = self.regions.left_of(self._codes(X))
        tick = self._ticks(self._values(X), digits) / width
        is_near = U @ A.T - b <= 2 * tick @ np.abs(A).T
        way = is_near @ np.sign(A)
        return np.where(way > 0, ALL_BUT_ONE, np.where(way < 0, 1.0 - ALL_BUT_ONE, 0.5))

    def _ticks(self, V: np.ndarray, digits: int) -> np.ndarray:
        """Return what each number is rounded to a multiple of. Shape `n x k`."""
        ticks = np.empty_like(V)
        for i, (codec, _) in enumerate(self.regions.of.continuous):
            size = np.abs(V[:, i]) if codec.is_log else np.full(len(V), codec.high - codec.low)
            decade = np.floor(np.log10(size) + 1e-9)
            ticks[:, i] = 10.0 ** (decade - digits + 1) if codec.step is None else codec.step
        return ticks

    def _codes(self, X: np.ndarray) -> np.ndarray:
        """Return positions in the lists. Shape `n x l`."""
        codes = [codec.decode(X[:, part]) for codec, part in self.regions.of.listed]
        return np.array(codes, dtype=np.intp).reshape(len(codes), len(X)).T

    def _values(self, X: np.ndarray) -> np.ndarray:
        """Return raw values of the continuous numbers. Shape `n x k`."""
        return np.stack([codec.decode(X[:, [start]]) for codec, start in self.regions.of.continuous], axis=1)

    def _placed(self, X: np.ndarray, digits: int, plan: Plan, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Round rows one way; return them, and where all constraints are met."""
        V, low, step = self._values(X), *self._grid
        ticks = self._ticks(V, digits)
        W = low + ticks * np.floor(np.round((V - low) / ticks, 9) + offsets)
        for i, (codec, _) in enumerate(self.regions.of.continuous):
            most = codec.high if codec.step is None else codec.low + codec.step * codec.n_steps
            W[:, i] = W[:, i].clip(codec.low, most)
        is_solved = np.full(len(X), not plan.is_hopeless)
        if plan.lattice is not None:
            stepped = plan.stepped
            target = (V[:, stepped] - low[stepped]) / step[stepped]
            rhs = self._sides(X) @ plan.rest.T - plan.start
            z, is_solved = plan.lattice.near(rhs, target, offsets[:, stepped])
            W[:, stepped] = low[stepped] + step[stepped] * z
        tried, is_fine = self._finished(X, W, plan)
        return tried, is_fine & is_solved

    def _sides(self, X: np.ndarray) -> np.ndarray:
        """Return the right-hand sides of equations, less what lists bring. Shape `n x o`."""
        V, equations = self._codes(X), self.regions.of.equations
        sides = np.tile([c.rhs for c in equations], (len(X), 1)).reshape(len(X), len(equations))
        for i, (codec, _) in enumerate(self.regions.of.listed):
            factors = np.array([c.coefficients.get(codec.name, 0.0) for c in equations])
            sides -= self.regions.of.numbers[i][V[:, i]][:, None] * factors
        return sides

    def _finished(self, X: np.ndarray, W: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
        """Let numbers follow from the others, and check; shapes `n x d`, `n x k` to `n x d`, `n`."""
        if len(plan.follow):
            sides = self._sides(X) @ plan.sides.T
            size = np.abs(sides) + np.abs(W) @ np.abs(plan.factors).T
            W[:, plan.follow] = without_noise(sides - W @ plan.factors.T, size)
        W, is_within, placed = round_digits(W), np.ones(len(X), dtype=bool), X.copy()
        for i, (codec, start) in enumerate(self.regions.of.continuous):
            slack = 1e-12 * max(abs(codec.low), abs(codec.high))
            is_within &= (W[:, i] >= codec.low - slack) & (W[:, i] <= codec.high + slack)
            placed[:, start] = codec.encode(W[:, i].clip(codec.low, codec.high))[:, 0]
        if len(plan.curved):
            placed = self._onto_curves(placed, plan)
        return placed, is_within & self.is_set(placed) & self._is_met(placed)

    def _onto_curves(self, X: np.ndarray, plan: Plan) -> np.ndarray:
        """Let one number follow from each equation that is not linear."""
        k, codes = len(self.regions.of.continuous), self._codes(X)
        P = np.zeros((k, k))
        P[plan.curved, plan.curved] = 1.0
        U = self.regions.shares(X)
        ends = np.zeros_like(U), np.ones_like(U)
        rows = Rows(codes, U, *ends, np.zeros((len(X), 0)), np.repeat(P[None], len(X), axis=0))
        moved, placed = self.regions.points(onto_curves(self.regions, rows)), X.copy()
        columns = [self.regions.of.continuous[i][1] for i in plan.curved]
        placed[:, columns] = moved[:, columns]
        return placed

    def _is_met(self, X: np.ndarray) -> np.ndarray:
        space = self.regions.of.space
        canonical = [codec.decode(X[:, part]) for codec, part in zip(space.codecs, space.slices, strict=True)]
        return meets(space.constraints, space.codecs, canonical, is_exact=True)
