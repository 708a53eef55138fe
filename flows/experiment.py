"""Experiments as a flow: approved proposals are carried out, and each result is kept before anything else happens."""

from __future__ import annotations

from prefect import flow

from flows.progress import StageStarted, tell
from flows.steps import experiment_step, run_name


@flow(name="experiment", flow_run_name=run_name)
def experiment(file: str, cycle: int, device: str = "auto") -> list[str]:
    """Carry out every approved proposal of a campaign that has no result yet.

    Args:
        file: The campaign file.
        cycle: Number of the cycle, for the run's name.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        What went wrong: the errors of trials that failed; empty where all reported.
    """
    tell(StageStarted("experiment", cycle))
    return [trial.error for trial in experiment_step(file, device) if trial.error]
