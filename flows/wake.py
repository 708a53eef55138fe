"""Waking a deployed campaign: whoever changes something that it waits for asks Prefect for a run, and nothing more.

A wake-up may be lost or doubled: the run looks into the store for what there is to do, holds the campaign's lease while
it does it, and the sweep asks again where nobody came.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

CAMPAIGN, DECIDE, SWEEP = "campaign", "decide", "sweep"
"""Names of the flows that are deployed."""


def deployment_name(campaign: str) -> str:
    """Return the name of a campaign's deployments: what Prefect forbids in names becomes a dash.

    Example:
        >>> deployment_name("alloy/2 & 3")
        'alloy-2 - 3'
    """
    return re.sub(r"[/%&<>]", "-", campaign)


def wake(
    campaign: str,
    *,
    flow: str = CAMPAIGN,
    key: str = "",
    parameters: Mapping[str, object] | None = None,
) -> bool:
    """Ask for a run of a deployment.

    Args:
        campaign: The campaign.
        flow: `campaign` or `decide`.
        key: Where it is given, at most one run is ever made for it.
        parameters: Parameters of the run beside those of the deployment.

    Returns:
        Whether there is a deployment to wake; False where no server is named or nothing was deployed there.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound

    try:
        run_deployment(
            f"{flow}/{deployment_name(campaign)}",
            parameters=dict(parameters or {}),
            timeout=0,
            as_subflow=False,
            idempotency_key=key or None,
        )
    except ObjectNotFound:
        return False
    return True


def is_deployed(campaign: str) -> bool:
    """Say whether a campaign has a deployment that goes on with it; False where no server is named or it is away."""
    if not os.environ.get("PREFECT_API_URL"):
        return False
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        with get_client(sync_client=True) as client:
            client.read_deployment_by_name(f"{CAMPAIGN}/{deployment_name(campaign)}")
    except (ObjectNotFound, httpx.HTTPError):
        return False
    return True
