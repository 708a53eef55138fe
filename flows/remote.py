"""Trials carried out on another machine, which never opens the database: orders go out as runs, results come as files.

The machine beside the laboratory runs a Prefect worker on the work pool that the campaign file names
(`experiment.pool`). Each trial is one run of `remote/<pool>`; what it finds lands as a Parquet file in the campaign's
inbox, a folder that both machines reach, and the process beside the database takes it in. A file that comes twice adds
nothing, because a trial's result lands once. Next in the tour: `discovery.session.inbox`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import prefect
from prefect import flow
from prefect.states import Failed
from pydantic import BaseModel

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments.adapter import (
    Adapter,
    AdapterResult,
    AskedAgain,
    Pending,
    TemporaryExperimentError,
    TrialContext,
    adapter_for,
)
from discovery.experiments.trials import check_result
from discovery.session.inbox import DONE, make_inbox
from discovery.space import SearchSpace
from flows.secrets import use_blocks
from flows.wake import wake

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

REMOTE = "remote"
GIVEN_UP = "GivenUp"
"""Name of the state of a run whose trial never will succeed; any other end without a result may be tried again."""
POLL_S = 10.0  # between two questions to an adapter that has no pause of its own
SHARED = "DISCOVERY_SHARED"
"""`THERE=HERE` on the remote machine: a folder as the campaign's machine calls it, and where it is mounted here."""


class RemoteTrial(BaseModel):
    """One trial as it is handed over.

    Attributes:
        trial_id: The trial.
        proposal_id: What is carried out.
        key: Identity of the configuration.
        idempotency_key: Stays the same when the run is started again.
        configuration: A value for every parameter.
    """

    trial_id: str
    proposal_id: str
    key: str
    idempotency_key: str
    configuration: dict[str, Any]


def _run_name() -> str:
    parameters: dict[str, Any] = prefect.runtime.flow_run.parameters
    return f"{REMOTE} {RemoteTrial.model_validate(parameters['trial']).trial_id}"


def _wake_campaign(flow: object, flow_run: FlowRun, state: State[Any]) -> None:  # Prefect passes these by name
    """Wake the campaign of a run that ended without a result, so that it sees what to do; a result wakes it anyway."""
    wake(flow_run.parameters["spec"]["name"], key=f"remote:{flow_run.id}")


@flow(
    name=REMOTE,
    flow_run_name=_run_name,
    on_failure=[_wake_campaign],
    on_crashed=[_wake_campaign],
    on_cancellation=[_wake_campaign],
)
def remote(spec: dict[str, Any], folder: str, inbox: str, trial: RemoteTrial) -> Any:
    """Carry out one trial with the campaign's adapter and hand its result over as a file.

    Args:
        spec: The campaign file as JSON.
        folder: Folder that its relative paths start from.
        inbox: Folder that results go into.
        trial: What is carried out.

    Returns:
        The name of the file, or a failed state that says whether another trial may succeed.
    """
    target = mounted(inbox) / file_name(trial.trial_id)
    if any(place.exists() for place in (target, target.parent / DONE / target.name)):
        return target.name
    one = CampaignSpec.from_mapping(spec, mounted(folder))
    use_blocks()
    try:
        result = carry_out_here(one, adapter_for(one, SearchSpace.from_spec(one)), trial)
    except (ExperimentError, OSError) as error:
        may_retry = isinstance(error, TemporaryExperimentError | OSError)
        return Failed(message=str(error), **({} if may_retry else {"name": GIVEN_UP}))
    hand_over(trial, result, target)
    return target.name


def carry_out_here(spec: CampaignSpec, adapter: Adapter, trial: RemoteTrial) -> AdapterResult:
    """Carry out a trial on this machine, and wait for its result however long that takes.

    Raises:
        ExperimentError: If there is none.
    """
    folder = Path(tempfile.gettempdir()) / "discovery-trials" / trial.idempotency_key
    names = ("trial_id", "proposal_id", "key", "idempotency_key")
    context = TrialContext(**{name: getattr(trial, name) for name in names}, folder=folder)
    while isinstance(answer := adapter.run(trial.configuration, context), Pending):
        context = replace(context, external_id=answer.external_id or context.external_id)
        time.sleep(answer.pause_s or (adapter.poll_s if isinstance(adapter, AskedAgain) else POLL_S))
    check_result(answer, spec.outcome_names, trial.trial_id)
    return answer


def hand_over(trial: RemoteTrial, result: AdapterResult, target: Path) -> None:
    """Write a result as a table of one row, aside first: whoever looks sees the whole file or none."""
    import pandas as pd

    row = {
        **trial.configuration,
        **result.outcomes,
        "proposal_id": trial.proposal_id,
        "trial_id": trial.trial_id,
    }
    extra = {name: value for name, value in result.extra.items() if name not in row}
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    pd.DataFrame([row | extra]).to_parquet(aside, index=False)
    os.replace(aside, target)


class RemoteAdapter:
    """Hands trials over to the workers of a pool, and asks after them.

    Args:
        spec: The campaign; names the pool and the inbox.

    Raises:
        ConfigurationError: If there is no server that workers could reach, or no inbox.
    """

    def __init__(self, spec: CampaignSpec) -> None:
        if not os.environ.get("PREFECT_API_URL"):
            raise ConfigurationError(
                f"experiment.pool of {spec.name} needs a Prefect server that its workers reach; PREFECT_API_URL is "
                "not set.",
                "Set it to your server's address (docs/scaling.md).",
            )
        self.spec, self.inbox, self.pool = spec, make_inbox(spec), str(getattr(spec.experiment, "pool", None))

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> RemoteAdapter:
        """Make the adapter of a campaign."""
        return cls(spec)

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> Pending:
        """Hand a trial over, or ask after one that was.

        Raises:
            TemporaryExperimentError: If its run has ended without a result.
            ExperimentError: If no run ever will have one.
        """
        if context.external_id:
            return self._ask_after(context)
        trial = RemoteTrial(
            trial_id=context.trial_id,
            proposal_id=context.proposal_id,
            key=context.key,
            idempotency_key=context.idempotency_key,
            configuration=dict(configuration),
        )
        return Pending(str(self._submit(trial)), f"Handed over to the workers of {self.pool}.")

    def _submit(self, trial: RemoteTrial) -> UUID:
        """Ask for the run of a trial; the same trial again is the same run."""
        from prefect.deployments import run_deployment

        asked = run_deployment(
            deploy_remote(self.pool),
            parameters={
                "spec": json.loads(self.spec.model_dump_json(exclude_unset=True)),
                "folder": str(self.spec.base_dir),
                "inbox": str(self.inbox),
                "trial": trial.model_dump(mode="json"),
            },
            timeout=0,
            as_subflow=False,
            idempotency_key=trial.idempotency_key,
            tags=["discovery", self.spec.name],
        )
        return UUID(str(asked.id))

    def _ask_after(self, context: TrialContext) -> Pending:
        from prefect.client.orchestration import get_client
        from prefect.exceptions import ObjectNotFound

        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(UUID(context.external_id)).state
        except ObjectNotFound:
            gone = f"The run {context.external_id} must be on the server; it is gone."
            raise TemporaryExperimentError(gone) from None
        if state is None or not state.is_final():
            return Pending(detail=f"The workers of {self.pool} have it.")
        if state.is_completed():
            return Pending(detail=f"Its result lies in {self.inbox} and is taken in next.")
        said = f"The remote run ended as {state.name}: {state.message or 'it said nothing'}"
        raise (ExperimentError if state.name == GIVEN_UP else TemporaryExperimentError)(said)


@lru_cache
def deploy_remote(pool: str) -> str:
    """Make a pool for remote workers and its deployment, or bring them up to date; once per process.

    Returns:
        The full name of the deployment.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.flows import EntrypointType
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))
    made = remote.to_deployment(
        name=pool,
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
        description="Carries out trials beside a laboratory; results go into the inbox of their campaign.",
        tags=["discovery"],
    )
    made.apply()
    return f"{REMOTE}/{pool}"


def elsewhere(spec: CampaignSpec) -> RemoteAdapter | None:
    """Return the adapter of a campaign whose trials are carried out on another machine; None where they are not."""
    return RemoteAdapter(spec) if getattr(spec.experiment, "pool", None) else None


def mounted(folder: str) -> Path:
    """Return where a folder of the campaign's machine is on this one (`DISCOVERY_SHARED`).

    Raises:
        ConfigurationError: If the variable is not `THERE=HERE`.
    """
    there, equals, here = os.environ.get(SHARED, "").partition("=")
    if not there and not equals:
        return Path(folder)
    if not (there and here):
        raise ConfigurationError(f"{SHARED} must be THERE=HERE; got {os.environ[SHARED]!r}.")
    there = there.rstrip("/")
    is_inside = folder == there or folder.startswith(f"{there}/")
    return Path(here + folder[len(there) :]) if is_inside else Path(folder)


def file_name(trial_id: str) -> str:
    """Return the name of a trial's file: what no file system likes becomes a dash.

    Example:
        >>> file_name("alloy 2/3-c001-00-t1")
        'alloy-2-3-c001-00-t1.parquet'
    """
    return re.sub(r"[^\w.-]+", "-", trial_id) + ".parquet"
