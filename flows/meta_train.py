"""Meta-training as a flow: simulated tasks and history become hypotheses that can adapt in milliseconds."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import publish_models
from flows.steps import opened, run_name, train_step


@flow(name="meta-train", flow_run_name=run_name)
def meta_train(file: str, device: str = "auto", force: bool = False) -> list[str]:
    """Meta-train the hypotheses of a campaign, or take what the registry has.

    Args:
        file: The campaign file.
        device: `auto`, `cpu` or `cuda`.
        force: Whether to train even what the registry has.

    Returns:
        Ids of the checkpoints in use.
    """
    version_ids = train_step(file, device, force)
    publish_models(opened(file, device), version_ids)
    return version_ids
