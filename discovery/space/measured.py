"""Candidates whose outcomes are known: what backtests replay and the table experiment answers from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, TableExperiment
from discovery.errors import InputError, NotEnoughDataError
from discovery.space.cells import CellFault, column_of, is_blank, refuse
from discovery.space.censored import SIGNS, SUFFIX, ReadOutcomes, read_outcome
from discovery.space.descriptors import read_table
from discovery.space.pool import CandidatePool, pool_of
from discovery.space.space import SearchSpace


@dataclass(frozen=True, eq=False)
class MeasuredPool(CandidatePool):
    """A pool with outcomes.

    Attributes:
        outcomes: Outcomes by name in the order of the pool, replicates averaged, raw units; NaN where an outcome that
            is no objective was not measured. Shape `n` each.
        sides: By name, of outcomes that are bounds anywhere: -1 where the true value is at most the outcome, 1 where at
            least, 0 where it was measured. Shape `n` each.
        n_unmeasured: Candidates left out because the objective was not measured.
    """

    outcomes: Mapping[str, np.ndarray] = field(default_factory=dict)
    sides: Mapping[str, np.ndarray] = field(default_factory=dict)
    n_unmeasured: int = 0

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace, path: str | Path | None = None) -> MeasuredPool:
        """Read candidates and their outcomes.

        Outcomes come from `path`, else from the candidates file where it has them, else from the table experiment's
        file. Without candidates in the spec, the file with the outcomes is the list of candidates.

        Args:
            spec: The campaign.
            space: Its space.
            path: File with parameters and outcomes; relative paths start from the campaign file.

        Raises:
            InputError: If a column is missing, or a cell is wrong.
            NotEnoughDataError: If no candidate has a measured objective.
        """
        candidates = None if spec.candidates is None else spec.resolve(spec.candidates)
        source = _source(spec, candidates, path)
        table = read_table(source)
        if candidates is None or candidates == source:
            pool = pool_of(table, spec, space, str(source))
        else:
            pool = pool_of(read_table(candidates), spec, space, str(spec.candidates))
            refuse(space.check(table), str(source))
        return _join(pool, space.keys(table), _read_outcomes(table, spec, str(source)), spec.objective.name)


def _source(spec: CampaignSpec, candidates: Path | None, path: str | Path | None) -> Path:
    """Return the file that holds the outcomes."""
    if path is not None:
        return spec.resolve(str(path))
    if candidates is not None and spec.objective.name in read_table(candidates).columns:
        return candidates
    if isinstance(spec.experiment, TableExperiment):
        return spec.resolve(spec.experiment.path)
    if candidates is None:
        raise InputError(
            f"Campaign {spec.name!r} must name a file with measured outcomes; it has no candidates.",
            "Give `candidates` with an outcome column, or `experiment: {type: table, path: ...}`.",
        )
    raise InputError(
        f"{spec.candidates} must have the outcome column {spec.objective.name!r} to be replayed.",
        "Add the column, or name the file that has it: `experiment: {type: table, path: ...}`.",
    )


def _read_outcomes(table: pd.DataFrame, spec: CampaignSpec, source: str) -> dict[str, ReadOutcomes]:
    """Return the outcome columns of a table, NaN where nothing was measured yet. Shape `n` each."""
    names = [name for name in spec.outcome_names if name in table.columns or name == spec.objective.name]
    outcomes, faults = {}, list[CellFault]()
    for name in names:
        cells = column_of(table, name, source)
        pending = is_blank(cells) | (cells.astype(str).str.strip().str.upper() == "PENDING").to_numpy(dtype=bool)
        marks = column_of(table, f"{name}{SUFFIX}", source) if f"{name}{SUFFIX}" in table.columns else None
        read = read_outcome(cells.mask(pending, "0"), marks)
        outcomes[name] = replace(read, values=np.where(pending, np.nan, read.values))
        faults += read.faults
    refuse(sorted(faults, key=lambda fault: fault.row), source)
    return outcomes


def _join(
    pool: CandidatePool, keys: Sequence[str], outcomes: Mapping[str, ReadOutcomes], objective: str
) -> MeasuredPool:
    """Give each candidate the mean of its measured outcomes and leave out those without the objective."""
    position = pd.Index(pool.keys).get_indexer(pd.Index(keys, dtype=object))
    found = {name: _outcome_by(position, read, len(pool)) for name, read in outcomes.items()}
    measured = ~np.isnan(found[objective][0])
    if not measured.any():
        raise NotEnoughDataError(f"A replay must have a measured {objective!r} for some candidate; got none.")
    return MeasuredPool(
        frame=pool.frame[measured],
        X=pool.X[measured],
        keys=tuple(np.array(pool.keys, dtype=object)[measured]),
        rows=pool.rows[measured],
        n_infeasible=pool.n_infeasible,
        n_repeated=pool.n_repeated,
        outcomes={name: values[measured] for name, (values, _) in found.items()},
        sides={name: sides[measured] for name, (_, sides) in found.items() if sides[measured].any()},
        n_unmeasured=int((~measured).sum()),
    )


def _outcome_by(position: np.ndarray, read: ReadOutcomes, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an outcome at each position and on which side of it the true value lies; replicates are averaged.

    A bound counts only where no replicate was measured. Shape `n` each.
    """
    signs = np.array([SIGNS[side] for side in read.sides], dtype=np.int8)
    values = _mean_by(position, np.where(signs == 0, read.values, np.nan), n)
    sides = np.zeros(n, dtype=np.int8)
    for sign in (-1, 1):
        bounds = _mean_by(position, np.where(signs == sign, read.values, np.nan), n)
        only = np.isnan(values) & ~np.isnan(bounds)
        values, sides = np.where(only, bounds, values), np.where(only, np.int8(sign), sides)
    return values, sides


def _mean_by(position: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of the values at each position, NaN where there is none; position -1 is left out. Shape `n`."""
    used = (position >= 0) & ~np.isnan(values)
    totals = np.bincount(position[used], weights=values[used], minlength=n)
    counts = np.bincount(position[used], minlength=n)
    with np.errstate(invalid="ignore"):
        return totals / np.where(counts == 0, np.nan, counts)
