"""Choosing in continuous and mixed spaces: many valid starts are scored, the best are polished by gradient.

Continuous parameters move under the linear constraints with BoTorch's optimizer. Where lists have many combinations or
constraints are not linear, gradient steps alternate with exchanges of listed values and with steps around the best.
Every point is rounded to what a person can set and checked before it counts, so every proposal decodes to a
configuration that meets all constraints; numbers with a step go on step by step from there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.optim import optimize_acqf
from scipy.spatial import cKDTree
from torch import Tensor

from discovery.acquisition.mixture import in_raw_units, outcome_unit
from discovery.acquisition.pool import CHUNK, Argument, Choice, Search, acquisition_for, score
from discovery.belief.belief import Belief
from discovery.errors import NoCandidateError
from discovery.seeds import derive, rng
from discovery.space.neighbors import around, exchanges, is_rough, toward
from discovery.space.sampling import is_valid

if TYPE_CHECKING:
    from discovery.space.regions import Limits
    from discovery.space.space import SearchSpace

N_STARTS = 1024
N_POLISHED = 4
MAX_ROUNDS = 8  # of gradient steps, steps around and exchanges in turn
N_TRIES = 4  # of steps around, one after the other
N_AROUND = 32  # steps at once
MAX_STEPS = 32  # from a rounded point to the best one around it
LEAST_GAIN = 1e-4  # of the acquisition value, for another round
RESOLUTION = 1e-3  # two configurations nearer than this in every coordinate of the unit cube are the same experiment


def choose_in_space(
    belief: Belief,
    space: SearchSpace,
    n: int,
    search: Search,
    X_pending: Tensor,
    is_taken: Callable[[np.ndarray], np.ndarray],
) -> list[Choice]:
    """Choose `n` configurations, greedily, each given the ones before it.

    Args:
        belief: The belief over real measurements.
        space: The space, with its constraints.
        n: Number of configurations wanted.
        search: Name, direction and seed.
        X_pending: Configurations that run already. Shape `p x d`.
        is_taken: Says which encoded rows (`N x d`) were measured, run or were chosen and may not come again.

    Returns:
        At most `n` choices (fewer where sampling finds no further configuration).

    Raises:
        NoCandidateError: If sampling finds no configuration that is not taken.
    """
    choices: list[Choice] = []
    pending = X_pending
    for i in range(n):
        starts = space.sample(N_STARTS, rng(search.seed, "starts", i))
        free = is_valid(space, starts) & ~(is_taken(starts) | is_near(starts, pending.cpu().numpy()))
        if not free.any() and choices:
            return choices
        if not free.any():
            raise NoCandidateError("No configuration is left that was not measured; sampling found only known ones.")
        X = torch.as_tensor(starts[free], dtype=torch.float64, device=pending.device)
        acqf = acquisition_for(belief, search, pending)
        values, _ = score(acqf, X, [part.name for part in belief.kept])
        best = polish(acqf, space, X[values.topk(min(N_POLISHED, len(X))).indices], search.seed + i)
        polished = best.cpu().numpy()
        fresh = is_valid(space, polished) & ~(is_taken(polished) | is_near(polished, pending.cpu().numpy()))
        finalists = torch.cat([best[torch.as_tensor(fresh, device=best.device)], X[values.argmax()][None]])
        final, _ = score(acqf, finalists, [part.name for part in belief.kept])
        top = int(final.argmax())
        argument = Argument(acqf, finalists, [part.name for part in belief.kept])(top)
        value = in_raw_units(acqf, float(final[top]), outcome_unit(belief.kept))
        choices.append(Choice(-1, finalists[top], value, argument))
        pending = torch.cat([pending, finalists[top][None]])
    return choices


def is_near(X: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Say which rows are the same experiment as a known one. Shapes `n x d`, `k x d` to `n`."""
    if not len(known):
        return np.zeros(len(X), dtype=bool)
    distance, _ = cKDTree(known).query(X, p=np.inf)
    return np.asarray(distance < RESOLUTION)


def polish(acqf: torch.nn.Module, space: SearchSpace, X: Tensor, seed: int) -> Tensor:
    """Move starts uphill within the constraints.

    Args:
        acqf: The acquisition function.
        space: The space.
        X: Valid starts, rounded. Shape `k x d`.
        seed: Seed of the optimizer and of steps around.

    Returns:
        Valid points, rounded, that are as good or better but for their digits. Shape `k x d`.
    """
    if is_rough(space):
        return torch.stack([_search(acqf, space, row, derive(seed, "polish", i)) for i, row in enumerate(X)])
    fixed_columns = [c for b in space.blocks if b.kind != "continuous" for c in range(b.start, b.stop)]
    if len(fixed_columns) == X.shape[1]:
        return X
    bounds = torch.tensor([[0.0], [1.0]], dtype=X.dtype, device=X.device).expand(2, X.shape[1])
    polished = [_climb(acqf, space, row, fixed_columns, bounds, seed) for row in X]
    return _settled(acqf, space, X, torch.stack(polished))


def _settled(acqf: torch.nn.Module, space: SearchSpace, starts: Tensor, X: Tensor) -> Tensor:
    """Round points, those that cannot be to their starts, and go on step by step. Shape `k x d` each."""
    exact = space.encode(space.decode(X.cpu().numpy()))
    rounded, is_fine = space.rounding.rounded(exact)
    fine = torch.as_tensor(is_fine, device=X.device)[:, None]
    settled = torch.where(fine, torch.as_tensor(rounded, dtype=X.dtype, device=X.device), starts)
    if not space.rounding.has_steps:
        return settled
    return torch.stack([_step_by_step(acqf, space, row) for row in settled])


def _step_by_step(acqf: torch.nn.Module, space: SearchSpace, x: Tensor) -> Tensor:
    """Take the best of all single steps until none gets better. Shape `d` to `d`."""
    best, value = x[None], _values(acqf, x[None])
    for _ in range(MAX_STEPS):
        before = float(value)
        best, value = _better(acqf, best, value, space.rounding.moves(_array(best)))
        if float(value) <= before:
            break
    return best[0]


def _search(acqf: torch.nn.Module, space: SearchSpace, start: Tensor, seed: int) -> Tensor:
    """Climb, step around and exchange in turn until nothing gets better. Shape `d` to `d`."""
    generator, best = rng(seed, "around"), start[None]
    value = _values(acqf, best)
    for _ in range(MAX_ROUNDS):
        before = float(value)
        best, value = _better(acqf, best, value, toward(space, _array(best), _climb_freely(acqf, space, best[0], seed)))
        for _ in range(N_TRIES):
            best, value = _better(acqf, best, value, around(space, _array(best), N_AROUND, generator))
        best, value = _better(acqf, best, value, exchanges(space, _array(best)))
        if float(value) - before < LEAST_GAIN:
            break
    is_stable = bool(space.is_valid(space.decode(best.cpu().numpy())).all())
    return _settled(acqf, space, start[None], best)[0] if is_stable else start


def _array(best: Tensor) -> np.ndarray:
    return np.asarray(best[0].cpu().numpy())


def _better(acqf: torch.nn.Module, best: Tensor, value: Tensor, found: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the best of what was found where it is better. Shapes `1 x d`, `1`, `m x d`."""
    if not len(found):
        return best, value
    X = torch.as_tensor(found, dtype=best.dtype, device=best.device)
    values = _values(acqf, X)
    top = int(values.argmax())
    return (X[top][None], values[top][None]) if float(values[top]) > float(value) else (best, value)


@torch.no_grad()
def _values(acqf: torch.nn.Module, X: Tensor) -> Tensor:
    return torch.cat([acqf(chunk[:, None, :]) for chunk in X.split(CHUNK)])


def _climb_freely(acqf: torch.nn.Module, space: SearchSpace, row: Tensor, seed: int) -> np.ndarray:
    """Climb from a point under the linear constraints that hold there; the others may break. Shape `d`."""
    limits = space.regions.limits_at(row.cpu().numpy())
    fixed = sorted(set(range(len(row))) - set(limits.columns.tolist()))
    if len(fixed) == len(row):
        return np.asarray(row.cpu().numpy())
    bounds = torch.tensor([[0.0], [1.0]], dtype=row.dtype, device=row.device).expand(2, len(row))
    return np.asarray(_climb(acqf, limits, row, fixed, bounds, seed).cpu().numpy())


def _climb(
    acqf: torch.nn.Module, limits: SearchSpace | Limits, row: Tensor, fixed: list[int], bounds: Tensor, seed: int
) -> Tensor:
    def constraint(parts: tuple[np.ndarray, np.ndarray, float]) -> tuple[Tensor, Tensor, float]:
        indices, coefficients, rhs = parts
        factors = torch.as_tensor(coefficients, dtype=row.dtype, device=row.device)
        return torch.as_tensor(indices, device=row.device), factors, float(rhs)

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # a climb that fails is no loss: its end is compared with its start
        torch.manual_seed(derive(seed, "climb") % 2**31)
        x, _ = optimize_acqf(
            acqf,
            bounds=bounds,
            q=1,
            num_restarts=1,
            batch_initial_conditions=row[None, None, :],
            fixed_features={c: float(row[c]) for c in fixed} or None,
            inequality_constraints=[constraint(c) for c in limits.inequality_constraints] or None,
            equality_constraints=[constraint(c) for c in limits.equality_constraints] or None,
            options={"maxiter": 50},
        )
    return x[0].detach()
