"""Experiments one after the other, where it costs to change settings between them: each is worth more than it costs.

Passes (`discovery.cycle`) are asked several times, for parts of the space or of the candidates. Next in the tour:
`discovery.batch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from discovery.acquisition.changeover import Changeover
from discovery.errors import NoCandidateError
from discovery.space import CandidatePool
from discovery.space.restricted import restrict_pool, restrict_space

if TYPE_CHECKING:
    from discovery.cycle import CycleResult, ProposalDraft
    from discovery.space import SearchSpace
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

MAX_ALONE = 12  # proposals that are chosen one by one where changes cost; they decide the settings of the others
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


def choose_sequence(passes: Passes, space: SearchSpace, pool: Pool | None, n: int, rules: BatchRules) -> CycleResult:
    """Choose experiments that are worth more than the changes they need, one after the other."""
    if not rules.changeover:
        return passes(space, pool, n, ())
    results: list[CycleResult] = []
    drafts: list[ProposalDraft] = []
    while len(drafts) < n:
        try:
            is_alone = len(drafts) < MAX_ALONE
            results.append((_next if is_alone else partial(_fill, n=n))(passes, space, pool, drafts, rules))
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


def _fill(
    passes: Passes,
    space: SearchSpace,
    pool: Pool | None,
    drafts: Sequence[ProposalDraft],
    rules: BatchRules,
    n: int,
) -> CycleResult:
    """Choose what a large batch lacks at once: where no further change is needed, else anywhere."""
    costs, X = Changeover.of(rules.changeover, space), _run_so_far(drafts, space, rules)
    names = [name for name, part in zip(space.names, space.slices, strict=True) if part in costs.slices]
    try:
        if pool is None:
            part, left = restrict_space(space, {name: drafts[-1].configuration[name] for name in names}, {}), None
        else:
            part, left = space, part_of(pool, space, partial(_costs_less, costs, X, 2 * costs.slack))
        return passes(part, left, n - len(drafts), drafts)
    except NoCandidateError:
        return passes(space, pool, n - len(drafts), drafts)


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
        part = part_of(pool, space, partial(_costs_less, costs, X, cost))
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


def worth(result: CycleResult, space: SearchSpace, rules: BatchRules) -> float:
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


def _costs_less(costs: Changeover, before: np.ndarray, limit: float, _: pd.DataFrame, X: np.ndarray) -> np.ndarray:
    """Say which configurations need cheaper changes after a sequence of experiments. Shape `n`."""
    return costs.extra(X, before) < limit - costs.slack


def part_of(pool: Pool, space: SearchSpace, within: Callable[[pd.DataFrame, np.ndarray], np.ndarray]) -> Pool:
    """Return the configurations for which a function of their table and their encoding is true."""
    if isinstance(pool, CandidatePool):
        return restrict_pool(pool, within(pool.frame, pool.X))
    return pool.restricted(lambda frame: within(frame, space.encode(frame)))
