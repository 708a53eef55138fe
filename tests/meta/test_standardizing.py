"""Outcomes of a history are put on the axis that its features stand on, by hand; what cannot be is refused."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from discovery.errors import ConfigurationError, InputError
from discovery.meta.scale import OutcomeScale
from discovery.meta.standardizing import FARTHEST, standardize
from discovery.tasks.task import Task, TaskBatch

RANGE = OutcomeScale(50.0, 25.0, "range", 0.0, 100.0)
BENT = {"lower": replace(RANGE, sign=1.0, delta=0.1), "upper": replace(RANGE, sign=-1.0, delta=0.5)}


def batch(*outcomes, yvar=None):
    """A padded batch of tasks with these outcomes, and maybe one known variance for all."""
    tasks = []
    for i, values in enumerate(outcomes):
        Y = np.array(values, dtype=float)[:, None]
        tasks.append(Task(f"{i}", np.full((len(values), 2), 0.5), Y, None if yvar is None else np.full_like(Y, yvar)))
    return TaskBatch.from_tasks(tasks)


def test_the_plain_axis_by_hand():
    """Location goes to zero, one scale to one; configurations, mask and names stay, padding stays zero."""
    raw = batch([50.0, 75.0, 0.0], [100.0])
    done = standardize(raw, RANGE)

    np.testing.assert_allclose(done.Y[..., 0], [[0.0, 1.0, -2.0], [2.0, 0.0, 0.0]])
    assert torch.equal(done.X, raw.X) and torch.equal(done.mask, raw.mask)
    assert done.task_ids == raw.task_ids and done.Yvar is None


@pytest.mark.parametrize("kind", BENT)
def test_a_bent_axis_by_hand(kind):
    """`z = (s log(s (y - edge) / unit + delta) - center) / spread`, standardized over the range."""
    scale = BENT[kind]
    s, delta = scale.sign, scale.delta
    logs = s * np.log(np.linspace(0, 1, 101) + delta)
    done = standardize(batch([20.0, 60.0, 90.0], [20.0]), scale)

    def expected(y):
        inside = y / 100 if s > 0 else (100 - y) / 100
        return (s * log(inside + delta) - logs.mean()) / logs.std()

    np.testing.assert_allclose(done.Y[..., 0], [[expected(y) for y in (20, 60, 90)], [expected(20), 0.0, 0.0]])


@pytest.mark.parametrize("scale", [RANGE, *BENT.values()], ids=["plain", *BENT])
def test_known_noise_goes_along(scale):
    """A small variance becomes what draws of a noisy outcome show on the axis; padding stays zero."""
    y, sd = 30.0, 0.2
    done = standardize(batch([y, y, y], [y], yvar=sd**2), scale)
    draws = y + sd * np.random.default_rng(0).standard_normal(20_000)
    on_axis = standardize(batch(draws), scale).Y[0, :, 0]

    real = done.Yvar[..., 0][done.mask]
    np.testing.assert_allclose(real, float(on_axis.var()), rtol=0.05)
    assert (done.Yvar[..., 0][~done.mask] == 0).all()


def test_only_the_scale_counts_on_the_plain_axis():
    """There a variance is divided by the square of the scale, exactly."""
    done = standardize(batch([10.0, 90.0], yvar=25.0), RANGE)
    np.testing.assert_allclose(done.Yvar[..., 0], 25.0 / 25.0**2)


def test_an_anchored_scale_is_refused():
    """History that does not vary, and no range: the value and what to do are said."""
    with pytest.raises(ConfigurationError, match=r"range must be given .* got 7 only") as caught:
        standardize(batch([7.0, 7.0]), OutcomeScale(None, None, "anchored"))
    assert "Add the range" in str(caught.value.hint)


@pytest.mark.parametrize("value", [1e9, -1e9])
def test_outcomes_in_another_unit_are_refused(value):
    """The outcome farthest out is named, whichever task and side it is on; padding is not an outcome."""
    with pytest.raises(InputError, match=r"campaign's unit, around 50; got -?1e\+09"):
        standardize(batch([10.0, 20.0, 30.0], [40.0, value]), RANGE)


def test_padding_is_never_far():
    """Zeros of the padding do not count as outcomes, however far from zero the scale is."""
    scale = OutcomeScale(1e9, 1.0, "range")
    done = standardize(batch([1e9, 1e9 + 1], [1e9]), scale)
    np.testing.assert_allclose(done.Y[..., 0], [[0.0, 1.0], [0.0, 0.0]])


def test_the_limit_is_where_it_says():
    """Just inside the limit outcomes are taken, just beyond they are not."""
    scale = OutcomeScale(0.0, 1.0, "history")
    assert float(standardize(batch([0.99 * FARTHEST]), scale).Y.max()) == pytest.approx(0.99 * FARTHEST)
    with pytest.raises(InputError):
        standardize(batch([1.01 * FARTHEST]), scale)
