"""Deploying on a real server: once or many times it is the same, a changed file changes what changed, no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from discovery.errors import ConfigurationError
from flows.deploying import DeployOptions, deploy, remove
from flows.deployments import read_campaigns
from flows.runtime import named_server

pytestmark = pytest.mark.slow
YAML = Path(__file__).parents[2] / "flows" / "deployments.yaml"


@pytest.fixture
def client(full_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """The shared server, named by the environment; gives a client of it."""
    monkeypatch.setenv("PREFECT_API_URL", full_server)
    with named_server():
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as speaking:
            yield speaking


def deployed(file, **options):
    """Deploy a file; return what became of each deployment by name."""
    return {one.name: one for one in deploy(read_campaigns([file]), DeployOptions(**options))}


def prefect(*words, **environment):
    """Call Prefect's own command line, from a folder that hides nothing of ours."""
    command = [sys.executable, "-m", "prefect", *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_the_same_file_again_changes_nothing(client, write):
    """Ids, times of change and schedules stay when a file is deployed again, also without its pool being named."""
    file = write(name="again", schedule="0 6 * * *", store="again.duckdb")
    first = deployed(file, pool="again-pool")
    assert {one.change for one in first.values()} == {"created"}
    assert set(first) == {"campaign/again", "decide/again", "sweep/again"}
    deployed(file, every_s=1200.0)
    assert client.read_deployment(first["sweep/again"].deployment_id).schedules[0].schedule.interval.seconds == 1200
    before = [client.read_deployment(one.deployment_id) for one in first.values()]
    for options in ({"pool": "again-pool"}, {}):
        again = deployed(file, **options)
        assert {one.change for one in again.values()} == {"unchanged"}, again
    after = [client.read_deployment(one.deployment_id) for one in first.values()]
    assert [(one.id, one.updated, one.schedules) for one in after] == [
        (one.id, one.updated, one.schedules) for one in before
    ]


def test_a_changed_file_changes_its_deployment_and_keeps_its_runs(client, write):
    """A new budget and time: the same id with new version, description and schedule; the earlier run is there."""
    file = write(name="changing", schedule="0 6 * * *", store="changing.duckdb")
    before = deployed(file)["campaign/changing"]
    run = client.create_flow_run_from_deployment(before.deployment_id)
    write(name="changing", schedule="0 7 * * *", store="changing.duckdb", budget={"experiments": 12})
    after = deployed(file)
    assert after["campaign/changing"].deployment_id == before.deployment_id
    assert after["campaign/changing"].changed == ("description", "schedules", "version")
    assert after["decide/changing"].changed == ("description", "version")
    assert after["sweep/changing"].change == "unchanged"
    found = client.read_deployment(before.deployment_id)
    assert [one.schedule.cron for one in found.schedules] == ["0 7 * * *"]
    assert "12 experiments" in found.description
    assert client.read_flow_run(run.id).deployment_id == before.deployment_id
    write(name="changing", store="changing.duckdb", budget={"experiments": 12})
    assert {"parameters", "schedules", "version"} <= set(deployed(file)["campaign/changing"].changed)
    assert client.read_deployment(before.deployment_id).schedules == []


def test_what_people_chose_on_the_pages_stays(client, write):
    """A campaign that was paused, or whose schedule was switched off, stays so when its budget changes."""
    from prefect.client.schemas.actions import DeploymentUpdate

    file = write(name="paused", schedule="0 6 * * *", store="paused.duckdb")
    made = deployed(file)["campaign/paused"].deployment_id
    schedule = client.read_deployment(made).schedules[0]
    client.update_deployment_schedule(made, schedule.id, active=False)
    client.update_deployment(made, DeploymentUpdate(paused=True))
    write(name="paused", schedule="0 6 * * *", store="paused.duckdb", budget={"experiments": 12})
    assert deployed(file)["campaign/paused"].change == "updated"
    found = client.read_deployment(made)
    assert found.paused and [one.active for one in found.schedules] == [False]


def test_how_it_is_run_can_be_changed(client, write):
    """From no pool to a pool that is made for it, to another, and back to none, with one id."""
    file = write(name="moving", store="moving.duckdb")
    ids = set()
    for pool, expected in ((None, None), ("first-pool", "first-pool"), ("other-pool", "other-pool"), ("", None)):
        made = deployed(file, pool=pool)["campaign/moving"].deployment_id
        ids.add(made)
        assert client.read_deployment(made).work_pool_name == expected
    assert len(ids) == 1
    assert client.read_work_pool("first-pool").type == "process"


def test_a_name_of_another_file_is_refused_and_nothing_is_made(client, write, tmp_path):
    """Two teams with a campaign of one name would overwrite each other: the second is told whose it is."""
    file = write(name="taken", store="taken.duckdb")
    deployed(file)
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text())
    new = tmp_path / "new.yaml"
    new.write_text(file.read_text().replace("taken", "untaken"))
    with pytest.raises(ConfigurationError, match=r"campaign/taken is deployed from .*lab\.yaml, got .*other\.yaml"):
        deploy(read_campaigns([new, other]), DeployOptions(pool="taken-pool"))
    names = {one.name for one in client.read_deployments(limit=200)}
    assert "untaken" not in names
    assert "taken-pool" not in {pool.name for pool in client.read_work_pools()}


def test_campaigns_stay_until_they_are_pruned_or_removed(client, write, tmp_path):
    """Deploying one campaign leaves the others of its store in the sweep; --prune and --remove take them out."""
    files = []
    for name in ("a", "b", "c"):
        file = write(name=f"stays-{name}", store="stays.duckdb")
        files.append(file.rename(tmp_path / f"{name}.yaml"))
    elsewhere = write(name="stays-elsewhere", store="elsewhere/stays.duckdb").rename(tmp_path / "elsewhere.yaml")
    for file in [*files, elsewhere]:
        sweep = deployed(file)["sweep/stays"].deployment_id
    assert client.read_deployment(sweep).parameters["files"] == sorted(map(str, [*files, elsewhere]))
    pruned = deployed(files[0], prune=True)
    gone = {name for name, one in pruned.items() if one.change == "removed"}
    assert gone == {f"{flow}/stays-{name}" for flow in ("campaign", "decide") for name in "bc"}
    assert client.read_deployment(sweep).parameters["files"] == sorted(map(str, [files[0], elsewhere]))
    files[0].unlink()
    removed = {one.name: one.change for one in remove(files[:1])}
    assert removed == {"campaign/stays-a": "removed", "decide/stays-a": "removed", "sweep/stays": "updated"}
    assert {one.name: one.change for one in remove([elsewhere])}["sweep/stays"] == "removed"
    assert remove([elsewhere]) == []


def test_the_server_refuses_parameters_before_a_run_exists(client, write):
    """What the form would refuse the API refuses as well, and no run is made."""
    import httpx
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    made = deployed(write(name="checked", store="checked.duckdb"))["campaign/checked"].deployment_id
    for wrong in ({"cycles": -1}, {"cycles": "many"}, {"device": "tpu"}, {"file": "/etc/passwd"}, {"unknown": 1}):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            client.create_flow_run_from_deployment(made, parameters=wrong)
        assert refused.value.response.status_code in (409, 422), wrong
    assert client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[made]))) == []


def test_the_form_on_the_server_says_what_each_parameter_is(client, write):
    """The schema that the pages make their form of has a description for each."""
    made = deployed(write(name="described", store="described.duckdb"))["campaign/described"].deployment_id
    shown = client.read_deployment(made).parameter_openapi_schema["properties"]
    assert set(shown) == {"file", "cycles", "auto_approve", "device", "go_on", "given", "without"}
    assert all(each["description"] for each in shown.values())


def test_a_worker_runs_a_campaign_from_any_folder(client, full_server, write, tmp_path):
    """A worker of the pool runs it to its end, also where a folder `flows` lies that is not ours."""
    file = write(name="pooled", store="pooled.duckdb", budget={"experiments": 2})
    made = deployed(file, pool="pooled-pool")["campaign/pooled"].deployment_id
    run = client.create_flow_run_from_deployment(made)
    (tmp_path / "away" / "flows").mkdir(parents=True)
    (tmp_path / "away" / "flows" / "__init__.py").write_text("raise RuntimeError('not ours')")
    command = [sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", "pooled-pool", "--run-once"]
    ended = subprocess.run(command, cwd=tmp_path / "away", capture_output=True, text=True, timeout=240, check=False)
    state = client.read_flow_run(run.id).state
    assert state.is_completed(), f"{state!r} {ended.stdout} {ended.stderr}"


def test_the_file_for_prefect_deploy_makes_the_same_deployments(client, full_server, write):
    """`prefect deploy` with the file that comes along makes three deployments; `discovery deploy` takes them over."""
    file = write(name="by-hand", store="by-hand.duckdb")
    pool = prefect("work-pool", "create", "by-hand-pool", "--type", "process")
    assert pool.returncode == 0, pool.stderr
    names = {"DISCOVERY_FILE": str(file), "DISCOVERY_CAMPAIGN": "by-hand", "DISCOVERY_POOL": "by-hand-pool"}
    made = prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(YAML), **names)
    assert made.returncode == 0, made.stdout + made.stderr
    after = deployed(file)
    assert set(after) == {f"{flow}/by-hand" for flow in ("campaign", "decide", "sweep")}
    assert "created" not in {one.change for one in after.values()}
    same = {"entrypoint", "path", "pull_steps", "concurrency_limit", "concurrency_options", "enforce_parameter_schema"}
    assert not [one for one in after.values() if same & set(one.changed)]
    assert {one.change for one in deployed(file).values()} == {"unchanged"}
