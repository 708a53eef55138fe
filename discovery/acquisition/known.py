"""What is believed where experiments were made or run: the ground on which improvement is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture, latent
from discovery.acquisition.limits import LIKELY, log_feasible
from discovery.acquisition.mixture import outcome_unit
from discovery.belief.belief import KeptBank

if TYPE_CHECKING:
    from discovery.acquisition.aims import Limit


@dataclass(frozen=True)
class Known:
    """Outcomes as they are believed at known configurations.

    The highest measurement was also lucky, and not every outcome was measured everywhere, so all outcomes are told at
    all known configurations by what is believed of them.

    Attributes:
        at: The mixture of every outcome at `n` configurations, with fantasies where there are some.
        is_met: Whether they are believed to keep to the limits. Shape `[f x] n`.
        units: A unit in which each outcome varies by about one, raw units.
    """

    at: Mapping[str, Mixture]
    is_met: Tensor
    units: Mapping[str, float]

    @classmethod
    def of(cls, outcomes: Mapping[str, Sequence[KeptBank]], X: Tensor, limits: Sequence[Limit]) -> Known:
        """Tell outcomes at configurations. Shape `n x d`."""
        with torch.no_grad():
            at = {name: latent(kept, X) for name, kept in outcomes.items()}
        return cls.seen(at, limits, {name: outcome_unit(kept) for name, kept in outcomes.items()})

    @classmethod
    def seen(cls, at: Mapping[str, Mixture], limits: Sequence[Limit], units: Mapping[str, float]) -> Known:
        """Tell outcomes from what is believed of them."""
        with torch.no_grad():
            held = log_feasible(limits, at)
        some = next(iter(at.values())).mean[..., 0]
        is_met = torch.ones_like(some, dtype=torch.bool) if held is None else held.exp() >= LIKELY
        return cls(at, is_met, units)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was measured and nothing runs."""
        return self.is_met.shape[-1] == 0

    @property
    def is_hopeless(self) -> bool:
        """Whether experiments were made and none is believed to keep to the limits."""
        return not self.is_blank and not bool(self.is_met.any())

    def best(self, values: Tensor) -> Tensor:
        """Return the largest of values at configurations that keep to the limits.

        Where none does, as in some fantasies, the largest of all. Shape `[f x] n` to scalar or `f`.
        """
        counts = self.is_met | ~self.is_met.any(-1, keepdim=True)
        return torch.where(counts, values, -torch.inf).amax(-1)


def measured(outcomes: Mapping[str, Sequence[KeptBank]]) -> Tensor:
    """Return the distinct configurations at which any outcome was measured. Shape `n x d`."""
    rows = [kept[0].bank.X.flatten(0, -2)[:, : kept[0].bank.n_dims] for kept in outcomes.values()]
    return torch.unique(torch.cat(rows), dim=0)
