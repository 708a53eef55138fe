"""Where zero and one are, and in which ways members may read an outcome: by hand, for every origin of a scale."""

from itertools import product
from math import log, log1p, sqrt

import numpy as np
import pytest
import torch

from discovery.errors import ConfigurationError
from discovery.meta.scale import DELTAS, FACTORS, KNOWN, LOG_SPREADS, PLAIN_AXIS, WARPED, OutcomeScale, outcome_scale
from discovery.tasks.task import Task

RANGE = outcome_scale((0, 100), [])
ANCHORED = outcome_scale(None, [])


def task(*values):
    return Task("a", np.zeros((len(values), 1)), np.array(values, dtype=float)[:, None])


FLOORED = outcome_scale(None, [task(1.0, 3.0), task(2.0, 6.0)])
SIGNED = outcome_scale(None, [task(-1.0, 3.0)])
SCALES = {"range": RANGE, "floored": FLOORED, "signed": SIGNED}


def test_a_range_gives_middle_and_quarter():
    """Stated ends go before history, and bound the axes."""
    scale = outcome_scale((20, 60), [task(1.0, 3.0)])
    assert scale == OutcomeScale(40.0, 10.0, "range", 20.0, 60.0)


def test_history_gives_its_pooled_mean_and_spread():
    """All tasks together; zero is an edge only where no outcome was below it."""
    assert FLOORED.origin == SIGNED.origin == "history"
    assert (FLOORED.location, FLOORED.low, FLOORED.high) == (3.0, 0.0, None)
    assert FLOORED.scale == pytest.approx(np.std([1, 3, 2, 6]))
    assert (SIGNED.location, SIGNED.scale, SIGNED.low) == (1.0, 2.0, None)


@pytest.mark.parametrize("history", [[], [task(5.0, 5.0)], [task(1e9 / 3, 1e9 / 3)]])
def test_without_either_it_is_anchored(history):
    """No range, and no history or one that does not vary."""
    scale = outcome_scale(None, history)
    assert scale == OutcomeScale(None, None, "anchored") and scale.is_anchored
    with pytest.raises(ConfigurationError, match="range must be given"):
        assert scale.location_scale


@pytest.mark.parametrize(
    ("y", "n"),
    [([], 0), ([0.0], 1), ([0.0, 0.0], 2), ([0.0, 0.0, 3.0, 4.0], 3), ([2.0, 0.0, 1.0], 1), ([-1.0, 5.0], 1)],
)
def test_measurements_up_to_the_first_that_is_not_zero_anchor(y, n):
    """They fix an anchored scale; a known scale needs none."""
    assert ANCHORED.n_anchoring(y) == n
    assert RANGE.n_anchoring(y) == FLOORED.n_anchoring(y) == 0


def test_axes_follow_what_is_known_of_the_ends():
    """Both edges in a range, the lower one where outcomes were never negative, none otherwise; the plain axis first."""
    lower, upper = ([(sign, delta) for delta in DELTAS] for sign in (1.0, -1.0))
    assert RANGE.axes == (PLAIN_AXIS, *lower, *upper)
    assert FLOORED.axes == (PLAIN_AXIS, *lower)
    assert SIGNED.axes == (PLAIN_AXIS,)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("on_all_axes", [True, False])
def test_priors_are_normalized(scale, on_all_axes):
    """Weights of the readings sum to one; where both kinds are told, each has its fixed share."""
    reading = scale.readings(on_all_axes=on_all_axes)
    weight, plain = reading.log_prior.exp(), reading.sign == 0
    n_axes = len(scale.axes) if on_all_axes else 1
    assert reading.n_readings == n_axes * len(FACTORS)
    assert float(weight.sum()) == pytest.approx(1.0)
    assert float(weight[plain].sum()) == pytest.approx(1 - WARPED if n_axes > 1 else 1.0)


@pytest.mark.parametrize("anchor", [[], [0.0, 0.0], [3.0], [0.0, 3.0], [-3.0]])
@pytest.mark.parametrize("on_all_axes", [True, False])
def test_anchored_priors_are_normalized(anchor, on_all_axes):
    """Also where nothing is known; logarithms are told where nothing was negative and no features stand in the way."""
    reading = ANCHORED.readings(anchor, on_all_axes=on_all_axes)
    n_logs = len(DELTAS) * len(LOG_SPREADS) if on_all_axes and anchor != [-3.0] else 0
    assert float(reading.log_prior.exp().sum()) == pytest.approx(1.0)
    assert int((reading.sign != 0).sum()) == n_logs
    assert float(reading.log_prior[reading.sign == 0].exp().sum()) == pytest.approx(1 - WARPED if n_logs else 1.0)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_every_factor_has_its_scale_and_weight(scale):
    """Readings of the plain axis are the known scale times each factor, with the factors' weights in proportion."""
    reading = scale.readings(on_all_axes=False)
    location, unit = scale.location_scale
    factors, weights = np.array(FACTORS).T

    np.testing.assert_allclose(reading.spread, unit * factors)
    np.testing.assert_allclose(reading.center, location)
    np.testing.assert_allclose(reading.log_prior.exp(), weights / weights.sum())
    assert FACTORS[KNOWN][0] == 1.0


@pytest.mark.parametrize("axis", range(1, 7))
def test_a_bent_axis_of_a_range_is_standardized_over_it(axis):
    """Outcomes spread evenly over the range have mean zero and variance one on the axis; spreads go by the factors."""
    sign, delta = RANGE.axes[axis]
    reading = RANGE.readings()[torch.arange(axis * len(FACTORS), (axis + 1) * len(FACTORS))]
    z, _ = reading.read(torch.linspace(0, 100, 101, dtype=torch.float64))

    assert set(reading.sign.tolist()) == {sign} and set(reading.delta.tolist()) == {delta}
    assert set(reading.edge.tolist()) == {0.0 if sign > 0 else 100.0} and set(reading.unit.tolist()) == {100.0}
    assert float(z[KNOWN].mean()) == pytest.approx(0.0, abs=1e-9)
    assert float(z[KNOWN].std(correction=0)) == pytest.approx(1.0)
    np.testing.assert_allclose(reading.spread / reading.spread[KNOWN], np.array(FACTORS)[:, 0])


def test_a_bent_axis_above_a_floor_is_as_if_log_normal():
    """`y - low + delta unit` is log-normal; raw outcomes have the known mean and deviation."""
    reading = OutcomeScale(20.0, 15.0, "history", 0.0).readings()
    for i, delta in enumerate(DELTAS):
        one = reading[torch.arange((i + 1) * 4, (i + 2) * 4)]
        mean, sd = 20.0 * (1 + delta), 15.0  # of y + delta unit, where the unit is the mean
        variance = log1p((sd / mean) ** 2)
        np.testing.assert_allclose(one.center, log(mean / 20.0) - variance / 2)
        np.testing.assert_allclose(one.spread, sqrt(variance) * np.array(FACTORS)[:, 0])
        w = float(one.center[KNOWN]) + float(one.spread[KNOWN]) * np.random.default_rng(0).standard_normal(200_000)
        y = 20.0 * (np.exp(w) - delta)
        assert y.mean() == pytest.approx(20.0, rel=0.01) and y.std() == pytest.approx(15.0, rel=0.02)


@pytest.mark.parametrize("sign_and_delta", [PLAIN_AXIS, (1.0, 0.1), (-1.0, 0.02)])
def test_features_stand_on_one_axis(sign_and_delta):
    """Off all axes only that of the features is told, at every factor; history's own reading is the known one of it."""
    sign, delta = sign_and_delta
    scale = OutcomeScale(50.0, 25.0, "range", 0.0, 100.0, sign, delta)
    reading, own = scale.readings(on_all_axes=False), scale.own_reading()

    assert set(reading.sign.tolist()) == {sign} and reading.n_readings == len(FACTORS)
    assert own.n_readings == 1
    for name in ("sign", "edge", "unit", "delta", "reach", "center", "spread"):
        assert float(getattr(own, name)) == float(getattr(reading, name)[KNOWN])


def test_the_known_scale_puts_known_points_where_they_belong():
    """On its own plain axis the location is at zero, one scale above it at one, and raw units come back."""
    own = RANGE.own_reading()
    z, log_slope = own.read(torch.tensor([50.0, 75.0, 0.0], dtype=torch.float64))
    np.testing.assert_allclose(z[0], [0.0, 1.0, -2.0])
    np.testing.assert_allclose(log_slope[0], -log(25.0))
    np.testing.assert_allclose(FLOORED.own_reading().read(torch.tensor([3.0]).double())[0], 0.0)


@pytest.mark.parametrize(
    ("anchor", "first", "magnitude"), [([3.0], 3.0, 3.0), ([0.0, 40.0], 0.0, 40.0), ([-5.0], -5.0, 5.0)]
)
def test_an_anchored_grid_stands_at_the_first_measurement(anchor, first, magnitude):
    """Plain scales from a hundredth to a hundred times its size, centered there, most weight at about a third of it."""
    reading = ANCHORED.readings(anchor)
    plain = reading[reading.sign == 0]
    weight = plain.log_prior.exp()

    np.testing.assert_allclose(plain.center, first)
    np.testing.assert_allclose(
        [float(plain.spread.min()), float(plain.spread.max())], [magnitude / 100, magnitude * 100]
    )
    np.testing.assert_allclose(plain.spread.log().diff(), log(10) / 6)
    assert float(plain.spread[weight.argmax()]) == pytest.approx(magnitude / sqrt(10))
    ratio = float(weight[plain.spread.log().sub(log(magnitude * 10**0.5)).abs().argmin()] / weight.max())
    assert ratio == pytest.approx(1 / (1 + (1 / 0.7) ** 2))  # a Cauchy, one decade from its center


def test_anchored_logarithms_stand_at_the_first_measurement():
    """Zero is the edge, its size the unit; at the anchor they read zero, and a deviation is a factor."""
    reading = ANCHORED.readings([40.0])
    bent = reading[reading.sign != 0]

    assert set(bent.edge.tolist()) == {0.0} and set(bent.unit.tolist()) == {40.0}
    assert set(zip(bent.delta.tolist(), bent.spread.tolist(), strict=True)) == set(product(DELTAS, LOG_SPREADS))
    torch.testing.assert_close(bent.read(torch.tensor([40.0]).double())[0], torch.zeros(15, 1, dtype=torch.float64))
    one_up = bent.raw(torch.ones(15, 1).double())[:, 0] / 40 + bent.delta
    torch.testing.assert_close(one_up, (1 + bent.delta) * bent.spread.exp())


@pytest.mark.parametrize("factor", [10.0, 0.001])
def test_an_anchored_scale_moves_with_the_unit(factor):
    """The readings of outcomes in another unit are the readings in that unit."""
    one, other = ANCHORED.readings([0.0, 3.0]).scaled(factor), ANCHORED.readings([0.0, 3.0 * factor])
    y = factor * torch.tensor([0.0, 0.2, 3.0, 40.0], dtype=torch.float64)
    for ours, theirs in zip((*one.read(y), one.log_prior), (*other.read(y), other.log_prior), strict=True):
        torch.testing.assert_close(ours, theirs)
