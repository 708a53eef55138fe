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
        outcomes: Names of the outcomes, one for each column of its tasks.
        seed: Which task is drawn; with the trial also its noise.
        anchors: Encoded configurations that pin the task's function down. Shape `n x d`.
    """

    distribution: TaskDistribution
    space: SearchSpace
    outcomes: tuple[str, ...]
    seed: int
    anchors: np.ndarray

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> SimulatorAdapter:
        """Draw the task that a campaign file names.

        Raises:
            ConfigurationError: If the experiment is of another type, the simulator is unknown or does not fit the
                space, or it has no such outcome.
        """
        experiment = spec.experiment
        if not isinstance(experiment, SimulatorExperiment):
            raise ConfigurationError(f"experiment.type must be simulator for this adapter; got {experiment!r}.")
        said = experiment.outcomes or {}
        made = registry.giving(registry.simulator(experiment.name, **experiment.overrides), list(said.values()))
        distribution = made.bind(space)
        anchors = space.sample(N_ANCHORS, rng(experiment.seed, "experiment anchors"))
        return cls(distribution, space, tuple(said) or (spec.objective.name,), experiment.seed, anchors)

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        """Evaluate a configuration; the same configuration and trial give the same outcome.

        Returns:
            The noisy outcomes; the noise-free ones are in `extra`, with several outcomes `<outcome>_noise_free`.
        """
        exact, noise_sd = self._truth(self.space.encode(pd.DataFrame([dict(configuration)])))
        noise = rng(self.seed, "experiment noise", context.key, context.trial_id).normal(0.0, 1.0, len(self.outcomes))
        noisy = np.clip(exact + noise_sd * noise, *self._limits)
        extra: dict[str, object] = {}
        for name, free, sd in zip(self.outcomes, exact.tolist(), noise_sd.tolist(), strict=True):
            prefix = f"{name}_" if len(self.outcomes) > 1 else ""
            extra |= {f"{prefix}noise_free": free, f"{prefix}noise_sd": sd}
        return AdapterResult(dict(zip(self.outcomes, noisy.tolist(), strict=True)), extra)

    @property
    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest value of every outcome. Shapes `m`."""
        one = getattr(self.distribution, "outcome_range", (-np.inf, np.inf))
        ranges = getattr(self.distribution, "outcome_ranges", {})
        limits = [ranges.get(name, one) for name in getattr(self.distribution, "outcomes", self.outcomes)]
        low, high = np.array(limits, dtype=np.float64).T
        return low, high

    def _truth(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return noise-free outcomes and their noise's standard deviations. Shape of `x`: `1 x d`; of both `m`."""
        import torch

        from discovery.seeds import torch_generator

        points = torch.as_tensor(np.vstack([self.anchors, x]), dtype=torch.float64)
        generator = torch_generator(self.seed, "experiment", self.distribution.name)
        truth = self.distribution.sample(1, len(points), generator, points=points).truth or {}
        if "Y" not in truth:
            raise ConfigurationError(f"The simulator {self.distribution.name} must know its truth to be an experiment.")
        exact = truth["Y"][0, -1].numpy()
        return exact, truth["noise_sd"][0, -1].numpy() if "noise_sd" in truth else np.zeros_like(exact)
