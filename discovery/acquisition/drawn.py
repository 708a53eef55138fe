"""Large batches without candidates: some thousand are drawn, the best are improved, and a plate is chosen from them.

A product of lists may have more combinations than can be listed, and a continuous space has no list at all. Both go the
same way: valid configurations by chance, the best of them moved uphill, and what is near those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from discovery.acquisition.batches import choose_batch, n_candidates
from discovery.acquisition.continuous import RESOLUTION, is_near, polish
from discovery.acquisition.imagined import distinct
from discovery.acquisition.pool import Choice, Search, acquisition_for, score
from discovery.belief.belief import Belief
from discovery.errors import NoCandidateError
from discovery.seeds import rng
from discovery.space.neighbors import around, exchanges

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

N_IMPROVED = 4  # of the configurations drawn, the best, that are moved uphill
N_AROUND = 64  # configurations around each of those


def choose_batch_in_space(
    turns: Sequence[Belief],
    space: SearchSpace,
    search: Search,
    X_pending: Tensor,
    is_taken: Callable[[np.ndarray], np.ndarray],
) -> list[Choice]:
    """Choose a configuration for every turn, each given the ones before it.

    Args:
        turns: Who chooses each experiment; the same object for the same belief.
        space: The space, with its constraints.
        search: Name (an analytic one), direction and seed.
        X_pending: Configurations that run already. Shape `p x d`.
        is_taken: Says which encoded rows (`N x d`) may not come again.

    Returns:
        At most one choice per turn (fewer where sampling finds no further configuration).

    Raises:
        NoCandidateError: If sampling finds no configuration that is not taken.
    """
    functions = [acquisition_for(belief, search, X_pending[:0]) for belief in distinct(turns)]
    drawing = Drawing(functions, n_candidates(turns, len(X_pending), search.plates), search.seed)
    rows = free_rows(space, drawing, X_pending, is_taken)
    choices = choose_batch(turns, rows, np.ones(len(rows), dtype=bool), search, X_pending)
    return [replace(choice, index=-1) for choice in choices]


@dataclass(frozen=True)
class Drawing:
    """How candidates are found where none are listed.

    Attributes:
        functions: Acquisition functions with nothing under way, one for each who chooses; what is drawn is improved by
            each of them.
        n: Number of configurations drawn.
        seed: Seed of what is drawn.
    """

    functions: Sequence[torch.nn.Module]
    n: int
    seed: int


def free_rows(
    space: SearchSpace, drawing: Drawing, X_pending: Tensor, is_taken: Callable[[np.ndarray], np.ndarray]
) -> Tensor:
    """Return valid configurations from which a batch may be chosen, the improved ones first. Shape `N x d`.

    Args:
        space: The space, with its constraints.
        drawing: How they are found.
        X_pending: Configurations that run already. Shape `p x d`.
        is_taken: Says which encoded rows (`N x d`) may not come again.

    Raises:
        NoCandidateError: If sampling finds no configuration that is not taken.
    """
    drawn = space.sample(drawing.n, rng(drawing.seed, "plate"))
    better = [_improved(acqf, space, drawn, drawing.seed, X_pending) for acqf in drawing.functions]
    X = apart(np.vstack([*better, drawn]))
    X = X[~(is_taken(X) | is_near(X, X_pending.cpu().numpy()))]
    if not len(X):
        raise NoCandidateError("No configuration is left that was not measured; sampling found only known ones.")
    return torch.as_tensor(X, dtype=torch.float64, device=X_pending.device)


def apart(X: np.ndarray) -> np.ndarray:
    """Leave out rows that are the same experiment as one before. Shape `n x d` to `m x d`."""
    pairs = cKDTree(X).query_pairs(RESOLUTION, p=np.inf, output_type="ndarray")
    return np.delete(X, np.unique(pairs.max(axis=1)), axis=0) if len(pairs) else X


def _improved(acqf: torch.nn.Module, space: SearchSpace, drawn: np.ndarray, seed: int, like: Tensor) -> np.ndarray:
    """Return the best of what was drawn, moved uphill, and what is near. Shape `m x d`."""
    X = torch.as_tensor(drawn).to(like)
    values, _ = score(acqf, X, ())
    tops = polish(acqf, space, X[values.topk(min(N_IMPROVED, len(X))).indices], seed).cpu().numpy()
    generator = rng(seed, "near")
    near = [found for top in tops for found in (exchanges(space, top), around(space, top, N_AROUND, generator))]
    found = [space.rounding.rounded(space.encode(space.decode(found))) for found in near if len(found)]
    return np.vstack([tops, *(rounded[is_fine] for rounded, is_fine in found)])
