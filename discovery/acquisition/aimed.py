"""Choosing by an aim: the same greedy search as for one outcome, with the acquisition function that serves the aim.

Each choice is made given the ones before it, in a finite pool or in a space. Next in the tour: `discovery.aimed_cycle`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from discovery.acquisition.aim_acquisition import AimAcquisition
from discovery.acquisition.aims import Aim, acquisition_over
from discovery.acquisition.continuous import N_POLISHED, N_STARTS, is_near, polish
from discovery.acquisition.gaussians import latent
from discovery.acquisition.insurance import is_insured
from discovery.acquisition.pool import CHUNK, Argument, Choice, Search, pick
from discovery.belief.beliefs import Beliefs
from discovery.errors import NoCandidateError
from discovery.seeds import rng
from discovery.space.sampling import is_valid

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

N_IMAGINED = 1024  # pool rows that are scored given what runs, the best ones without: several outcomes are dear


@dataclass(frozen=True)
class Aiming:
    """What decides about the next experiment.

    Attributes:
        aim: What is wanted.
        beliefs: The belief of every outcome.
        search: Name of the acquisition function, and seed.
    """

    aim: Aim
    beliefs: Beliefs
    search: Search

    def acquisition(self, X_pending: Tensor) -> torch.nn.Module:
        """Return the acquisition function, given what runs or is chosen already. Shape `p x d`."""
        return acquisition_over(self.aim, self.beliefs, self.search, X_pending)

    def scores(self, n_at_once: int = CHUNK) -> Callable[[Tensor], Tensor]:
        """Return the acquisition function with nothing under way, as a function of rows. Shape `N x D` to `N`."""
        acqf = self.acquisition(
            torch.zeros(0, self.beliefs.first.kept[0].bank.n_dims, dtype=torch.float64).to(self.beliefs.device)
        )
        return lambda X: _values(acqf, X, n_at_once)

    @torch.no_grad()
    def numbers(self, X: Tensor) -> dict[str, np.ndarray]:
        """Return what else speaks for or against configurations, by name, shape `k` each.

        `p_allowed`: probability that they succeed and keep to the limits; `p_hit`; `information_nats`: expected about
        which hypothesis is true; `experiment_cost`.

        Args:
            X: Configurations. Shape `k x d`.
        """
        found: dict[str, Tensor] = {}
        acqf, want = self.acquisition(X[:0]), self.aim.wants[0]
        if isinstance(acqf, AimAcquisition):
            if self.aim.limits or self.beliefs.feasible is not None:
                found["p_allowed"] = acqf.log_feasible(X).exp()
            if self.aim.discrimination > 0:
                found["information_nats"] = acqf.information(X)
        if want.goal == "hits" and want.threshold is not None:
            at = latent(self.beliefs.of[want.outcome].kept, X)
            above = at.log_above(X.new_tensor([want.threshold]))[:, 0].exp()
            found["p_hit"] = above if want.above else 1 - above
        if self.aim.log_cost is not None:
            found["experiment_cost"] = self.aim.log_cost(X).exp()
        return {name: values.cpu().numpy() for name, values in found.items()}

    def argument(self, acqf: torch.nn.Module, x: Tensor) -> dict[str, float]:
        """Return the share of every hypothesis in the value of a row. Shape `d`."""
        told = getattr(acqf, "argument", None)
        names = [part.name for part in self.beliefs.first.kept]
        found: dict[str, float] = told(x) if callable(told) else Argument(acqf, x[None], names)(0)
        return found


def who_aims(aiming: Aiming, before: int, n: int) -> list[Aiming]:
    """Return who chooses each of `n` experiments; the same object for the same beliefs.

    Args:
        aiming: What decides.
        before: Number of experiments chosen before, measured or not.
        n: Number of experiments.
    """
    doubted = [_is_doubted(aiming, before + i) for i in range(n)]
    doubting = replace(aiming, beliefs=aiming.beliefs.doubting()) if any(doubted) else aiming
    return [doubting if is_doubted else aiming for is_doubted in doubted]


def _is_doubted(aiming: Aiming, position: int) -> bool:
    """Say whether an experiment is chosen as if there were no experience, because that of some outcome is unproved.

    Where only information counts none is: who trusts no experience has no hypotheses to tell apart.
    """
    is_for_gain = aiming.aim.discrimination < 1
    return is_for_gain and any(is_insured(belief, position) for belief in aiming.beliefs.of.values())


def choose_aimed_from_pool(aiming: Aiming, X: Tensor, allowed: np.ndarray, n: int, X_pending: Tensor) -> list[Choice]:
    """Choose `n` rows of a pool, greedily, each given the ones before it.

    Args:
        aiming: What decides.
        X: The pool, with the feature columns of the first outcome or none. Shape `N x d`.
        allowed: True for rows that may be chosen. Shape `N`.
        n: Number of rows wanted.
        X_pending: Configurations that run already. Shape `p x d`.

    Returns:
        At most `n` choices (fewer where the pool runs out); ties are drawn from the seed.

    Raises:
        NoCandidateError: If no row is allowed.
    """
    if not allowed.any():
        raise NoCandidateError("Every candidate of the pool was measured, runs, or was rejected; none is left.")
    rows, d = torch.as_tensor(np.flatnonzero(allowed), device=X.device), X_pending.shape[1]
    pending, choices = X_pending, list[Choice]()
    while len(choices) < n and len(rows):
        if len(pending) and len(rows) > N_IMAGINED:
            plain = _values(aiming.acquisition(pending[:0]), X[rows])
            rows = rows[plain.topk(N_IMAGINED).indices.sort().values]
        acqf = aiming.acquisition(pending)
        values = _values(acqf, X[rows])
        best = pick(values, aiming.search.seed, len(choices))
        index = int(rows[best])
        choices.append(Choice(index, X[index, :d], float(values[best]), aiming.argument(acqf, X[index])))
        rows = rows[rows != index]
        pending = torch.cat([pending, X[index, :d][None]])
    return choices


def choose_aimed_in_space(
    aiming: Aiming, space: SearchSpace, n: int, X_pending: Tensor, is_taken: Callable[[np.ndarray], np.ndarray]
) -> list[Choice]:
    """Choose `n` configurations of a space, greedily, each given the ones before it.

    Args:
        aiming: What decides.
        space: The space, with its constraints.
        n: Number of configurations wanted.
        X_pending: Configurations that run already. Shape `p x d`.
        is_taken: Says which encoded rows (`N x d`) may not come again.

    Returns:
        At most `n` choices (fewer where sampling finds no further configuration).

    Raises:
        NoCandidateError: If sampling finds no configuration that is not taken.
    """
    pending, choices, seed = X_pending, list[Choice](), aiming.search.seed
    for i in range(n):
        starts = space.sample(N_STARTS, rng(seed, "starts", i))
        starts = starts[is_valid(space, starts) & _is_free(starts, pending, is_taken)]
        if not len(starts):
            if choices:
                break
            raise NoCandidateError("No configuration is left that was not measured; sampling found only known ones.")
        X = torch.as_tensor(starts, dtype=torch.float64, device=pending.device)
        acqf = aiming.acquisition(pending)
        values = _values(acqf, X)
        climbed = polish(acqf, space, X[values.topk(min(N_POLISHED, len(X))).indices], seed + i)
        ends = climbed.cpu().numpy()
        free = torch.as_tensor(is_valid(space, ends) & _is_free(ends, pending, is_taken), device=X.device)
        finalists = torch.cat([climbed[free], X[values.argmax()][None]])
        final = _values(acqf, finalists)
        top = int(final.argmax())
        choices.append(Choice(-1, finalists[top], float(final[top]), aiming.argument(acqf, finalists[top])))
        pending = torch.cat([pending, finalists[top][None]])
    return choices


@torch.no_grad()
def _values(acqf: torch.nn.Module, X: Tensor, n_at_once: int = CHUNK) -> Tensor:
    return torch.cat([acqf(chunk[:, None, :]) for chunk in X.split(n_at_once)])


def _is_free(X: np.ndarray, pending: Tensor, is_taken: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return ~(is_taken(X) | is_near(X, pending.cpu().numpy()))
