"""Promises of `discovery.space.elements`: symbols are found in names, and elements become numbers."""

import numpy as np
import pytest

from discovery.space.elements import ELEMENTS, PROPERTIES, element_in, element_pattern, element_properties


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["Ni", "Fe"], ("", "")),
        (["Ni_load", "Fe_load"], ("", "_load")),
        (["el_Al", "el_C"], ("el_", "")),
        (["x Al %", "x C %"], ("x ", " %")),
        (["Ni", "Ni"], None),
        (["Ni", "Zz"], None),
        (["Ni_load", "Fe_mass"], None),
        (["Ni", "acid"], None),
        (["NiFe"], None),
        ([], None),
    ],
)
def test_a_pattern_needs_a_different_element_in_every_name(names, pattern):
    """The text around the symbols is found where every name holds another element in the same place."""
    assert element_pattern(names) == pattern


@pytest.mark.parametrize(("name", "symbol"), [("Ce_load", "Ce"), ("_load", None), ("Ce", None), ("note_load", None)])
def test_a_name_of_another_pattern_is_no_element(name, symbol):
    """Only a symbol between the texts of the pattern counts."""
    assert element_in(name, ("", "_load")) == symbol


def test_the_table_is_whole():
    """Every element has every property, none is absurd, and what chemists know holds."""
    table = np.array(list(ELEMENTS.values()))

    assert table.shape == (80, len(PROPERTIES)) and np.isfinite(table).all()
    group, period, electronegativity, radius, d_electrons, ionization = table.T
    assert set(group) == set(range(1, 18)) and set(period) == set(range(1, 8))
    assert (electronegativity.min(), electronegativity.max()) == (ELEMENTS["Cs"][2], ELEMENTS["F"][2])
    assert (electronegativity > 0.7).all() and (radius > 20).all() and (radius < 300).all()
    assert (d_electrons >= 0).all() and (d_electrons <= 10).all() and (ionization > 3).all() and (ionization < 20).all()


def test_properties_are_scaled_over_the_elements_at_hand():
    """Each property spans the unit interval, and one that does not vary is left out."""
    P = element_properties(["Fe", "Co", "Ni"])

    assert P.shape == (3, len(PROPERTIES) - 1)  # all of one period
    np.testing.assert_array_equal(P.min(axis=0), 0)
    np.testing.assert_array_equal(P.max(axis=0), 1)
