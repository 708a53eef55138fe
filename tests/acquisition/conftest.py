"""A belief after ten measurements of a task that resembles its history."""

import numpy as np
import pytest

from discovery.belief.belief import Belief, Hypothesis
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="session")
def hypotheses(space, related):
    cold = MetaGP.meta_train(None, Setting("no_transfer", space, SCALE))
    history = MetaGP.meta_train(HistoryDistribution(tuple(related)), Setting("history", space, SCALE))
    return (
        Hypothesis("no_transfer", 0.3, MetaGP.load(cold), cold.checkpoint_id),
        Hypothesis("history", 0.7, MetaGP.load(history), history.checkpoint_id),
    )


@pytest.fixture(scope="session")
def belief(hypotheses, space, surface):
    X = space.sample(10, np.random.default_rng(4))
    return Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))


@pytest.fixture(scope="session")
def nothing(hypotheses):
    return Belief.adapt(hypotheses, Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu"))
