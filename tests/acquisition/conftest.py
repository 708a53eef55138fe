"""A belief after ten measurements of a task that resembles its history."""

import numpy as np
import pytest

from discovery.belief.belief import Belief
from discovery.meta.learner import Support
from discovery.meta.scale import OutcomeScale

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="session")
def hypotheses(cold_and_history):
    return cold_and_history(SCALE, (0.3, 0.7))


@pytest.fixture(scope="session")
def belief(hypotheses, space, surface):
    X = space.sample(10, np.random.default_rng(4))
    return Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))


@pytest.fixture(scope="session")
def nothing(hypotheses):
    return Belief.adapt(hypotheses, Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu"))
