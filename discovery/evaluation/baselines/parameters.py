"""Candidates and earlier tasks in the words of other packages: a number or the name of a level per parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from discovery.errors import NotSupportedError
from discovery.evaluation.baselines.similarity import has_molecules
from discovery.evaluation.methods import BacktestContext
from discovery.space import Block
from discovery.tasks.task import Task


@dataclass(frozen=True)
class PlainTables:
    """A campaign as other packages see it.

    Numbers stand on the scale of the unit cube, where a logarithmic parameter is already taken to logarithms; levels
    are text. Parameters that vary nowhere are left out.

    Attributes:
        candidates: One row per candidate.
        history: One table per earlier task, by name: the same columns.
        outcomes: Outcomes of each earlier task, raw units.
        levels: Levels of each categorical parameter.
        descriptors: Coordinates of the levels of each parameter that has descriptors, one row per level.
    """

    candidates: pd.DataFrame
    history: dict[str, pd.DataFrame]
    outcomes: dict[str, np.ndarray]
    levels: dict[str, tuple[str, ...]]
    descriptors: dict[str, pd.DataFrame]

    @property
    def names(self) -> list[str]:
        """Names of the parameters that vary."""
        return [str(name) for name in self.candidates]

    def is_number(self, name: str) -> bool:
        """Return whether a parameter is a number."""
        return name not in self.levels


def plain_tables(context: BacktestContext, method: str, tasks: tuple[Task, ...] = ()) -> PlainTables:
    """Write candidates and earlier tasks as other packages take them.

    Of a history with levels that the campaign does not offer, the rows with offered ones are kept.

    Raises:
        NotSupportedError: If a parameter is a molecule, or none varies.
    """
    if has_molecules(context):
        raise NotSupportedError(
            f"The method {method} must have numbers and categories to choose from; got a molecule.",
            "Compare with tanimoto_gp, random_forest or knn there.",
        )
    own = {task.task_id: _own_rows(context, task) for task in tasks}
    candidates = _table(context, context.pool.X)
    history = {name: _table(context, X) for name, (X, _) in own.items() if len(X)}
    every = pd.concat([candidates, *history.values()])
    varying = [name for name in every if every[name].nunique() > 1]
    if not varying:
        raise NotSupportedError(f"The method {method} must have a parameter that varies; got none.")
    kept = [block for block in context.space.blocks if block.name in varying]
    named = [block for block in kept if _is_named(block)]
    return PlainTables(
        candidates=candidates[varying],
        history={name: table[varying] for name, table in history.items()},
        outcomes={name: own[name][1] for name in history},
        levels={block.name: tuple(map(str, block.values)) for block in named},
        descriptors={block.name: _coordinates(context, block) for block in named if not block.is_one_hot},
    )


def _is_named(block: Block) -> bool:
    return block.kind == "categorical"


def _own_rows(context: BacktestContext, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a task that the campaign's own space can hold, and their outcomes."""
    task = task.measured()
    X = task.X if task.space is None else task.X[:, task.space.position]
    is_held = np.ones(len(X), dtype=bool)
    for block in context.space.blocks:
        if block.is_one_hot:
            is_held &= np.isclose(X[:, block.start : block.stop].sum(axis=1), 1.0)
    return X[is_held], task.Y[is_held, 0]


def _table(context: BacktestContext, X: np.ndarray) -> pd.DataFrame:
    """Return points as numbers and names of levels."""
    raw = context.space.decode(X)
    columns: dict[str, pd.Series | np.ndarray] = {}
    for block in context.space.blocks:
        if _is_named(block):
            columns[block.name] = raw[block.name].astype(str)
        elif block.stop - block.start == 1:
            columns[block.name] = X[:, block.start]
        else:  # a composition is the numbers that it is compared by
            columns |= {f"{block.name} {i + 1}": X[:, block.start + i] for i in range(block.stop - block.start)}
    return pd.DataFrame(columns)


def _coordinates(context: BacktestContext, block: Block) -> pd.DataFrame:
    """Return the descriptors of the levels, those that vary. One row per level."""
    first = context.pool.frame[list(context.space.names)].iloc[[0] * len(block.values)]
    X = context.space.encode(first.assign(**{block.name: np.array(block.values, dtype=object)}))
    table = pd.DataFrame(X[:, block.start : block.stop], index=[str(value) for value in block.values])
    return table.loc[:, table.nunique() > 1].rename(columns=lambda i: f"descriptor {i}")
