"""Keys about context, batches and changeover that contradict each other are refused with the key."""

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

HEAT = {"name": "heat", "type": "continuous", "bounds": [0, 100]}
ROOM = {"name": "room", "type": "continuous", "bounds": [15, 30], "context": True}
MANY = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "abcde"]
BASE = {"name": "c", "parameters": [HEAT, ROOM], "objectives": [{"name": "yield"}]}


def spec_of(**changes):
    return CampaignSpec.from_mapping(BASE | changes)


def test_what_is_given_and_what_is_shared():
    """The names are read from the parameters and from every batch constraint, which is no rule on a configuration."""
    rules = [{"type": "batch", "parameters": ["heat"]}, "heat <= 90"]
    spec = spec_of(constraints=rules, acquisition={"changeover": {"heat": 5}})
    assert (spec.context_names, spec.shared_names) == (["room"], ["heat"])
    assert [constraint.type for constraint in spec.pointwise] == ["linear"]
    assert str(spec.constraints[0]) == "one value of heat per batch"


def test_files_without_the_keys_keep_their_identity():
    """A file that says none of this has the identity that it had."""
    plain = spec_of(parameters=[HEAT])
    assert plain.spec_hash == spec_of(parameters=[{**HEAT, "context": False}], acquisition={"changeover": {}}).spec_hash
    assert plain.spec_hash == "82f73b8709099f64"  # as before there were such keys


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": [ROOM]}, "parameters must hold one that is chosen"),
        ({"schedule": "0 6 * * 1-5"}, "schedule must not be set where a parameter is given"),
        ({"constraints": [{"type": "batch", "parameters": ["heta"]}]}, "constraints[0] must use names of parameters"),
        ({"constraints": [{"type": "batch", "parameters": ["room"]}]}, "'room' has context: true"),
        ({"constraints": [{"type": "batch", "parameters": ["heat", "heat"]}]}, "got 'heat' twice"),
        ({"constraints": [{"type": "batch", "parameters": []}]}, "at least 1 entries"),
        ({"acquisition": {"changeover": {"heta": 5}}}, "acquisition.changeover must use names of parameters"),
        ({"acquisition": {"changeover": {"room": 5}}}, "'room' has context: true"),
        ({"acquisition": {"changeover": {"heat": 0}}}, "acquisition.changeover.heat must be above 0"),
        ({"parameters": MANY, "acquisition": {"changeover": dict.fromkeys("abcde", 1)}}, "at most 4 parameters"),
        (
            {"acquisition": {"changeover": {"heat": 5}}, "objectives": [{"name": "ph", "goal": "match", "target": 7}]},
            "acquisition.changeover must come with one outcome to maximize or minimize",
        ),
    ],
)
def test_contradictions_are_refused(changes, said):
    """The sentence names the key and what must hold."""
    with pytest.raises(ConfigurationError) as caught:
        spec_of(**changes)
    assert said in str(caught.value)
