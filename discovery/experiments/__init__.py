"""Adapters that carry a trial to a laboratory and back: a table, a simulator, people, a program, a web address.

Next in the tour: `discovery.ingest`.
"""

from discovery.experiments.adapter import (
    Adapter,
    AdapterResult,
    Forewarns,
    Order,
    Pending,
    TemporaryExperimentError,
    TrialContext,
    adapter_for,
)
from discovery.experiments.trials import carry_out

__all__ = [
    "Adapter",
    "AdapterResult",
    "Forewarns",
    "Order",
    "Pending",
    "TemporaryExperimentError",
    "TrialContext",
    "adapter_for",
    "carry_out",
]
