"""Promises of `discovery.space.union`: what a history adds to a campaign's space, and what stays as it is."""

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.space import SearchSpace, align

LIGAND = {"name": "ligand", "type": "categorical", "values": ["L2", "L1"]}
TEMPERATURE = {"name": "temperature", "type": "continuous", "bounds": [0, 100]}
LOADING = {"name": "loading", "type": "continuous", "bounds": [0.1, 10], "scale": "log"}
EQUIVALENTS = {"name": "eq", "type": "discrete", "values": [1, 2, 3]}


@pytest.fixture
def make(tmp_path):
    """Return a function that gives spec and space of parameters; `pool.csv` need not exist."""

    def build(*parameters, constraints=()):
        mapping = {"name": "new", "parameters": parameters, "objectives": [{"name": "y"}], "candidates": "pool.csv"}
        spec = CampaignSpec.from_mapping({**mapping, "constraints": list(constraints)}, base_dir=tmp_path)
        return spec, SearchSpace.from_spec(spec)

    return build


@pytest.fixture
def plates(make):
    """Return spec and space of a plate of three elements."""
    names = ["Ni_load", "Fe_load", "Co_load"]
    parameters = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in names]
    return make(*parameters, constraints=[{"type": "simplex", "parameters": names}])


def table(**columns):
    return pd.DataFrame(columns, dtype=object)


def test_nothing_differs(make):
    """A history that fits into the space needs no other one."""
    spec, space = make(LIGAND, TEMPERATURE)

    assert align(spec, space, [table(ligand=["L1", "L2"], temperature=[0, 100])], {}) is None


def test_other_levels_follow_the_own_ones(make):
    """Levels of the history come after the campaign's, sorted, whatever the order of the tables."""
    spec, space = make(LIGAND, TEMPERATURE)
    tables = [table(ligand=["L9", "L1"], temperature=[1, 2]), table(ligand=["L3"], temperature=[3])]
    one, other = (align(spec, space, each, {}) for each in (tables, tables[::-1]))

    assert one.union.blocks[0].values == other.union.blocks[0].values == ("L2", "L1", "L3", "L9")
    assert one.union.blocks[0].is_one_hot and one.is_wider and one.n_dims == 5
    np.testing.assert_array_equal(one.position, [0, 1, 4])
    np.testing.assert_allclose(one.union.encode(tables[0]), [[0, 0, 0, 1, 0.01], [0, 1, 0, 0, 0.02]])
    assert one.differences == (
        "ligand has levels that this campaign does not offer (L3, L9): each is a level of its own.",
    )


@pytest.mark.parametrize(
    ("parameter", "values", "coordinates"),
    [
        (TEMPERATURE, [-50, 50, 200], [-0.5, 0.5, 2.0]),
        (LOADING, [0.01, 1.0, 100.0], [-0.5, 0.5, 1.5]),
        (EQUIVALENTS, [1, 2.5, 5], [0.0, 0.75, 2.0]),
    ],
)
def test_numbers_keep_their_place(make, parameter, values, coordinates):
    """Numbers beyond the bounds or the list are encoded as they are; the own ones keep their coordinates."""
    spec, space = make(parameter)
    frame = table(**{parameter["name"]: values})
    aligned = align(spec, space, [frame], {})

    np.testing.assert_allclose(aligned.union.encode(frame)[:, 0], coordinates)
    assert not aligned.is_wider and "values are used as they are" in aligned.differences[0]
    inside = frame.iloc[[0 if parameter is EQUIVALENTS else 1]]
    np.testing.assert_allclose(aligned.union.encode(inside), space.encode(inside))


def test_a_number_without_a_logarithm_is_refused(make):
    """On a log scale a history row must still be above zero."""
    spec, space = make(LOADING)
    frame = table(loading=[0, 50])
    (fault,) = align(spec, space, [frame], {}).union.check(frame)

    assert (fault.row, fault.reason) == (0, "must be above 0")


def test_described_levels_are_placed_by_their_descriptors(make, tmp_path):
    """With descriptors a foreign level stands where the file puts it; one that is not described is refused."""
    (tmp_path / "d.csv").write_text("ligand,size,kind\nL1,1,a\nL2,3,b\nL3,4,c\nL4,,d\n")
    spec, space = make({**LIGAND, "descriptors": "d.csv"})
    frame = table(ligand=["L1", "L3", "L4", "L5"])
    aligned = align(spec, space, [frame], {})

    np.testing.assert_allclose(aligned.union.encode(frame.iloc[:2]), [[0.0], [1.5]])
    assert [fault.value for fault in aligned.union.check(frame)] == ["L4", "L5"]
    assert not aligned.is_wider and "(L3): each is placed by its descriptors" in aligned.differences[0]


def test_undescribed_levels_alone_change_nothing(make, tmp_path):
    """Where no foreign level is described, the space stays the campaign's."""
    (tmp_path / "d.csv").write_text("ligand,size\nL1,1\nL2,3\n")
    spec, space = make({**LIGAND, "descriptors": "d.csv"})

    assert align(spec, space, [table(ligand=["L7"])], {}) is None


def test_further_columns_are_held(make):
    """The campaign's rows have the value at which it holds a further column, number or category."""
    spec, space = make(TEMPERATURE)
    frame = table(temperature=[0, 1], pressure=[1, 5], gas=["Ar", "N2"])
    aligned = align(spec, space, [frame], {"pressure": 3.0, "gas": "air"})

    assert aligned.union.names == ("temperature", "gas", "pressure")
    assert aligned.union.blocks[1].values == ("air", "Ar", "N2")
    np.testing.assert_allclose(aligned.fill, [0, 1, 0, 0, 0.5])
    np.testing.assert_allclose(aligned.union.encode(frame), [[0, 0, 1, 0, 0], [0.01, 0, 0, 1, 1]])


def test_other_elements_are_described(plates):
    """Elements that only the history has become fractions of their own, one block, beside descriptors."""
    spec, space = plates
    frame = table(Ni_load=[0.5], Fe_load=[0.5], Co_load=[0.0], Ce_load=[0.0], Ta_load=[0.0])
    aligned = align(spec, space, [frame, frame.assign(Ce_load=1.0, Ni_load=0.0, Fe_load=0.0)], {})

    assert aligned.union.names == ("Ce_load", "Co_load", "Fe_load", "Ni_load", "Ta_load")
    assert [block.name for block in aligned.blocks[:2]] == ["elements", "composition"]
    assert aligned.n_dims == 5 + aligned.composition.n_dims == 5 + 12
    np.testing.assert_array_equal(aligned.position, [3, 2, 1])
    np.testing.assert_array_equal(aligned.fill, np.zeros(5))
    assert aligned.block_at(0).name == "elements"


def test_an_element_that_the_history_lacks_is_a_difference(plates):
    """A table without one of the campaign's elements is compared by properties too."""
    spec, space = plates
    frame = table(Ni_load=[0.5, 0.2], Fe_load=[0.5, 0.8], Co_load=[0.0, 0.0])

    assert align(spec, space, [frame], {}).composition is not None
    assert align(spec, space, [frame.assign(Co_load=[0.0, 0.1])], {}) is None


def test_without_a_simplex_names_are_only_names(make):
    """Parameters called like elements are no composition unless a simplex constraint says so."""
    spec, space = make(*({"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("P", "K")))

    assert align(spec, space, [table(P=[0.1], K=[0.0], V=[0.3])], {}) is None
