"""Promises of `discovery.campaign.supported`: what is not built is refused with its key, and nothing else is."""

from typing import get_args

import pytest

from discovery.campaign import CampaignSpec, check_supported
from discovery.campaign.laboratories import PLUG_IN, Experiment
from discovery.campaign.supported import HYPOTHESES
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.meta.train import AUTO_WEIGHTS
from discovery.registry import ADAPTERS

CONTINUOUS = {"name": "x", "type": "continuous", "bounds": [0, 1]}
LOG = {"name": "l", "type": "continuous", "bounds": [0.1, 1], "scale": "log"}
MOLECULE = {"name": "s", "type": "molecule"}
DISCRETE = {"name": "d", "type": "discrete", "values": [0, 1, 2]}


def build(**changes):
    parameters = [CONTINUOUS, LOG, DISCRETE]
    return CampaignSpec.from_mapping({"name": "c", "parameters": parameters, "objectives": [{"name": "y"}], **changes})


CARDINALITY = {"type": "cardinality", "parameters": ["x", "d"], "max": 1}
FREE = [
    {"constraints": [CARDINALITY]},
    {"constraints": ["x + l <= 1"]},
    {"constraints": ["x + d <= 1"]},
    {"constraints": [{"type": "exclude", "when": {"x": [0.5, 0.7]}}]},
    {"constraints": ["x * l <= 0.5"]},
]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"parameters": [CONTINUOUS, MOLECULE]}, "candidates"),
        (
            {"parameters": [MOLECULE], "candidates": "c.csv", "experience": {"simulators": [{"name": "gp_prior"}]}},
            "experience.simulators[0].name",
        ),
        ({"outcome_constraints": ["impurity == 5"]}, "outcome_constraints"),
        ({"objectives": [{"name": name} for name in "uvwyz"]}, "objectives"),
        ({"objectives": [{"name": "y", "goal": "hits", "threshold": 1}, {"name": "z"}]}, "objectives[0].goal"),
        ({"acquisition": {"name": "ucb", "discrimination": 0.1}}, "acquisition.name"),
        ({"hypotheses": [{"name": "no_transfer"}, {"name": "mine"}]}, "hypotheses[1].name"),
    ],
)
def test_what_is_not_built_is_refused_with_its_key(changes, key):
    """A well-formed request beyond this release parses, and is refused by name."""
    spec = build(**changes)
    with pytest.raises(NotSupportedError, match="not supported yet") as caught:
        check_supported(spec)
    assert str(caught.value).startswith(f"{key}:")
    assert isinstance(caught.value, ConfigurationError)


def test_every_hypothesis_that_there_is_may_be_named():
    """What a campaign gets by itself, the prior that ships and simulators may stand in its file."""
    assert {*HYPOTHESES, "simulator:"} == set(AUTO_WEIGHTS)
    experience = {"history": ["old.csv"], "simulators": [{"name": "gp_prior"}]}
    check_supported(build(experience=experience, hypotheses=[{"name": n} for n in (*HYPOTHESES, "simulator:gp_prior")]))


@pytest.mark.parametrize("changes", FREE)
def test_any_constraint_may_stand_with_candidates_and_without(changes):
    """Constraints of every kind filter candidates, and restrict a space that is searched freely."""
    check_supported(build(candidates="c.csv", **changes))
    check_supported(build(**changes))


def test_any_constraint_may_filter_a_product_of_lists():
    """Parameters that are all lists make a pool by themselves."""
    spec = build(parameters=[DISCRETE, {**DISCRETE, "name": "x"}], constraints=[CARDINALITY])
    assert spec.has_pool and spec.n_combinations == 9
    check_supported(spec)


def test_every_kind_of_laboratory_has_an_adapter():
    """What may stand under `experiment.type` can be done, and nothing else is in the table of adapters."""
    tags = {get_args(kind)[1].tag for kind in get_args(get_args(Experiment)[0])}
    assert tags - {PLUG_IN} == set(ADAPTERS)


def test_listed_molecules_pass():
    """Molecules need candidates and nothing else."""
    check_supported(build(parameters=[MOLECULE, CONTINUOUS], candidates="c.csv"))


def test_what_is_built_passes():
    """Linear constraints on linear parameters and excluded combinations of lists need no pool."""
    check_supported(
        build(
            constraints=["x >= 0.2", {"type": "exclude", "when": {"d": 1}}],
            experiment={"type": "simulator", "name": "gp_prior"},
        )
    )
