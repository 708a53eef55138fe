"""Refinement as a flow: a campaign that ended joins the history, if the gate lets the new version pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow

from flows.progress import StageStarted, tell
from flows.steps import opened, refine_step, run_name

if TYPE_CHECKING:
    from discovery.meta.refine import RefineResult


@flow(name="refine", flow_run_name=run_name)
def refine(file: str, device: str = "auto") -> str:
    """Let a finished campaign's task join the history; its own proposals never use what comes out.

    Args:
        file: The campaign file.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        What happened, in one sentence for every outcome that was refined.
    """
    campaign = opened(file, device)
    reason = campaign.why_no_refinement()
    if reason:
        return reason
    tell(StageStarted("refine", campaign.progress().cycle))
    found = refine_step(file, device)
    said = [verdict_sentence(result, f" of {name}" if len(found) > 1 else "") for name, result in found.items()]
    return " ".join(said) or "There was nothing to refine."


def verdict_sentence(result: RefineResult, about: str = "") -> str:
    """Say what the gate decided about a refined checkpoint; `about` names the outcome where there are several."""
    verdict = "promoted" if result.is_promoted else "not promoted"
    if result.is_promoted and result.score_after > result.score_before:
        verdict += " as equally good"  # within the tolerance of the gate
    return (
        f"The refined history checkpoint{about} {result.checkpoint.checkpoint_id} was {verdict}: held-out loss "
        f"{result.score_after:.3f} after, {result.score_before:.3f} before."
    )
