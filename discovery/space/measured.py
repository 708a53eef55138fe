"""Candidates whose outcomes are known: what backtests replay and the table experiment answers from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, TableExperiment
from discovery.errors import InputError, NotEnoughDataError
from discovery.space.cells import column_of, faults_where, is_blank, read_numbers, refuse
from discovery.space.descriptors import read_table
from discovery.space.pool import CandidatePool, pool_of
from discovery.space.space import SearchSpace


@dataclass(frozen=True, eq=False)
class MeasuredPool(CandidatePool):
    """A pool with outcomes.

    Attributes:
        outcomes: Outcomes by name in the order of the pool, replicates averaged, raw units; NaN where an outcome that
            is no objective was not measured. Shape `n` each.
        n_unmeasured: Candidates left out because the objective was not measured.
    """

    outcomes: Mapping[str, np.ndarray] = field(default_factory=dict)
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
            InputError: If a column is missing, or a cell is wrong or censored.
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


def _read_outcomes(table: pd.DataFrame, spec: CampaignSpec, source: str) -> dict[str, np.ndarray]:
    """Return the outcome columns of a table, NaN where nothing was measured yet. Shape `n` each."""
    names = [name for name in spec.outcome_names if name in table.columns or name == spec.objective.name]
    outcomes, faults = {}, []
    for name in names:
        cells = column_of(table, name, source)
        pending = is_blank(cells) | (cells.astype(str).str.strip().str.upper() == "PENDING").to_numpy(dtype=bool)
        censored = cells.astype(str).str.strip().str.startswith(("<", ">")).to_numpy(dtype=bool)
        values, wrong = read_numbers(cells.mask(pending | censored, "0"))
        outcomes[name] = np.where(pending, np.nan, values)
        faults += faults_where(censored, cells, "must be a number: censored values are not supported yet") + wrong
    refuse(sorted(faults, key=lambda fault: fault.row), source)
    return outcomes


def _join(pool: CandidatePool, keys: Sequence[str], outcomes: Mapping[str, np.ndarray], objective: str) -> MeasuredPool:
    """Give each candidate the mean of its measured outcomes and leave out those without the objective."""
    position = pd.Index(pool.keys).get_indexer(pd.Index(keys, dtype=object))
    means = {name: _mean_by(position, values, len(pool)) for name, values in outcomes.items()}
    measured = ~np.isnan(means[objective])
    if not measured.any():
        raise NotEnoughDataError(f"A replay must have a measured {objective!r} for some candidate; got none.")
    return MeasuredPool(
        frame=pool.frame[measured],
        X=pool.X[measured],
        keys=tuple(np.array(pool.keys, dtype=object)[measured]),
        rows=pool.rows[measured],
        n_infeasible=pool.n_infeasible,
        n_repeated=pool.n_repeated,
        outcomes={name: values[measured] for name, values in means.items()},
        n_unmeasured=int((~measured).sum()),
    )


def _mean_by(position: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of the values at each position, NaN where there is none; position -1 is left out. Shape `n`."""
    used = (position >= 0) & ~np.isnan(values)
    totals = np.bincount(position[used], weights=values[used], minlength=n)
    counts = np.bincount(position[used], minlength=n)
    with np.errstate(invalid="ignore"):
        return totals / np.where(counts == 0, np.nan, counts)
