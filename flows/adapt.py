"""Adapting the belief as a flow: where does it stand after everything that was measured?"""

from __future__ import annotations

from prefect import flow

from flows.progress import StageStarted, tell
from flows.steps import adapt_step, run_name


@flow(name="adapt", flow_run_name=run_name)
def adapt(file: str, cycle: int, device: str = "auto") -> dict[str, float]:
    """Adapt the belief of a campaign and store its evidence.

    Args:
        file: The campaign file.
        cycle: Number of the cycle, for the run's name.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        Weight of each hypothesis.
    """
    tell(StageStarted("adapt", cycle))
    return adapt_step(file, device).weights
