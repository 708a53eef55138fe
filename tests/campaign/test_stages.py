"""Stages in a campaign file: every contradiction is refused with its key."""

from __future__ import annotations

import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError

SCREEN = {"name": "screen", "outcomes": ["signal"], "cost": 1}
ASSAY = {"name": "assay", "outcomes": ["potency"], "cost": 5, "needs": "screen"}
FILE = {
    "name": "staged",
    "parameters": [{"name": "x", "type": "discrete", "values": [1, 2, 3]}],
    "objectives": [{"name": "potency"}],
    "stages": [SCREEN, ASSAY],
    "budget": {"cost": 30},
}


def test_stages_name_outcomes_and_costs() -> None:
    """The outcomes of stages are outcomes of the campaign, believed in after the objective's, and pay budget.cost."""
    spec = CampaignSpec.from_mapping(FILE)
    assert spec.believed == ("potency", "signal")
    assert spec.outcomes_at("screen") == ("signal",) and spec.outcomes_at("") == ("potency", "signal")
    assert not spec.is_plain and spec.for_outcome("signal").is_plain
    assert CampaignSpec.from_json(spec.model_dump_json()).stages == spec.stages


def test_a_file_without_stages_keeps_its_identity() -> None:
    """The new keys change neither the hash nor the outcomes of a file that does not use them."""
    plain = {name: value for name, value in FILE.items() if name not in ("stages", "budget")}
    spec = CampaignSpec.from_mapping(plain)
    assert "stages" not in spec.model_dump(mode="json", exclude_defaults=True)
    assert spec.outcome_names == ["potency"] and spec.is_plain


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": [ASSAY | {"needs": None}]}, "must name 2 stages at least"),
        ({"stages": [SCREEN, ASSAY | {"name": "screen", "needs": None}]}, "must differ from the others"),
        ({"stages": [SCREEN | {"needs": "assay"}, ASSAY]}, "must name a stage that stands before"),
        ({"stages": [SCREEN, ASSAY | {"needs": "scren"}]}, "screen"),
        ({"stages": [SCREEN, ASSAY | {"outcomes": ["signal", "potency"]}]}, "must be measured at one stage only"),
        ({"stages": [ASSAY | {"needs": None}, SCREEN]}, "must hold the objective's outcome"),
        ({"stages": [SCREEN | {"cost": 0}, ASSAY]}, "cost"),
        ({"stages": [SCREEN | {"delay": -1}, ASSAY]}, "delay"),
        ({"outcomes": [{"name": "purity"}]}, "must be measured at one of the stages"),
        ({"cost": 2}, "must be left out where stages say"),
        ({"stages": [], "budget": {}, "acquisition": {"delay_cost": 1}}, "must come with stages"),
        ({"stages": [SCREEN | {"outcomes": ["stage"]}, ASSAY]}, "must not be used"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, object], said: str) -> None:
    """A wrong stage is refused with the rule that it breaks."""
    with pytest.raises(ConfigurationError, match=said):
        CampaignSpec.from_mapping(FILE | changes)
