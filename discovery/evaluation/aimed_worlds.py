"""Campaigns that want more than one outcome high or low, replayed on drawn worlds.

A world is an outcome of every kind for every candidate, each drawn from one member of the belief in that outcome. The
campaign on it chooses by the value that the real one uses (`acquisition.goal_values`), in closed form. Next in the
tour: `discovery.evaluation.aimed_forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from discovery.acquisition.aims import Aim
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.goal_values import value_of
from discovery.acquisition.known import Known
from discovery.acquisition.limits import log_feasible
from discovery.evaluation.tracks import Track
from discovery.evaluation.workers import Engine, run_all
from discovery.evaluation.worlds import MAX_ELEMENTS, JointBelief, Worlds

MOST_AT_ONCE = 16  # worlds in a chunk: the boxes of a front are many numbers per candidate and member
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True)
class AimedRules:
    """How the campaign is replayed.

    Attributes:
        aim: What is wanted; references of a front are given.
        units: A unit in which each outcome varies by about one, raw units.
        n_experiments: Experiments in each world; no more than there are free candidates.
        batch_size: Experiments that are chosen before the outcomes of any are known.
        first: Candidates that are measured first, whatever the belief says.
        measured: Outcomes of the experiments made before that gave all of them, raw units. Shape `k` each.
        bounds: Lowest and highest value of an outcome, where it has such.
        allow_replicates: Whether a candidate may be measured again.
        seed: Seed of samples.
    """

    aim: Aim
    units: Mapping[str, float]
    n_experiments: int
    batch_size: int = 1
    first: tuple[int, ...] = ()
    measured: Mapping[str, Tensor] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    allow_replicates: bool = False
    seed: int = 0


@dataclass(frozen=True)
class AimedStart:
    """Where the campaign begins in every world.

    Attributes:
        joint: What it believes of every outcome.
        is_free: Candidates that may be chosen. Shape `N`.
        rules: How to replay.
    """

    joint: Mapping[str, JointBelief]
    is_free: Tensor
    rules: AimedRules


@dataclass(frozen=True)
class AimedPaths:
    """What was measured, in the order run.

    Attributes:
        rows: Candidates. Shape `f x n`.
        outcomes: What they gave, by outcome, raw units. Shape `f x n` each.
    """

    rows: Tensor
    outcomes: Mapping[str, Tensor]


Chunk = tuple[Mapping[str, Worlds], Mapping[str, Tensor]]
"""Some worlds by outcome, and the standard noise of their experiments."""


def replay_aimed_worlds(
    start: AimedStart,
    worlds: Mapping[str, Worlds],
    generator: torch.Generator,
    n_workers: int = 1,
    engine: Engine = run_all,
) -> AimedPaths:
    """Replay a campaign on every world.

    Worlds are replayed in chunks that fit into memory, whoever does it, so that an engine changes no outcome.

    Args:
        start: Where the campaign begins.
        worlds: The worlds, by outcome.
        generator: Source of the noise.
        n_workers: How many processes share the worlds.
        engine: What spreads them.
    """
    n_worlds, n = next(iter(worlds.values())).latent.shape
    steps = start.rules.n_experiments
    n_members = sum(joint.n_members for joint in start.joint.values())
    size = min(MOST_AT_ONCE, max(1, MAX_ELEMENTS // (n_members * n * max(steps, 1))))
    eps = {
        name: torch.randn(n_worlds, steps, generator=generator, dtype=torch.float64).to(one.latent.device)
        for name, one in worlds.items()
    }
    parts = {name: list(zip(one.split(size), eps[name].split(size), strict=True)) for name, one in worlds.items()}
    chunks: list[Chunk] = [
        ({name: parts[name][i][0] for name in parts}, {name: parts[name][i][1] for name in parts})
        for i in range(math.ceil(n_worlds / size))
    ]
    each = math.ceil(len(chunks) / max(n_workers, 1))
    works = [
        (f"The replay on worlds {i * size} and after", (start, chunks[i : i + each]))
        for i in range(0, len(chunks), each)
    ]
    found = dict(engine(replay_aimed_chunks, works, n_workers))
    return _joined([found[i] for i in range(len(works))])


@torch.no_grad()
def replay_aimed_chunks(start: AimedStart, chunks: Sequence[Chunk]) -> AimedPaths:
    """Replay a campaign on some worlds, each chunk with its standard noise."""
    return _joined([_AimedReplay(start, *chunk).run() for chunk in chunks])


def values_at(
    aim: Aim, units: Mapping[str, float], at: Mapping[str, Mixture], seen: Mapping[str, Tensor], seed: int = 0
) -> Tensor:
    """Return what candidates are worth where measured outcomes are taken as they are: logarithms.

    Args:
        aim: What is wanted.
        units: A unit in which each outcome varies by about one, raw units.
        at: What is believed of every outcome at the candidates.
        seen: Outcomes of the experiments made, raw units. Shape `f x k` each.
        seed: Seed of samples.

    Returns:
        Shape `f x N`; the sum of means before anything is measured. While nothing that keeps to the limits is measured
        in a world, only the probability that a candidate does counts there.
    """
    is_met = is_within(aim, seen)
    known = Known({name: _certain(y) for name, y in seen.items()}, is_met, units)
    value, limits = value_of(aim, known, known, seed)
    total, held = value(at), log_feasible(limits, at)
    total = total if held is None else total + held
    hopeless = ~is_met.any(-1)
    if not aim.limits or known.is_blank or not bool(hopeless.any()):
        return total
    kept = log_feasible(aim.limits, at)
    return total if kept is None else torch.where(hopeless[:, None], kept, total)


def is_within(aim: Aim, seen: Mapping[str, Tensor]) -> Tensor:
    """Say which measured experiments keep to the limits. Any shape."""
    some = next(iter(seen.values()))
    met = torch.ones_like(some, dtype=torch.bool)
    for limit in aim.limits:
        total = torch.stack([factor * seen[name] for name, factor in limit.coefficients.items()]).sum(0)
        met &= total <= limit.rhs if limit.relation == "<=" else total >= limit.rhs
    return met


class _AimedReplay:
    """The state of campaigns on some worlds."""

    def __init__(self, start: AimedStart, worlds: Mapping[str, Worlds], eps: Mapping[str, Tensor]) -> None:
        f, n = next(iter(worlds.values())).latent.shape
        self.rules, self.worlds, self.eps = start.rules, worlds, eps
        self.tracks = {name: Track(joint, f, start.rules.n_experiments) for name, joint in start.joint.items()}
        self.free = start.is_free.expand(f, n).clone()
        self.seen = {name: start.rules.measured[name].expand(f, -1) for name in worlds}

    def run(self) -> AimedPaths:
        """Make all experiments, batch by batch."""
        rules, rows = self.rules, list[Tensor]()
        while len(rows) < rules.n_experiments:
            k = len(rows)
            n = min(rules.batch_size, rules.n_experiments - k)
            batch = self._choose_batch(n, rules.first[k : k + n], k)
            for i, (row, spread) in enumerate(batch):
                self._reveal(k + i, row, spread)
            rows += [row for row, _ in batch]
        n_before = len(next(iter(rules.measured.values())))
        return AimedPaths(torch.stack(rows, 1), {name: seen[:, n_before:] for name, seen in self.seen.items()})

    def _choose_batch(self, n: int, first: Sequence[int], k: int) -> list[tuple[Tensor, Mapping[str, Tensor]]]:
        """Choose candidates one after the other, each as if those before it came out as expected."""
        batch, hoped = list[tuple[Tensor, Mapping[str, Tensor]]](), self.seen
        world = next(iter(self.tracks.values())).world
        for i in range(n):
            at = {name: _mixture(track) for name, track in self.tracks.items()}
            if i < len(first):
                row = torch.full_like(world, first[i])
            else:
                value = values_at(self.rules.aim, self.rules.units, at, hoped, self.rules.seed)
                row = value.masked_fill(~self.free, -math.inf).argmax(dim=1)
            if not self.rules.allow_replicates:
                self.free[world, row] = False
            batch.append((row, {name: track.occupy(k + i, row) for name, track in self.tracks.items()}))
            hoped = {name: torch.cat([seen, at[name].expected[world, row][:, None]], 1) for name, seen in hoped.items()}
        return batch

    def _reveal(self, k: int, row: Tensor, spread: Mapping[str, Tensor]) -> None:
        """Measure every outcome of experiment `k`, and learn from it."""
        for name, track in self.tracks.items():
            y = self.worlds[name].measure(row, self.eps[name][:, k]).clamp(*self.rules.bounds.get(name, UNBOUNDED))
            track.learn(k, row, spread[name], y)
            self.seen[name] = torch.cat([self.seen[name], y[:, None]], 1)


def _mixture(track: Track) -> Mixture:
    """Return what is believed of all candidates in all worlds. Shape `f x N x h'`."""
    mean, sd, log_weight = track.marginals()
    return Mixture(mean.transpose(1, 2), sd.transpose(1, 2), log_weight[:, None, :])


def _certain(y: Tensor) -> Mixture:
    """Return outcomes that are known, as mixtures. Shape `f x k` to `f x k x 1`."""
    return Mixture(y[..., None], torch.zeros_like(y)[..., None], y.new_zeros(1))


def _joined(parts: Sequence[AimedPaths]) -> AimedPaths:
    return AimedPaths(
        torch.cat([part.rows for part in parts]),
        {name: torch.cat([part.outcomes[name] for part in parts]) for name in parts[0].outcomes},
    )
