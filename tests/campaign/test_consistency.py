"""Promises of `discovery.campaign.consistency`: what no single section can see."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

PARAMETERS = [
    {"name": "catalyst", "type": "categorical", "values": ["A", "B"]},
    {"name": "temperature", "type": "continuous", "bounds": [30, 110]},
    {"name": "Fe", "type": "continuous", "bounds": [0, 0.4]},
    {"name": "Co", "type": "continuous", "bounds": [0, 0.4]},
    {"name": "eq", "type": "discrete", "values": [1, 2]},
]


def build(**changes):
    data = {"name": "c", "parameters": PARAMETERS, "objectives": [{"name": "yield"}], **changes}
    return CampaignSpec.from_mapping(data)


def parameter(name):
    return [{"name": name, "type": "continuous", "bounds": [0, 1]}]


def held(**values):
    return {"experience": {"history": [{"file": "old.csv", "held": values}]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": parameter("a") * 2}, r"parameters\[1\].name must differ.*'a' twice"),
        ({"parameters": parameter("yield")}, r"parameters\[0\].name must not be an outcome's name"),
        ({"parameters": parameter("yield_sem")}, "must not be a column that the pipeline writes"),
        ({"parameters": parameter("proposal_id")}, "must not be a column that the pipeline writes"),
        ({"objectives": [{"name": "status"}]}, "must not be columns that the pipeline writes"),
        ({"outcomes": [{"name": "yield"}] * 2}, r"outcomes\[1\].name must differ"),
        ({"blocks": ["temperature"]}, r"blocks\[0\] must be a column of results, not a parameter"),
        ({"blocks": ["yield_sem"]}, r"blocks\[0\] must be a column that the pipeline does not write"),
        ({"blocks": ["plate", "plate"]}, r"blocks\[1\] must differ from the others; got 'plate' twice"),
        ({"blocks": ["plate", "day", "operator", "lot"]}, "blocks must name 3 columns at most; got 4"),
        (
            {"outcomes": [{"name": "yeild"}]},
            r"objectives\[0\].name must be an outcome; got 'yield'.*Did you mean 'yeild'",
        ),
        ({"acquisition": {"name": "log_ie"}}, r"acquisition.name must be a known.*got 'log_ie'.*Did you mean 'log_ei'"),
        ({"constraints": ["temprature <= 40"]}, r"constraints\[0\].*got 'temprature'.*Did you mean 'temperature'"),
        ({"constraints": ["temperature <= 20"]}, "must be possible within the bounds"),
        ({"constraints": ["Fe + Co >= 0.9"]}, "must be possible within the bounds"),
        ({"constraints": ["catalyst <= 1"]}, "must use numbers; got the categorical parameter 'catalyst'"),
        ({"constraints": [{"type": "simplex", "parameters": ["Fe", "Co"]}]}, "can reach, 0 to 0.8; got 1"),
        ({"constraints": [{"type": "simplex", "parameters": ["Fe", "Fe"]}]}, "'Fe' twice"),
        ({"constraints": [{"type": "exclude", "when": {"catalyst": "C"}}]}, r"when.catalyst.*got 'C'"),
        ({"constraints": [{"type": "exclude", "when": {"eq": 3}}]}, r"when.eq.*got 3.*Allowed: 1, 2"),
        ({"hypotheses": [{"name": "history"}]}, r"must contain no_transfer.*Add \{name: no_transfer"),
        ({"hypotheses": [{"name": "no_transfer", "weight": 0}]}, r"hypotheses\[0\].weight must be above 0"),
        ({"hypotheses": [{"name": "no_transfer", "weight": -1}]}, "must be above 0"),
        ({"hypotheses": [{"name": "no_transfer"}] * 2}, "'no_transfer' twice"),
        ({"hypotheses": [{"name": "no_transfer"}, {"name": "history"}]}, "history needs experience.history"),
        (
            {"hypotheses": [{"name": "no_transfer"}, {"name": "relatives", "learner": "multi_task"}]},
            r"hypotheses\[1\].learner must have experience.history to learn from; got multi_task for relatives",
        ),
        (
            {"hypotheses": [{"name": "no_transfer"}, {"name": "steps", "learner": "anil"}]},
            r"hypotheses\[1\].learner must have experience to learn from; got anil for steps. List earlier tables",
        ),
        ({"hypotheses": [{"name": "no_transfer", "learner": "memory"}]}, "got memory for no_transfer"),
        (
            {"hypotheses": [{"name": "no_transfer"}, {"name": "chooser", "learner": "policy"}]},
            r"hypotheses\[1\].learner must be a meta-learner that predicts outcomes; policy.*acquisition: {name:",
        ),
        (
            {"hypotheses": [{"name": "no_transfer"}, {"name": "robot", "learner": "rl2"}]},
            "rl2 gives a policy for control",
        ),
        (
            {"experience": {"simulators": [{"name": "gp_priors"}]}},
            r"must be an installed simulator; got 'gp_priors'\. Did you mean 'gp_prior'",
        ),
        (
            {"experiment": {"type": "simulator", "name": "kinetics"}},
            "experiment.name must be an installed simulator; got 'kinetics'",
        ),
        ({"hypotheses": [{"name": "no_transfer"}, {"name": "simulator:x"}]}, "must be a simulator of experience"),
        ({"hypotheses": []}, "at least 1"),
        ({"experiment": {"type": "table", "path": "t.csv"}}, "must come with candidates.*candidates: t.csv"),
        ({"candidates": "a.csv", "experience": {"history": ["./a.csv"]}}, "must not be the campaign itself"),
        ({"experience": {"history": [{"campaign": "c"}]}}, "must not be the campaign itself"),
        ({"experience": {"history": ["a.csv", {"file": "a.csv"}]}}, "must not repeat another entry; got 'a.csv' twice"),
        ({"candidates": "a.csv", "experience": {"history": [{"file": "./a.csv"}]}}, "must not be the campaign itself"),
        ({"experience": {"held": {"eq": 1}}}, "experience.held must name columns that are neither.*got 'eq'"),
        ({"experience": {"held": {"yield": 1}}}, "experience.held must name columns that are neither.*got 'yield'"),
        (held(temprature=1), r"history\[0\].held must name parameters.*'temprature'.*Did you mean 'temperature'"),
        (held(temperature="hot"), r"history\[0\].held.temperature must be a number; got 'hot'"),
        (held(catalyst=["A"]), r"history\[0\].held.catalyst must be a number"),
        ({"schedule": "daily"}, "five fields"),
        ({"budget": {"experiments": 3, "initial": 4}}, r"budget.initial must be at most experiments \(3\)"),
        ({"review": {"timeout": "soon"}}, "must be a duration such as 7d"),
        ({"objectives": [{"name": "yield", "goal": "match"}]}, "either target or window"),
        ({"objectives": [{"name": "yield", "target": 3}]}, "must be match where target"),
        ({"outcomes": [{"name": "yield", "range": [100, 0]}]}, r"outcomes\[0\].range must be \[low, high\]"),
    ],
)
def test_sections_that_contradict_each_other_are_refused(changes, message):
    """Each contradiction is refused with its key and the advice."""
    with pytest.raises(ConfigurationError, match=message):
        build(**changes)


def test_an_objective_needs_no_declared_outcome():
    """Any name that an objective uses is an outcome."""
    spec = build(outcomes=[{"name": "cost", "unit": "EUR"}])
    assert spec.outcome_names == ["cost", "yield"]
    assert spec.outcome("cost").unit == "EUR"
    assert spec.outcome("yield").range is None
    with pytest.raises(ConfigurationError, match="must be an outcome"):
        spec.outcome("speed")


def test_numbers_in_an_exclude_constraint_match_however_written():
    """2, 2.0 and "2" mean the same value."""
    specs = [build(constraints=[{"type": "exclude", "when": {"eq": value}}]) for value in (2, 2.0, "2")]
    assert len({spec.spec_hash for spec in specs}) == 1
