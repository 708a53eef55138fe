"""Families: what is left out of a history, what becomes of published tables, and what is no campaign."""

import os

import numpy as np
import pytest

from discovery.errors import ConfigurationError
from discovery.evaluation.bench.families import DEVELOPMENT, REPORTED, family_names, load_families
from discovery.evaluation.context import open_campaign

FOLDER = os.environ.get("DISCOVERY_DATASETS")
CHECKOUT = ["buchwald_hartwig", "suzuki_perera", "suzuki_reizman"]


@pytest.fixture(autouse=True)
def _only_the_checkout(monkeypatch):
    monkeypatch.delenv("DISCOVERY_DATASETS", raising=False)


@pytest.mark.parametrize(("name", "sizes"), [("buchwald_hartwig", [3] * 5), ("suzuki_perera", [3] * 5)])
def test_groups_are_what_is_alike(name, sizes):
    """Halides of one ring, and pairs of one leaving group, are one group."""
    groups = load_families([name])[0].groups
    assert [len(tasks) for tasks in groups.values()] == sizes


@pytest.mark.parametrize("name", CHECKOUT)
def test_no_task_of_the_own_group_is_history(name):
    """The history of a task holds all tasks of other groups and none of its own."""
    family = load_families([name])[0]
    everyone = {task.name for task in family.tasks}
    for task in family.tasks:
        assert set(task.history) == everyone - set(family.groups[task.group])


def test_leaving_out_the_task_alone_keeps_its_relatives():
    """With `leave_out="task"` the other tasks of the group stay in the history."""
    family = load_families(["buchwald_hartwig"], leave_out="task")[0]
    assert {len(task.history) for task in family.tasks} == {14}


def test_tasks_open_as_campaigns():
    """A task opens like a campaign file: candidates with outcomes, replicates averaged, readable history."""
    task = load_families(["suzuki_reizman"])[0].tasks[0]
    context, outcomes = open_campaign(task.spec, 10, "cpu")
    assert len(outcomes) == task.n_candidates < 96
    assert [len(source.X) > 50 for source in context.load_history()] == [True] * 3


def test_settings_are_chosen_on_other_families_than_reported():
    """No family is both of the development split and of the reported one."""
    assert set(DEVELOPMENT) & set(REPORTED) == set()
    assert set(CHECKOUT) <= set(family_names("reported"))
    assert family_names("development") == ()


@pytest.mark.parametrize("arguments", [{"names": ["nobody"]}, {"names": CHECKOUT[:1], "split": "development"}])
def test_families_that_are_not_there_are_refused(arguments):
    """A family that is unknown, or not of the split, is refused with those that are."""
    with pytest.raises(ConfigurationError, match="at hand"):
        load_families(**arguments)


def test_published_tables_are_cleaned_by_their_inputs(datasets):
    """Blank categories are `none`, the context is held, what was not measured is out, small tables are named."""
    family = load_families(["mpea_mechanical"])[0]
    assert [task.name for task in family.tasks] == ["one", "two", "other"]
    assert "pool must have 20" in family.skipped["few"]
    spec = family.tasks[0].spec
    by_name = {parameter.name: parameter for parameter in spec.parameters}
    assert list(by_name) == ["Fe_part", "Co_part", "Ni_part", "furnace"]
    assert by_name["furnace"].values == ("arc", "none")
    assert [task.n_candidates for task in family.tasks] == [36, 35, 36]


def test_history_has_its_own_elements(datasets):
    """A sibling keeps elements that the campaign does not have; its rows are history all the same."""
    task = next(task for task in load_families(["mpea_mechanical"])[0].tasks if task.name == "other")
    context, _ = open_campaign(task.spec, 10, "cpu")
    history = context.load_history()
    assert task.history == ("one", "two")
    assert [len(source.X) for source in history] == [36, 35]
    assert history[0].X.shape[1] > context.space.n_dims


def test_tables_are_written_once(datasets):
    """Loading again writes nothing new: the name of a table is its content."""
    folder = load_families(["mpea_mechanical"])[0].tasks[0].spec.base_dir
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    load_families(["mpea_mechanical"])
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.slow
def test_every_family_at_hand_opens(monkeypatch):
    """Every task of every family in the folder opens, with as many candidates as it says."""
    if not FOLDER:
        pytest.skip("DISCOVERY_DATASETS is not set")
    monkeypatch.setenv("DISCOVERY_DATASETS", FOLDER)
    for family in load_families([name for name in family_names() if name != "moleculeace"]):
        for task in family.tasks:
            _, outcomes = open_campaign(task.spec, 10, "cpu")
            assert len(outcomes) == task.n_candidates, f"{family.name}/{task.name}"
            assert np.ptp(outcomes) > 0
