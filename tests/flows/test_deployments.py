"""What is deployed follows from the campaign files alone."""

from __future__ import annotations

import pytest

from discovery.errors import ConfigurationError
from flows.deployments import CampaignFile, campaign_plans, describe, read_campaigns, sweep_plan
from flows.differences import schedules_of


def planned(file, ui_url=""):
    """The plans of one file by the name of their flow."""
    return {plan.flow: plan for plan in campaign_plans(CampaignFile.read(file), ui_url)}


def test_a_campaign_gets_its_schedule_and_what_it_can_be_found_by(write):
    """Schedule with time zone, tags, the version of the file, and its absolute path as the parameter."""
    file = write(name="alloy/2", schedule={"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}, team="chem")
    plan = planned(file)["campaign"]
    assert plan.full_name == "campaign/alloy-2"
    assert plan.cron == ("0 6 * * 1-5", "Europe/Berlin")
    assert plan.tags == ("discovery", "alloy/2", "yield", "chem")
    assert plan.version == CampaignFile.read(file).spec.spec_hash
    assert plan.parameters["file"] == str(file) and file.is_absolute()


def test_without_a_schedule_it_is_only_woken(write):
    """No schedule in the file, none on the server; the form of the review is never scheduled."""
    plans = planned(write())
    assert plans["campaign"].cron is None
    assert planned(write(schedule="0 6 * * *"))["decide"].cron is None


def test_a_schedule_proposes_one_cycle_and_runs_in_between_none(write):
    """A campaign with a schedule is proposed by it alone; one without goes on as long as it can."""
    scheduled, plain = planned(write(schedule="0 6 * * *"))["campaign"], planned(write(schedule=None))["campaign"]
    assert scheduled.parameters["cycles"] == 0 and "cycles" not in plain.parameters
    assert len(schedules_of(scheduled)) == 1 and schedules_of(plain) == []


def test_a_second_campaign_run_ends_and_a_second_form_waits(write):
    """While a campaign runs, a run that is asked for is not kept for later; a form is."""
    assert {flow: plan.collision for flow, plan in planned(write()).items()} == {
        "campaign": "CANCEL_NEW",
        "decide": "ENQUEUE",
    }


def test_the_form_describes_every_parameter_and_offers_one_file(write):
    """What the pages show: a sentence per parameter, the devices to choose from, and no other file."""
    file = write()
    shown = planned(file)["campaign"].schema()["properties"]
    assert all(each["description"] for each in shown.values())
    assert shown["device"]["enum"] == ["auto", "cpu", "cuda"]
    assert shown["cycles"]["anyOf"][0]["minimum"] == 0
    assert shown["file"]["enum"] == [str(file)]


def test_the_description_says_what_the_campaign_is_about(write):
    """Goal, budget, experience, review, laboratory, files, and links where the pages are known."""
    (write().parent / "case_1.csv").write_text("ligand,yield\nL01,50\n")
    file = write(
        budget={"experiments": 12, "initial": 3},
        stop={"target": 95},
        review={"mode": "required", "timeout": "7d"},
        experience={"history": ["case_1.csv"], "simulators": [{"name": "gp_prior"}]},
    )
    text = describe(CampaignFile.read(file), "http://lab:4200")
    for fact in (
        "maximize yield (%); ends at 95",
        "12 experiments, 2 per cycle, the first 3 at random",
        "simulator gp_prior, case_1.csv",
        "people decide within 7d",
        "by `table`",
        str(file),
        str(file.parent / "discovery.duckdb"),
        "[Proposals](http://lab:4200/artifacts/key/lab-1-proposals)",
    ):
        assert fact in text
    assert "http" not in describe(CampaignFile.read(file))


def test_the_sweep_is_named_like_the_store_and_knows_its_campaigns(write):
    """One sweep per store, at its interval, over all files."""
    one = CampaignFile.read(write(store="duckdb:///lab.duckdb"))
    plan = sweep_plan(one.store, [one], 300.0)
    assert plan.full_name == "sweep/lab"
    assert plan.parameters == {"files": [str(one.path)]} and plan.every_s == 300.0


def test_workers_find_the_store_of_the_environment(write, monkeypatch, tmp_path):
    """DISCOVERY_STORE of whoever deploys goes along where the file names no store, else it would be another one."""
    file = write()
    monkeypatch.setenv("DISCOVERY_STORE", str(tmp_path / "shared.duckdb"))
    assert planned(file)["campaign"].environment == {"DISCOVERY_STORE": str(tmp_path / "shared.duckdb")}
    assert planned(write(store="own.duckdb"))["campaign"].environment == {}


def test_two_campaigns_of_one_name_are_refused(write):
    """Names that differ only in what Prefect forbids would be the same deployment; both files are named."""
    first = write(name="lab/1")
    first = first.rename(first.with_name("first.yaml"))
    second = write(name="lab-1")
    with pytest.raises(ConfigurationError, match=r"different names; got 'lab-1' in .*first\.yaml and in .*lab\.yaml"):
        read_campaigns([first, second])


def test_a_file_that_is_named_twice_is_deployed_once(write):
    """The same file in two spellings is one campaign."""
    file = write()
    assert len(read_campaigns([file, file.parent / "." / file.name])) == 1


def test_a_schedule_out_of_range_is_refused_before_the_server_sees_it(write):
    """Five fields are not enough: an hour 99 is refused with the file."""
    with pytest.raises(ConfigurationError, match=r"fields are in range.*'0 99 \* \* \*' in .*lab\.yaml"):
        planned(write(schedule="0 99 * * *"))
