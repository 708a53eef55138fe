"""Choices are valid, distinct and repeatable, in pools and in spaces."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from discovery.acquisition import continuous
from discovery.acquisition import pool as pool_room
from discovery.acquisition.continuous import RESOLUTION, choose_in_space
from discovery.acquisition.pool import Search, acquisition_for, choose_from_pool, score
from discovery.errors import NoCandidateError

NAMES = ["log_ei", "ucb", "qlog_ei", "qlog_nei"]


@pytest.fixture(scope="module")
def pool(space):
    return torch.as_tensor(space.sample(80, np.random.default_rng(21)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_batches_are_distinct_allowed_and_repeatable(belief, pool, name, sign):
    """Three different allowed rows, the same ones each time."""
    allowed = np.ones(80, dtype=bool)
    allowed[:40] = False
    once = choose_from_pool(belief, pool, allowed, 3, Search(name, sign, 0))
    again = choose_from_pool(belief, pool, allowed, 3, Search(name, sign, 0))
    rows = [choice.index for choice in once]
    assert len(set(rows)) == 3 and min(rows) >= 40
    assert rows == [choice.index for choice in again]
    assert all(sum(choice.argument.values()) == pytest.approx(1.0) for choice in once)


def test_the_first_choice_is_the_best_of_the_scores(belief, pool):
    """A pool choice is the arg-max of LogEI, whatever the batch size."""
    allowed = np.ones(80, dtype=bool)
    one = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", 1.0, 0))
    three = choose_from_pool(belief, pool, allowed, 3, Search("log_ei", 1.0, 0))
    assert one[0].index == three[0].index


def test_minimizing_goes_the_other_way(belief, pool, surface):
    """The first choice when minimizing has a low outcome, when maximizing a high one."""
    allowed = np.ones(80, dtype=bool)
    high = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", 1.0, 0))[0].index
    low = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", -1.0, 0))[0].index
    y = surface(pool.numpy())
    assert y[high] > np.quantile(y, 0.8)
    assert y[low] < np.quantile(y, 0.2)


def test_pending_experiments_push_the_next_away(belief, pool):
    """What runs already is not proposed in disguise: the choice differs from the one without pending."""
    allowed = np.ones(80, dtype=bool)
    first = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", 1.0, 0))[0].index
    allowed[first] = False
    naive = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", 1.0, 0))[0]
    aware = choose_from_pool(belief, pool, allowed, 1, Search("log_ei", 1.0, 0), pool[first][None])[0]
    assert aware.value < naive.value


def test_without_measurements_the_best_prior_mean_comes_first(nothing, pool, surface):
    """History already ranks: the zero-data choice is in the top tenth, and a batch is spread out."""
    choices = choose_from_pool(nothing, pool, np.ones(80, dtype=bool), 3, Search("log_ei", 1.0, 0))
    y = surface(pool.numpy())
    assert y[choices[0].index] >= np.quantile(y, 0.9)
    assert len({choice.index for choice in choices}) == 3


def test_an_exhausted_pool_stops(belief, pool):
    """Nothing allowed is its own error class; fewer than asked are returned as they are."""
    with pytest.raises(NoCandidateError, match="none is left"):
        choose_from_pool(belief, pool, np.zeros(80, dtype=bool), 1, Search("log_ei", 1.0, 0))
    allowed = np.zeros(80, dtype=bool)
    allowed[5] = True
    assert len(choose_from_pool(belief, pool, allowed, 4, Search("log_ei", 1.0, 0))) == 1


@pytest.mark.parametrize("name", ["log_ei", "ucb", "qlog_ei"])
def test_spaces_are_searched_by_gradient(belief, space, name):
    """In a mixed space the choices decode to valid configurations and beat the best of random ones."""

    def none_taken(X):
        return np.zeros(len(X), dtype=bool)

    choices = choose_in_space(
        belief, space, 2, Search(name, 1.0, 0), torch.zeros(0, 5, dtype=torch.float64), none_taken
    )
    X = torch.stack([choice.x for choice in choices]).numpy()
    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-9)
    assert np.abs(X[0] - X[1]).max() >= RESOLUTION
    random = torch.as_tensor(space.sample(200, np.random.default_rng(5)))
    best = choose_from_pool(belief, random, np.ones(200, dtype=bool), 1, Search(name, 1.0, 0))[0]
    assert choices[0].value >= best.value - 1e-6


def test_a_space_that_runs_out_gives_what_is_left(belief, space):
    """A batch in a space with one free configuration is one choice, as in a pool."""
    calls = []

    def all_but_one_taken(X):
        calls.append(len(X))
        return np.full(len(X), len(calls) > 2)  # free for the first choice only: its starts and its polished ones

    none = torch.zeros(0, 5, dtype=torch.float64)
    assert len(choose_in_space(belief, space, 3, Search("log_ei", 1.0, 0), none, all_but_one_taken)) == 1


def test_constraints_lie_where_the_points_lie(monkeypatch):
    """The optimizer multiplies points by the constraints' factors, so both must be on one device."""
    given = {}

    def optimizer(acqf, **arguments):
        given.update(arguments)
        return arguments["batch_initial_conditions"][0], None

    monkeypatch.setattr(continuous, "optimize_acqf", optimizer)
    encoded = (np.array([0, 1]), np.array([1.0, 1.0]), 0.5)
    limits = SimpleNamespace(inequality_constraints=[encoded], equality_constraints=[encoded])
    row = torch.zeros(2, dtype=torch.float64, device="meta")
    continuous._climb(torch.nn.Identity(), limits, row, [], torch.zeros(2, 2, device="meta"), 0)
    for indices, factors, _ in given["inequality_constraints"] + given["equality_constraints"]:
        assert indices.device == factors.device == row.device


def test_taken_configurations_are_not_chosen_in_spaces(belief, space):
    """When everything is taken, the search says so."""
    with pytest.raises(NoCandidateError, match="only known ones"):
        choose_in_space(
            belief,
            space,
            1,
            Search("log_ei", 1.0, 0),
            torch.zeros(0, 5, dtype=torch.float64),
            lambda X: np.ones(len(X), dtype=bool),
        )


def test_large_pools_are_screened(belief, pool, monkeypatch):
    """After the first choice of a batch only the best rows by plain LogEI are scored; choices are among them."""
    allowed = np.ones(80, dtype=bool)
    search = Search("log_ei", 1.0, 0)
    first = choose_from_pool(belief, pool, allowed, 1, search)[0].index
    ranked = score(acquisition_for(belief, search, pool[:0]), pool, ["no_transfer", "history"])[0].argsort(
        descending=True
    )
    monkeypatch.setattr(pool_room, "N_FANTASIZED", 10)
    few = [choice.index for choice in choose_from_pool(belief, pool, allowed, 3, search)]
    assert few[0] == first
    assert set(few) <= set(ranked[:12].tolist())
