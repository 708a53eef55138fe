"""Adapters that carry a trial to a laboratory and back: a table of measurements, and simulators.

Next in the tour: `discovery.ingest`.
"""

from discovery.experiments.adapter import Adapter, AdapterResult, TemporaryExperimentError, TrialContext, adapter_for
from discovery.experiments.trials import carry_out

__all__ = ["Adapter", "AdapterResult", "TemporaryExperimentError", "TrialContext", "adapter_for", "carry_out"]
