"""Review as a flow: nobody waits here. What needs a person stays in the store until `discovery review` decides."""

from __future__ import annotations

from prefect import flow

from flows.events import tell_events
from flows.forms import close_forms
from flows.progress import StageStarted, tell
from flows.steps import opened, review_step, run_name


@flow(name="review", flow_run_name=run_name)
def review(file: str, cycle: int, auto_approve: bool = False, device: str = "auto") -> list[str]:
    """Approve proposals that nobody is asked about, and let old ones go stale.

    Args:
        file: The campaign file.
        cycle: Number of the cycle, for the run's name.
        auto_approve: Whether to approve even where the campaign file asks for a person.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        Ids of the proposals that wait for a person.
    """
    tell(StageStarted("review", cycle))
    report = review_step(file, device, auto_approve)
    if report.stale:
        close_forms(opened(file, device))
    tell_events(opened(file, device).store)  # people hear of it before experiments begin, which may take hours
    return list(report.waiting)
