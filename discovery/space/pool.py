"""The candidates of a campaign as a list: each distinct configuration once, without its outcomes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, CompositionParameter, MoleculeParameter
from discovery.errors import NoCandidateError, NotSupportedError
from discovery.space.cells import column_of, refuse
from discovery.space.chunks import column_names, n_rows_of
from discovery.space.codecs import ListedCodec
from discovery.space.descriptors import read_table

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace
    from discovery.space.stream import StreamedPool

STREAM_ABOVE = 200_000  # rows; files with more are streamed, others held in memory
_HIDDEN_SUFFIXES = ("", "_sem", "_sd", "_pred")


@dataclass(frozen=True, eq=False)
class CandidatePool:
    """Configurations that can be made.

    Attributes:
        frame: One row per distinct configuration: parameters as floats and text, further columns as read, outcomes
            left out. The index holds `rows`.
        X: Encoded configurations. Shape `n x d`.
        keys: Identity of each configuration. Length `n`.
        rows: Position in the file, from 0, of the first row of each configuration. Shape `n`.
        n_infeasible: Rows left out because they break a constraint.
        n_repeated: Rows left out because their configuration came before.
    """

    frame: pd.DataFrame
    X: np.ndarray
    keys: tuple[str, ...]
    rows: np.ndarray
    n_infeasible: int = 0
    n_repeated: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, places: np.ndarray) -> CandidatePool:
        """Return the configurations at some places, in that order. Shape `k`; integer."""
        keys = tuple(self.keys[i] for i in places)
        return CandidatePool(self.frame.iloc[places], self.X[places], keys, self.rows[places])

    def n_left(self, taken: Collection[str]) -> int:
        """Return how many configurations are not among those taken."""
        return len(set(self.keys).difference(taken))

    def starts(self, n: int, taken: Collection[str], generator: np.random.Generator) -> CandidatePool:
        """Return the first `n` configurations of a random order that are not taken; fewer where the pool runs out."""
        order = generator.permutation(len(self))
        return self.at(order[[self.keys[i] not in taken for i in order]][:n])

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> CandidatePool | StreamedPool | None:
        """Read the candidates of a campaign, or list all configurations where these are finite and few.

        Returns:
            The pool, streamed where the file has more than `STREAM_ABOVE` rows; None where there are no candidates
            and the space is continuous, mixed or too large.

        Raises:
            InputError: If the file lacks a column, or a cell is no number, out of bounds or not in the list.
            NoCandidateError: If no row meets the constraints.
            NotSupportedError: If there are more molecules than can be held.
        """
        if spec.candidates is not None:
            n_rows = n_rows_of(spec.resolve(spec.candidates), enough=STREAM_ABOVE)
            if n_rows > STREAM_ABOVE:
                return _streamed(spec, space)
            table = read_table(spec.resolve(spec.candidates))
            missing = [name for name in spec.context_names if name not in table.columns]
            if missing:
                from discovery.space.open_pool import open_pool_of

                return open_pool_of(table, spec, space, missing)
            return pool_of(table, spec, space, spec.candidates)
        return pool_of(_product(space), spec, space, "the product of all values") if spec.has_pool else None


def _streamed(spec: CampaignSpec, space: SearchSpace) -> StreamedPool:
    """Open the many candidates of a campaign; molecules and compositions are not streamed."""
    from discovery.space.stream_reading import open_stream

    assert spec.candidates is not None
    matter = next((p for p in spec.parameters if isinstance(p, MoleculeParameter | CompositionParameter)), None)
    if matter is not None:
        raise NotSupportedError(
            f"candidates must hold at most {STREAM_ABOVE:,} rows where a parameter is a {matter.type} ({matter.name}); "
            f"got more at {spec.candidates}.",
            f"All are held with what they are compared by: take a part of the list, such as every tenth {matter.type}.",
        )
    if spec.cost in column_names(spec.resolve(spec.candidates)) and spec.cost not in spec.parameter_names:
        raise NotSupportedError(
            f"cost must be a number or a formula of parameters where candidates has more than {STREAM_ABOVE:,} rows; "
            f"got the column {spec.cost!r} of {spec.candidates}.",
            "Write it as a formula, such as `2 + 0.1 * time`.",
        )
    return open_stream(spec.resolve(spec.candidates), space, spec.candidates)


def joined(pools: Sequence[CandidatePool]) -> CandidatePool:
    """Put pools without common configurations one after the other."""
    return CandidatePool(
        frame=pd.concat([pool.frame for pool in pools]),
        X=np.concatenate([pool.X for pool in pools]),
        keys=tuple(key for pool in pools for key in pool.keys),
        rows=np.concatenate([pool.rows for pool in pools]),
    )


def pool_of(table: pd.DataFrame, spec: CampaignSpec, space: SearchSpace, source: str) -> CandidatePool:
    """Return the distinct, feasible configurations of a table.

    Raises:
        InputError: If a column is missing or a cell cannot be used; names the source.
        NoCandidateError: If no row meets the constraints.
    """
    for name in space.names:
        column_of(table, name, source)
    refuse(space.check(table), source)
    feasible = space.is_feasible(table)
    if not feasible.any():
        raise NoCandidateError(
            f"{source} must hold a configuration that meets the constraints; none of {len(table)} rows does.",
            "Relax a constraint or add candidates.",
        )
    keys = pd.Series(space.keys(table), dtype=object)
    is_first = ~keys.where(feasible).duplicated().to_numpy() & feasible
    rows = np.flatnonzero(is_first)
    hidden = [f"{name}{suffix}" for name in spec.outcome_names for suffix in _HIDDEN_SUFFIXES]
    frame = table.drop(columns=hidden, errors="ignore")
    frame[list(space.names)] = space.typed(table)
    frame = frame.iloc[rows]
    return CandidatePool(
        frame=frame.set_axis(rows),
        X=space.encode(frame),
        keys=tuple(keys[rows]),
        rows=rows,
        n_infeasible=int((~feasible).sum()),
        n_repeated=int(feasible.sum()) - len(rows),
    )


def _product(space: SearchSpace) -> pd.DataFrame:
    """Return every combination of listed values."""
    codecs = [codec for codec in space.codecs if isinstance(codec, ListedCodec)]
    codes = np.indices([len(codec.labels) for codec in codecs]).reshape(len(codecs), -1)
    return pd.DataFrame({codec.name: codec.column(c) for codec, c in zip(codecs, codes, strict=True)})
