"""The expected gain of a batch: closed forms, what runs already, and raw units."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief
from discovery.belief.hypotheses import load_hypotheses
from discovery.evaluation.gain import expected_gain
from discovery.meta.learner import Support
from discovery.meta.train import Experience, meta_train_hypotheses


@pytest.fixture(scope="module")
def hypotheses(small_spec, space, related):
    return load_hypotheses(meta_train_hypotheses(small_spec, space, Experience(tuple(related[:2]))))


@pytest.fixture(scope="module")
def belief(hypotheses, space, surface):
    X = space.sample(8, np.random.default_rng(0))
    return Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))


@pytest.fixture(scope="module")
def X(space):
    return torch.as_tensor(space.sample(5, np.random.default_rng(4)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_configuration_has_a_closed_form(belief, X, sign):
    """Expected improvement of the mixture, in raw units, as drawing outcomes from it shows."""
    best = belief.best_f[1] if sign > 0 else belief.best_f[0]
    g = np.random.default_rng(0)
    total = 0.0
    for part in belief.kept:
        mean, variance = (value[:, 0].numpy() for value in part.bank.marginals(X[:1]))
        f = mean[:, None] + np.sqrt(variance)[:, None] * g.normal(size=(len(mean), 200_000))
        total += part.log_weight.exp().numpy() @ np.maximum(sign * (f - best), 0).mean(1)
    assert expected_gain(belief, X[:1], sign=sign) == pytest.approx(total, rel=0.02)


def test_a_batch_gains_at_least_its_best_and_at_most_the_sum(belief, X):
    """Several configurations gain more than the best of them and less than all of them added up."""
    alone = [expected_gain(belief, x[None]) for x in X]
    together = expected_gain(belief, X)
    assert 0.98 * max(alone) <= together <= 1.02 * sum(alone)


def test_quasi_random_draws_agree_with_the_closed_form(belief, X):
    """Beside an experiment under way at a hopeless place, one configuration gains what it gains alone."""
    alone = [expected_gain(belief, x[None]) for x in X]
    worst = int(np.argmin(alone))
    other = int(np.argmax(alone))
    beside = expected_gain(belief, X[other : other + 1], X_running=X[worst : worst + 1])
    assert alone[other] - alone[worst] - 0.05 <= beside <= alone[other] + 0.05


def test_what_runs_already_is_taken_off(belief, X):
    """To propose again what is under way gains next to nothing."""
    best = int(np.argmax([expected_gain(belief, x[None]) for x in X]))
    again = expected_gain(belief, X[best : best + 1], X_running=X[best : best + 1])
    assert again < 0.02 * expected_gain(belief, X[best : best + 1])


def test_before_the_first_measurement_nothing_can_be_gained_on(hypotheses, X, space):
    """There is no best outcome yet, and no gain."""
    nothing = Belief.adapt(hypotheses, Support.of(np.zeros((0, space.n_dims)), np.zeros(0), None, "cpu"))
    assert expected_gain(nothing, X) is None
