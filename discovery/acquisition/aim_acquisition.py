"""The acquisition function that serves an aim: logarithms of value, feasibility, information and cost, added up.

Experiments that run are imagined per outcome (`fantasies`); everything here then has a leading dimension of fantasies
and is averaged over them. Next in the tour: `discovery.cycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from botorch.acquisition import AcquisitionFunction
from torch import Tensor

from discovery.acquisition.costs import take_off_cost
from discovery.acquisition.discrimination import information, trade
from discovery.acquisition.fantasies import fantasize
from discovery.acquisition.gaussians import Mixture, joint_weights, latent, log_mean, noisy
from discovery.acquisition.goal_values import Value, value_of
from discovery.acquisition.hits import log_share_failed, log_weighted_mean
from discovery.acquisition.known import Known, measured
from discovery.acquisition.limits import log_feasible, log_success
from discovery.belief.belief import KeptBank
from discovery.seeds import torch_generator

if TYPE_CHECKING:
    from discovery.acquisition.aims import Aim, Limit
    from discovery.acquisition.pool import Search
    from discovery.belief.beliefs import Beliefs

Outcomes = Mapping[str, tuple[KeptBank, ...]]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Serving:
    """What an acquisition function for an aim is made of.

    Attributes:
        aim: What counts.
        outcomes: The banks of every outcome, with fantasies where experiments run.
        value: What improvement is worth; its values are logarithms.
        limits: The limits that the value does not account for itself.
        feasible: The banks that say whether an experiment succeeds at all, or None.
        log_share: Log shares of fantasies where not all count alike. Shape `f`, or None.
    """

    aim: Aim
    outcomes: Outcomes
    value: Value
    limits: tuple[Limit, ...] = ()
    feasible: tuple[KeptBank, ...] | None = None
    log_share: Tensor | None = None


class AimAcquisition(AcquisitionFunction):
    """Log acquisition values of single configurations, raw units.

    Args:
        serving: What it is made of.
    """

    def __init__(self, serving: Serving) -> None:
        main = next(iter(serving.outcomes.values()))
        super().__init__(model=main[0].bank)
        self.main = main
        self.serving = serving
        self.weights = {name: joint_weights(kept) for name, kept in serving.outcomes.items()}

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate. Shape `b x 1 x d` (or with the first outcome's feature columns) to `b`."""
        rows, aim = X[:, 0, :], self.serving.aim
        total = self._log_value(rows, self.weights) if aim.discrimination < 1 else rows.new_zeros(len(rows))
        if aim.discrimination > 0:
            nats = torch.stack([part.sum(-1) for part in self._nats(rows).values()]).sum(0)
            total = trade(total, nats, aim.discrimination)
        plain = rows[:, : self.main[0].bank.n_dims]
        if self.serving.feasible is not None:
            total = total + log_success(latent(self.serving.feasible, plain))
        return total if aim.log_cost is None else take_off_cost(total, plain, aim.log_cost, aim.cost_exponent)

    def information(self, X: Tensor) -> Tensor:
        """Expected information on which hypothesis is true, nats, summed over outcomes. Shape `n x d` to `n`."""
        return torch.stack([part.sum(-1) for part in self._nats(X).values()]).sum(0)

    def log_feasible(self, X: Tensor) -> Tensor:
        """Log probability that an experiment succeeds and keeps to the limits. Shape `n x d` to `n`."""
        held = log_feasible(self.serving.aim.limits, self._at(X, self.weights))
        total = X.new_zeros(len(X)) if held is None else log_mean(held)
        if self.serving.feasible is None:
            return total
        return total + log_success(latent(self.serving.feasible, X[:, : self.main[0].bank.n_dims]))

    def argument(self, x: Tensor) -> dict[str, float]:
        """Return the share of every hypothesis in the value of one configuration; they sum to one.

        Values are linear in the weights of every outcome's members, so a member's share is the derivative of the log
        value by its log weight; shares are averaged over outcomes. Of information the share is the hypothesis's own
        part. Shape `d` (or with feature columns).
        """
        shares: dict[str, float] = {}
        knob = self.serving.aim.discrimination
        parts = [(1 - knob, self._value_shares(x[None]))] if knob < 1 else []
        parts += [(knob, {name: part[0] for name, part in self._nats(x[None]).items()})] if knob > 0 else []
        names = {name: [part.name for part in kept] for name, kept in self.serving.outcomes.items()}
        for factor, by_outcome in parts:
            for name, share in added_up(by_outcome, names).items():
                shares[name] = shares.get(name, 0.0) + factor * share
        overall = sum(shares.values())
        return {name: share / overall for name, share in shares.items()} if overall > 0 else self._standing()

    def _standing(self) -> dict[str, float]:
        """Weights of the first outcome's hypotheses: what is said where no share can be told."""
        return {part.name: float(part.log_weight.exp().sum(-1).mean()) for part in self.main}

    def _value_shares(self, rows: Tensor) -> dict[str, Tensor]:
        """Every outcome's hypotheses' shares in the value of one row; each outcome's sum to one. Shape `k` each."""
        sizes = {name: [part.log_weight.shape[-1] for part in kept] for name, kept in self.serving.outcomes.items()}
        if self.serving.value.is_linear:
            return {name: _split(weight.exp(), sizes[name]) for name, weight in self.weights.items()}
        return shares_of(lambda weights: self._log_value(rows.detach(), weights), self.weights, sizes)

    def _at(self, rows: Tensor, weights: Weights) -> dict[str, Mixture]:
        return {
            name: latent(kept, self._own(kept, rows), weights[name]) for name, kept in self.serving.outcomes.items()
        }

    def _own(self, kept: Sequence[KeptBank], rows: Tensor) -> Tensor:
        """Only the first outcome's feature columns come along; other outcomes compute their own."""
        return rows if kept is self.main else rows[:, : self.main[0].bank.n_dims]

    def _log_value(self, rows: Tensor, weights: Weights) -> Tensor:
        serving = self.serving
        return log_worth(serving.value, serving.limits, serving.log_share, self._at(rows, weights))

    def _nats(self, rows: Tensor) -> dict[str, Tensor]:
        """Every outcome's hypotheses' parts of the information, averaged over fantasies. Shape `n x k` each."""
        nats = {}
        for name, kept in self.serving.outcomes.items():
            sizes = [part.log_weight.shape[-1] for part in kept]
            part = information(noisy(kept, self._own(kept, rows), self.weights[name]), sizes)
            nats[name] = part if part.ndim == 2 else part.mean(0)
        return nats


def log_worth(value: Value, limits: Sequence[Limit], log_share: Tensor | None, at: Mapping[str, Mixture]) -> Tensor:
    """Return the logarithm of what configurations are worth that must keep to limits, averaged over fantasies.

    Args:
        value: What improvement is worth.
        limits: The limits that the value does not account for itself.
        log_share: Log shares of fantasies, shape `f`; None where all count alike.
        at: What is believed of every outcome at `n` configurations.

    Returns:
        Shape `n`.
    """
    worth, held = value(at), log_feasible(limits, at)
    both = worth if held is None else worth + held
    return log_mean(both) if log_share is None else log_weighted_mean(both, log_share)


def shares_of(
    log_value: Callable[[Weights], Tensor], weights: Weights, sizes: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """Return every outcome's hypotheses' shares in a value; each outcome's sum to one.

    Args:
        log_value: The logarithm of the value, given log weights of the members.
        weights: Log weights of every outcome's members. Shape `[f x] H`.
        sizes: Number of members of each hypothesis, by outcome. Length `k`.

    Returns:
        Shape `k` each.
    """
    leaves = {name: weight.detach().clone().requires_grad_(True) for name, weight in weights.items()}
    with torch.enable_grad():
        value = log_value(leaves).sum()
    slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    told = zip(weights, slopes, strict=True)
    return {name: _split(weights[name].exp() if slope is None else slope, sizes[name]) for name, slope in told}


def _split(moved: Tensor, sizes: Sequence[int]) -> Tensor:
    split = torch.stack([part.sum().clamp_min(0.0) for part in moved.split(list(sizes), dim=-1)])
    return torch.nan_to_num(split / split.sum())


def added_up(by_outcome: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Add up the shares of hypotheses over outcomes, as parts of one. Shape `k` each; names by outcome."""
    shares: dict[str, float] = {}
    total = torch.cat(list(by_outcome.values())).sum().clamp_min(1e-300)
    for outcome, values in by_outcome.items():
        for name, share in zip(names[outcome], (values / total).tolist(), strict=True):
            shares[name] = shares.get(name, 0.0) + share
    return shares


def serve(aim: Aim, beliefs: Beliefs, search: Search, X_pending: Tensor) -> AimAcquisition:
    """Build the acquisition function for an aim, given what runs or is chosen already.

    Args:
        aim: What counts.
        beliefs: The belief of every outcome.
        search: Seed of fantasies and samples.
        X_pending: Configurations under way or chosen in this batch. Shape `p x d`.
    """
    outcomes = {name: tuple(beliefs.of[name].kept) for name in aim.outcomes}
    X = measured(outcomes)
    known = Known.of(outcomes, X, aim.limits)
    now = known
    if len(X_pending):
        outcomes = {name: _imagined(kept, X_pending, search.seed, name) for name, kept in outcomes.items()}
        now = Known.of(outcomes, torch.cat([X, X_pending]), aim.limits)
    value, limits = value_of(aim, known, now, search.seed)
    feasible = None if beliefs.feasible is None else tuple(beliefs.feasible.kept)
    log_share = share_of(value, limits, now, len(X_pending))
    return AimAcquisition(Serving(aim, outcomes, value, limits, feasible, log_share))


def _imagined(kept: tuple[KeptBank, ...], X: Tensor, seed: int, outcome: str) -> tuple[KeptBank, ...]:
    return fantasize(kept, X, torch_generator(seed, "fantasies", outcome), sign=1.0).kept


def share_of(value: Value, limits: tuple[Limit, ...], now: Known, n_pending: int) -> Tensor | None:
    """Weigh fantasies by how probable it is that nothing under way succeeds, where success counts. Shape `f`."""
    if not value.is_success or not n_pending:
        return None
    held = log_feasible(limits, now.at)
    success = value(now.at) if held is None else value(now.at) + held
    return log_share_failed(success[:, -n_pending:])
