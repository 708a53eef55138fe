"""Proposing as a flow: the next experiments are chosen, stored, and shown as a table."""

from __future__ import annotations

from prefect import flow

from discovery.errors import NoCandidateError
from flows.artifacts import publish_proposals
from flows.progress import StageStarted, tell
from flows.steps import Given, Without, ask_step, opened, run_name


@flow(name="propose", flow_run_name=run_name)
def propose(
    file: str, cycle: int, device: str = "auto", go_on: bool = False, given: Given = None, without: Without = None
) -> list[str]:
    """Propose the next experiments of a campaign.

    Args:
        file: The campaign file.
        cycle: Number of the cycle, for the run's name.
        device: `auto`, `cpu` or `cuda`.
        go_on: Whether to propose even where `stop.min_gain` advises to stop.
        given: Values that are given today, by parameter.
        without: Values that are not to be had today, by parameter.

    Returns:
        Ids of the proposals; empty where the budget is used, nothing is left to propose, or the next experiments are
        expected to gain too little.
    """
    tell(StageStarted("propose", cycle))
    try:
        proposals = ask_step(file, device, go_on, given, without)
    except NoCandidateError:
        return []
    publish_proposals(opened(file, device))
    return [str(proposal_id) for proposal_id in proposals["proposal_id"]]
