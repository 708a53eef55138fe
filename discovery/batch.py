"""A batch on top of passes: one value for what all its proposals share, and few changes of what is dear to change.

Passes (`discovery.cycle`) are asked several times, for parts of the space or of the candidates. A campaign that has
neither rule asks once, and gets what one pass gives. Next in the tour: `discovery.review`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from discovery.acquisition.changeover import Changeover
from discovery.errors import NoCandidateError
from discovery.space import CandidatePool
from discovery.space.codecs import ContinuousCodec
from discovery.space.restricted import is_left, restrict_candidates, restrict_pool, restrict_space

if TYPE_CHECKING:
    from discovery.cycle import CycleResult, ProposalDraft
    from discovery.space import SearchSpace
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

N_COMPARED = 3  # values of what a batch shares that are compared by what the whole batch is worth
MAX_COMPARED = 24  # proposals in a batch up to which values are compared; beyond, the best first proposal decides
APART = 0.1  # of the range: how far a second value of a continuous parameter is from the first
N_ANCHORS = 4  # experiments of the batch whose settings a next one may keep, in a space without candidates


Ask = Callable[["SearchSpace", "Pool | None"], "tuple[CycleResult, float]"]
"""Asks one pass for one proposal, and says what its changes cost."""


class Passes(Protocol):
    """Asks one pass for proposals."""

    def __call__(self, space: SearchSpace, pool: Pool | None, n: int, also: Sequence[ProposalDraft], /) -> CycleResult:
        """Choose `n` in a space or a pool, beside drafts that were chosen already."""
        ...


@dataclass(frozen=True)
class BatchRules:
    """What holds between the proposals of a batch.

    Attributes:
        shared: Parameters that have one value in all of them.
        changeover: What it costs to change a parameter between experiments, raw units of the objective.
        last: The experiment that the batch comes after, encoded, or None. Shape `d`.
        taken: Identities of configurations that may not be proposed.
        is_plain: Whether proposals are worth improvement of one outcome, so that batches can be compared.
        is_first: Whether nothing is measured or under way: the first experiment is then chosen by its mean.
    """

    shared: tuple[str, ...] = ()
    changeover: Mapping[str, float] = field(default_factory=dict)
    last: np.ndarray | None = None
    taken: Collection[str] = ()
    is_plain: bool = True
    is_first: bool = False


def choose_batch(passes: Passes, space: SearchSpace, pool: Pool | None, n: int, rules: BatchRules) -> CycleResult:
    """Choose a batch by its rules.

    Args:
        passes: Asks one pass.
        space: The space.
        pool: The candidates, or None for a space that is searched freely.
        n: Number of proposals wanted.
        rules: What holds between them.

    Returns:
        At most `n` drafts: fewer where the candidates with one value of what is shared are fewer.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    found = _chosen(passes, space, pool, n, rules)
    return replace(found, drafts=tuple(ordered(found.drafts, space, rules)))


def _chosen(passes: Passes, space: SearchSpace, pool: Pool | None, n: int, rules: BatchRules) -> CycleResult:
    """Choose a batch, in the order in which its experiments were chosen."""
    if not rules.shared or n == 1:
        return _sequence(passes, space, pool, n, rules)
    best: CycleResult | None = None
    most = -math.inf
    for n_tried, (part, candidates) in enumerate(_values(passes, space, pool, n, rules), start=1):
        found = _sequence(passes, part, candidates, n, rules)
        total = _worth(found, space, rules)
        if best is None or (len(found.drafts), total) > (len(best.drafts), most):
            best, most = found, total
        if n_tried == N_COMPARED or n > MAX_COMPARED or not rules.is_plain:
            break
    if best is None:
        raise NoCandidateError("Every candidate was measured, runs, or was rejected; none is left.")
    return best


def fix_shared(pool: CandidatePool, shared: Sequence[str], n: int, taken: Collection[str]) -> np.ndarray:
    """Say which rows are free and have a value of what is shared that a batch of `n` can be made with. Shape `N`.

    Where no value has so many free rows, those with the most.
    """
    free = np.array([key not in taken for key in pool.keys], dtype=bool)
    group = _groups(pool, shared)
    count = np.bincount(group[free], minlength=int(group.max()) + 1)
    return np.asarray(free & (count[group] >= min(n, int(count.max()))))


def _values(
    passes: Passes, space: SearchSpace, pool: Pool | None, n: int, rules: BatchRules
) -> Iterator[tuple[SearchSpace, Pool | None]]:
    """Yield what is left of the space or of the pool with one value of what is shared; the most promising value first.

    A value is as promising as the best proposal that has it.
    """
    if pool is None:
        yield from _values_in_space(passes, space, rules)
        return
    names = list(rules.shared)
    rest = pool
    if isinstance(pool, CandidatePool):
        rest = restrict_pool(pool, fix_shared(pool, names, n, rules.taken))
    while len(rest):
        try:
            first = passes(space, rest, 1, ()).drafts[0]
        except NoCandidateError:
            return
        value = {name: first.configuration[name] for name in names}
        yield space, restrict_candidates(pool, space, value, {})
        rest = _part_of(rest, space, partial(_lacks, space, value))


def _lacks(space: SearchSpace, value: Mapping[str, Any], frame: pd.DataFrame, _: np.ndarray) -> np.ndarray:
    """Say which configurations have other values. Shape `n`."""
    return ~is_left(frame, space, value, {})


def _costs_less(costs: Changeover, before: np.ndarray, limit: float, _: pd.DataFrame, X: np.ndarray) -> np.ndarray:
    """Say which configurations need cheaper changes after a sequence of experiments. Shape `n`."""
    return costs.extra(X, before) < limit - costs.slack


def _part_of(pool: Pool, space: SearchSpace, within: Callable[[pd.DataFrame, np.ndarray], np.ndarray]) -> Pool:
    """Return the configurations for which a function of their table and their encoding is true."""
    if isinstance(pool, CandidatePool):
        return restrict_pool(pool, within(pool.frame, pool.X))
    return pool.restricted(lambda frame: within(frame, space.encode(frame)))


def _values_in_space(passes: Passes, space: SearchSpace, rules: BatchRules) -> Iterator[tuple[SearchSpace, None]]:
    codec = next(codec for codec in space.codecs if codec.name == rules.shared[0])
    tried: list[object] = []
    while True:
        try:
            rest = restrict_space(space, {}, {codec.name: tried} if tried else {})
            first = passes(rest, None, 1, ()).drafts[0]
        except NoCandidateError:
            if not tried:
                raise
            return
        yield restrict_space(space, {name: first.configuration[name] for name in rules.shared}, {}), None
        value = first.configuration[codec.name]
        if isinstance(codec, ContinuousCodec):
            x = codec.encode(np.array([value], dtype=np.float64))
            low, high = codec.decode(np.array([[x.item() - APART], [x.item() + APART]])).tolist()
            value = (low, high)
        tried.append(value)


def _groups(pool: CandidatePool, shared: Sequence[str]) -> np.ndarray:
    """Number the values of what is shared. Shape `N`, from 0."""
    return np.asarray(pool.frame.groupby(list(shared), sort=False).ngroup())


def _sequence(passes: Passes, space: SearchSpace, pool: Pool | None, n: int, rules: BatchRules) -> CycleResult:
    """Choose experiments that are worth more than the changes they need, one after the other."""
    if not rules.changeover:
        return passes(space, pool, n, ())
    results: list[CycleResult] = []
    drafts: list[ProposalDraft] = []
    while len(drafts) < n:
        try:
            results.append(_next(passes, space, pool, drafts, rules))
        except NoCandidateError:
            if not drafts:
                raise
            break
        drafts += results[-1].drafts
    seconds = sum(result.seconds for result in results)
    return replace(results[0], drafts=tuple(drafts), seconds=seconds)


def ordered(drafts: Sequence[ProposalDraft], space: SearchSpace, rules: BatchRules) -> list[ProposalDraft]:
    """Return a batch in the order that needs the fewest changes; as it is where no change costs anything."""
    if not rules.changeover or not drafts:
        return list(drafts)
    costs = Changeover.of(rules.changeover, space)
    return [drafts[i] for i in costs.order(_encoded(drafts, space), rules.last)]


def _next(
    passes: Passes,
    space: SearchSpace,
    pool: Pool | None,
    drafts: Sequence[ProposalDraft],
    rules: BatchRules,
) -> CycleResult:
    """Choose one experiment by what it is worth less what its changes cost.

    The best of all needs some changes; only experiments that need cheaper ones can be worth more on balance, so the
    best among those is asked for at every lower cost.
    """
    costs, X = Changeover.of(rules.changeover, space), _run_so_far(drafts, space, rules)

    def ask(part: SearchSpace, left: Pool | None) -> tuple[CycleResult, float]:
        found = passes(part, left, 1, drafts)
        return found, float(costs.extra(_encoded(found.drafts, space), X)[0])

    best, cost = ask(space, pool)
    most = _gain(best.drafts[0], drafts, rules) - cost
    others = _kept(ask, space, costs, X) if pool is None else _cheaper(ask, space, pool, costs, (X, cost))
    for found, less in others if cost > 0 else ():
        net = _gain(found.drafts[0], drafts, rules) - less
        if net > most:
            best, most = found, net
    return best


def _run_so_far(drafts: Sequence[ProposalDraft], space: SearchSpace, rules: BatchRules) -> np.ndarray:
    """Return what comes before the next experiment, in its cheapest order: the last one, then the batch."""
    front = np.zeros((0, space.n_dims)) if rules.last is None else rules.last[None]
    return np.vstack([front, _encoded(ordered(drafts, space, rules), space)])


def _cheaper(
    ask: Ask, space: SearchSpace, pool: Pool, costs: Changeover, before: tuple[np.ndarray, float]
) -> Iterator[tuple[CycleResult, float]]:
    """Yield the best candidate of those that need cheaper changes than the last one yielded, until none needs any."""
    X, cost = before
    while cost > 0:
        part = _part_of(pool, space, partial(_costs_less, costs, X, cost))
        try:
            found, cost = ask(space, part)
        except NoCandidateError:
            return
        yield found, cost


def _kept(ask: Ask, space: SearchSpace, costs: Changeover, X: np.ndarray) -> Iterator[tuple[CycleResult, float]]:
    """Yield the best configuration for each set of settings that stays as it was in one of the last experiments."""
    known = space.decode(X[-N_ANCHORS:])
    names = [name for name, part in zip(space.names, space.slices, strict=True) if part in costs.slices]
    for size in range(len(names), 0, -1):
        for kept in combinations(names, size):
            for _, row in known[list(kept)].drop_duplicates().iterrows():
                try:
                    yield ask(restrict_space(space, {str(name): value for name, value in row.items()}, {}), None)
                except NoCandidateError:
                    continue


def _gain(draft: ProposalDraft, before: Sequence[ProposalDraft], rules: BatchRules) -> float:
    """Return what a draft is worth, raw units of the objective.

    Acquisition values are logarithms of improvements, but for a confidence bound, and for the mean that the very first
    experiment is chosen by.
    """
    is_mean = rules.is_first and not before
    return draft.acqf_value if draft.acqf_name == "ucb" or is_mean else math.exp(draft.acqf_value)


def _worth(result: CycleResult, space: SearchSpace, rules: BatchRules) -> float:
    """Return what a batch is worth less what its changes cost, raw units of the objective."""
    if not rules.is_plain:
        return 0.0
    drafts = result.drafts
    worth = sum(_gain(draft, drafts[:i], rules) for i, draft in enumerate(drafts))
    if not rules.changeover:
        return worth
    return worth - Changeover.of(rules.changeover, space).total(_run_so_far(drafts, space, rules))


def _encoded(drafts: Sequence[ProposalDraft], space: SearchSpace) -> np.ndarray:
    """Return the encoding of drafts. Shape `n x d`."""
    return np.array([draft.X for draft in drafts]).reshape(len(drafts), space.n_dims)
