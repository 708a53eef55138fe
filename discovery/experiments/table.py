"""The table adapter: a file of measurements plays the laboratory, for replays, demonstrations and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from discovery.campaign import TableExperiment
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments.adapter import AdapterResult, TrialContext
from discovery.space import MeasuredPool
from discovery.space.censored import SIGNS, SUFFIX

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace


@dataclass(frozen=True)
class TableAdapter:
    """Looks configurations up in a table; replicates are averaged.

    Attributes:
        path: Name of the file, for messages.
        outcomes: Outcomes by name, per configuration, by key.
        sides: The signs of outcomes that are bounds, `<` or `>`, likewise.
    """

    path: str
    outcomes: Mapping[str, Mapping[str, float]]
    sides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> TableAdapter:
        """Read the table that a campaign file names.

        Raises:
            ConfigurationError: If the experiment is of another type.
            InputError: If the file cannot be read, or a cell is wrong.
        """
        if not isinstance(spec.experiment, TableExperiment):
            raise ConfigurationError(f"experiment.type must be table for this adapter; got {spec.experiment!r}.")
        measured = MeasuredPool.from_spec(spec, space, spec.experiment.path)
        by_name = {name: dict(zip(measured.keys, values, strict=True)) for name, values in measured.outcomes.items()}
        signs = {sign: side for side, sign in SIGNS.items()}
        sides = {
            name: {key: signs[int(sign)] for key, sign in zip(measured.keys, values, strict=True) if sign}
            for name, values in measured.sides.items()
        }
        return cls(spec.experiment.path, by_name, sides)

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        """Return what the table holds for a configuration.

        Raises:
            ExperimentError: If the table does not hold it.
        """
        asked = context.outcomes or tuple(self.outcomes)
        found = {name: self.outcomes.get(name, {}).get(context.key, np.nan) for name in asked}
        if not np.isfinite(list(found.values())).all():
            raise ExperimentError(
                f"A configuration must stand in {self.path} to be looked up; got {context.key}.",
                "Propose from the file's rows: name it under `candidates`.",
            )
        key = context.key
        bounds = {
            f"{name}{SUFFIX}": by_key[key] for name, by_key in self.sides.items() if name in asked and key in by_key
        }
        return AdapterResult({name: float(value) for name, value in found.items()}, dict(bounds))
