"""History that helps, and history that harms: the same tables with other outcomes, and none at all.

A guard is worth what it saves under the worst of these and what it costs under the best. Inputs stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from discovery import seeds
from discovery.campaign import CampaignSpec
from discovery.campaign.experience import history_name
from discovery.errors import ConfigurationError
from discovery.evaluation.bench.families import BenchTask
from discovery.evaluation.bench.specs import write_table
from discovery.space import SearchSpace
from discovery.space.descriptors import read_table

RELATED, NOTHING = "related", "none"
N_WAVES = 64
LENGTHSCALE = 0.5  # of the unrelated functions, in the unit cube
OWN_SHARE = 0.5  # how much of an unrelated table is its own beside what all of them share

Outcomes = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # outcomes (n), points (n x d), which table -> n


def with_source(task: BenchTask, source: str) -> BenchTask:
    """Return a task with another history.

    Args:
        task: The task with its real history.
        source: `related` (as it is), `none`, or a key of `SOURCES`.

    Raises:
        ConfigurationError: If there is no such source.
    """
    if source == RELATED:
        return task
    if source == NOTHING:
        return replace(task, spec=_with_history(task.spec, ()), history=())
    if source not in SOURCES:
        raise ConfigurationError(f"A source must be one of {', '.join((RELATED, NOTHING, *SOURCES))}; got {source!r}.")
    change = SOURCES[source](task)
    folder = task.spec.base_dir
    files = []
    for i, ref in enumerate(task.spec.experience.history):
        table = read_table(task.spec.resolve(history_name(ref)))
        files.append(write_table(_changed(table, task.spec, change, i), folder, f"{source}-{i}-{task.name}"))
    return replace(task, spec=_with_history(task.spec, tuple(files)))


def _changed(table: pd.DataFrame, spec: CampaignSpec, change: Outcomes, position: int) -> pd.DataFrame:
    """Give a table other outcomes; rows that the campaign cannot read keep theirs."""
    space, name = SearchSpace.from_spec(spec), spec.objective.name
    good = np.ones(len(table), dtype=bool)
    good[[fault.row for fault in space.check(table)]] = False
    y = table[name].astype(float).to_numpy(copy=True)
    if good.any():
        y[good] = change(y[good], space.encode(table[good]), position)
    return table.assign(**{name: y})


def _with_history(spec: CampaignSpec, history: tuple[str, ...]) -> CampaignSpec:
    """Return a campaign with other tables as its history."""
    data = spec.model_dump(mode="json", exclude_defaults=True)
    experience = {**data.get("experience", {}), "history": list(history)}
    return CampaignSpec.from_mapping({**data, "experience": experience}, base_dir=spec.base_dir)


def shuffled(y: np.ndarray, X: np.ndarray, position: int, *, task: str) -> np.ndarray:
    """Return the outcomes in random order: the levels are right, and nothing else. Shape `n`."""
    return seeds.rng(0, "shuffled history", task, position).permutation(y)


def inverted(y: np.ndarray, X: np.ndarray, position: int) -> np.ndarray:
    """Return the outcomes upside down, `min + max - y`: what was best is worst. Shape `n`."""
    return y.min() + y.max() - y


def unrelated(y: np.ndarray, X: np.ndarray, position: int, *, task: str) -> np.ndarray:
    """Return the outcomes in the order of a smooth function that has nothing to do with the campaign.

    All tables of a task share most of that function, so that they agree with each other: what no look at the history
    alone can tell from relatives. Levels stay as they are. Shape `n`.
    """
    shared = _waves(X, seeds.rng(0, "unrelated history", task))
    own = _waves(X, seeds.rng(0, "unrelated history", task, position))
    order = np.argsort(np.argsort(shared + OWN_SHARE * own, kind="stable"), kind="stable")
    return np.asarray(np.sort(y)[order])


def _waves(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a smooth function of unit variance at points of the unit cube, as a sum of random waves. Shape `n`."""
    frequency = rng.normal(size=(X.shape[1], N_WAVES)) / LENGTHSCALE
    phase = rng.uniform(0, 2 * np.pi, N_WAVES)
    return np.asarray(np.sqrt(2 / N_WAVES) * np.cos(X @ frequency + phase).sum(axis=1))


SOURCES: Mapping[str, Callable[[BenchTask], Outcomes]] = {
    "shuffled": lambda task: partial(shuffled, task=task.spec.name),
    "inverted": lambda task: inverted,
    "unrelated": lambda task: partial(unrelated, task=task.spec.name),
}
"""Histories that mislead, by name."""
