"""Several objectives: the expected growth of the hypervolume under a front of trade-offs, exact for mixtures.

The region that no known experiment dominates is cut into boxes. Outcomes are independent given the configuration, so a
box's expected new volume is the product over outcomes of one-dimensional expectations, and each of those is a sum over
the outcome's own members: no sampling, and as many hypotheses per outcome as there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from botorch.utils.multi_objective.box_decompositions import BoxDecompositionList, FastNondominatedPartitioning
from torch import Tensor

from discovery.acquisition.gaussians import Mixture, log_difference
from discovery.acquisition.goals import Score

MARGIN = 0.1  # of an objective's range: how far the inferred reference lies below the worst experiment
FEW = 5  # experiments below which the belief says what a range is


@dataclass(frozen=True)
class Hypervolume:
    """Logarithm of the expected hypervolume improvement; volumes in the product of the outcomes' raw units.

    Attributes:
        scores: Name of the outcome and score of every objective; `m` of them.
        low: Lower corners of the boxes. Shape `[f x] c x m`.
        high: Upper corners; may be infinite. Shape `[f x] c x m`.

    Source:
        Yang et al. (2019), Efficient computation of expected hypervolume improvement using box decomposition
        algorithms, equation 19; departures: expectations over mixtures, in logarithms.
    """

    scores: tuple[tuple[str, Score], ...]
    low: Tensor
    high: Tensor

    is_linear: ClassVar[bool] = False
    is_success: ClassVar[bool] = False

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate at mixtures. Shape `[f x] n`."""
        sides = [
            self._log_side(at[name], score, self.low[..., k], self.high[..., k])
            for k, (name, score) in enumerate(self.scores)
        ]
        empty = (self.high <= self.low).any(-1)[..., None, :]
        return torch.logsumexp(torch.stack(sides).sum(0).masked_fill(empty, -torch.inf), dim=-1)

    @staticmethod
    def _log_side(at: Mixture, score: Score, low: Tensor, high: Tensor) -> Tensor:
        """Logarithm of the expected length of the boxes' filled part along one objective. Shape `[f x] n x c`."""
        is_open = torch.isinf(high)
        edges = torch.cat([low, torch.where(is_open, low, high)], dim=-1)  # [f x] 2c
        levels, index = _distinct(edges)
        excess = score.log_excess(at, levels)  # [f x] n x l
        excess = excess.gather(-1, index[..., None, :].expand(*excess.shape[:-1], -1))
        above, beyond = excess.split(low.shape[-1], dim=-1)
        return torch.where(is_open[..., None, :], above, log_difference(above, beyond))


def _distinct(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct values of every row and where each value lies among them. Shapes `* x l`, `* x k`."""
    ordered, order = values.sort(dim=-1)
    steps = torch.zeros_like(order)
    steps[..., 1:] = (ordered[..., 1:] > ordered[..., :-1]).long()
    rank = steps.cumsum(-1)
    n_levels = int(rank.max()) + 1
    levels = ordered[..., -1:].expand(*ordered.shape[:-1], n_levels).clone().scatter_(-1, rank, ordered)
    return levels, torch.empty_like(rank).scatter_(-1, order, rank)


def front_boxes(Y: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Cut the region that no row dominates into boxes, above the reference.

    Args:
        Y: Scores of known experiments; those that are not to count lie below the reference. Shape `[f x] n x m`.
        reference: Scores that are just not good enough. Shape `m`.

    Returns:
        Lower and upper corners. Shape `[f x] c x m`; boxes that only fill up the shape are empty.
    """
    fronts = Y if Y.ndim == 3 else Y[None]
    bounds = BoxDecompositionList(*(FastNondominatedPartitioning(reference, front) for front in fronts))
    low, high = bounds.get_hypercell_bounds()  # f x c x m
    return (low, high) if Y.ndim == 3 else (low[0], high[0])


def infer_reference(Y: Tensor, given: Sequence[float | None], spread: Tensor) -> Tensor:
    """Return a reference point where the team gave none: just worse than all that is known.

    Args:
        Y: Scores of known experiments, as they are believed. Shape `n x m`; `n` may be zero.
        given: References that were given, as scores. Length `m`.
        spread: How much each score varies under the belief. Shape `m`.

    Returns:
        Shape `m`.

    Source:
        Ishibuchi et al. (2011), Many-objective and many-variable test problems; BoTorch's `infer_reference_point`;
        departures: all experiments set the range, not the front alone, which would shut out the ends of every
        trade-off (measured in docs/objectives.md); those of fewer than `FEW` do so together with the belief.
    """
    if len(Y) == 0:
        inferred = -spread
    else:
        size = Y.amax(0) - Y.amin(0)
        size = torch.where(size > 0, size, spread) if len(Y) >= FEW else torch.maximum(size, spread)
        inferred = Y.amin(0) - MARGIN * size
    chosen = [inferred[k] if value is None else inferred.new_tensor(value) for k, value in enumerate(given)]
    return torch.stack(chosen)
