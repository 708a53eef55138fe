"""Designs: even, in range, and the same for everybody."""

import pytest
import torch

from discovery.meta.design import OUTERMOST, normal_quantiles, uniform_design


def test_a_design_covers_every_coordinate_evenly():
    """Each coordinate has one member in every sixteenth of its range, and none at its ends."""
    uniform = uniform_design(16, 5, seed=3)
    for column in uniform.T:
        assert sorted((column * 16).long().tolist()) == list(range(16))
    assert float(uniform.min()) >= OUTERMOST
    assert float(uniform.max()) <= 1 - OUTERMOST


def test_a_design_is_the_same_for_everybody():
    """The seed decides, and nothing else."""
    torch.testing.assert_close(uniform_design(8, 3, seed=1), uniform_design(8, 3, seed=1), rtol=0, atol=0)
    assert not torch.equal(uniform_design(8, 3, seed=1), uniform_design(8, 3, seed=2))


@pytest.mark.parametrize(("level", "value"), [(0.5, 0.0), (0.8413447460685429, 1.0), (0.05, -1.6448536269514722)])
def test_quantiles_are_those_of_the_standard_normal(level, value):
    """Median, one standard deviation, and the lower end of a 90 % interval."""
    found = normal_quantiles(torch.tensor([level], dtype=torch.float64))
    assert float(found) == pytest.approx(value, abs=1e-12)
