"""Replicate spread: how much outcomes differ that were measured at the same configuration.

Next in the tour: `discovery.session.progress`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import pandas as pd

from discovery.errors import counted
from discovery.space.censored import SUFFIX


@dataclass(frozen=True)
class ReplicateSpread:
    """How much replicates of one outcome differ.

    Attributes:
        sd: Pooled standard deviation within configurations, raw units.
        n_configurations: Configurations that were measured more than once.
        n_measurements: Measurements of those.
    """

    sd: float
    n_configurations: int
    n_measurements: int

    def sentence(self, outcome: str, unit: str) -> str:
        """Say it in words."""
        among = f"{self.n_measurements} measurements of {counted(self.n_configurations, 'configuration')}"
        return f"Replicates of {outcome} differ by a standard deviation of {self.sd:.3g}{unit} ({among})."


def replicate_spread(measured: pd.DataFrame, outcome: str) -> ReplicateSpread | None:
    """Return how much replicates differ; None where no configuration was measured twice. Bounds are left out.

    Args:
        measured: Measurements, as `Store.measurements` gives them.
        outcome: The outcome.
    """
    rows = measured.dropna(subset=[outcome])
    if f"{outcome}{SUFFIX}" in rows:
        rows = rows[rows[f"{outcome}{SUFFIX}"] == ""]
    found = rows.groupby("key")[outcome].agg(["count", "var"])
    found = found[found["count"] > 1]
    if found.empty:
        return None
    freedom = found["count"] - 1
    variance = float((freedom * found["var"]).sum() / freedom.sum())
    return ReplicateSpread(sqrt(variance), len(found), int(found["count"].sum()))
