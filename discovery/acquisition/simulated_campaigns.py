"""Many simulated campaigns at once, each with an exact belief of its own: where acquisition policies are trained.

A campaign is a fixed pool of configurations whose outcomes a task distribution drew, and a belief: a dozen Gaussian
processes that differ in lengthscale, amplitude and noise, weighted by evidence. Measurements enter by rank-one updates
in closed form, all campaigns and members together; nothing loops over campaigns. Next: `discovery.acquisition.policy`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.policy_features import State, features
from discovery.errors import InputError
from discovery.tasks.distribution import TaskDistribution

LENGTHSCALES = (0.15, 0.35, 0.8, 2.0)  # times the root of the number of dimensions
AMPLITUDES = (0.6, 1.4)  # of the standardized outcome
NOISES = (0.03, 0.2)  # standard deviations, of the standardized outcome
OFFSET = 0.5  # variance of the unknown mean, in units of the function's own
N_STARTS = 2  # random measurements that every campaign begins with
N_POOL = 100

Chooser = Callable[[Tensor, Mixture, State], Tensor]
"""Scores candidates, the highest is measured: features `b x p x f`, what the belief says, and where it stands."""


class Step(NamedTuple):
    """One choice of `b` campaigns.

    Attributes:
        features: What was known of the candidates. Shape `b x p x f`.
        is_free: Which of them were not measured. Shape `b x p`.
        chosen: Which one was. Shape `b`.
        regret: Simple regret after it, 1 at the mean of the pool and 0 at its best. Shape `b`.
    """

    features: Tensor
    is_free: Tensor
    chosen: Tensor
    regret: Tensor


@dataclass(frozen=True)
class Tasks:
    """Pools with outcomes, to be maximized.

    Attributes:
        X: Configurations. Shape `b x p x d`.
        y: What a measurement gives, in a unit in which outcomes vary by about one. Shape `b x p`.
        truth: The same without noise. Shape `b x p`.
        starts: Positions that are measured first. Shape `b x s`.
    """

    X: Tensor
    y: Tensor
    truth: Tensor
    starts: Tensor

    def regret(self, best: Tensor) -> Tensor:
        """Return the simple regret of true outcomes: 0 at the pool's best, 1 at its mean. Shape `b` to `b`."""
        top, mean = self.truth.amax(-1), self.truth.mean(-1)
        return (top - best) / (top - mean).clamp_min(1e-9)


def draw(distribution: TaskDistribution, n: int, generator: torch.Generator, n_pool: int = N_POOL) -> Tasks:
    """Draw campaigns from a distribution that is bound to a space; half of them minimize.

    Outcomes are standardized by the range of all that was drawn, as a campaign's scale is when its file states a range.

    Raises:
        InputError: If the distribution gives measured tasks, without noise-free outcomes to count regret in.
    """
    batch = distribution.sample(n, n_pool, generator)
    if batch.truth is None or "Y" not in batch.truth or not bool(batch.mask.all()):
        raise InputError(f"An acquisition policy must be trained on simulated tasks; got {distribution.name}.")
    truth, y = batch.truth["Y"][..., 0], batch.Y[..., 0]
    low, high = truth.min(), truth.max()
    sign = torch.where(torch.rand(n, 1, generator=generator) < 0.5, -1.0, 1.0).to(truth)
    starts = torch.rand(n, n_pool, generator=generator).argsort(-1)[:, :N_STARTS].to(truth.device)
    center, unit = (low + high) / 2, (high - low).clamp_min(1e-9) / 4
    return Tasks(batch.X, sign * (y - center) / unit, sign * (truth - center) / unit, starts)


class Campaigns:
    """Beliefs of `b` campaigns over their pools.

    Args:
        tasks: The pools.
        n_steps: Number of measurements that there will be in all.
    """

    def __init__(self, tasks: Tasks, n_steps: int) -> None:
        b, p, d = tasks.X.shape
        grid = torch.cartesian_prod(*(tasks.X.new_tensor(v) for v in (LENGTHSCALES, AMPLITUDES, NOISES)))
        self.tasks = tasks
        self.lengthscale = grid[:, 0] * math.sqrt(d)
        self.amplitude, self.noise = grid[:, 1].square(), grid[:, 2].square()
        h = len(grid)
        self.mean = tasks.X.new_zeros(b, h, p)
        self.variance = (self.amplitude * (1 + OFFSET))[None, :, None].expand(b, h, p).clone()
        self.factor = tasks.X.new_zeros(b, h, n_steps, p)  # rows of the Cholesky factor, for the whole pool
        self.log_weight = tasks.X.new_full((b, h), -math.log(h))
        self.is_free = torch.ones(b, p, dtype=torch.bool, device=tasks.X.device)
        self.best_true = tasks.X.new_full((b,), -torch.inf)
        self.n = 0

    def measure(self, chosen: Tensor) -> None:
        """Measure a candidate of every campaign and condition all members on it. Shape `b`."""
        b, h, _ = self.mean.shape
        each = torch.arange(b, device=chosen.device)
        y = self.tasks.y[each, chosen]
        at = chosen[:, None, None].expand(b, h, 1)
        mean, variance = self.mean.gather(-1, at)[..., 0], self.variance.gather(-1, at)[..., 0]
        total = variance + self.noise
        ahead = y[:, None] - mean
        self.log_weight = torch.log_softmax(self.log_weight - 0.5 * (ahead.square() / total + total.log()), dim=-1)
        known = self.factor[:, :, : self.n]
        shared = known.gather(-1, chosen[:, None, None, None].expand(b, h, self.n, 1))
        row = (self._kernel(each, chosen) - (shared * known).sum(-2)) / total.sqrt()[..., None]
        self.factor[:, :, self.n] = row
        self.mean = self.mean + row * (ahead / total.sqrt())[..., None]
        self.variance = (self.variance - row.square()).clamp_min(1e-9)
        self.is_free[each, chosen] = False
        self.best_true = torch.maximum(self.best_true, self.tasks.truth[each, chosen])
        self.n += 1

    def _kernel(self, each: Tensor, chosen: Tensor) -> Tensor:
        """Matern-5/2 covariance of one candidate with the pool under every member. Shape `b x h x p`."""
        apart = (self.tasks.X - self.tasks.X[each, chosen][:, None]).square().sum(-1).clamp_min(1e-18).sqrt()
        r = math.sqrt(5.0) * apart[:, None] / self.lengthscale[:, None]
        return self.amplitude[:, None] * ((1 + r + r.square() / 3) * torch.exp(-r) + OFFSET)

    def belief(self) -> tuple[Mixture, State]:
        """Return what the beliefs say of the pools, and where they stand. Shapes `b x p x h` and `b`."""
        mean, sd = self.mean.transpose(1, 2), self.variance.sqrt().transpose(1, 2)
        mixture = Mixture(mean, sd, self.log_weight[:, None, :])
        best = torch.where(self.is_free, -torch.inf, mixture.expected).amax(-1)
        spread = (self.log_weight.exp() * (self.amplitude * (1 + OFFSET)).sqrt()).sum(-1)
        return mixture, State(best, spread, self.n)


@torch.no_grad()
def roll_out(
    tasks: Tasks,
    choose: Chooser,
    n_steps: int,
    generator: torch.Generator | None = None,
    n_looked_at: int | None = None,
) -> list[Step]:
    """Run all campaigns.

    Args:
        tasks: The pools.
        choose: Scores candidates.
        n_steps: Number of choices after the random starts.
        generator: Where given, candidates are drawn with the softmax of the scores as probabilities instead.
        n_looked_at: Candidates that can be chosen, those of the highest expected improvement; None for all.

    Returns:
        A record per choice.
    """
    campaigns, steps = Campaigns(tasks, n_steps + tasks.starts.shape[1]), []
    for start in tasks.starts.T:
        campaigns.measure(start)
    for _ in range(n_steps):
        mixture, state = campaigns.belief()
        known = features(mixture, state)
        is_free = campaigns.is_free.clone()
        scores = choose(known, mixture, state).masked_fill(~is_free, -torch.inf)
        if n_looked_at is not None:
            gain = known[..., 0].masked_fill(~is_free, -torch.inf)
            scores = scores.masked_fill(gain < gain.topk(n_looked_at, dim=-1).values[..., -1:], -torch.inf)
        if generator is None:
            chosen = scores.argmax(-1)
        else:
            chosen = torch.multinomial(torch.softmax(scores, -1), 1, generator=generator)[:, 0]
        campaigns.measure(chosen)
        steps.append(Step(known, is_free, chosen, tasks.regret(campaigns.best_true)))
    return steps


def area(steps: Sequence[Step]) -> Tensor:
    """Return the mean regret over the choices of every campaign: the area under its curve. Shape `b`."""
    return torch.stack([step.regret for step in steps]).mean(0)
