"""Worlds drawn from a belief, and campaigns replayed on all of them at once.

A world is an outcome for every candidate, drawn from one member of the belief, with that member's noise. The campaign
on it knows what the belief knows: every member, conditioned on what is revealed and weighed by how well it foresaw it
(`discovery.evaluation.tracks`). Next in the tour: `discovery.evaluation.forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from discovery.belief.belief import Belief
from discovery.belief.weights import representatives
from discovery.errors import DiscoveryError
from discovery.evaluation.axes import Axes
from discovery.evaluation.tracks import Track
from discovery.evaluation.workers import Engine, run_all

N_MEMBERS = 32  # members that take part; they stand for the others
JITTERS = (1e-10, 1e-8, 1e-6, 1e-4)  # of the mean variance: what is tried to make a covariance definite
MAX_ELEMENTS = 2**22  # numbers held at once for the rank-one updates (32 MiB)


@dataclass(frozen=True)
class JointBelief:
    """All members that a belief has kept, at the same `N` candidates, jointly.

    Attributes:
        mean: Means of the latent outcome, each on its member's own axis. Shape `h x N`.
        covariance: Their covariances. Shape `h x N x N`.
        noise_variance: Variance of the noise. Shape `h x N`.
        log_weight: Log weights of the members; their `exp` sums to one. Shape `h`.
        axes: How each member's axis and raw outcomes belong together.
    """

    mean: Tensor
    covariance: Tensor
    noise_variance: Tensor
    log_weight: Tensor
    axes: Axes

    @classmethod
    @torch.no_grad()
    def of(cls, belief: Belief, X: Tensor, n_members: int = N_MEMBERS) -> JointBelief:
        """Read a belief at candidates, at most `n_members` members that stand for all. Shape of `X`: `N x d`."""
        own = [Axes.of(part) for part in belief.kept]
        posteriors = [model.posterior(X) for model, _, _ in own]
        noise = [model.predictive(X)[1] - model.marginals(X)[1] for model, _, _ in own]
        log_weight = torch.log_softmax(torch.cat([log_weight for _, log_weight, _ in own]), dim=0)
        index = torch.arange(len(log_weight), device=log_weight.device)
        if len(index) > n_members:
            index, log_weight = representatives(log_weight, n_members)
        return cls(
            mean=torch.cat([posterior.mean[..., 0] for posterior in posteriors])[index],
            covariance=torch.cat([posterior.distribution.covariance_matrix for posterior in posteriors])[index],
            noise_variance=torch.cat(noise)[index].clamp_min(0.0),
            log_weight=log_weight,
            axes=Axes.join([axes for _, _, axes in own]).of_members(index),
        )

    @property
    def n_members(self) -> int:
        """Number of members `h`."""
        return len(self.log_weight)

    def draw(self, n: int, generator: torch.Generator) -> Worlds:
        """Draw worlds: members in proportion to their weights (stratified), then an outcome for every candidate."""
        device = self.mean.device
        shift = torch.rand(1, generator=generator, dtype=torch.float64)
        levels = (torch.arange(n, dtype=torch.float64) + shift) / n
        member = torch.searchsorted(self.log_weight.exp().cumsum(0).cpu(), levels).clamp_max(self.n_members - 1)
        member = member[torch.randperm(n, generator=generator)].to(device)
        z = torch.randn(n, self.mean.shape[1], generator=generator, dtype=torch.float64).to(device)
        latent = torch.empty_like(z)
        for h in member.unique().tolist():  # a factorization per member, not per world
            is_own = member == h
            latent[is_own] = self.mean[h] + z[is_own] @ _factor(self.covariance[h]).T
        return Worlds(latent, self.noise_variance[member].sqrt(), self.axes.of_members(member))


@dataclass(frozen=True)
class Worlds:
    """Drawn worlds.

    Attributes:
        latent: Outcome of every candidate without noise, on the axis of the world's member. Shape `f x N`.
        noise_sd: Standard deviation of its noise there. Shape `f x N`.
        axes: The axis of each world.
    """

    latent: Tensor
    noise_sd: Tensor
    axes: Axes

    @property
    def outcomes(self) -> Tensor:
        """Raw outcomes of all candidates without noise. Shape `f x N`."""
        return self.axes.raw(self.latent)

    def measure(self, row: Tensor, eps: Tensor) -> Tensor:
        """Measure one candidate in each world; `eps` is standard noise. Returns raw outcomes; all of shape `f`."""
        world = torch.arange(len(row), device=row.device)
        noisy = self.latent[world, row] + self.noise_sd[world, row] * eps
        return self.axes.raw(noisy[:, None])[:, 0]

    def split(self, size: int) -> list[Worlds]:
        """Cut into chunks of some worlds."""
        index = torch.arange(len(self.latent), device=self.latent.device).split(size)
        return [Worlds(self.latent[i], self.noise_sd[i], self.axes.of_members(i)) for i in index]


@dataclass(frozen=True)
class Rules:
    """How the campaign is replayed.

    Attributes:
        n_experiments: Experiments in each world; no more than there are free candidates.
        batch_size: Experiments that are chosen before the outcomes of any are known.
        sign: 1 to maximize, -1 to minimize.
        first: Candidates that are measured first, whatever the belief says: what runs already, random starts.
        best: Best outcome measured before, raw units, or None.
        bounds: Lowest and highest outcome that can occur, raw units.
        allow_replicates: Whether a candidate may be measured again.
    """

    n_experiments: int
    batch_size: int = 1
    sign: float = 1.0
    first: tuple[int, ...] = ()
    best: float | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    allow_replicates: bool = False


@dataclass(frozen=True)
class Start:
    """Where the campaign begins in every world.

    Attributes:
        joint: What it believes.
        is_free: Candidates that may be chosen. Shape `N`.
        rules: How to replay.
    """

    joint: JointBelief
    is_free: Tensor
    rules: Rules


def replay_worlds(
    start: Start, worlds: Worlds, generator: torch.Generator, n_workers: int = 1, engine: Engine = run_all
) -> Tensor:
    """Replay a campaign on every world by expected improvement under the belief.

    Worlds are replayed in chunks that fit into memory, whoever does it, so that an engine changes no outcome.

    Args:
        start: Where the campaign begins.
        worlds: The worlds.
        generator: Source of the noise.
        n_workers: How many processes share the worlds.
        engine: What spreads them.

    Returns:
        Measured outcomes in the order run, raw units. Shape `f x n_experiments`.
    """
    n_worlds, n = worlds.latent.shape
    eps = torch.randn(n_worlds, start.rules.n_experiments, generator=generator, dtype=torch.float64)
    size = max(1, MAX_ELEMENTS // (start.joint.n_members * n * max(start.rules.n_experiments, 1)))
    chunks = list(zip(worlds.split(size), eps.to(worlds.latent.device).split(size), strict=True))
    each = math.ceil(len(chunks) / max(n_workers, 1))
    works = [
        (f"The replay on worlds {i * size} and after", (start, chunks[i : i + each]))
        for i in range(0, len(chunks), each)
    ]
    outcomes = dict(engine(replay_chunks, works, n_workers))
    return torch.cat([outcomes[i] for i in range(len(works))])


@torch.no_grad()
def replay_chunks(start: Start, chunks: Sequence[tuple[Worlds, Tensor]]) -> Tensor:
    """Replay a campaign on some worlds, each chunk with its standard noise. Shape `f x n_experiments`."""
    return torch.cat([_Replay(start, worlds, eps).run() for worlds, eps in chunks])


class _Replay:
    """The state of campaigns on some worlds; the best is times the sign, so that more is better."""

    def __init__(self, start: Start, worlds: Worlds, eps: Tensor) -> None:
        rules, (f, n) = start.rules, worlds.latent.shape
        self.rules, self.worlds, self.eps = rules, worlds, eps
        self.track = Track(start.joint, f, rules.n_experiments)
        self.free = start.is_free.expand(f, n).clone()
        self.best = worlds.latent.new_full((f,), -math.inf if rules.best is None else rules.sign * rules.best)

    def run(self) -> Tensor:
        """Make all experiments, batch by batch; return outcomes in raw units. Shape `f x n_experiments`."""
        rules = self.rules
        outcomes: list[Tensor] = []
        while len(outcomes) < rules.n_experiments:
            k = len(outcomes)
            n = min(rules.batch_size, rules.n_experiments - k)
            batch = self._choose_batch(n, rules.first[k : k + n], k)
            outcomes += [self._reveal(k + i, row, spread) for i, (row, spread) in enumerate(batch)]
        return torch.stack(outcomes, dim=1)

    def _choose_batch(self, n: int, first: Sequence[int], k: int) -> list[tuple[Tensor, Tensor]]:
        """Choose candidates one after the other, each as if those before it came out as expected."""
        batch, hoped, world = [], self.best, self.track.world
        for i in range(n):
            value, mixture = self._scores(hoped)
            row = torch.full_like(world, first[i]) if i < len(first) else value.argmax(dim=1)
            batch.append((row, self._occupy(k + i, row)))
            hoped = torch.maximum(hoped, mixture[world, row])
        return batch

    def _scores(self, hoped: Tensor) -> tuple[Tensor, Tensor]:
        """Return expected improvements (of the mean where nothing is known), and the belief's means. Shape `f x N`."""
        sign = self.rules.sign
        mean, sd, log_weight = self.track.marginals()
        weight = log_weight.exp()[..., None]
        mixture = (weight * sign * mean).sum(1)
        z = (sign * mean - hoped[:, None, None]) / sd
        density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
        gain = (weight * (sd * (density + z * torch.special.ndtr(z))).clamp_min(0.0)).sum(1)
        is_blind = ~torch.isfinite(hoped)[:, None] | (gain.masked_fill(~self.free, 0.0).amax(1, keepdim=True) <= 0)
        return torch.where(is_blind, mixture, gain).masked_fill(~self.free, -math.inf), mixture

    def _occupy(self, k: int, row: Tensor) -> Tensor:
        """Take a candidate in each world; return the standard deviation of its outcome. Shapes `f`, `f x h`."""
        spread = self.track.occupy(k, row)
        if not self.rules.allow_replicates:
            self.free[self.track.world, row] = False
        return spread

    def _reveal(self, k: int, row: Tensor, spread: Tensor) -> Tensor:
        """Return the outcome of experiment `k`, raw units, after learning from it. Shape `f`."""
        y = self.worlds.measure(row, self.eps[:, k]).clamp(*self.rules.bounds)
        self.track.learn(k, row, spread, y)
        self.best = torch.maximum(self.best, self.rules.sign * y)
        return y


def _factor(covariance: Tensor) -> Tensor:
    """Return a lower triangular factor of a covariance that may be singular to rounding. Shape `N x N`."""
    scale = covariance.diagonal().mean()
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    for jitter in JITTERS:
        factor, failed = torch.linalg.cholesky_ex(covariance + jitter * scale * eye)
        if not failed:
            return factor
    raise DiscoveryError("The covariance of the candidates must be positive; it is not, even with noise added.")
