"""Which configuration to measure next, and at which stage: a cheap proxy first, or the dear outcome at once.

Every pair of configuration and stage has an index, the gain per cost of the best way from there; the highest is
chosen, then the next one given that the first runs. Next in the tour: `discovery.review`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.acquisition.mixture import believed_best
from discovery.acquisition.pool import pick
from discovery.acquisition.promotion import Index, Reward, Way, goes_on, index_of, look_ahead
from discovery.acquisition.staging import Progress, Stage, StagedChoice, Staging
from discovery.belief.belief import Belief, KeptBank
from discovery.errors import NoCandidateError
from discovery.meta.learner import Surrogate
from discovery.meta.linked import LinkedBank
from discovery.meta.read_bank import ReadBank

__all__ = ["Progress", "Stage", "StagedChoice", "Staging", "choose_stages"]

CHUNK = 256  # rows looked at together: nodes x members x rows stay near a core's cache
N_LOOKED_AT, PER_CHOICE = 128, 8  # rows looked at again for further choices of a batch, the best ones for the first:
# so many, or so many for each choice

Kept = tuple[tuple[KeptBank, ...], ...]
"""Models of every stage's outcome."""


def choose_stages(
    staging: Staging, beliefs: Mapping[str, Belief], X: Tensor, progress: Progress, n: int, *, seed: int = 0
) -> list[StagedChoice]:
    """Choose measurements, greedily, each given that the ones before it run.

    What runs is imagined to give what is believed, so that only its uncertainty goes.

    Args:
        staging: The stages.
        beliefs: Beliefs by outcome (`discovery.belief.links.adapt_stages`).
        X: The pool. Shape `n x d`.
        progress: How far its rows have come.
        n: Number of measurements wanted.
        seed: Seed of ties.

    Returns:
        At most `n` choices (fewer where nothing is left).

    Raises:
        NoCandidateError: If no stage is open at any row.
    """
    state = _State.of(staging, beliefs, X, progress)
    rows, most = torch.arange(len(X), device=X.device), max(N_LOOKED_AT, PER_CHOICE * n)
    if not bool(state.is_open().any()):
        raise NoCandidateError("Every candidate was measured, runs, or was rejected at every stage; none is left.")
    choices: list[StagedChoice] = []
    while len(choices) < n and bool(state.is_open().any()):
        values = state.values(rows)
        if not choices and n > 1 and most < len(rows):
            rows = values.amax(0).topk(most).indices.sort().values
            values = values[:, rows]
        best = pick(values.flatten(), seed, len(choices))
        stage, row = best // len(rows), int(rows[best % len(rows)])
        if not bool(state.is_open()[stage, row]):
            break
        choices.append(state.told(stage, row))
        state = state.running(stage, row)
    return choices


@dataclass(frozen=True)
class _State:
    """What is known before a choice, those made already imagined."""

    staging: Staging
    kept: Kept
    X: Tensor
    done: Tensor
    closed: Tensor
    baseline: float | None  # what improvement is counted from before the first dear measurement

    @classmethod
    def of(cls, staging: Staging, beliefs: Mapping[str, Belief], X: Tensor, progress: Progress) -> _State:
        kept = tuple(beliefs[stage.outcome].kept for stage in staging.stages)
        running = _pending_rows(staging, X, progress)
        later = progress.done | running
        after = later.flip(0).cumsum(0).flip(0) - later.long() > 0
        blank = beliefs[staging.stages[-1].outcome].best_f is None
        state = cls(staging, kept, X, progress.done, progress.closed | after | running.any(0), None)
        state = replace(state, baseline=state.typical() if blank else None)
        for position, stage in enumerate(staging.stages):
            pending = progress.pending.get(stage.name, X[:0])
            if len(pending):
                state = replace(state, kept=imagine(state.kept, position, pending))
        return state

    def typical(self) -> float:
        """Mean of what is believed of the dear outcome over the pool."""
        means = []
        for x in self.X.split(CHUNK):
            told = [(part.log_weight.exp()[:, None] * part.bank.marginals(x)[0]).sum(0) for part in self.kept[-1]]
            means.append(torch.stack(told).sum(0))
        return float(torch.cat(means).mean())

    @property
    def reward(self) -> Reward:
        sign, dear = self.staging.sign, self.kept[-1]
        known = [] if self.baseline is None else [sign * self.baseline]
        if dear[0].bank.X.shape[-2]:
            known.append(float(sign * believed_best(dear, sign)))
        return Reward(sign, sign * max(known), self.staging.threshold)

    def is_open(self) -> Tensor:
        """Say at which stages rows may be measured now. Shape `S x n`, bool."""
        names = self.staging.names
        needed = [
            torch.ones_like(self.closed[0]) if stage.needs is None else self.done[names.index(stage.needs)]
            for stage in self.staging.stages
        ]
        return ~self.closed & torch.stack(needed)

    def _rules(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Say where the dear stage, and where the next stage, may come after each cheap one. Shape `(S - 1) x n`."""
        stages, names = self.staging.stages, self.staging.names
        done, closed = self.done[:, rows], self.closed[:, rows]

        def may(after: int, position: int) -> Tensor:
            needs = stages[position].needs
            if needs is None or needs == names[after]:
                return ~closed[position]
            return ~closed[position] & done[names.index(needs)]

        last, positions = len(stages) - 1, range(len(stages) - 1)
        nowhere = torch.zeros(0, len(rows), dtype=torch.bool, device=rows.device)
        skip, follow = [may(s, last) for s in positions], [may(s, s + 1) for s in positions]
        return (torch.stack(skip), torch.stack(follow)) if skip else (nowhere, nowhere)

    def _look(self, rows: Tensor) -> tuple[Way, list[Index]]:
        way = look_ahead(self.kept, self.X[rows], self.reward)
        costs, rules = self.staging.costs, self._rules(rows)
        return way, [index_of(way, s, costs, *rules) for s in range(len(costs))]

    def values(self, rows: Tensor) -> Tensor:
        """Logarithm of the index of every stage at rows; minus infinity where it is closed. Shape `S x len(rows)`."""
        parts = [torch.stack([one.ratio for one in self._look(part)[1]]) for part in rows.split(CHUNK)]
        values = torch.cat(parts, dim=1).clamp_min(1e-300).log()
        return values.masked_fill(~self.is_open()[:, rows], -torch.inf)

    def told(self, stage: int, row: int) -> StagedChoice:
        """Say why a measurement was chosen."""
        way, found = self._look(torch.tensor([row], device=self.X.device))
        index, said = found[stage], way.direct[:, 0]
        if stage < len(found) - 1:
            paying = (way.said[..., 0] * goes_on(way, index.ratio, self.staging.costs)[:, 0]).sum(1)
            said = paying if float(paying.sum()) > 0 else said
        said = said.clamp_min(1e-300)
        names = [part.name for part in self.kept[-1]]
        return StagedChoice(
            index=row,
            stage=self.staging.names[stage],
            x=self.X[row],
            value=float(index.ratio.clamp_min(1e-300).log()),
            argument=dict(zip(names, (said / said.sum()).tolist(), strict=True)),
            promotion=float(index.promotion),
            cost=float(index.cost),
        )

    def running(self, stage: int, row: int) -> _State:
        """Return the state in which a measurement runs: its row waits for what it gives."""
        closed = self.closed.clone()
        closed[:, row] = True
        return replace(self, closed=closed, kept=imagine(self.kept, stage, self.X[row][None]))


def _pending_rows(staging: Staging, X: Tensor, progress: Progress) -> Tensor:
    """Say which rows of the pool run at each stage. Shape `S x n`, bool."""
    found = []
    for name in staging.names:
        pending = progress.pending.get(name, X[:0])
        near = torch.cdist(X, pending) < 1e-9 if len(pending) else torch.zeros(len(X), 1, device=X.device).bool()
        found.append(near.any(1))
    return torch.stack(found)


def imagine(kept: Sequence[tuple[KeptBank, ...]], stage: int, X: Tensor) -> Kept:
    """Condition the models of a stage on measurements that give what is believed, and later stages on that.

    Args:
        kept: Models of every stage's outcome.
        stage: Position of the stage.
        X: Configurations. Shape `p x d`.
    """
    told = [(part.log_weight.exp()[:, None] * part.bank.marginals(X)[0]).sum(0) for part in kept[stage]]
    y = torch.stack(told).sum(0)[:, None]  # p x 1
    parts = [tuple(part) for part in kept]
    parts[stage] = tuple(replace(part, bank=part.bank.condition_on_observations(X, y)) for part in kept[stage])
    for position in range(stage + 1, len(parts)):
        banks = [part.bank for part in parts[position - 1]]
        parts[position] = tuple(replace(part, bank=_follow(part, banks)) for part in parts[position])
    return tuple(parts)


def _follow(part: KeptBank, banks: Sequence[Surrogate]) -> Surrogate:
    """Return a model that follows the stage before as it is imagined now; others stay as they are."""
    bank = part.bank
    if not isinstance(bank, ReadBank) or not isinstance(bank.bank, LinkedBank):
        return bank
    return ReadBank(LinkedBank.of(bank.bank, bank.bank.process.again(banks)), bank.own_reading)
