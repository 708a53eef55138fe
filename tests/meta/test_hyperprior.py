"""The hyperprior that ships."""

import pytest
import torch

from discovery.meta.hyperprior import COORDINATES, shipped_hyperprior


def test_it_reads_what_ships():
    """Means and spreads are finite, spreads positive, and typical noise is small against outcomes."""
    hyperprior = shipped_hyperprior()
    assert hyperprior.mean.shape == hyperprior.sd.shape == (len(COORDINATES),)
    assert torch.isfinite(hyperprior.mean).all()
    assert (hyperprior.sd > 0).all()
    typical = hyperprior.coordinates(torch.zeros(1, 6, dtype=torch.float64))
    assert 0.02 < float(typical["log_noise"].exp()) < 0.5


@pytest.mark.parametrize("name", COORDINATES)
def test_coordinates_are_gaussian(name):
    """One standard normal unit moves a coordinate by its standard deviation."""
    hyperprior, i = shipped_hyperprior(), COORDINATES.index(name)
    normal = torch.zeros(2, 6, dtype=torch.float64)
    normal[1, i] = 1.0
    values = hyperprior.coordinates(normal)[name]
    assert float(values[1] - values[0]) == pytest.approx(float(hyperprior.sd[i]))
