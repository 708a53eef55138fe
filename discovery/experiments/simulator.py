"""The simulator adapter: one task of a simulator plays the laboratory, for dry runs.

The task is drawn once by the experiment's seed. A simulator draws a function along the points it is asked for, so each
configuration is asked for behind the same anchors: the same configuration always has the same true outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery import registry
from discovery.campaign import SimulatorExperiment
from discovery.errors import ConfigurationError
from discovery.experiments.adapter import AdapterResult, TrialContext
from discovery.seeds import rng

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace
    from discovery.tasks.distribution import TaskDistribution

N_ANCHORS = 255  # configurations that pin the drawn function down


@dataclass(frozen=True)
class SimulatorAdapter:
    """Evaluates one simulated task.

    Attributes:
        distribution: The simulator, bound to the space.
        space: The space.
        outcome: Name of the outcome.
        seed: Which task is drawn; with the trial also its noise.
        anchors: Encoded configurations that pin the task's function down. Shape `n x d`.
    """

    distribution: TaskDistribution
    space: SearchSpace
    outcome: str
    seed: int
    anchors: np.ndarray

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> SimulatorAdapter:
        """Draw the task that a campaign file names.

        Raises:
            ConfigurationError: If the experiment is of another type, the simulator is unknown or does not fit the
                space, or the campaign has several outcomes.
        """
        experiment = spec.experiment
        if not isinstance(experiment, SimulatorExperiment):
            raise ConfigurationError(f"experiment.type must be simulator for this adapter; got {experiment!r}.")
        if len(spec.outcome_names) > 1:
            raise ConfigurationError(
                f"A simulator has one outcome; the campaign {spec.name} has {', '.join(spec.outcome_names)}.",
                "Keep the objective's outcome for a dry run.",
            )
        distribution = registry.simulator(experiment.name, **experiment.overrides).bind(space)
        anchors = space.sample(N_ANCHORS, rng(experiment.seed, "experiment anchors"))
        return cls(distribution, space, spec.objective.name, experiment.seed, anchors)

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        """Evaluate a configuration; the same configuration and trial give the same outcome.

        Returns:
            The noisy outcome; the noise-free one is in `extra`.
        """
        exact, noise_sd = self._truth(self.space.encode(pd.DataFrame([dict(configuration)])))
        noise = rng(self.seed, "experiment noise", context.key, context.trial_id).normal(0.0, 1.0)
        low, high = getattr(self.distribution, "outcome_range", (-np.inf, np.inf))
        noisy = float(np.clip(exact + noise_sd * noise, low, high))
        return AdapterResult({self.outcome: noisy}, {"noise_free": exact, "noise_sd": noise_sd})

    def _truth(self, x: np.ndarray) -> tuple[float, float]:
        """Return the noise-free outcome and its noise's standard deviation. Shape of `x`: `1 x d`."""
        import torch

        from discovery.seeds import torch_generator

        points = torch.as_tensor(np.vstack([self.anchors, x]), dtype=torch.float64)
        generator = torch_generator(self.seed, "experiment", self.distribution.name)
        truth = self.distribution.sample(1, len(points), generator, points=points).truth or {}
        if "Y" not in truth:
            raise ConfigurationError(f"The simulator {self.distribution.name} must know its truth to be an experiment.")
        noise_sd = truth["noise_sd"][0, -1, 0].item() if "noise_sd" in truth else 0.0
        return truth["Y"][0, -1, 0].item(), noise_sd
