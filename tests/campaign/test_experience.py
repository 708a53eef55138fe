"""Which outcomes simulators teach about: what the campaign file says, and what is refused."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

BASE = {
    "name": "lab",
    "parameters": [{"name": "temperature", "type": "continuous", "bounds": [30, 110]}],
    "objectives": [{"name": "yield"}, {"name": "impurity", "goal": "minimize"}],
}
BOTH = {"name": "reaction_kinetics", "outcomes": {"yield": "yield", "impurity": "byproducts"}}
SECOND = {"name": "gp_prior", "outcomes": {"impurity": "outcome"}}


def build(*simulators, **changes):
    """A campaign with simulators."""
    return CampaignSpec.from_mapping({**BASE, "experience": {"simulators": list(simulators)}, **changes})


@pytest.mark.parametrize(
    ("simulator", "taught"),
    [
        ({"name": "gp_prior"}, {"yield": "", "impurity": None}),
        (BOTH, {"yield": "yield", "impurity": "byproducts"}),
        (SECOND, {"yield": None, "impurity": "outcome"}),
    ],
)
def test_a_simulator_teaches_what_the_file_says(simulator, taught):
    """Without a word the first objective's outcome; else the outcomes that are named, and no other."""
    (reference,) = build(simulator).experience.simulators
    assert {name: reference.teaches(name, "yield") for name in taught} == taught


def test_each_outcome_keeps_the_simulators_that_teach_about_it():
    """Simulators and their hypotheses drop out where they say nothing, the first objective's outcome included."""
    hypotheses = [{"name": "no_transfer"}, {"name": "simulator:reaction_kinetics"}, {"name": "simulator:gp_prior"}]
    spec = build(BOTH, SECOND, hypotheses=hypotheses)
    for outcome, names in (("yield", ["reaction_kinetics"]), ("impurity", ["reaction_kinetics", "gp_prior"])):
        part = spec.for_outcome(outcome)
        assert [one.name for one in part.experience.simulators] == names
        assert [one.name for one in part.hypotheses] == ["no_transfer", *(f"simulator:{name}" for name in names)]


def test_a_campaign_of_one_outcome_may_learn_another_of_the_simulators():
    """The one outcome may stand for a later one of the simulator, and the file reads the same after a round trip."""
    spec = build(SECOND, objectives=[{"name": "impurity", "goal": "minimize"}])
    assert spec.for_outcome("impurity") is spec
    again = CampaignSpec.from_json(spec.model_dump_json(by_alias=True))
    assert again.experience.simulators[0].outcomes == {"impurity": "outcome"}
    assert spec.spec_hash == again.spec_hash != build({"name": "gp_prior"}, objectives=[{"name": "impurity"}]).spec_hash


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ({"yeld": "yield"}, "must name outcomes of objectives or outcome_constraints; got 'yeld'"),
        ({}, "experience.simulators.0..outcomes must have at least 1"),
    ],
)
def test_outcomes_that_are_not_there_are_refused(outcomes, why):
    """A misspelt outcome, and a simulator that would teach nothing, are refused with the key."""
    with pytest.raises(ConfigurationError, match=why):
        build({"name": "reaction_kinetics", "outcomes": outcomes})
