"""History that helps, and history that harms: the same tables with other outcomes, and none at all.

A guard is worth what it saves under the worst of these and what it costs under the best. Inputs stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from discovery import seeds
from discovery.campaign import CampaignSpec, ContinuousParameter
from discovery.campaign.experience import history_name
from discovery.errors import ConfigurationError
from discovery.evaluation.bench.families import BenchTask
from discovery.evaluation.bench.specs import write_table
from discovery.space.descriptors import read_table

RELATED, NOTHING = "related", "none"
N_WAVES = 64
LENGTHSCALE = 0.5  # of the unrelated functions, in the unit cube
CATEGORY_STEP = 0.5  # how far apart two levels are, in the unit cube
OWN_SHARE = 0.5  # how much of an unrelated table is its own beside what all of them share

Outcomes = Callable[[np.ndarray, pd.DataFrame, int], np.ndarray]  # outcomes, their table, which of the tables


class Change(Protocol):
    """Gives the table at a position of a task's history other outcomes."""

    def __call__(self, y: np.ndarray, table: pd.DataFrame, position: int, *, task: BenchTask) -> np.ndarray:
        """Return outcomes. Shape `n`, as `y`."""
        ...


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
    change = partial(SOURCES[source], task=task)
    folder = task.spec.base_dir
    files = []
    for i, ref in enumerate(task.spec.experience.history):
        table = read_table(task.spec.resolve(history_name(ref)))
        files.append(write_table(_changed(table, task.spec, change, i), folder, f"{source}-{i}-{task.name}"))
    return replace(task, spec=_with_history(task.spec, tuple(files)))


def _changed(table: pd.DataFrame, spec: CampaignSpec, change: Outcomes, position: int) -> pd.DataFrame:
    """Give a table other outcomes."""
    name = spec.objective.name
    return table.assign(**{name: change(table[name].astype(float).to_numpy(), table, position)})


def _with_history(spec: CampaignSpec, history: tuple[str, ...]) -> CampaignSpec:
    """Return a campaign with other tables as its history."""
    data = spec.model_dump(mode="json", exclude_defaults=True)
    experience = {**data.get("experience", {}), "history": list(history)}
    return CampaignSpec.from_mapping({**data, "experience": experience}, base_dir=spec.base_dir)


def shuffled(y: np.ndarray, table: pd.DataFrame, position: int, *, task: BenchTask) -> np.ndarray:
    """Return the outcomes in random order: the levels are right, and nothing else. Shape `n`."""
    return seeds.rng(0, "shuffled history", task.spec.name, position).permutation(y)


def inverted(y: np.ndarray, table: pd.DataFrame, position: int, *, task: BenchTask) -> np.ndarray:
    """Return the outcomes upside down, `min + max - y`: what was best is worst. Shape `n`."""
    return y.min() + y.max() - y


def unrelated(y: np.ndarray, table: pd.DataFrame, position: int, *, task: BenchTask) -> np.ndarray:
    """Return the outcomes in the order of a smooth function that has nothing to do with the campaign.

    All tables of a task share most of that function, so that they agree with each other: what no look at the history
    alone can tell from relatives. Levels stay as they are. Shape `n`.
    """
    shared = _waves(table, task.spec, "unrelated history")
    own = _waves(table, task.spec, f"unrelated history {position}")
    order = np.argsort(np.argsort(shared + OWN_SHARE * own, kind="stable"), kind="stable")
    return np.asarray(np.sort(y)[order])


def _waves(table: pd.DataFrame, spec: CampaignSpec, purpose: str) -> np.ndarray:
    """Draw a smooth function of the campaign's parameters as a sum of random waves. Shape `n`."""
    angle = np.tile(seeds.rng(0, purpose, spec.name).uniform(0, 2 * np.pi, N_WAVES), (len(table), 1))
    for parameter in spec.parameters:
        cells = table[parameter.name]
        if isinstance(parameter, ContinuousParameter):
            low, high = parameter.bounds
            x = (cells.astype(float).to_numpy() - low) / (high - low)
            angle += x[:, None] * _frequencies(spec, purpose, parameter.name)
        else:
            codes, levels = pd.factorize(cells.astype(str))
            by_level = [_frequencies(spec, purpose, parameter.name, level) for level in levels]
            angle += np.stack(by_level)[codes] * CATEGORY_STEP
    return np.asarray(np.sqrt(2 / N_WAVES) * np.cos(angle).sum(axis=1))


def _frequencies(spec: CampaignSpec, purpose: str, *which: str) -> np.ndarray:
    """Draw the waves' frequencies along one parameter, or their shifts at one level."""
    return seeds.rng(0, purpose, spec.name, *which).normal(size=N_WAVES) / LENGTHSCALE


SOURCES: Mapping[str, Change] = {"shuffled": shuffled, "inverted": inverted, "unrelated": unrelated}
"""Histories that mislead, by name."""
