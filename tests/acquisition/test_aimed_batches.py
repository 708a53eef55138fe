"""Promises of `discovery.acquisition.aimed_batches`: closed forms give what conditioning anew gives, for every aim."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition import aimed_batches, batches
from discovery.acquisition.aimed import Aiming, choose_aimed_from_pool, who_aims
from discovery.acquisition.aimed_batches import (
    AimedChooser,
    choose_aimed_batch,
    choose_aimed_batch_in_space,
    is_large_aimed,
)
from discovery.acquisition.aims import Aim, Limit, Want
from discovery.acquisition.pool import Search
from discovery.belief.belief import Belief
from discovery.belief.beliefs import Beliefs
from discovery.errors import NoCandidateError
from discovery.meta.learner import Support
from discovery.space.sampling import is_valid

N = 90
NONE = torch.zeros(0, 5, dtype=torch.float64)
SEARCH = Search("log_ei", 1.0, 3)
HIGH, LOW = Want("yield", span=(20, 90)), Want("cost", "minimize", span=(20, 80))
AIMS = {
    "pareto": Aim((HIGH, LOW)),
    "pareto of a match, within limits": Aim(
        (HIGH, Want("cost", "match", target=40.0)), (Limit({"yield": 1.0, "cost": -0.5}, ">=", 0.0),)
    ),
    "desirability": Aim((HIGH, LOW), combine="desirability"),
    "window": Aim((Want("yield", "match", window=(40.0, 45.0)),)),
    "hits": Aim((Want("yield", "hits", threshold=60.0),)),
    "limit and cost": Aim((HIGH,), (Limit({"cost": 1.0}, "<=", 50.0),), log_cost=lambda X: X[:, 3]),
    "hopeless": Aim((HIGH,), (Limit({"cost": 1.0}, "<=", -30.0),)),
}


def _adapted(hypotheses, X, y):
    return Belief.adapt(hypotheses, Support.of(X, y, None, "cpu"))


def _second(X):
    """Return a second outcome: high where it is hot, whatever the yield."""
    return 20 + 60 * X[:, 3] + 5 * X[:, 1]


@pytest.fixture(scope="module")
def beliefs(hypotheses, space, surface):
    X = space.sample(10, np.random.default_rng(4))
    of = {"yield": _adapted(hypotheses, X, surface(X)), "cost": _adapted(hypotheses, X[:7], _second(X[:7]))}
    return Beliefs(of, _adapted(hypotheses, X, (X[:, 3] < 0.8).astype(float)))


@pytest.fixture(scope="module")
def blank(hypotheses):
    nothing = _adapted(hypotheses, np.zeros((0, 5)), np.zeros(0))
    return Beliefs({"yield": nothing, "cost": nothing})


@pytest.fixture(scope="module")
def pool(space):
    return torch.as_tensor(space.sample(N, np.random.default_rng(8)))


@pytest.fixture
def allowed():
    return np.ones(N, dtype=bool)


def indices(choices):
    return [choice.index for choice in choices]


@pytest.mark.parametrize("n_pending", [0, 2])
@pytest.mark.parametrize("name", list(AIMS))
def test_a_large_batch_is_what_conditioning_anew_chooses(beliefs, pool, allowed, name, n_pending):
    """Same rows, values and arguments as one fantasy after the other, with pending experiments and failures."""
    aiming = Aiming(AIMS[name], beliefs, SEARCH)
    allowed[:n_pending] = False
    anew = choose_aimed_from_pool(aiming, pool, allowed, 4, pool[:n_pending])
    closed = choose_aimed_batch([aiming] * 4, pool, allowed, pool[:n_pending])
    assert indices(closed) == indices(anew)
    for one, other in zip(closed, anew, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-5)
        assert one.argument == pytest.approx(other.argument, abs=1e-5)
