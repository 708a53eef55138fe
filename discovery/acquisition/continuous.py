"""Choosing in continuous and mixed spaces: many valid starts are scored, the best are polished by gradient.

Discrete and categorical parameters keep the values of their start; continuous ones move under the constraints with
BoTorch's optimizer. So every kind of space goes one way, and every proposal decodes to a valid configuration.
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
from discovery.acquisition.pool import Argument, Choice, Search, acquisition_for, score
from discovery.belief.belief import Belief
from discovery.errors import NoCandidateError
from discovery.seeds import derive, rng

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

N_STARTS = 1024
N_POLISHED = 4
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
        free = ~(is_taken(starts) | is_near(starts, pending.cpu().numpy()))
        if not free.any() and choices:
            return choices
        if not free.any():
            raise NoCandidateError("No configuration is left that was not measured; sampling found only known ones.")
        X = torch.as_tensor(starts[free], dtype=torch.float64, device=pending.device)
        acqf = acquisition_for(belief, search, pending)
        values, _ = score(acqf, X, [part.name for part in belief.kept])
        best = _polish(acqf, space, X[values.topk(min(N_POLISHED, len(X))).indices], search.seed + i)
        polished = best.cpu().numpy()
        fresh = ~(is_taken(polished) | is_near(polished, pending.cpu().numpy()))
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


def _polish(acqf: torch.nn.Module, space: SearchSpace, X: Tensor, seed: int) -> Tensor:
    """Move the continuous columns of some starts uphill; the others stay. Shape `k x d` to `k x d`."""
    fixed_columns = [c for b in space.blocks if b.kind != "continuous" for c in range(b.start, b.stop)]
    if len(fixed_columns) == X.shape[1]:
        return X
    bounds = torch.tensor([[0.0], [1.0]], dtype=X.dtype, device=X.device).expand(2, X.shape[1])
    polished = [_climb(acqf, space, row, fixed_columns, bounds, seed) for row in X]
    decoded = space.encode(space.decode(torch.stack(polished).cpu().numpy()))
    return torch.as_tensor(decoded, dtype=X.dtype, device=X.device)


def _climb(
    acqf: torch.nn.Module, space: SearchSpace, row: Tensor, fixed: list[int], bounds: Tensor, seed: int
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
            inequality_constraints=[constraint(c) for c in space.inequality_constraints] or None,
            equality_constraints=[constraint(c) for c in space.equality_constraints] or None,
            options={"maxiter": 50},
        )
    return x[0].detach()
