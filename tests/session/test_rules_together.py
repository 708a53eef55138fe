"""Everything at once: what is given and missing today, one value per batch, few changes, and every constraint."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import NoCandidateError
from discovery.session import Campaign
from discovery.space.restricted import is_gone

PARAMETERS = [
    {"name": "base", "type": "categorical", "values": ["A", "B", "C"]},
    {"name": "heat", "type": "continuous", "bounds": [20, 100]},
    {"name": "time", "type": "continuous", "bounds": [1, 100], "scale": "log"},
    {"name": "dose", "type": "discrete", "values": [1, 2, 3]},
    {"name": "x", "type": "continuous", "bounds": [0, 1]},
    {"name": "z", "type": "continuous", "bounds": [0, 1]},
    {"name": "room", "type": "continuous", "bounds": [15, 30], "context": True},
]
RULES = [
    "heat + 10*dose <= 105",
    "heat * time <= 5000",
    {"type": "simplex", "parameters": ["x", "z"], "total": 1.0},
    {"type": "exclude", "when": {"base": "A", "dose": 3}},
    "room + heat >= 40",
]


@pytest.fixture(scope="module")
def open_campaign(tmp_path_factory):
    """Return a function that opens a campaign with rules for its batches, each in a store of its own."""

    def make(shared, changeover):
        rules = [*RULES, *([{"type": "batch", "parameters": sorted(shared)}] if shared else [])]
        data = {
            "name": "together",
            "parameters": PARAMETERS,
            "constraints": rules,
            "outcomes": [{"name": "yield", "range": [0, 100]}],
            "objectives": [{"name": "yield"}],
            "acquisition": {"changeover": changeover},
            "budget": {"experiments": 100},
        }
        folder = tmp_path_factory.mktemp("together")
        return Campaign.open(CampaignSpec.from_mapping(data, folder), store=folder / "lab.duckdb", device="cpu")

    return make


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    shared=st.sampled_from([(), ("heat",), ("base", "dose")]),
    changeover=st.sampled_from([{}, {"base": 2.0}, {"base": 1e3}]),
    room=st.floats(15, 30),
    gone=st.fixed_dictionaries({}, optional={"base": st.just("B"), "heat": st.sampled_from(["..40", "50..70"])}),
)
def test_every_proposal_keeps_every_rule(open_campaign, shared, changeover, room, gone):
    """Valid to a part in a billion, at the value given, nothing that is missing, one value per batch, replayable."""
    campaign = open_campaign(shared, changeover)
    today = campaign.today({"room": room}, gone)
    try:
        asked = campaign.ask(2, given={"room": room}, without=gone)
    except NoCandidateError:
        pytest.fail("there is always something to propose here")
    assert campaign.space.is_valid(asked).all()
    assert np.allclose(asked["room"], room, rtol=1e-11)
    for codec in campaign.space.codecs:
        assert not is_gone(asked[codec.name], today.without.get(codec.name, ()), codec).any()
    assert all(asked[name].nunique() == 1 for name in shared)
    assert asked["key"].nunique() == 2
    assert all(campaign.replay(proposal_id).is_equal for proposal_id in asked["proposal_id"])
