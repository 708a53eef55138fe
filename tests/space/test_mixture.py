"""Mixtures are compared by the weighted means of their ingredients' properties, and never leave their constraints."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.meta.components import MAIN_EFFECT_LENGTHSCALE, Components
from discovery.space import CandidatePool, SearchSpace, align

SOLVENT = {"type": "mixture", "name": "solvent", "ingredients": ["EC", "DMC", "EMC"], "descriptors": "solvents.csv"}
TEMPERATURE = {"type": "continuous", "name": "temperature", "bounds": [0, 60]}
PERMITTIVITY = {"EC": 90.0, "DMC": 3.0, "EMC": 3.0}
VISCOSITY = {"EC": 1.9, "DMC": 0.6, "EMC": 1.25}


def campaign(folder, mixture=SOLVENT, **changes):
    """A campaign with a mixture and a temperature; ingredients are described by two properties."""
    table = pd.DataFrame({"solvent": list(PERMITTIVITY), "permittivity": PERMITTIVITY.values()})
    table.assign(viscosity=list(VISCOSITY.values())).to_csv(folder / "solvents.csv", index=False)
    data = {"name": "c", "parameters": [mixture, TEMPERATURE], "objectives": [{"name": "y"}], **changes}
    return CampaignSpec.from_mapping(data, base_dir=folder)


def matern(r):
    r = math.sqrt(5) * r
    return (1 + r + r**2 / 3) * math.exp(-r)


@pytest.mark.parametrize("total", [1.0, 100.0])
def test_the_component_of_a_mixture_has_a_closed_form(tmp_path, total):
    """It is the Matern correlation of mean properties, each from 0 to 1 over the pure ingredients."""
    space = SearchSpace.from_spec(campaign(tmp_path, {**SOLVENT, "total": total}))
    rows = pd.DataFrame({"EC": [0.5, 0.2], "DMC": [0.5, 0.3], "EMC": [0.0, 0.5]}) * total
    X = torch.as_tensor(space.encode(rows.assign(temperature=[10.0, 50.0])))
    components = Components.of(space)
    assert components.n_components == 5  # four main effects, and the mixture
    found = components(X, X)[-1]
    first = 0.5 * 1.3 / 1.3, 0.2 * 1.0 + 0.5 * 0.65 / 1.3  # viscosity of each mixture, scaled
    distance = math.hypot(0.5 - 0.2, first[0] - first[1]) / math.sqrt(2) / MAIN_EFFECT_LENGTHSCALE
    assert float(found[0, 1]) == pytest.approx(matern(distance), abs=1e-9)
    torch.testing.assert_close(found.diagonal(), torch.ones(2, dtype=torch.float64))


def test_equal_ingredients_are_exchangeable(tmp_path):
    """Where two ingredients have one property in common, swapping them changes nothing for the component."""
    table = pd.DataFrame({"solvent": ["EC", "DMC", "EMC"], "polarity": [1.0, 0.1, 0.100001]})
    spec = campaign(tmp_path)
    table.to_csv(tmp_path / "solvents.csv", index=False)
    space = SearchSpace.from_spec(spec)
    rows = pd.DataFrame({"EC": 0.3, "DMC": [0.7, 0.0], "EMC": [0.0, 0.7], "temperature": 20.0})
    X = torch.as_tensor(space.encode(rows))
    components = Components.of(space)(X, X)
    assert float(components[-1][0, 1]) == pytest.approx(1.0, abs=1e-6)
    assert float(components[1][0, 1]) < 0.8  # the main effect of one of them tells the two apart


def test_a_free_space_is_drawn_within_the_mixture(tmp_path):
    """Without candidates every draw adds up to the total with at most two ingredients, and comes back as it is."""
    space = SearchSpace.from_spec(campaign(tmp_path, {**SOLVENT, "max_ingredients": 2, "total": 100.0}))
    X = space.sample(64, np.random.default_rng(0))
    rows = space.decode(X)
    amounts = rows[["EC", "DMC", "EMC"]].to_numpy()
    np.testing.assert_allclose(amounts.sum(axis=1), 100.0, rtol=1e-9)
    assert ((amounts > 0).sum(axis=1) <= 2).all()
    assert space.is_valid(rows).all()
    np.testing.assert_allclose(space.encode(rows), X, atol=1e-9)


def test_what_is_present_has_its_lowest_share(tmp_path):
    """Every ingredient of every draw is absent or at least 15 % of the total."""
    space = SearchSpace.from_spec(campaign(tmp_path, {**SOLVENT, "min_fraction": 0.15, "total": 100.0}))
    rows = space.decode(space.sample(64, np.random.default_rng(0)))
    amounts = rows[["EC", "DMC", "EMC"]].to_numpy()
    assert (
        ((amounts == 0) | (amounts >= 15.0 * (1 - 1e-9))).all() and (amounts == 0).any() and (amounts > 0).all(1).any()
    )
    assert space.is_valid(rows).all()


def test_a_pool_keeps_what_is_a_mixture(tmp_path):
    """With candidates, rows with too many ingredients or another sum are left out."""
    pool = pd.DataFrame({"EC": [0.5, 0.4, 0.3, 1.0], "DMC": [0.5, 0.6, 0.3, 0.5], "EMC": [0.0, 0.0, 0.4, 0.0]})
    pool.assign(temperature=20.0).to_csv(tmp_path / "pool.csv", index=False)
    spec = campaign(tmp_path, {**SOLVENT, "max_ingredients": 2}, candidates="pool.csv")
    found = CandidatePool.from_spec(spec, SearchSpace.from_spec(spec))
    assert len(found) == 2 and found.n_infeasible == 2


def test_elements_bring_their_properties(tmp_path):
    """Ingredients named by element, also in a pattern, need no file; similar elements are nearer."""
    alloy = {"type": "mixture", "name": "alloy", "ingredients": ["Fe_load", "Co_load", "La_load"], "elements": True}
    space = SearchSpace.from_spec(campaign(tmp_path, alloy))
    rows = pd.DataFrame(np.eye(3), columns=alloy["ingredients"]).assign(temperature=0.0)
    X = torch.as_tensor(space.encode(rows))
    found = Components.of(space)(X, X)[-1]
    assert float(found[0, 1]) > 2 * float(found[0, 2])


def test_ingredients_that_are_no_elements_are_refused(tmp_path):
    """The message lists them and says what else can be done."""
    with pytest.raises(ConfigurationError, match=r"must each be a chemical element .* got EC, DMC, EMC") as caught:
        SearchSpace.from_spec(campaign(tmp_path, {**SOLVENT, "descriptors": None, "elements": True}))
    assert "descriptors: FILE.csv" in caught.value.hint


def test_a_file_must_describe_every_ingredient(tmp_path):
    """A missing row is named."""
    spec = campaign(tmp_path)
    pd.DataFrame({"solvent": ["EC", "DMC"], "p": [1, 2]}).to_csv(tmp_path / "solvents.csv", index=False)
    with pytest.raises(ConfigurationError, match="must describe every category; missing 'EMC'"):
        SearchSpace.from_spec(spec)


def test_properties_are_part_of_the_identity_of_the_encoding(tmp_path):
    """A checkpoint of other properties does not fit."""
    with_file = SearchSpace.from_spec(campaign(tmp_path))
    without = SearchSpace.from_spec(campaign(tmp_path, {**SOLVENT, "descriptors": None}))
    assert with_file.schema_hash != without.schema_hash
    assert with_file.n_dims == without.n_dims == 4 and not without.mixes


def test_a_wider_space_keeps_the_mixture(tmp_path):
    """Where history widens the space, the component looks at the same ingredients at their new coordinates."""
    level = {"type": "categorical", "name": "salt", "values": ["a", "b"]}
    spec = campaign(tmp_path)
    spec = CampaignSpec.from_mapping({**spec.model_dump(), "parameters": [level, *spec.parameters]}, tmp_path)
    space = SearchSpace.from_spec(spec)
    old = pd.DataFrame({"salt": ["a", "c"], "EC": [0.5, 0.2], "DMC": [0.5, 0.3], "EMC": [0.0, 0.5]})
    old = old.assign(temperature=[10.0, 50.0])
    aligned = align(spec, space, [old], {})
    assert aligned is not None and aligned.n_dims == space.n_dims + 1
    wide = torch.as_tensor(aligned.union.encode(old))
    own = torch.as_tensor(space.encode(old.assign(salt="a")))
    torch.testing.assert_close(Components.of(aligned)(wide, wide)[-1], Components.of(space)(own, own)[-1])
