"""Deployments told to a Prefect server: made where they are absent, changed where they differ, else left alone.

A deployment keeps its id over changes, and with it the history of its runs. What people choose in the pages (to pause
it, to switch its schedule off) stays; everything that the campaign file says is as the file says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from discovery.errors import ConfigurationError, DiscoveryError
from flows.deployments import CampaignFile, DeploymentPlan, campaign_plans, sweep_plan
from flows.differences import content, differences, interval_s, schedules_of
from flows.runtime import bare_url, server_fault
from flows.wake import CAMPAIGN, DECIDE, SWEEP

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

CREATED, UPDATED, UNCHANGED, REMOVED = "created", "updated", "unchanged", "removed"
POOL_TYPE = "process"
SWEEP_S = 300.0


@dataclass(frozen=True)
class DeployOptions:
    """How campaigns are deployed.

    Attributes:
        pool: Work pool whose workers run them; empty for none; None to leave it as it is.
        every_s: Seconds between two sweeps of a store; None to leave it as it is, and `SWEEP_S` for a new one.
        prune: Whether campaigns of the same store that are not named any more are removed.
    """

    pool: str | None = None
    every_s: float | None = None
    prune: bool = False


@dataclass(frozen=True)
class Deployed:
    """What became of one deployment.

    Attributes:
        name: Its full name, such as `campaign/lab`.
        change: `created`, `updated`, `unchanged` or `removed`.
        deployment_id: Its id.
        url: Its page; empty where it was removed or no pages are known.
        changed: What differed, where it was updated.
        schedule: When it runs by itself, for people; empty for never.
    """

    name: str
    change: str
    deployment_id: UUID
    url: str = ""
    changed: tuple[str, ...] = ()
    schedule: str = ""


def deploy(campaigns: Sequence[CampaignFile], options: DeployOptions) -> list[Deployed]:
    """Deploy campaigns: two deployments each, and a sweep per store.

    Raises:
        ConfigurationError: If a campaign's name is taken on the server by another file.
        DiscoveryError: If the server does not answer or does not let us in.
    """
    with _talking() as client:
        ui_url = pages_url()
        server = _Server(client, ui_url, options.pool)
        plans = [plan for one in campaigns for plan in campaign_plans(one, ui_url)]
        found = {plan.full_name: server.find(plan.full_name) for plan in plans}
        _check_names(plans, found)
        if options.pool:
            _ensure_pool(client, options.pool)
        done = [server.apply(plan, found[plan.full_name]) for plan in plans]
        for store in dict.fromkeys(one.store for one in campaigns):
            done += server.sweep(store, [one for one in campaigns if one.store == store], options)
    return done


def remove(files: Iterable[Path]) -> list[Deployed]:
    """Remove the deployments of campaign files, which need not exist any more; their runs stay.

    Raises:
        DiscoveryError: If the server does not answer or does not let us in.
    """
    gone = [str(Path(file).resolve()) for file in files]
    with _talking() as client:
        server = _Server(client, pages_url(), None)
        return server.remove_files(gone) + server.unsweep(gone)


def pages_url() -> str:
    """Return where the server's pages are, without a secret that may stand in the address; empty if not known."""
    from prefect.settings import PREFECT_UI_URL

    return bare_url(PREFECT_UI_URL.value() or "").rstrip("/")


class _Server:
    """The deployments of a server.

    Args:
        client: Speaks to it.
        ui_url: Where its pages are.
        pool: Work pool that is wanted; empty for none; None to leave it as it is.
    """

    def __init__(self, client: SyncPrefectClient, ui_url: str, pool: str | None) -> None:
        self.client, self.ui_url, self.pool = client, ui_url, pool

    def find(self, full_name: str) -> DeploymentResponse | None:
        """Return a deployment by its full name, or None."""
        from prefect.exceptions import ObjectNotFound

        try:
            return self.client.read_deployment_by_name(full_name)
        except ObjectNotFound:
            return None

    def apply(self, plan: DeploymentPlan, found: DeploymentResponse | None) -> Deployed:
        """Make a deployment as planned."""
        if found is None:
            made = self._create(plan)
            return Deployed(plan.full_name, CREATED, made, self.page(made), schedule=_when(plan))
        change = differences(plan, found, self.pool)
        if change:
            self.change(found.id, change)
        done = UPDATED if change else UNCHANGED
        return Deployed(plan.full_name, done, found.id, self.page(found.id), tuple(sorted(change)), _when(plan))

    def sweep(self, store: Path, members: Sequence[CampaignFile], options: DeployOptions) -> list[Deployed]:
        """Let a store be swept, for these campaigns and for those that were deployed earlier."""
        plan, done = sweep_plan(store, members, options.every_s or SWEEP_S), []
        before = self.find(plan.full_name)
        if options.every_s is None and before is not None:
            plan = replace(plan, every_s=interval_s(before))
        left = [file for file in _swept(before) if file not in plan.parameters["files"]]
        if options.prune:
            gone = [file for file in left if _store_of(file) in (None, store)]
            done = self.remove_files(gone)
            left = [file for file in left if file not in gone]
        files = sorted([*left, *plan.parameters["files"]])
        return [*done, self.apply(replace(plan, parameters={"files": files}), before)]

    def unsweep(self, gone: Sequence[str]) -> list[Deployed]:
        """Let campaign files be swept no more; a sweep of nothing is removed."""
        done = []
        for found in self.all_of(SWEEP):
            left = [file for file in _swept(found) if file not in gone]
            if not left:
                done.append(self.delete(SWEEP, found))
            elif left != _swept(found):
                self.change(found.id, {"parameters": {**found.parameters, "files": left}})
                changed = ("parameters",)
                done.append(Deployed(f"{SWEEP}/{found.name}", UPDATED, found.id, self.page(found.id), changed))
        return done

    def change(self, deployment_id: UUID, change: Mapping[str, Any]) -> None:
        """Change some of a deployment."""
        from prefect.client.schemas.actions import DeploymentUpdate

        self.client.update_deployment(deployment_id, DeploymentUpdate(**change))

    def remove_files(self, files: Sequence[str]) -> list[Deployed]:
        """Remove the deployments of campaign files."""
        every = [(flow, one) for flow in (CAMPAIGN, DECIDE) for one in self.all_of(flow)]
        return [self.delete(flow, one) for flow, one in every if one.parameters.get("file") in files]

    def all_of(self, flow: str) -> Iterator[DeploymentResponse]:
        """Yield every deployment of a flow."""
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName

        named = FlowFilter(name=FlowFilterName(any_=[flow]))
        seen: list[DeploymentResponse] = []
        while page := self.client.read_deployments(flow_filter=named, limit=200, offset=len(seen)):
            seen += page
        yield from seen

    def delete(self, flow: str, found: DeploymentResponse) -> Deployed:
        """Remove a deployment; its runs stay."""
        self.client.delete_deployment(found.id)
        return Deployed(f"{flow}/{found.name}", REMOVED, found.id)

    def page(self, deployment_id: UUID) -> str:
        """Return the address of a deployment's page."""
        return f"{self.ui_url}/deployments/deployment/{deployment_id}" if self.ui_url else ""

    def _create(self, plan: DeploymentPlan) -> UUID:
        from prefect.client.schemas.actions import DeploymentScheduleCreate

        return self.client.create_deployment(
            flow_id=self.client.create_flow_from_name(plan.flow),
            name=plan.name,
            schedules=[DeploymentScheduleCreate(**schedule) for schedule in schedules_of(plan)],
            work_pool_name=self.pool or None,
            **content(plan),
        )


def _when(plan: DeploymentPlan) -> str:
    """Write for people when a plan runs by itself."""
    if plan.cron is not None:
        return f"{plan.cron[0]} {plan.cron[1]}"
    return "" if plan.every_s is None else f"every {plan.every_s:g} s"


def _swept(found: DeploymentResponse | None) -> list[str]:
    """Return the campaign files that a sweep looks after."""
    return [] if found is None else [str(file) for file in found.parameters.get("files", [])]


def _check_names(plans: Sequence[DeploymentPlan], found: Mapping[str, DeploymentResponse | None]) -> None:
    """Refuse a campaign whose name another file has on this server.

    Raises:
        ConfigurationError: If one is taken.
    """
    for plan in plans:
        other = found[plan.full_name]
        theirs = other.parameters.get("file") if other else None
        if theirs is not None and theirs != plan.parameters["file"]:
            raise ConfigurationError(
                f"A campaign's name must be of one file on a server; {plan.full_name} is deployed from {theirs}, got "
                f"{plan.parameters['file']}.",
                f"Rename one, or, where the file has moved: discovery deploy --remove {theirs}",
            )


def _ensure_pool(client: SyncPrefectClient, name: str) -> None:
    """Make a work pool for processes where there is none of this name."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type=POOL_TYPE, base_job_template=template))


def _store_of(file: str) -> Path | None:
    """Return the store of a campaign file; None where the file is gone or wrong."""
    try:
        return CampaignFile.read(file).store
    except DiscoveryError:
        return None


@contextmanager
def _talking() -> Iterator[SyncPrefectClient]:
    """Yield a client; what the server refuses becomes a sentence.

    Raises:
        DiscoveryError: If the server does not answer, does not let us in, or refuses what it is told.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            yield client
    except HTTPError as error:
        raise server_fault(error) from None
