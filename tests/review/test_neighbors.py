"""Distances to measured experiments: one rule per kind of parameter, and the nearest ones in order."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.review.neighbors import parameter_distances, tanimoto
from discovery.space import SearchSpace

PARAMETERS = [
    {"name": "ligand", "type": "categorical", "values": ["A", "B", "C"]},
    {"name": "heat", "type": "continuous", "bounds": [0, 100]},
    {"name": "amount", "type": "continuous", "bounds": [1, 100], "scale": "log"},
    {"name": "eq", "type": "discrete", "values": [1, 2, 5]},
]


def space_of(parameters: list, folder=".", **more) -> SearchSpace:
    """The space of some parameters."""
    mapping = {"name": "lab", "parameters": parameters, "objectives": [{"name": "y"}], **more}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(mapping, folder))


def distances(space: SearchSpace, here: dict, there: list[dict]) -> np.ndarray:
    """Distances by parameter between configurations."""
    return parameter_distances(space, space.encode(pd.DataFrame([here]))[0], space.encode(pd.DataFrame(there)))


def test_each_kind_has_its_own_distance() -> None:
    """Categories are the same or not, numbers count by their range, logarithms on a log scale."""
    here = {"ligand": "A", "heat": 20.0, "amount": 10.0, "eq": 1.0}
    there = [here, here | {"ligand": "C"}, here | {"heat": 70.0}, here | {"amount": 100.0}, here | {"eq": 2.0}]
    found = distances(space_of(PARAMETERS), here, there)
    expected = np.zeros((5, 4))
    expected[1, 0], expected[2, 1], expected[3, 2], expected[4, 3] = 1.0, 0.5, 0.5, 0.25
    assert found == pytest.approx(expected, abs=1e-12)


def test_described_categories_are_as_far_as_their_descriptors(tmp_path) -> None:
    """With descriptors, the two that differ most are one apart, and others less."""
    pd.DataFrame({"ligand": ["A", "B", "C"], "size": [0.0, 1.0, 4.0]}).to_csv(tmp_path / "l.csv", index=False)
    space = space_of([PARAMETERS[0] | {"descriptors": "l.csv"}, PARAMETERS[1]], tmp_path)
    found = distances(space, {"ligand": "A", "heat": 0.0}, [{"ligand": v, "heat": 0.0} for v in "ABC"])
    assert found[:, 0] == pytest.approx([0.0, 0.25, 1.0])


def test_tanimoto_is_common_over_either() -> None:
    """Three fragments, two of them common with a set of three: 2 of 4; the same set 1, another 0, empty sets 1."""
    x = np.array([1.0, 1, 1, 0, 0])
    X = np.array([[1.0, 1, 0, 1, 0], x, [0, 0, 0, 1, 1]])
    assert tanimoto(x, X) == pytest.approx([0.5, 1.0, 0.0])
    assert tanimoto(np.zeros(5), np.zeros((1, 5))) == pytest.approx([1.0])


def test_molecules_are_as_far_as_they_are_unlike(tmp_path) -> None:
    """A molecule is 0 from itself however it is written, nearer to a look-alike than to another, never beyond 1."""
    rows = [{"smiles": s, "heat": 0.0} for s in ("OCC", "CCCO", "c1ccccc1Cl")]
    pd.DataFrame(rows).to_csv(tmp_path / "all.csv", index=False)
    space = space_of([{"name": "smiles", "type": "molecule"}, PARAMETERS[1]], tmp_path, candidates="all.csv")
    same, alike, other = distances(space, {"smiles": "CCO", "heat": 0.0}, rows)[:, 0]
    assert same == pytest.approx(0.0, abs=1e-12)
    assert 0 < alike < other <= 1


def test_points_do_not_see_each_other() -> None:
    """Distances of many points are those of each alone."""
    space, g = space_of(PARAMETERS), np.random.default_rng(0)
    x, X = space.sample(1, g)[0], space.sample(7, g)
    alone = np.vstack([parameter_distances(space, x, X[i : i + 1]) for i in range(7)])
    assert parameter_distances(space, x, X) == pytest.approx(alone)
