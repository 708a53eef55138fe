"""Ax with its defaults: its model of the measurements, and the expected improvement of that over the candidates.

Written for Ax 1.3. Ax proposes points of a box and knows no list of candidates. So its model (transforms and Gaussian
process as its default strategy sets them up) predicts every candidate, and LogEI over the best predicted measurement
chooses.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from discovery import seeds
from discovery.evaluation.baselines.exact_gp import log_ei
from discovery.evaluation.baselines.optional import load_optional
from discovery.evaluation.baselines.parameters import PlainTables, plain_tables
from discovery.evaluation.methods import BacktestContext, Choice, Progress, Seen, random_indices

PACKAGE = "ax-platform"
OUTCOME = "outcome"
MIN_MEASUREMENTS = 2


@dataclass
class AxMethod:
    """Take the candidates with the highest LogEI under Ax's model; a batch is the best few."""

    name: str = "ax"
    is_deterministic: bool = field(default=False, init=False)
    tables: PlainTables | None = field(default=None, init=False, repr=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Write the candidates as a table; nothing is learned before the campaign.

        Raises:
            ConfigurationError: If Ax is not installed.
            NotSupportedError: If a parameter is a molecule.
        """
        load_optional("ax", PACKAGE, self.name)
        self.tables = plain_tables(context, self.name)

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates; at random with fewer than two measurements, or all of them equal."""
        assert self.tables is not None, "prepare comes first"
        if seen.n < MIN_MEASUREMENTS or len(set(seen.outcomes)) == 1:
            return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))
        y = context.sign * np.asarray(seen.outcomes)
        mean, variance = _predict(self.tables, seen, y, seeds.derive(seed, "ax", seen.n) % 2**31)
        is_taken = seen.is_taken(context.n_candidates)
        value = np.where(is_taken, -np.inf, log_ei(mean, variance, float(mean[is_taken].max())))
        return Choice(indices=tuple(int(i) for i in np.argsort(-value, kind="stable")[:n]))


def _predict(tables: PlainTables, seen: Seen, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Ax's predicted means and variances of the candidates, outcomes signed so that more is better."""
    api, registry, observation, sampling = (
        load_optional(module, PACKAGE, "ax")
        for module in ("ax.api.client", "ax.adapter.registry", "ax.core.observation", "botorch.utils.sampling")
    )
    load_optional("ax.utils.common.logger", PACKAGE, "ax").set_ax_logger_levels(logging.ERROR)
    logging.getLogger("botorch").setLevel(logging.ERROR)
    points = [dict(zip(tables.names, row, strict=True)) for row in tables.candidates.to_numpy(dtype=object)]
    with warnings.catch_warnings(), _numpy_as_before(), sampling.manual_seed(seed):
        warnings.simplefilter("ignore")  # of its own dependencies
        client = api.Client(random_seed=seed)
        client.configure_experiment(parameters=_parameters(tables))
        client.configure_optimization(objective=OUTCOME)
        for i, outcome in zip(seen.indices, y, strict=True):
            trial = client.attach_trial(parameters=points[i])
            client.complete_trial(trial_index=trial, raw_data={OUTCOME: float(outcome)})
        model = registry.Generators.BOTORCH_MODULAR(experiment=client._experiment)
        mean, covariance = model.predict([observation.ObservationFeatures(parameters=point) for point in points])
    return np.asarray(mean[OUTCOME], dtype=float), np.asarray(covariance[OUTCOME][OUTCOME], dtype=float)


@contextmanager
def _numpy_as_before() -> Iterator[None]:
    """Give NumPy's global generator back as it was: Ax seeds it."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _parameters(tables: PlainTables) -> list[Any]:
    """Describe the parameters to Ax."""
    configs = load_optional("ax.api.configs", PACKAGE, "ax")
    return [
        configs.RangeParameterConfig(name=name, bounds=(0.0, 1.0), parameter_type="float")
        if tables.is_number(name)
        else configs.ChoiceParameterConfig(
            name=name, values=list(tables.levels[name]), parameter_type="str", is_ordered=False
        )
        for name in tables.names
    ]
