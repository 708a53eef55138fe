"""Everything that is believed about one campaign: a belief for each of its outcomes, and one of what can be made.

Outcomes are modeled independently given the configuration; each has hypotheses, checkpoints and evidence of its own,
and its own measurements, so that an outcome that comes later is missing only there. Next in the tour:
`discovery.acquisition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from discovery.belief.belief import Belief


@dataclass(frozen=True)
class Beliefs:
    """The beliefs of one campaign.

    Attributes:
        of: Belief by outcome; the first one is that of the first objective.
        feasible: Belief about success (1) and failure for good (0) of experiments; None where none has failed so.
    """

    of: Mapping[str, Belief]
    feasible: Belief | None = None

    @property
    def first(self) -> Belief:
        """The belief in the first objective's outcome."""
        return next(iter(self.of.values()))

    @property
    def is_proved(self) -> bool:
        """Whether experience foresaw the measurements of every outcome clearly better than no transfer did."""
        return all(belief.is_proved for belief in self.of.values())

    @property
    def device(self) -> torch.device:
        """Where the beliefs live."""
        return self.first.steps.device

    def doubting(self) -> Beliefs:
        """Return the beliefs of somebody who trusts no experience."""
        return Beliefs({name: belief.doubting() for name, belief in self.of.items()}, self.feasible)
