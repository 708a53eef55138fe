"""A reading puts outcomes on another axis and back, and its densities are densities of outcomes."""

from dataclasses import fields, replace
from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.meta.reading import DENIED, Reading


def reading(sign=0.0, edge=0.0, unit=1.0, delta=1.0, reach=1.1, center=0.0, spread=1.0):
    """One reading."""
    return Reading(*(torch.tensor([float(v)], dtype=torch.float64) for v in locals().values()), torch.zeros(1).double())


ANY = st.builds(
    reading,
    sign=st.sampled_from([-1.0, 0.0, 1.0]),
    edge=st.floats(-100, 100),
    unit=st.floats(0.1, 1000),
    delta=st.floats(0.02, 1.0),
    reach=st.floats(1.1, 50.0),
    center=st.floats(-3, 2),
    spread=st.floats(0.1, 3.0),
)
BENT = {
    "lower": reading(1, edge=5.0, unit=100.0, delta=0.1, center=-1.0, spread=0.6),
    "upper": reading(-1, edge=95.0, unit=80.0, delta=0.02, center=0.8, spread=0.9),
}
KINDS = BENT | {"plain": reading(center=50.0, spread=25.0)}


def joined(*parts):
    """Several readings as one record."""
    return Reading(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Reading)))


def outcomes(given_reading, n=9):
    """Raw outcomes from just outside the edge to just short of the reach, in order. Shape `n`."""
    s, edge, unit, delta, reach, _, _, _ = (float(getattr(given_reading, f.name)) for f in fields(Reading))
    return (edge + (s or 1.0) * unit * torch.linspace(-0.9 * delta, 0.99 * reach, n, dtype=torch.float64)).sort().values


@settings(deadline=None)
@given(ANY)
def test_reading_and_putting_back_is_nothing(one):
    """`raw(read(y))` is `y`, on either side of the edge and up to the reach."""
    y = outcomes(one)
    back = one.raw(one.read(y)[0])
    size = float(y.abs().max() + one.unit)
    torch.testing.assert_close(back, y[None], rtol=0, atol=1e-10 * size)


@settings(deadline=None)
@given(ANY)
def test_the_jacobian_is_the_slope_of_the_axis(one):
    """`log dz / dy` is what automatic differentiation of `z` gives, and what central differences give."""
    y = outcomes(one).requires_grad_(True)
    z, log_slope = one.read(y)
    (by_torch,) = torch.autograd.grad(z.sum(), y)
    h = 1e-4 * (0.1 * one.delta if bool(one.sign) else one.spread) * one.unit  # a step within the bend
    by_hand = (one.read(y.detach() + h)[0] - one.read(y.detach() - h)[0]) / (2 * h)

    torch.testing.assert_close(log_slope.exp(), by_torch[None], rtol=1e-9, atol=0)
    torch.testing.assert_close(log_slope.detach().exp(), by_hand, rtol=1e-4, atol=0)


@settings(deadline=None)
@given(ANY)
def test_the_slope_back_is_the_inverse(one):
    """`dy / dz` at an outcome's place is one over `dz / dy` at the outcome."""
    z, log_slope = one.read(outcomes(one))
    torch.testing.assert_close(one.slope(z), (-log_slope).exp(), rtol=1e-8, atol=0)


@settings(deadline=None)
@given(ANY, st.floats(0.01, 100))
def test_another_unit_changes_nothing_but_the_unit(one, factor):
    """Outcomes in another unit stand where they stood; a density per new unit is smaller by the factor."""
    y, other = outcomes(one), one.scaled(factor)
    (z, log_slope), (same, less) = one.read(y), other.read(y * factor)

    torch.testing.assert_close(same, z, rtol=1e-7, atol=1e-7 / float(one.spread))
    torch.testing.assert_close(less, log_slope - log(factor), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(other.raw(z), one.raw(z) * factor, rtol=1e-9, atol=1e-9 * factor * float(one.unit))
    torch.testing.assert_close(other.slope(z), one.slope(z) * factor)


@pytest.mark.parametrize("kind", KINDS)
def test_a_larger_outcome_stands_farther_up(kind):
    """Every axis points up, whichever edge outcomes crowd at."""
    z, log_slope = KINDS[kind].read(outcomes(KINDS[kind]))
    assert (z.diff() > 0).all() and torch.isfinite(log_slope).all()


@pytest.mark.parametrize(
    ("kind", "y", "z"),
    [("lower", 25.0, (log(0.3) + 1.0) / 0.6), ("upper", 55.0, (-log(0.52) - 0.8) / 0.9), ("plain", 75.0, 1.0)],
)
def test_by_hand(kind, y, z):
    """`w = s log(s (y - edge) / unit + delta)`, or the outcome itself, and `z = (w - center) / spread`."""
    assert float(KINDS[kind].read(torch.tensor([y]).double())[0]) == pytest.approx(z)


@pytest.mark.parametrize(("kind", "beyond"), [("lower", -5.0), ("lower", -1e6), ("upper", 96.7), ("upper", 1e6)])
def test_what_a_reading_cannot_say_is_denied(kind, beyond):
    """An outcome outside the domain is read at its edge, with no density to speak of; its neighbors keep theirs."""
    one = BENT[kind]
    inside = float(one.edge)
    z, log_slope = one.read(torch.tensor([beyond, inside], dtype=torch.float64))

    assert float(log_slope[0, 0]) == DENIED and float(log_slope[0, 1]) > -10
    assert torch.isfinite(z).all()
    least = float(one.sign) * (log(1e-3 * float(one.delta)))
    assert float(z[0, 0]) == pytest.approx((least - float(one.center)) / float(one.spread))


def test_a_plain_reading_denies_nothing():
    """Without a warp every number is an outcome."""
    _, log_slope = KINDS["plain"].read(torch.tensor([-1e9, 0.0, 1e9], dtype=torch.float64))
    torch.testing.assert_close(log_slope, torch.full((1, 3), -log(25.0), dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_densities_integrate_to_one(kind):
    """A Gaussian on the axis is a density of outcomes: it integrates to one over raw outcomes."""
    one = KINDS[kind]
    s, edge, unit, delta = (float(v) for v in (one.sign, one.edge, one.unit, one.delta))
    y = torch.linspace(-400, 500, 200_001, dtype=torch.float64)
    if s:  # dense towards the edge
        y = edge + s * (torch.logspace(-5, 3, 200_001, dtype=torch.float64) - delta) * unit
    z, log_slope = one.read(y)
    density = torch.distributions.Normal(0.3, 0.8).log_prob(z[0]) + log_slope[0]
    assert abs(float(torch.trapezoid(density.exp(), y))) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("kind", "end"), [("lower", 5 + 1.1 * 100), ("upper", 95 - 1.1 * 80)])
def test_nothing_is_imagined_beyond_the_reach(kind, end):
    """However far out on the axis, raw outcomes stop at the reach; on the way they come near it."""
    one = BENT[kind]
    far = float(one.sign) * torch.tensor([5.0, 50.0, 5000.0], dtype=torch.float64)
    torch.testing.assert_close(one.raw(far), torch.full((1, 3), end, dtype=torch.float64))
    assert torch.isfinite(one.slope(far)).all()
    torch.testing.assert_close(one.slope(far)[:, 1:], one.slope(far)[:, :-1])


def test_selection_keeps_what_belongs_together():
    """Picked readings have their own values in every field, in the order asked for."""
    both = joined(BENT["lower"], KINDS["plain"])
    turned = both[torch.tensor([1, 0])]
    y = torch.tensor([7.0, 30.0], dtype=torch.float64)

    assert both.n_readings == 2
    torch.testing.assert_close(turned.read(y)[0], both.read(y)[0].flip(0))


def test_each_reading_reads_its_own_row():
    """Outcomes may come once for all readings, or one row per reading, with batch dimensions before."""
    both = joined(*KINDS.values())
    y = torch.tensor([10.0, 40.0], dtype=torch.float64)
    rows = y.expand(4, 3, 2) + torch.arange(3.0).double()[:, None]

    z, log_slope = both.read(rows)

    assert z.shape == log_slope.shape == both.slope(z).shape == (4, 3, 2)
    for i, one in enumerate(KINDS.values()):
        torch.testing.assert_close(z[2, i], one.read(rows[2, i])[0][0])
        torch.testing.assert_close(log_slope[2, i], one.read(rows[2, i])[1][0])
    torch.testing.assert_close(both.raw(z), rows)


def test_a_gaussian_far_from_its_bend_is_log_normal():
    """With a delta of nothing a reading that crowds at zero is the log-normal distribution."""
    one = replace(reading(1, center=0.5, spread=0.7), delta=torch.tensor([1e-12]).double())
    y = np.array([0.05, 0.5, 1.0])
    z, log_slope = one.read(torch.as_tensor(y))
    density = (torch.distributions.Normal(0.0, 1.0).log_prob(z) + log_slope).exp()
    expected = torch.distributions.LogNormal(0.5, 0.7).log_prob(torch.as_tensor(y)).exp()
    torch.testing.assert_close(density[0], expected)
    assert float(one.raw(torch.zeros(1, 1).double())) == pytest.approx(min(exp(0.5), 1.1))
