"""Refinement as a flow: a campaign that ended joins the history, if the gate lets the new version pass."""

from __future__ import annotations

from prefect import flow

from flows.progress import StageStarted, tell
from flows.steps import opened, refine_step, run_name


@flow(name="refine", flow_run_name=run_name)
def refine(file: str, device: str = "auto") -> str:
    """Let a finished campaign's task join the history; its own proposals never use what comes out.

    Args:
        file: The campaign file.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        What happened, in one sentence.
    """
    campaign = opened(file, device)
    reason = campaign.why_no_refinement()
    if reason:
        return reason
    tell(StageStarted("refine", campaign.progress().cycle))
    result = refine_step(file, device)
    if result is None:
        return "There was nothing to refine."
    verdict = "promoted" if result.is_promoted else "not promoted"
    if result.is_promoted and result.score_after > result.score_before:
        verdict += " as equally good"  # within the tolerance of the gate
    return (
        f"The refined history checkpoint {result.checkpoint.checkpoint_id} was {verdict}: held-out loss "
        f"{result.score_after:.3f} after, {result.score_before:.3f} before."
    )
