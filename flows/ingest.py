"""Ingestion as a flow: what trials have reported becomes measurements, and the cycle is summed up."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import publish_cycle
from flows.events import tell_events
from flows.progress import StageStarted, tell
from flows.steps import ingest_step, opened, run_name, summarize_step


@flow(name="ingest", flow_run_name=run_name)
def ingest(file: str, cycle: int, device: str = "auto") -> int:
    """Turn what trials of a campaign have reported into measurements; a second time changes nothing.

    Args:
        file: The campaign file.
        cycle: Number of the cycle whose summary is shown.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        Number of measurements that landed.
    """
    tell(StageStarted("ingest", cycle))
    report = ingest_step(file, device)
    tell_events(opened(file, device).store)  # while the lease is held: nobody is woken to do what is done here
    summary = summarize_step(file, device, cycle)
    publish_cycle(opened(file, device), summary)
    tell(summary)
    return report.n_added
