"""Promises of `discovery.space.lattice`: all whole solutions of equations, and one near to any point."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.space.lattice import Lattice, as_fraction

FACTORS = st.lists(st.integers(-6, 6), min_size=3, max_size=3)


@given(rows=st.lists(FACTORS, min_size=1, max_size=2), z=st.lists(st.integers(-4, 4), min_size=3, max_size=3))
@settings(max_examples=80, deadline=None)
def test_whatever_was_a_solution_is_found_again(rows, z):
    """A whole solution used as the target comes back as it is, for any equations."""
    lattice = Lattice.of([[Fraction(f) for f in row] for row in rows], 3)
    rhs = np.array(rows, dtype=float) @ np.array(z, dtype=float)
    found, is_solved = lattice.near(rhs[None], np.array([z], dtype=float), np.full(3, 0.5))
    assert is_solved.all() and found[0].tolist() == z


@given(factors=FACTORS.filter(any), rhs=st.integers(-9, 9), offset=st.floats(0, 0.99))
@settings(max_examples=80, deadline=None)
def test_an_equation_is_solved_where_its_divisor_says_so(factors, rhs, offset):
    """A sum of whole multiples reaches exactly the multiples of the greatest common divisor, however it is rounded."""
    lattice = Lattice.of([[Fraction(f) for f in factors]], 3)
    found, is_solved = lattice.near(np.array([[float(rhs)]]), np.array([[0.3, -1.2, 2.0]]), np.full(3, offset))
    assert is_solved[0] == (rhs % np.gcd.reduce(factors) == 0)
    assert not is_solved[0] or found[0] @ factors == rhs


def test_the_steps_reach_every_solution():
    """On a simplex of four tenths, whole numbers of kernel steps lead to all 286 mixtures and to nothing else."""
    lattice = Lattice.of([[Fraction(1)] * 4], 4)
    origin = np.array([10.0, 0, 0, 0])
    turns = np.array(list(product(range(-10, 11), repeat=3)), dtype=float)
    reached = origin + turns @ lattice.kernel.T
    inside = reached[((reached >= 0) & (reached <= 10)).all(axis=1)]
    assert len(np.unique(inside, axis=0)) == 286 and (inside.sum(axis=1) == 10).all()


@pytest.mark.parametrize(
    ("number", "fraction"), [(1 / 3, Fraction(1, 3)), (0.1, Fraction(1, 10)), (2.5, Fraction(5, 2))]
)
def test_floats_are_the_fractions_that_were_meant(number, fraction):
    """Thirds and tenths are read as such."""
    assert as_fraction(number) == fraction
