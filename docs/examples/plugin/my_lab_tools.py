"""An example of a plug-in: one learner, one acquisition function, one table of descriptors and one laboratory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pandas as pd
from botorch.acquisition import AcquisitionFunction
from torch import Tensor

from discovery.acquisition.mixture import Target, mixture_marginals
from discovery.belief.belief import KeptBank
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.experiments.adapter import AdapterResult, TrialContext
from discovery.meta.checkpoint import Checkpoint
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.space import SearchSpace
from discovery.tasks.distribution import TaskDistribution

CONE_ANGLE = {"PMe3": 118.0, "PPh3": 145.0, "PCy3": 170.0, "PtBu3": 182.0, "PoTol3": 194.0}
CARBONYL = {"PMe3": 2064.1, "PPh3": 2068.9, "PCy3": 2056.4, "PtBu3": 2056.1, "PoTol3": 2066.6}


@dataclass(frozen=True)
class AdditiveGP(MetaGP):
    """A hypothesis: parameters act on their own, and hardly together."""

    family: ClassVar[str] = "additive_gp"

    @classmethod
    def meta_train(
        cls, distribution: TaskDistribution | None, setting: Setting, *, start_from: Checkpoint | None = None
    ) -> Checkpoint:
        """Take the members without experience, and leave them a tenth of what is not a main effect."""
        plain = MetaGP.meta_train(None, setting)
        tensors = {**plain.tensors, "members.signal": 0.1 * plain.tensors["members.signal"]}
        return Checkpoint(replace(plain.meta, learner=cls.family), tensors)


class MostUncertain(AcquisitionFunction):
    """Measure where the belief knows least, whatever it expects there."""

    def __init__(self, kept: Sequence[KeptBank]) -> None:
        super().__init__(model=kept[0].bank)
        self.kept = list(kept)

    def forward(self, X: Tensor) -> Tensor:
        """Return the belief's standard deviation. Shape `b x 1 x d` to `b`."""
        mean, sd, weights = mixture_marginals(self.kept, X[:, 0, :])
        around = mean - (weights * mean).sum(-1, keepdim=True)
        return (weights * (sd.square() + around.square())).sum(-1).sqrt()


def most_uncertain(kept: Sequence[KeptBank], target: Target, *, seed: int) -> MostUncertain:
    """Build the acquisition function of a campaign that only wants to learn."""
    return MostUncertain(kept)


def tolman(values: Sequence[str]) -> pd.DataFrame:
    """Describe phosphines by cone angle (degrees) and carbonyl stretch (1/cm): Tolman, Chem. Rev. 1977, 77, 313."""
    unknown = [name for name in values if name not in CONE_ANGLE]
    if unknown:
        raise ConfigurationError(f"A ligand must be one of {', '.join(CONE_ANGLE)}; got {unknown[0]!r}.")
    return pd.DataFrame({"cone angle": [CONE_ANGLE[n] for n in values], "stretch": [CARBONYL[n] for n in values]})


@dataclass(frozen=True)
class Arithmetic:
    """A laboratory that works an outcome out: `experiment: {type: arithmetic, best: 70}`."""

    outcome: str
    best: float

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> Arithmetic:
        """Read what the campaign file says."""
        settings: dict[str, Any] = spec.experiment.settings  # type: ignore[union-attr]
        return cls(spec.objective.name, float(settings.get("best", 60.0)))

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult:
        """Measure one configuration."""
        angle, warmth = CONE_ANGLE[str(configuration["ligand"])], float(str(configuration["temperature"]))
        return AdapterResult({self.outcome: 90 - 0.01 * (warmth - self.best) ** 2 - 0.3 * abs(angle - 170)})
