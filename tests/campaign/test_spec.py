"""Promises of `discovery.campaign.spec`: one frozen value with a stable identity."""

import pickle

import pytest
from pydantic import ValidationError

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

DATA = {
    "name": "c",
    "parameters": [
        {"name": "a", "type": "discrete", "values": [3, 1, 2]},
        {"name": "b", "type": "categorical", "values": ["u", "v"]},
    ],
    "objectives": [{"name": "y", "goal": "minimize"}],
}


def test_a_spec_cannot_be_changed():
    """Assigning to any part fails."""
    spec = CampaignSpec.from_mapping(DATA)
    with pytest.raises(ValidationError):
        spec.name = "d"
    with pytest.raises(ValidationError):
        spec.budget.experiments = 3


def test_the_hash_follows_the_content(tmp_path):
    """The same content in another folder, order of keys or way of writing numbers hashes alike, other content not."""
    spec = CampaignSpec.from_mapping(DATA)
    values = [{"type": "discrete", "values": [1.0, 2.0, 3.0], "name": "a"}, DATA["parameters"][1]]
    assert CampaignSpec.from_mapping({**DATA, "parameters": values}, tmp_path).spec_hash == spec.spec_hash
    assert CampaignSpec.from_mapping({**DATA, "seed": 1}).spec_hash != spec.spec_hash
    assert len(spec.spec_hash) == 16


def test_a_spec_crosses_process_borders(tmp_path):
    """A spec pickles with its folder."""
    spec = CampaignSpec.from_mapping(DATA, tmp_path)
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec and again.base_dir == tmp_path.resolve()


def test_discrete_values_are_sorted():
    """The order in which numbers are listed means nothing."""
    assert CampaignSpec.from_mapping(DATA).parameters[0].values == (1.0, 2.0, 3.0)


def test_a_spec_says_whether_it_is_a_list():
    """Lists multiply to a pool; one continuous parameter without candidates does not."""
    spec = CampaignSpec.from_mapping(DATA)
    assert (spec.n_combinations, spec.has_pool) == (6, True)
    mixed = [*DATA["parameters"], {"name": "x", "type": "continuous", "bounds": [0, 1]}]
    spec = CampaignSpec.from_mapping({**DATA, "parameters": mixed})
    assert (spec.n_combinations, spec.has_pool) == (None, False)
    large = [{"name": f"p{i}", "type": "discrete", "values": list(range(100))} for i in range(3)]
    assert not CampaignSpec.from_mapping({**DATA, "parameters": large}).has_pool


def test_stored_text_that_is_no_json_is_refused():
    """A damaged stored spec gives one sentence."""
    with pytest.raises(ConfigurationError, match="must be JSON"):
        CampaignSpec.from_json("{")
    with pytest.raises(ConfigurationError, match="mapping"):
        CampaignSpec.from_json("[]")
