"""Members on top of networks that have read a support, and what each measurement was worth to them.

Evidence is prequential: a block of measurements is scored by what the networks had read before it. Next in the tour:
`discovery.meta.read_bank`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from discovery.meta import head
from discovery.meta.bank import Bank
from discovery.meta.components import Components
from discovery.meta.learner import Support
from discovery.meta.members import Members
from discovery.meta.network_family import State
from discovery.meta.network_features import NetworkColumns
from discovery.meta.read_bank import ReadBank
from discovery.meta.reading import Reading
from discovery.meta.robust import with_doubt
from discovery.meta.rows import Rows

READ_EACH, THEN_EVERY = 24, 8  # supports up to here are read after every measurement, larger ones after every eighth


class Networks(Protocol):
    """What members need of a learner."""

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        ...

    @property
    def n_features(self) -> int:
        """Features of each network."""
        ...

    @property
    def components(self) -> Components:
        """Correlation functions that the members share."""
        ...

    def columns(self, states: State, pairs: Tensor) -> NetworkColumns:
        """Return what some pairs of reading and network say."""
        ...


@dataclass(frozen=True)
class ToldMembers:
    """Members of a learner beside what its networks made of a support.

    Attributes:
        learner: Networks and heads.
        members: All members (`discovery.meta.head.members`). Shape `h`.
        own: Reading of the outcome that each is told with. Shape `h`.
        states: What every network made of the support in every reading. Leading dimension `i f`.
        support: Measurements that the members are conditioned on; the networks may have read fewer.
    """

    learner: Networks
    members: Members
    own: Reading
    states: State
    support: Support

    @property
    def rows(self) -> Rows:
        """All members and measurements."""
        return self._rows(torch.arange(self.members.n_members, device=self.learner.device))

    def _rows(self, index: Tensor) -> Rows:
        """Return some members, with the columns of their own states only."""
        v, k = len(head.VARIATIONS), 1 + self.learner.n_features
        pairs = torch.unique(index // v)
        picked = (pairs[:, None] * k + torch.arange(k, device=pairs.device)).flatten()
        some = self.members[index]
        some = replace(some, slope=some.slope[:, picked], slope_sd=some.slope_sd[:, picked])
        shared = self.learner.components
        return with_doubt(
            Rows(some, self.learner.columns(self.states, pairs), shared, self.support).with_effects(),
            self.support.doubtful,
        )

    def readings_of(self, rows: Rows) -> Reading:
        """Return each row member's reading; block effects and doubts repeat the members."""
        return self.own[torch.arange(rows.members.n_members, device=self.learner.device) % self.members.n_members]

    def condition(self, index: Tensor) -> ReadBank:
        """Condition some members, numbered as in `adapt`."""
        base = index % self.members.n_members
        distinct, position = torch.unique(base, return_inverse=True)
        rows, own = self._rows(distinct), self.own[base]
        copies = index // self.members.n_members * len(distinct) + position
        return ReadBank(self._bank(rows, own, copies), own)

    def last_steps(self, start: int) -> Tensor:
        """Log densities of the measurements from `start` on, given those before. Shape `h x (n - start)`."""
        rows = self.rows
        own, n = self.readings_of(rows), len(self.support.y)
        every = torch.arange(rows.members.n_members, device=self.learner.device)
        if rows.is_plain:
            bank, slope = self._bank(rows, own, every), own.read(self.support.y)[1]
            return (bank.one_step_log_densities() + slope)[:, start:]
        whole = _evidence(rows, own, every)
        if start:
            before = replace(self, support=first(self.support, start))
            whole = whole - _evidence(before.rows, own, every)
        return (whole / (n - start))[:, None].expand(-1, n - start)

    def _bank(self, rows: Rows, own: Reading, index: Tensor) -> Bank:
        if not rows.is_plain:
            return rows.bank(own, index)
        z, log_slope = own.read(self.support.y)
        known = self.support.yvar
        known = None if known is None else known * (2 * log_slope.clamp_min(-300)).exp()
        return Bank(rows.members[index], rows.features, rows.components, self.support.X, z, known)


def _evidence(rows: Rows, own: Reading, every: Tensor) -> Tensor:
    """Log evidence of measurements of which more is said than a value. Shape `h`."""
    return rows.log_steps_of(own, every).sum(-1)


def first(support: Support, n: int) -> Support:
    """Return the first `n` measurements."""

    def cut(value: Tensor | None) -> Tensor | None:
        return None if value is None else value[:n]

    return replace(
        support,
        X=support.X[:n],
        y=support.y[:n],
        yvar=cut(support.yvar),
        limits=cut(support.limits),
        blocks=tuple(level[:n] for level in support.blocks),
        doubtful=cut(support.doubtful),
    )


def blocks_of(n: int) -> list[tuple[int, int]]:
    """Split measurements into blocks; networks read what stands before a block."""
    if not n:
        return []
    starts = [*range(min(n, READ_EACH)), *range(READ_EACH, n, THEN_EVERY)]
    return list(zip(starts, [*starts[1:], n], strict=True))


def content_key(support: Support, start: int, stop: int, reading: Reading) -> bytes:
    """Return what decides the evidence of a block."""
    some = first(support, stop)
    values = [some.X, some.y, reading.center, reading.spread, reading.edge, reading.unit]
    values += [value for value in (some.yvar, some.limits, some.doubtful, *some.blocks) if value is not None]
    content = hashlib.blake2b(digest_size=16, key=str((start, stop)).encode())
    for value in values:
        content.update(value.detach().cpu().numpy().tobytes())
    return content.digest()
