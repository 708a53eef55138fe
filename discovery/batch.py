"""A batch on top of passes: one value for what all its proposals share, and few changes of what is dear to change.

Passes (`discovery.cycle`) are asked several times, for parts of the space or of the candidates. A campaign that has
neither rule asks once, and gets what one pass gives. Next in the tour: `discovery.review`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.errors import NoCandidateError
from discovery.sequences import BatchRules, Passes, choose_sequence, ordered, part_of, worth
from discovery.space import CandidatePool
from discovery.space.codecs import ContinuousCodec
from discovery.space.restricted import is_left, restrict_candidates, restrict_pool, restrict_space

if TYPE_CHECKING:
    from discovery.cycle import CycleResult
    from discovery.space import SearchSpace
    from discovery.space.stream import StreamedPool

    Pool = CandidatePool | StreamedPool

N_COMPARED = 3  # values of what a batch shares that are compared by what the whole batch is worth
MAX_COMPARED = 24  # proposals in a batch up to which values are compared; beyond, the best first proposal decides
APART = 0.1  # of the range: how far a second value of a continuous parameter is from the first


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
        return choose_sequence(passes, space, pool, n, rules)
    best: CycleResult | None = None
    most = -math.inf
    for n_tried, (part, candidates) in enumerate(_values(passes, space, pool, n, rules), start=1):
        found = choose_sequence(passes, part, candidates, n, rules)
        total = worth(found, space, rules)
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
        rest = part_of(rest, space, partial(_lacks, space, value))


def _lacks(space: SearchSpace, value: Mapping[str, Any], frame: pd.DataFrame, _: np.ndarray) -> np.ndarray:
    """Say which configurations have other values. Shape `n`."""
    return ~is_left(frame, space, value, {})


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
