"""Choosing from a finite pool: score all rows, never repeat one, and choose batches one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from discovery.acquisition.fantasies import fantasize
from discovery.acquisition.mixture import (
    MONTE_CARLO,
    MixtureAcquisition,
    MixtureMean,
    Target,
    believed_best,
    build,
    in_raw_units,
    in_unit,
    outcome_unit,
)
from discovery.belief.belief import Belief, KeptBank
from discovery.errors import NoCandidateError
from discovery.seeds import rng, torch_generator

TIE = 1e-6  # values (logarithms, or in a unit in which outcomes vary by about one) nearer than this are equal
CENTRALITY = 0.02  # of the prior sd: what a central first experiment is worth where prior means hardly differ
N_JOINT = 128  # pool rows that Monte Carlo functions score, the best ones by plain LogEI: joint posteriors are dear
N_FANTASIZED = 4096  # pool rows that are scored under fantasies, the best ones by plain LogEI
CHUNK = 256  # rows scored at once: members x measurements x rows stay near a core's cache


@dataclass(frozen=True)
class Choice:
    """One chosen configuration.

    Attributes:
        index: Row of the pool; -1 outside a pool.
        x: Encoded configuration. Shape `d`.
        value: Acquisition value, raw units or the logarithm of such.
        argument: Share of every hypothesis in the value.
    """

    index: int
    x: Tensor
    value: float
    argument: dict[str, float]


@dataclass(frozen=True)
class Middle:
    """The middle of a pool of which the rows at hand are only a part (`discovery.acquisition.streamed`).

    Attributes:
        center: Mean of all configurations. Shape `d`.
        farthest: Largest squared distance from it.
        example: A configuration, with all feature columns. Shape `1 x D`.
    """

    center: Tensor
    farthest: float
    example: Tensor


@dataclass(frozen=True)
class Plates:
    """How large batches are chosen.

    Attributes:
        least: Batches from here on are chosen in closed form (`discovery.acquisition.batches`), smaller ones anew.
        n_looked_at: Candidates whose values are brought up to date for a choice, the best ones so far.
        most_numbers: Members x experiments x candidates in memory, 8 bytes each.
        per_choice: Candidates for each experiment of a batch, at least.
    """

    least: int = 12
    n_looked_at: int = 512
    most_numbers: int = 40_000_000
    per_choice: int = 4

    def n_candidates(self, n_members: int, n: int, n_experiments: int) -> int:
        """Return how many rows a batch of `n` is chosen from, with so many experiments in the end."""
        return max(self.per_choice * n, min(N_FANTASIZED, self.most_numbers // (n_members * n_experiments)))


PLATES = Plates()


@dataclass(frozen=True)
class Search:
    """How to search.

    Attributes:
        name: Acquisition function.
        sign: 1 to maximize, -1 to minimize.
        seed: Seed of fantasies and Monte Carlo samples.
        middle: Where the middle of the pool is; None where the rows at hand are the pool.
        given: Coordinates of a context and their values today: improvement is counted from the best there.
        plates: How large batches are chosen.
    """

    name: str
    sign: float
    seed: int
    middle: Middle | None = None
    given: tuple[tuple[int, float], ...] = ()
    plates: Plates = PLATES


def acquisition_for(belief: Belief, search: Search, X_pending: Tensor) -> MixtureAcquisition | torch.nn.Module:
    """Build the acquisition function for the next choice, given what runs or is chosen already.

    Args:
        belief: The belief over real measurements.
        search: Name, direction and seed.
        X_pending: Configurations under way or chosen in this batch. Shape `p x d`.

    Returns:
        The function; its values are in the belief's own unit (`outcome_unit`).
    """
    sign, unit = search.sign, outcome_unit(belief.kept)
    kept = in_unit(belief.kept, unit)
    is_blank = belief.best_f is None
    if search.name in MONTE_CARLO and not is_blank:
        pending = X_pending if len(X_pending) else None
        target = Target(sign, believed_best(kept, sign, search.given))
        return build(search.name, kept, target, seed=search.seed, X_pending=pending)
    if len(X_pending):
        imagined = fantasize(kept, X_pending, torch_generator(search.seed, "fantasies"), sign=sign, given=search.given)
        if search.name == "log_ei" or search.name in MONTE_CARLO:
            return build("log_ei", imagined.kept, imagined.target)
        believers = _believers(imagined.kept)
        return build(search.name, believers, Target(sign, believed_best(believers, sign, search.given)))
    if is_blank:
        return MixtureMean(kept, sign)
    return build(search.name, kept, Target(sign, believed_best(kept, sign, search.given)))


def _believers(kept: Sequence[KeptBank]) -> list[KeptBank]:
    """Condition on the middle of the fantasies only: a quantile is not averaged over fantasies."""
    parts = []
    for part in kept:
        middle = part.bank.Y.median(dim=0).values
        bank = part.bank.with_outcomes(middle)
        parts.append(KeptBank(part.name, bank, torch.logsumexp(part.log_weight, dim=0) - np.log(len(part.log_weight))))
    return parts


def choose_from_pool(
    belief: Belief,
    X: Tensor,
    allowed: np.ndarray,
    n: int,
    search: Search,
    X_pending: Tensor | None = None,
) -> list[Choice]:
    """Choose `n` rows of a pool, greedily, each given the ones before it.

    Args:
        belief: The belief over real measurements.
        X: The pool, with all feature columns (`with_all_features`) or none. Shape `N x d`.
        allowed: True for rows that may be chosen. Shape `N`.
        n: Number of rows wanted.
        search: Name, direction and seed.
        X_pending: Configurations that run already. Shape `p x d`.

    Returns:
        At most `n` choices (fewer where the pool runs out); ties are drawn from the seed.

    Raises:
        NoCandidateError: If no row is allowed.
    """
    refuse_empty(allowed)
    allowed, names, unit = allowed.copy(), [part.name for part in belief.kept], outcome_unit(belief.kept)
    d = belief.kept[0].bank.n_dims
    pending = X[:0, :d] if X_pending is None else X_pending
    choices: list[Choice] = []
    while len(choices) < n and allowed.any():
        rows = torch.as_tensor(np.flatnonzero(allowed), device=X.device)
        limit = N_JOINT if search.name in MONTE_CARLO else N_FANTASIZED if len(pending) else len(rows)
        if len(rows) > limit:
            plain = acquisition_for(belief, replace(search, name="log_ei"), pending[:0])
            rows = rows[score(plain, X[rows], names, search.middle)[0].topk(limit).indices.sort().values]
        acqf = acquisition_for(belief, search, pending)
        values, argument = score(acqf, X[rows], names, search.middle)
        best = pick(values, search.seed, len(choices))
        index = int(rows[best])
        choices.append(Choice(index, X[index, :d], in_raw_units(acqf, float(values[best]), unit), argument(best)))
        allowed[index] = False
        pending = torch.cat([pending, X[index, :d][None]])
    return choices


def refuse_empty(allowed: np.ndarray) -> None:
    """Raise NoCandidateError if no row is allowed."""
    if not allowed.any():
        raise NoCandidateError("Every candidate of the pool was measured, runs, or was rejected; none is left.")


def pick(values: Tensor, seed: int, step: int) -> int:
    """Return the row with the highest value; among equals one is drawn from the seed.

    Pools of combinations are full of equals (levels that nothing is known about are exchangeable), and the file's
    order must not decide between them.
    """
    equals = np.flatnonzero((values >= values.max() - TIE).cpu().numpy())
    return int(rng(seed, "ties", step).choice(equals))


@torch.no_grad()
def score(
    acqf: torch.nn.Module, X: Tensor, names: Sequence[str], middle: Middle | None = None, n_at_once: int = CHUNK
) -> tuple[Tensor, Argument]:
    """Score rows. Returns values of shape `N` and a function that says which hypothesis argues for a row."""
    values = torch.cat([acqf(chunk[:, None, :]) for chunk in X.split(n_at_once)])
    if isinstance(acqf, MixtureMean):
        values = values + CENTRALITY * _sd(acqf, X, middle) * centrality(X[:, : acqf.kept[0].bank.n_dims], middle)
    return values, Argument(acqf, X, names)


def _sd(acqf: MixtureMean, X: Tensor, middle: Middle | None) -> Tensor:
    """Return the prior standard deviation that centrality is counted in. Shape `1`."""
    return acqf.sd(X[:1] if middle is None else middle.example)


def centrality(X: Tensor, middle: Middle | None = None) -> Tensor:
    """Say how near rows are to the middle of the pool: one there, zero at the farthest row. Shape `n x d` to `n`."""
    if middle is not None:
        return 1 - (X - middle.center).square().sum(-1) / max(middle.farthest, 1e-12)
    distance = (X - X.mean(0)).square().sum(-1)
    return 1 - distance / distance.max().clamp_min(1e-12)


@dataclass(frozen=True)
class Argument:
    """Which hypothesis argues for a row: its share of the acquisition value."""

    acqf: torch.nn.Module
    X: Tensor
    names: Sequence[str]

    @torch.no_grad()
    def __call__(self, row: int) -> dict[str, float]:
        """Return shares by hypothesis; they sum to one. Weights where the function does not split."""
        x = self.X[row][None, None, :]
        if isinstance(self.acqf, MixtureAcquisition):
            parts = [torch.logsumexp(p.reshape(-1, p.shape[-1]).logsumexp(-1), 0) for p in self.acqf.members(x)]
        else:
            parts = [torch.logsumexp(part.log_weight, dim=-1) for part in self.acqf.kept]  # type: ignore[union-attr]
        shares = torch.softmax(torch.stack(parts), dim=0)
        return dict(zip(self.names, shares.tolist(), strict=True))
