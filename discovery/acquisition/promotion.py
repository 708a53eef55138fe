"""What it is worth to measure a configuration at a cheap stage first, and to go on only where that then pays.

The gain per cost of the best way on is Pandora's index: the ratio `r` at which measuring is just worth its cost,
`E[max(EI(x | y) - r c_dear, 0)] = r c_cheap`. Next in the tour: `discovery.acquisition.stages`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from discovery.acquisition.gaussians import log_hinge
from discovery.belief.belief import KeptBank
from discovery.meta.linked import Joint, LinkedBank
from discovery.meta.read_bank import ReadBank

N_NODES, REACH = 41, 5.0  # outcomes of a cheap stage that are looked at: evenly spread, so many sds to either side
MOST_STEPS = 50  # of the search for the ratio; each finds a better policy, and there are few
LEAST_COST = 1e-3  # of the dear stage: a stage that costs less is counted as this, or nothing would ever go on from it
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Reward:
    """What a dear outcome is worth.

    Attributes:
        sign: 1 to maximize, -1 to minimize.
        best_f: What improvement is counted from, raw units.
        threshold: Outcomes beyond it are hits, each worth one; None counts improvement.
    """

    sign: float
    best_f: float
    threshold: float | None = None

    def __call__(self, mean: Tensor, sd: Tensor) -> Tensor:
        """Expected worth of Gaussian outcomes, raw units. Shapes alike."""
        if self.threshold is not None:
            return torch.special.ndtr(self.sign * (mean - self.threshold) / sd)
        return sd * log_hinge(self.sign * (mean - self.best_f) / sd).exp()


class Nodes(NamedTuple):
    """Outcomes of a stage that are looked at, the measurement's noise included."""

    y: Tensor  # raw units: g x n
    weight: Tensor  # probabilities: g x n


class Given(NamedTuple):
    """Members' outcomes of the next stage, given each node of this one."""

    weight: Tensor  # probability of node and member: g x h x n
    mean: Tensor  # raw units: g x h x n, or 1 x h x n of members that do not look at this stage
    sd: Tensor  # without noise
    noisy_sd: Tensor  # with noise


@dataclass(frozen=True)
class Way:
    """Everything that the way from one stage to the last needs to know about `n` configurations.

    Attributes:
        start: Probability of every node of each cheap stage. Shapes `g x n`.
        moves: Probability of the next stage's nodes given this one's, for all cheap stages but the last. `g x g x n`.
        worth: Expected worth of measuring the dear outcome, given a node of each cheap stage. Shapes `g x n`.
        said: Part of the worth at the last cheap stage's nodes by hypothesis, times their probability. `k x g x n`.
        direct: Expected worth of measuring the dear outcome at once, by hypothesis. Shape `k x n`.
    """

    start: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    worth: tuple[Tensor, ...]
    said: Tensor
    direct: Tensor


class Index(NamedTuple):
    """What a stage promises. Shape `n` each."""

    ratio: Tensor  # gain per cost
    cost: Tensor  # expected, of the whole way from here
    promotion: Tensor  # chance that it ends with the dear measurement


def look_ahead(kept: Sequence[Sequence[KeptBank]], X: Tensor, reward: Reward) -> Way:
    """Look at what every stage may say of configurations.

    Args:
        kept: Models of every stage's outcome, the dear one last.
        X: Configurations. Shape `n x d`.
        reward: What a dear outcome is worth.
    """
    dear = [_see(part, X) for part in kept[-1]]
    direct = torch.stack([(s.part.log_weight.exp()[:, None] * reward(s.mean, s.sd)).sum(0) for s in dear])
    nodes = [_nodes(parts, X) for parts in kept[:-1]]
    if not nodes:
        return Way((), (), (), X.new_zeros(0), direct)
    moves = []
    for here, there, parts in zip(nodes[:-1], nodes[1:], kept[1:-1], strict=True):
        moves.append(_move([_given(_see(part, X), X, here) for part in parts], there))
    told = [_given(seen, X, nodes[-1]) for seen in dear]
    said = torch.stack([(one.weight * reward(one.mean, one.sd)).sum(1) for one in told])  # k x g x n
    worth = [said.sum(0) / torch.stack([one.weight.sum(1) for one in told]).sum(0).clamp_min(1e-300)]
    for move in reversed(moves):
        worth.insert(0, (move * worth[0]).sum(1))
    return Way(tuple(one.weight for one in nodes), tuple(moves), tuple(worth), said, direct)


def index_of(way: Way, stage: int, costs: Sequence[float], may_skip: Tensor, may_follow: Tensor) -> Index:
    """Return the gain per cost of measuring a stage and then doing what pays.

    Args:
        way: What the stages may say.
        stage: Position of the stage.
        costs: Of all stages.
        may_skip: Whether the dear stage may come right after each cheap stage. Shape `(S - 1) x n`, bool.
        may_follow: Whether the next stage may follow each cheap stage. Shape `(S - 1) x n`, bool.
    """
    gain = way.direct.sum(0)
    if stage == len(costs) - 1:
        return Index(gain / costs[-1], torch.full_like(gain, costs[-1]), torch.ones_like(gain))
    ratio, costs = torch.zeros_like(gain), [max(cost, LEAST_COST * costs[-1]) for cost in costs]
    for _ in range(MOST_STEPS):  # Dinkelbach: the ratio of the policy that is best at the ratio before
        gain, cost, promotion = _follow(way, stage, ratio, costs, (may_skip, may_follow))
        found = gain / cost
        if bool((found <= ratio * (1 + 1e-12)).all()):
            break
        ratio = torch.maximum(found, ratio)
    return Index(ratio, cost, promotion)


def goes_on(way: Way, ratio: Tensor, costs: Sequence[float]) -> Tensor:
    """Say at which nodes of the last cheap stage the dear measurement pays. Shape `g x n`."""
    return way.worth[-1] > ratio * costs[-1]


def _follow(
    way: Way, stage: int, ratio: Tensor, costs: Sequence[float], rules: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gain, cost and chance of the dear measurement of the policy that is best at a ratio. Shape `n` each."""
    may_skip, may_follow = rules
    last, policy = len(costs) - 2, torch.empty(0)
    for s in range(last, stage - 1, -1):
        worth = way.worth[s]
        nothing = torch.zeros_like(worth)
        dear = torch.stack([worth, torch.full_like(worth, costs[-1]), torch.ones_like(worth)])
        best = torch.where((worth > ratio * costs[-1]) & may_skip[s], dear, nothing)  # 3 x g x n
        if s < last:
            onward = (way.moves[s] * policy[:, None]).sum(2)  # 3 x g x n
            onward[1] += costs[s + 1]
            is_better = (onward[0] - ratio * onward[1] > best[0] - ratio * best[1]) & may_follow[s]
            best = torch.where(is_better, onward, best)
        policy = best
    gain, cost, promotion = (way.start[stage] * policy).sum(1)
    return gain, cost + costs[stage], promotion


def _nodes(parts: Sequence[KeptBank], X: Tensor) -> Nodes:
    """Spread nodes over what the next measurement may give."""
    mean, sd, weight = _marginals(parts, X)
    middle = (weight * mean).sum(0)
    spread = (weight * (sd.square() + (mean - middle).square())).sum(0).sqrt()
    z = torch.linspace(-REACH, REACH, N_NODES, dtype=X.dtype, device=X.device)
    y = middle + spread * z[:, None]
    density = (weight.log()[None] + _log_normal(y[:, None], mean, sd)).logsumexp(1)
    return Nodes(y, torch.softmax(density, dim=0))


class Seen(NamedTuple):
    """The members of one hypothesis at `n` points."""

    part: KeptBank
    mean: Tensor  # of the latent outcome, raw units: h x n
    sd: Tensor
    joint: Joint | None  # with the stage before; None where it is not looked at
    noise: Tensor  # of that stage's outcome; empty without


def _see(part: KeptBank, X: Tensor) -> Seen:
    """Look at points with the members of one hypothesis, once for all that is asked."""
    bank = part.bank
    if not isinstance(bank, ReadBank) or not isinstance(bank.bank, LinkedBank):
        mean, variance = bank.marginals(X)
        return Seen(part, mean, variance.sqrt(), None, mean[:0])
    joint = bank.bank.joint(X)
    sd = joint.variance.sqrt()
    raw, tangent = bank.slices.raw(joint.mean, sd)
    return Seen(part, raw, tangent * sd[bank.slices.owner], joint, bank.bank.process.moments(X).noise)


def _given(seen: Seen, X: Tensor, nodes: Nodes) -> Given:
    """Condition the members of one hypothesis on every node."""
    bank, weight, joint = seen.part.bank, seen.part.log_weight.exp()[:, None], seen.joint
    if joint is None or not isinstance(bank, ReadBank) or not isinstance(bank.bank, LinkedBank):
        noisy_sd = bank.predictive(X)[1].sqrt()
        return Given(nodes.weight[:, None] * weight, seen.mean[None], seen.sd[None], noisy_sd[None])
    inner, process, slices = bank.bank, bank.bank.process, bank.slices
    y = ((nodes.y - process.location) / process.scale)[:, None]  # g x 1 x n
    total = joint.cheap_variance + seen.noise
    slope = joint.covariance / total
    mean = joint.mean + slope * (y - joint.cheap_mean)
    variance = torch.maximum(joint.variance - slope * joint.covariance, 1e-9 * joint.variance)
    density = torch.softmax(_log_normal(y, joint.cheap_mean, total.sqrt()), dim=0)[:, slices.owner]
    sd = variance.sqrt().expand_as(mean)
    raw, tangent = slices.raw(mean, sd)
    noisy_sd = (variance + inner.noise_variance[:, None]).sqrt()
    return Given(density * weight, raw, tangent * sd[:, slices.owner], tangent * noisy_sd[slices.owner])


def _move(told: Sequence[Given], there: Nodes) -> Tensor:
    """Return the probability of the next stage's nodes given each node of this one. Shape `g x g x n`."""
    total = there.y.new_zeros(())
    for one in told:
        seen = torch.softmax(_log_normal(there.y[:, None], one.mean[:, None], one.noisy_sd[:, None]), dim=1)
        total = total + (one.weight[:, None] * seen).sum(2)
    return total / total.sum(1, keepdim=True)


def _marginals(parts: Sequence[KeptBank], X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return means, sds of the next noisy outcome, `h x n`, and weights, `h x 1`, of all members; raw units."""
    told = [part.bank.predictive(X) for part in parts]
    weight = torch.cat([part.log_weight for part in parts]).exp()[:, None]
    return torch.cat([mean for mean, _ in told]), torch.cat([v for _, v in told]).sqrt(), weight / weight.sum()


def _log_normal(y: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    return -0.5 * ((y - mean) / sd).square() - sd.log() - LOG_SQRT_2PI
