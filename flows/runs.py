"""Flow runs as the sweep sees them: which ones Prefect believes in although nobody runs them any more.

After a kill Prefect goes on showing a run as running; the lease in the store says who is alive. The rules are plain
functions over plain values; the last part asks the server and tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flows.wake import CAMPAIGN, DECIDE, SWEEP, deployment_name

if TYPE_CHECKING:
    import pandas as pd
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun


STAGES = ("meta-train", "adapt", "propose", "review", "experiment", "ingest", "refine")
FLOWS = (CAMPAIGN, DECIDE, SWEEP, *STAGES)
GRACE_S = 120.0  # a run takes its lease so soon after it began, also on a busy machine
PENDING_S = 300.0  # a process that has not begun by then has died on the way
SHORT_S = 3600.0  # flows that hold no lease, and think for seconds
LATE_S = 600.0
SOON_S = 60.0  # what a schedule plans for so soon counts as on its way
FIRST_PAUSE_S, LONGEST_PAUSE_S = 300.0, 21600.0  # between two runs that both failed
OPEN_STATES = ("RUNNING", "PENDING", "SCHEDULED", "PAUSED", "CANCELLING")
BAD = ("FAILED", "CRASHED")
PAGE = 200
N_ENDED = 10  # how many of the last runs are looked at


@dataclass(frozen=True)
class RunView:
    """One flow run.

    Attributes:
        run_id: Its id.
        flow: Name of its flow.
        file: The campaign file that it was started with; the first one of a sweep.
        state: Type of its state: `RUNNING`, `PENDING`, `SCHEDULED`, `PAUSED`, `CANCELLING`, or one that is final.
        since: When it got that state, UTC.
        is_child: Whether another run called it.
        is_late: Whether it should have begun and nobody has taken it.
    """

    run_id: str
    flow: str
    file: str
    state: str
    since: datetime
    is_child: bool = False
    is_late: bool = False


@dataclass(frozen=True)
class Holder:
    """Who holds a campaign's lease.

    Attributes:
        owner: Machine and process.
        since: When it was taken, UTC.
        is_gone: Whether the process is known to be gone, or the lease has expired.
    """

    owner: str
    since: datetime
    is_gone: bool = False


def holder_of(leases: pd.DataFrame, name: str) -> Holder | None:
    """Return who holds a lease (`Store.leases`), or None."""
    rows = leases[leases["name"] == name]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Holder(str(row["owner"]), row["acquired_at"].to_pydatetime(), bool(row["is_free"]))


def is_dead(run: RunView, holder: Holder | None, now: datetime) -> bool:
    """Say whether nobody can be running a run any more, although Prefect believes in it.

    A run of a campaign takes the lease when it begins: one that began long before the lease was taken is not its
    holder, one without a lease has ended or been killed, and one whose lease was left by a dead process is dead.

    Args:
        run: A run that nobody called; what it calls dies with it.
        holder: Who holds the campaign's lease.
        now: The moment, UTC.
    """
    age_s = (now - run.since).total_seconds()
    if run.state in ("RUNNING", "CANCELLING"):
        if run.flow != CAMPAIGN:
            return age_s > SHORT_S
        if holder is not None and holder.is_gone and holder.since >= run.since:
            return True
        begun_by = run.since + timedelta(seconds=GRACE_S)
        is_holder = holder is not None and not holder.is_gone and holder.since <= begun_by
        return age_s > GRACE_S and not is_holder
    return run.state == "PENDING" and age_s > PENDING_S


def shows_form(run: RunView, waiting_since: datetime) -> bool:
    """Say whether a run of `decide` asks, or is about to ask, about proposals that were made at a moment."""
    return run.flow == DECIDE and (run.state != "PAUSED" or run.since >= waiting_since)


def pause_s(ended: Sequence[str]) -> float:
    """Return how long to wait before the next run, by the states of the last ones, latest first.

    One failure is followed at once; several in a row at longer and longer intervals.

    Example:
        >>> [pause_s(["CRASHED"] * n) for n in range(5)]
        [0.0, 0.0, 300.0, 600.0, 1200.0]
    """
    n_bad = next((i for i, state in enumerate(ended) if state not in BAD), len(ended))
    return 0.0 if n_bad < 2 else min(FIRST_PAUSE_S * 2.0 ** (n_bad - 2), LONGEST_PAUSE_S)


def open_runs(client: SyncPrefectClient) -> list[RunView]:
    """Return all runs of our flows that have not ended; what a schedule plans for later is left out."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilterExpectedStartTime

    wanted = FlowFilter(name=FlowFilterName(any_=list(FLOWS)))
    names = {str(flow.id): str(flow.name) for flow in client.read_flows(flow_filter=wanted, limit=PAGE)}
    found: list[FlowRun] = []
    soon = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC) + timedelta(seconds=SOON_S))
    begun = _in_state(OPEN_STATES).model_copy(update={"expected_start_time": soon})
    while page := client.read_flow_runs(flow_filter=wanted, flow_run_filter=begun, limit=PAGE, offset=len(found)):
        found += page
    return [as_view(run, names.get(str(run.flow_id), "")) for run in found]


def as_view(run: FlowRun, flow: str, now: datetime | None = None) -> RunView:
    """Return a run of Prefect as a plain value."""
    now = now or datetime.now(UTC)
    state = run.state
    begins = run.expected_start_time or run.created or now
    given = run.parameters or {}
    is_scheduled = state is not None and state.type.value == "SCHEDULED"
    return RunView(
        run_id=str(run.id),
        flow=flow,
        file=str(given.get("file") or next(iter(given.get("files") or ()), "")),
        state=state.type.value if state is not None else "PENDING",
        since=state.timestamp if state is not None else begins,
        is_child=run.parent_task_run_id is not None,
        is_late=is_scheduled and begins + timedelta(seconds=LATE_S) < now,
    )


def called_by(client: SyncPrefectClient, parents: Iterable[str]) -> set[str]:
    """Return the ids of open runs that some runs called."""
    from uuid import UUID

    from prefect.client.schemas.filters import FlowRunFilterParentFlowRunId

    ids = [UUID(parent) for parent in parents]
    if not ids:
        return set()
    wanted = _in_state(OPEN_STATES).model_copy(update={"parent_flow_run_id": FlowRunFilterParentFlowRunId(any_=ids)})
    return {str(run.id) for run in client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)}


def end_run(client: SyncPrefectClient, run: RunView, why: str) -> bool:
    """Mark a run that nobody runs any more as crashed (or cancelled where that was asked for); say whether it was.

    A run that has ended meanwhile, or has got another state, stays as it is.
    """
    from uuid import UUID

    from prefect.states import Cancelled, Crashed

    now = client.read_flow_run(UUID(run.run_id))
    if now.state is None or (now.state.type.value, now.state.timestamp) != (run.state, run.since):
        return False
    state = Cancelled(message=why) if run.state == "CANCELLING" else Crashed(message=why)
    done = client.set_flow_run_state(UUID(run.run_id), state)
    return str(done.status.value) == "ACCEPT"


def last_runs(client: SyncPrefectClient, campaign: str, flow: str) -> list[tuple[str, str, datetime]]:
    """Return the last runs of a deployment that ended: id, type of the final state, and when; latest first."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    name = filters.DeploymentFilterName(any_=[deployment_name(campaign)])
    found = client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=[flow])),
        deployment_filter=filters.DeploymentFilter(name=name),
        flow_run_filter=_in_state(("COMPLETED", *BAD)),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=N_ENDED,
    )
    return [(str(run.id), run.state.type.value, run.state.timestamp) for run in found if run.state is not None]


def is_known(client: SyncPrefectClient, key: str) -> bool:
    """Say whether a run was made for a key already."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey

    wanted = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    return bool(client.read_flow_runs(flow_run_filter=wanted, limit=1))


def is_of(run: RunView, file: Path) -> bool:
    """Say whether a run is of a campaign file (absolute)."""
    return bool(run.file) and Path(run.file).resolve() == file


def _in_state(names: Iterable[str]) -> FlowRunFilter:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType

    types = FlowRunFilterStateType(any_=[StateType(name) for name in names])
    return FlowRunFilter(state=FlowRunFilterState(type=types))
