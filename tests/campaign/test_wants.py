"""Goals, their combination, ends and costs are checked against each other, with the key and what to write instead."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

HEAT = {"name": "heat", "type": "continuous", "bounds": [0, 100]}
LIGAND = {"name": "ligand", "type": "categorical", "values": ["A", "B"]}
TWO = {"objectives": [{"name": "y"}, {"name": "z"}]}
Y, Z = {"name": "y", "desirability": [0, 1]}, {"name": "z", "desirability": [0, 1]}


def build(**changes: object) -> CampaignSpec:
    return CampaignSpec.from_mapping(
        {"name": "c", "parameters": [HEAT, LIGAND], "objectives": [{"name": "y"}], **changes}
    )


HITS = {"objectives": [{"name": "y", "goal": "hits", "threshold": 3}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objectives": [{"name": "y", "goal": "hits"}]}, "objectives[0].goal hits must come with a threshold"),
        ({"objectives": [{"name": "y", "threshold": 3}]}, "objectives[0].goal must be hits where a threshold is given"),
        ({"objectives": [{"name": "y", "above": False}]}, "objectives[0].above must be left out"),
        ({"objectives": [Y, {"name": "z"}]}, "objectives[0].desirability must come with `combine: desirability`"),
        ({"objectives": [{"name": "y", "weight": 2}]}, "objectives[0].weight must come with `combine: desirability`"),
        ({"objectives": [Y, {"name": "z"}], "combine": "desirability"}, "objectives[1].desirability must be given"),
        ({"objectives": [Y, Z | {"goal": "match", "target": 2}], "combine": "desirability"}, "must lie around what"),
        ({"objectives": [{"name": "y", "reference": 1}]}, "objectives[0].reference must come with several objectives"),
        ({"objectives": [{"name": "y", "goal": "match", "target": 1, "reference": 1}]}, "reference must come with max"),
        ({**TWO, "stop": {"target": 3}}, "stop.target must be left out with several objectives"),
        ({**HITS, "stop": {"min_gain": 1}}, "stop.min_gain must be below 1"),
        ({**TWO, "stop": {"min_gain": 3}}, "stop.min_gain must be below 1, since no experiment adds more"),
        ({"objectives": [Y], "combine": "desirability", "stop": {"min_gain": 3}}, "stop.min_gain must be below 1"),
        ({"budget": {"cost": 5}}, "budget.cost must come with `cost`"),
        ({"cost": "2 * heet"}, "cost must be a number, a formula of parameters, or a column of the candidates"),
        ({"cost": "2 * ligand"}, "cost must use numbers; got the parameter 'ligand'"),
        ({"cost": "__import__('os')"}, "cost"),
        ({"cost": 0.0}, "cost must be above 0"),
    ],
)
def test_what_does_not_go_together_is_refused_by_key(changes, said):
    """Every fault names its key; nothing that cannot count is ignored."""
    with pytest.raises(ConfigurationError) as caught:
        build(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"objectives": [{"name": "y", "goal": "hits", "threshold": 3, "above": False}], "stop": {"target": 4}},
        {"objectives": [{"name": "y", "goal": "match", "window": [1, 2]}], "stop": {"target": 0.1}},
        {"objectives": [Y, Z], "combine": "desirability", "stop": {"target": 0.9}},
        {"objectives": [{"name": "y", "reference": 1}, {"name": "z", "goal": "minimize"}]},
        {"cost": "5 + heat / 10", "budget": {"cost": 100.0}},
        {"cost": "price", "candidates": "rows.csv"},
        {"cost": 2.5},
    ],
)
def test_what_goes_together_is_taken(changes):
    """Each goal with the keys that belong to it is a campaign, and is not the plain one."""
    assert not build(**changes).is_plain


def test_the_campaign_for_one_outcome_wants_that_one_only():
    """Other outcomes stay known by name, simulators teach about the first, and one outcome changes nothing."""
    spec = build(**TWO, outcome_constraints=["w <= 2"], experience={"simulators": [{"name": "gp_prior"}]})
    assert spec.believed == ("y", "z", "w")
    first, second, third = map(spec.for_outcome, spec.believed)
    assert [part.objective.name for part in (first, second, third)] == ["y", "z", "w"]
    assert first.experience.simulators and not second.experience.simulators
    assert len({part.spec_hash for part in (spec, first, second, third)}) == 4
    assert build().for_outcome("y") is not None and build(stop={"target": 1}).for_outcome("y").stop.target == 1


def test_new_keys_change_no_hash_of_older_files():
    """A file that names none of the keys has the identity that it had before there were any."""
    assert build().spec_hash == build(combine="pareto").spec_hash
