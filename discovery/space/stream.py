"""Candidates that are too many to hold: read in chunks, checked once, and looked at in passes.

The first reading checks every cell, leaves out what breaks a constraint and finds repeated configurations by a hash of
their key; what it finds lies in the cache folder, named by the content of the file and the space, and may be deleted
at any time. Every later pass reads from there. Next in the tour: `discovery.acquisition.streamed`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.space.pool import CandidatePool, joined

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

    from discovery.space.space import SearchSpace

ROW = "row of the file"  # column of the checked configurations
Within = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class StreamFacts:
    """What the first reading found.

    Attributes:
        n_rows: Data rows of the file.
        n: Distinct configurations that meet the constraints.
        n_infeasible: Rows left out because they break a constraint.
        n_repeated: Rows left out because their configuration came before.
        content: SHA-256 of the file.
        center: Mean of the encoded configurations. Length `d`.
    """

    n_rows: int
    n: int
    n_infeasible: int
    n_repeated: int
    content: str
    center: tuple[float, ...]


@dataclass(frozen=True)
class Chunk:
    """A part of a streamed pool.

    Attributes:
        start: Position of its first configuration in the pool.
        frame: Its configurations; the index holds positions in the file.
        X: Encoded. Shape `n x d`.
        is_within: Which of them may be chosen. Shape `n`.
    """

    start: int
    frame: pd.DataFrame
    X: np.ndarray
    is_within: np.ndarray


class KeyIndex:
    """The identities of a streamed pool's configurations, as sorted 64-bit hashes on disk.

    At ten million configurations two of them share a hash with a chance of three in a million.
    """

    def __init__(self, path: Path) -> None:
        self._sorted = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.count([key]) == 1

    def count(self, keys: Collection[str]) -> int:
        """Return how many of some distinct keys are there."""
        if not keys:
            return 0
        wanted = hashes(keys)
        places = np.searchsorted(self._sorted, wanted).clip(max=len(self._sorted) - 1)
        return int((self._sorted[places] == wanted).sum())


@dataclass(frozen=True, eq=False)
class StreamedPool:
    """Configurations that can be made, on disk.

    Attributes:
        space: What they are configurations of.
        folder: Where the checked configurations lie.
        facts: What the first reading found.
        within: Which configurations may be chosen today, by their frame; None for all.
        holder: Keeps a temporary folder alive where the cache cannot be written to.
    """

    space: SearchSpace
    folder: Path
    facts: StreamFacts
    within: Within | None = None
    holder: TemporaryDirectory[str] | None = None

    def __len__(self) -> int:
        return self.facts.n

    @property
    def n_infeasible(self) -> int:
        """Rows left out because they break a constraint."""
        return self.facts.n_infeasible

    @property
    def n_repeated(self) -> int:
        """Rows left out because their configuration came before."""
        return self.facts.n_repeated

    @cached_property
    def keys(self) -> KeyIndex:
        """Identities: `key in pool.keys` and `len`; they are not held as text."""
        return KeyIndex(self.folder / "keys.npy")

    def restricted(self, within: Within) -> StreamedPool:
        """Return the pool with those configurations only for which a function of their frame is true."""
        before = self.within
        return replace(self, within=within if before is None else lambda frame: before(frame) & within(frame))

    def chunks(self) -> Iterator[Chunk]:
        """Yield all configurations in the order of the file, some ten thousand at a time."""
        start = 0
        for group in range(self._file.num_row_groups):
            frame = self._group(group)
            is_within = np.ones(len(frame), dtype=bool) if self.within is None else self.within(frame)
            yield Chunk(start, frame, self.space.encode(frame), np.asarray(is_within, dtype=bool))
            start += len(frame)

    def take(self, positions: np.ndarray) -> CandidatePool:
        """Return configurations by their positions in the pool, in that order; `rows` are those of the file.

        Args:
            positions: Positions, from 0. Shape `k`.
        """
        if not len(positions):
            return self.take(np.array([0])).at(positions)
        wanted = np.unique(positions)
        of_group = np.searchsorted(self._starts, wanted, side="right") - 1
        found = [
            self._group(int(group)).iloc[wanted[of_group == group] - self._starts[group]]
            for group in np.unique(of_group)
        ]
        frame = pd.concat(found or [self._group(0).iloc[:0]]).iloc[np.searchsorted(wanted, positions)]
        return CandidatePool(frame, self.space.encode(frame), tuple(self.space.keys(frame)), frame.index.to_numpy())

    def n_left(self, taken: Collection[str]) -> int:
        """Return how many configurations are not among those taken."""
        return len(self) - self.keys.count(set(taken))

    def starts(self, n: int, taken: Collection[str], generator: np.random.Generator) -> CandidatePool:
        """Return the first `n` configurations of a random order that are not taken (`CandidatePool.starts`)."""
        order = generator.permutation(len(self))
        size, n_found = max(1000, 2 * (n + len(taken))), 0
        kept: list[CandidatePool] = []
        for start in range(0, len(order), size):
            part = self.take(order[start : start + size])
            allowed = np.ones(len(part), dtype=bool) if self.within is None else self.within(part.frame)
            free = np.flatnonzero([fits and key not in taken for key, fits in zip(part.keys, allowed, strict=True)])
            kept.append(part.at(free[: n - n_found]))
            n_found += len(kept[-1])
            if n_found == n:
                break
        return joined(kept)

    @cached_property
    def _file(self) -> ParquetFile:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(self.folder / "rows.parquet")

    @cached_property
    def _starts(self) -> np.ndarray:
        """Position in the pool of the first row of each row group."""
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        return np.cumsum([0, *sizes])[:-1]

    def _group(self, group: int) -> pd.DataFrame:
        frame: pd.DataFrame = self._file.read_row_group(group).to_pandas()
        return frame.set_index(ROW).rename_axis(None)


Pool = CandidatePool | StreamedPool
"""Candidates, held in memory or streamed."""


def hashes(keys: Collection[str]) -> np.ndarray:
    """Return 64-bit hashes of keys, the same in every process. Shape `n`."""
    return np.asarray(pd.util.hash_array(np.array(list(keys), dtype=object), categorize=False))
