"""Random configurations that meet all constraints, whatever these are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from discovery.errors import NoCandidateError
from discovery.space.constraints import cells_of, is_met, meets
from discovery.space.curves import onto_curves
from discovery.space.possible import some_shares
from discovery.space.rare import find_rare

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

MAX_DRAWS = 1_000_000  # random configurations tried before constraints count as out of reach of chance
PATIENCE = 20_000  # draws after which chance must be on the way to get there within MAX_DRAWS
MAX_ROUNDS = 12  # times that lists and zeros are drawn before chance is given up
LEAST = 64  # draws at once where few may be on the grid
N_PROGRAMS = 24  # solutions asked of a program where chance finds nothing on the grid
_CHUNK = 100_000
_ASKED = 4096  # draws that tell which constraint is the hardest


def draw_feasible(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of valid configurations, uniform in the encoding within the constraints where chance finds them.

    Without a pool they are rounded to steps or readable digits (`discovery.space.rounding`).

    Linear constraints are met by construction, counts and sums over lists by drawing what is listed and what is zero
    first, the others by drawing again; where chance hardly meets them, by a search that comes nearer step by step.

    Returns:
        Points. Shape `n x d`.

    Raises:
        NoCandidateError: If nothing is found that meets the constraints.
    """
    if space.is_pooled:
        return _by_chance(space, n, rng, is_patient=True)
    if not space.rounding.has_steps:
        return space.rounding.rounded(_draw_exactly(space, n, rng))[0]
    kept = [np.empty((0, space.n_dims))]
    for _ in range(MAX_ROUNDS if n else 0):
        X, is_fine = space.rounding.rounded(_draw_exactly(space, max(n, LEAST), rng))
        kept.append(X[is_fine])
        if sum(map(len, kept)) >= n:
            return np.vstack(kept)[:n]
    found = np.vstack(kept) if sum(map(len, kept)) or not n else _by_program(space, rng)
    if n and not len(found):
        raise _nothing_on_grid(space)
    return found[rng.integers(len(found), size=n)] if n else found


def _draw_exactly(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of valid configurations, to all digits. Shape `n x d`."""
    is_tied = n > 0 and space.regions.of.is_tied
    X = _by_parts(space, n, rng) if is_tied else _by_chance(space, n, rng, is_patient=False)
    if len(X) == n:
        return X
    found = find_rare(space.regions, n, rng)
    found = found[is_valid(space, found)]
    if not len(found):
        raise _nothing(space, rng)
    return found[rng.integers(len(found), size=n)] if len(found) < n else found


def _by_program(space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
    """Find configurations on the grid by mixed-integer programs, each with other weights. Shape `m x d`."""
    system, found = space.regions.of, [np.empty((0, space.n_dims))]
    k, sizes = len(system.continuous), [len(numbers) for numbers in system.numbers]
    for _ in range(N_PROGRAMS):
        shares = some_shares(system, weights=rng.standard_normal(k + sum(sizes)))
        if shares is None or not len(shares):
            break
        ones = np.split(shares[k:], np.cumsum(sizes)[:-1]) if sizes else []
        codes = np.array([[int(one.argmax()) for one in ones]], dtype=np.intp).reshape(1, len(sizes))
        X = space.rounding.rounded(space.regions.placed(codes, shares[None, :k].clip(0.0, 1.0)))
        found.append(X[0][X[1]])
    return np.vstack(found)


def _nothing_on_grid(space: SearchSpace) -> NoCandidateError:
    names = [codec.name for codec, _ in space.regions.of.continuous if codec.step is not None]
    return NoCandidateError(
        f"Constraints must leave configurations on the grids of {', '.join(names)}; none was found.",
        "Lower a step, relax a constraint, or list the candidates in a file.",
    )


def is_valid(space: SearchSpace, X: np.ndarray) -> np.ndarray:
    """Return where points are configurations that meet all constraints exactly. Shape `n x d` to `n`."""
    pairs = zip(space.codecs, space.slices, strict=True)
    canonical = [codec.decode(X[:, part]) for codec, part in pairs]
    return meets(space.constraints, space.codecs, canonical, is_exact=True)


def _by_chance(space: SearchSpace, n: int, rng: np.random.Generator, *, is_patient: bool) -> np.ndarray:
    """Draw until enough is valid; fewer than `n` where that takes too long, an error where nothing else is left."""
    if not space.other_constraints:
        return _draw(space, n, rng)
    kept, n_kept, n_tried = [np.empty((0, space.n_dims))], 0, 0
    while n_kept < n:
        is_slow = n_tried >= PATIENCE and n_kept * MAX_DRAWS < n * n_tried
        if n_tried >= MAX_DRAWS or (is_slow and not is_patient):
            if not is_patient:
                return np.vstack(kept)
            raise NoCandidateError(
                f"Constraints must leave configurations to draw; {n_kept} of {n_tried} random ones meet them.",
                "List the candidates in a file.",
            )
        rate = (n_kept + 1) / (n_tried + 1)
        n_more = min(math.ceil(1.2 * (n - n_kept) / rate), _CHUNK if is_patient else PATIENCE)
        X = _draw(space, n_more, rng)
        kept.append(X[_meets_others(space, X, is_exact=not is_patient)])
        n_kept, n_tried = n_kept + len(kept[-1]), n_tried + n_more
    return np.vstack(kept)[:n]


def _by_parts(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw what is listed and zero, then the rest, until enough is valid; fewer than `n` where that takes too long."""
    kept, n_kept = [np.empty((0, space.n_dims))], 0
    for _ in range(MAX_ROUNDS):
        X = space.regions.points(onto_curves(space.regions, space.regions.draw(n, rng)))
        kept.append(X[is_valid(space, X)])
        n_kept += len(kept[-1])
        if n_kept >= n:
            break
    return np.vstack(kept)[:n]


def _draw(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points that meet the linear constraints. Shape `n x d`."""
    X = np.hstack([codec.encode(codec.draw(n, rng)) for codec in space.codecs])
    if space.polytope is not None:
        X[:, space.polytope.dims] = space.polytope.sample(n, rng)
    return X


def _meets_others(space: SearchSpace, X: np.ndarray, *, is_exact: bool) -> np.ndarray:
    pairs = zip(space.codecs, space.slices, strict=True)
    canonical = [codec.decode(X[:, part]) for codec, part in pairs]
    return meets(space.other_constraints, space.codecs, canonical, is_exact=is_exact)


def _nothing(space: SearchSpace, rng: np.random.Generator) -> NoCandidateError:
    """Return the error that names the constraint which random configurations meet least often."""
    canonical = [codec.draw(_ASKED, rng) for codec in space.codecs]
    columns = cells_of(space.codecs, canonical)
    rates = [int(is_met(constraint, columns).sum()) for constraint in space.constraints]
    hardest = int(np.argmin(rates))
    return NoCandidateError(
        f"Constraints must leave configurations to propose; none was found. The hardest to meet is "
        f"({space.constraints[hardest]}): {rates[hardest]} of {_ASKED} random configurations do.",
        "Relax it, widen the bounds, or list the candidates in a file.",
    )
