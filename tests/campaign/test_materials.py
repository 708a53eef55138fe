"""A mixture becomes columns and constraints; what is wrong about it is said at the place where it was written."""

import pytest

from discovery.campaign import CampaignSpec, dump_spec, load_spec
from discovery.errors import ConfigurationError

SOLVENT = {"type": "mixture", "name": "solvent", "ingredients": ["EC", "DMC", "EMC"]}
TEMPERATURE = {"type": "continuous", "name": "temperature", "bounds": [0, 60]}


def campaign(*parameters, **changes):
    """A campaign with some parameters."""
    data = {"name": "c", "parameters": list(parameters), "objectives": [{"name": "y"}], **changes}
    return CampaignSpec.from_mapping(data)


def test_a_mixture_is_a_column_per_ingredient_and_a_sum():
    """Amounts run from zero to the total and add up to it; other parameters stay where they were."""
    spec = campaign({**SOLVENT, "total": 100.0, "unit": "%"}, TEMPERATURE)
    assert spec.parameter_names == ["EC", "DMC", "EMC", "temperature"]
    assert spec.parameters[0].bounds == (0.0, 100.0) and spec.parameters[0].unit == "%"
    (simplex,) = spec.constraints
    assert (simplex.type, simplex.parameters, simplex.total) == ("simplex", ("EC", "DMC", "EMC"), 100.0)
    assert spec.mixtures[0].name == "solvent"


def test_few_ingredients_are_a_constraint_on_their_number():
    """The limit comes after the campaign's own constraints."""
    spec = campaign({**SOLVENT, "max_ingredients": 2}, constraints=["EC >= 0.1"])
    linear, simplex, cardinality = spec.constraints
    assert linear.coefficients == {"EC": 1.0} and simplex.type == "simplex"
    assert (cardinality.type, cardinality.max) == ("cardinality", 2)


def test_a_lowest_share_is_an_amount_of_the_total():
    """A tenth of 50 is 5, whatever the number of ingredients."""
    _, cardinality = campaign({**SOLVENT, "total": 50.0, "min_fraction": 0.1}).constraints
    assert (cardinality.max, cardinality.least) == (3, 5.0)


def test_what_is_stored_is_read_back(tmp_path):
    """A written file and stored JSON hold the columns, and mean the same as the mixture."""
    spec = campaign({**SOLVENT, "max_ingredients": 2}, TEMPERATURE)
    dump_spec(spec, tmp_path / "c.yaml")
    assert load_spec(tmp_path / "c.yaml").model_dump() == spec.model_dump()
    again = CampaignSpec.from_json(spec.model_dump_json())
    assert again == spec and again.spec_hash == spec.spec_hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ingredients": ["EC"]}, r"parameters\[0\].ingredients must have at least 2 entries"),
        ({"ingredients": ["EC", "EC"]}, r"parameters\[0\].ingredients must differ from each other; got 'EC' twice"),
        (
            {"max_ingredients": 4},
            r"parameters\[0\].max_ingredients must be at most the number of ingredients, 3; got 4",
        ),
        ({"min_fraction": 5.0}, r"parameters\[0\].min_fraction must be a share of the total, 0 to 1; got 5"),
        ({"total": 0.0}, r"parameters\[0\].total must be above 0"),
        ({"elements": True, "descriptors": "x.csv"}, r"parameters\[0\].descriptors must not stand beside elements"),
        ({"ingredient": ["EC"]}, r"Unknown key parameters\[0\].ingredient. Did you mean 'ingredients'"),
    ],
)
def test_a_wrong_mixture_is_refused(change, message):
    """The key is the one that was written."""
    with pytest.raises(ConfigurationError, match=message):
        campaign({**SOLVENT, **change}, TEMPERATURE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([SOLVENT, {**TEMPERATURE, "bounds": [60, 0]}], r"parameters\[1\].bounds must be \[low, high\]"),
        ([SOLVENT, {**TEMPERATURE, "name": "EC"}], "must differ from the others; got 'EC' twice"),
        ([SOLVENT, {**TEMPERATURE, "name": "solvent"}], r"mixtures\[0\].name must differ from all columns"),
        ([SOLVENT, {**SOLVENT, "ingredients": ["A", "B"]}], r"mixtures\[1\].name must differ"),
    ],
)
def test_what_stands_beside_a_mixture_must_fit(parameters, message):
    """Places do not shift by the columns that a mixture becomes, and names are taken once."""
    with pytest.raises(ConfigurationError, match=message):
        campaign(*parameters)


def test_the_rest_of_a_mixture_needs_its_columns():
    """A file written by hand cannot name ingredients that are no parameters."""
    with pytest.raises(ConfigurationError, match=r"mixtures\[0\].ingredients must list parameters .*; got 'EC'"):
        campaign(TEMPERATURE, mixtures=[SOLVENT])
