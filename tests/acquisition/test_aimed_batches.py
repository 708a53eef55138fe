"""Promises of `discovery.acquisition.aimed_batches`: closed forms give what conditioning anew gives, for every aim."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition.aimed import Aiming, choose_aimed_from_pool, who_aims
from discovery.acquisition.aimed_batches import (
    choose_aimed_batch,
    choose_aimed_batch_in_space,
    is_large_aimed,
)
from discovery.acquisition.aims import Aim, Limit, Want
from discovery.acquisition.pool import Plates, Search
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


def test_a_plate_is_distinct_allowed_and_repeatable(beliefs, pool, allowed):
    """Different rows, none that may not be chosen, the same each time, whoever chooses; the pool may run out."""
    turns = who_aims(Aiming(AIMS["pareto"], beliefs, SEARCH), 10, 16)
    assert len({id(aiming) for aiming in turns}) == 2
    allowed[:20] = False
    chosen = indices(choose_aimed_batch(turns, pool, allowed, NONE))
    assert len(set(chosen)) == 16 and min(chosen) >= 20
    assert chosen[:4] == indices(choose_aimed_batch(turns[:4], pool, allowed, NONE))
    allowed[24:] = False
    assert sorted(indices(choose_aimed_batch(turns, pool, allowed, NONE))) == [20, 21, 22, 23]


def test_a_batch_before_any_measurement_starts_like_a_small_one(blank, pool, allowed):
    """Without measurements the first choices are those of small batches, and all are different."""
    aiming = Aiming(AIMS["pareto"], blank, SEARCH)
    small = indices(choose_aimed_from_pool(aiming, pool, allowed, 3, NONE))
    large = indices(choose_aimed_batch([aiming] * 12, pool, allowed, NONE))
    assert large[:3] == small and len(set(large)) == 12


def test_only_some_candidates_are_looked_at(beliefs, pool, allowed):
    """Where memory is short the best rows and some random ones are looked at; the first choice stays the best."""
    aiming = Aiming(AIMS["pareto"], beliefs, SEARCH)
    whole = indices(choose_aimed_batch([aiming] * 12, pool, allowed, NONE))
    short = replace(aiming, search=replace(SEARCH, plates=Plates(most_numbers=1)))
    some = indices(choose_aimed_batch([short] * 12, pool, allowed, NONE))
    assert len(set(some)) == 12 and some[0] == whole[0]


def test_a_plate_without_candidates_is_valid_and_distinct(beliefs, space):
    """In a space, too, every configuration is valid, free, and another one."""
    turns = [Aiming(AIMS["limit and cost"], beliefs, SEARCH)] * 12

    def is_taken(X):
        return X[:, 3] > 0.7

    choices = choose_aimed_batch_in_space(turns, space, NONE, is_taken)
    X = torch.stack([choice.x for choice in choices]).numpy()
    assert len(np.unique(X.round(6), axis=0)) == 12 and (X[:, 3] <= 0.7).all() and is_valid(space, X).all()


def test_an_empty_pool_is_refused(beliefs, pool, allowed):
    """Nothing allowed is its own error class."""
    with pytest.raises(NoCandidateError, match="none is left"):
        choose_aimed_batch([Aiming(AIMS["pareto"], beliefs, SEARCH)] * 12, pool, ~allowed, NONE)


@pytest.mark.parametrize(("n", "discrimination", "expected"), [(11, 0.0, False), (12, 0.0, True), (96, 0.5, False)])
def test_small_batches_and_information_go_the_way_they_went(beliefs, n, discrimination, expected):
    """Closed forms are for large batches that are not to tell hypotheses apart."""
    aim = Aim((HIGH, LOW), discrimination=discrimination)
    assert is_large_aimed(n, [Aiming(aim, beliefs, SEARCH)] * n) is expected
