"""Promises of `discovery.acquisition.batches` and `imagined`: closed forms give what conditioning anew gives."""

import numpy as np
import pytest
import torch

from discovery.acquisition.batches import choose_batch, is_large, n_candidates
from discovery.acquisition.fantasies import N_FANTASIES
from discovery.acquisition.imagined import Imagined, levels
from discovery.acquisition.mixture import at_given
from discovery.acquisition.pool import Plates, Search, acquisition_for, choose_from_pool, score
from discovery.belief.belief import Belief
from discovery.errors import NoCandidateError
from discovery.meta.learner import Support
from discovery.seeds import torch_generator

NONE = torch.zeros(0, 5, dtype=torch.float64)


@pytest.fixture(scope="module")
def pool(space):
    return torch.as_tensor(space.sample(150, np.random.default_rng(8)))


@pytest.fixture(scope="module")
def allowed():
    return np.ones(150, dtype=bool)


def indices(choices):
    return [choice.index for choice in choices]


@pytest.mark.parametrize(("sign", "n_pending", "given"), [(1.0, 0, ()), (-1.0, 2, ()), (1.0, 2, ((4, 0.25),))])
def test_a_large_batch_is_what_conditioning_anew_chooses(belief, pool, allowed, sign, n_pending, given):
    """Same rows, values and arguments as one fantasy after the other, also where a context is given today."""
    search, pending = Search("log_ei", sign, 3, given=given), pool[:n_pending]
    pool = at_given(pool, given)
    anew = choose_from_pool(belief, pool, allowed, 6, search, pending)
    closed = choose_batch([belief] * 6, pool, allowed, search, pending)
    assert indices(closed) == indices(anew)
    for one, other in zip(closed, anew, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-6)
        assert one.argument == pytest.approx(other.argument, abs=1e-6)


def test_improvement_is_that_of_the_banks_after_many_outcomes(belief, pool):
    """After twelve imagined outcomes the closed form still has the values of banks that were conditioned anew."""
    search = Search("log_ei", 1.0, 5)
    state = Imagined.of(belief, pool, NONE, 1.0)
    generator = torch_generator(5, "fantasies")
    for row in range(12):
        state = state.grown(row, levels(N_FANTASIES, generator, pool))
    wanted, _ = score(acquisition_for(belief, search, pool[:12]), pool, ["no_transfer", "history"])
    torch.testing.assert_close(state.improvement(torch.arange(150)), wanted, atol=1e-6, rtol=0)


def test_a_batch_before_any_measurement_starts_like_a_small_one(nothing, pool, allowed):
    """Without measurements the first choices are those of small batches, and all are different."""
    search = Search("log_ei", 1.0, 0)
    small = indices(choose_from_pool(nothing, pool, allowed, 3, search))
    large = indices(choose_batch([nothing] * 20, pool, allowed, search, NONE))
    assert large[:3] == small and len(set(large)) == 20


@pytest.mark.parametrize("name", ["log_ei", "ucb"])
def test_a_plate_is_distinct_allowed_and_repeatable(belief, pool, allowed, name):
    """Forty-eight different rows, none that may not be chosen, the same ones each time; the pool may run out."""
    allowed = allowed.copy()
    allowed[:40] = False
    search, doubting = Search(name, 1.0, 0), belief.doubting()
    turns = [doubting if i % 4 == 3 else belief for i in range(48)]
    chosen = indices(choose_batch(turns, pool, allowed, search, NONE))
    assert len(set(chosen)) == 48 and min(chosen) >= 40
    assert chosen[:16] == indices(choose_batch(turns[:16], pool, allowed, search, NONE))
    allowed[60:] = False
    assert len(choose_batch(turns[:24], pool, allowed, search, NONE)) == 20


def test_a_plate_is_spread_out(belief, pool, allowed):
    """A batch in closed form lies further apart than the rows that are best one by one."""
    search = Search("log_ei", 1.0, 0)
    values, _ = score(acquisition_for(belief, search, NONE), pool, ["no_transfer", "history"])
    best = pool[values.topk(16).indices]
    batch = pool[indices(choose_batch([belief] * 16, pool, allowed, search, NONE))]
    assert torch.pdist(batch).mean() > torch.pdist(best).mean()


def test_only_some_candidates_are_looked_at(belief, pool, allowed):
    """Where memory is short the best rows and some random ones are looked at, never fewer than the batch needs."""
    short = Plates(most_numbers=1)
    chosen = indices(choose_batch([belief] * 12, pool, allowed, Search("log_ei", 1.0, 0, plates=short), NONE))
    assert len(set(chosen)) == 12
    assert n_candidates([belief] * 12, 0, short) == 48


def test_an_empty_pool_is_refused(belief, pool, allowed):
    """Nothing allowed is its own error class."""
    with pytest.raises(NoCandidateError, match="none is left"):
        choose_batch([belief] * 12, pool, ~allowed, Search("log_ei", 1.0, 0), NONE)


@pytest.mark.parametrize(
    ("n", "name", "expected"), [(11, "log_ei", False), (12, "log_ei", True), (12, "ucb", True), (96, "qlog_ei", False)]
)
def test_small_batches_and_monte_carlo_functions_go_the_way_they_went(belief, n, name, expected):
    """Closed forms are for large batches of analytic functions."""
    assert is_large(n, Search(name, 1.0, 0), [belief] * n) is expected


def test_conditioning_tells_members_apart(hypotheses, space, surface, pool):
    """Weights after imagined outcomes are those of banks that were conditioned anew, also with few measurements."""
    X = space.sample(2, np.random.default_rng(1))
    early = Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))
    search = Search("log_ei", 1.0, 7)
    assert indices(choose_batch([early] * 4, pool, np.ones(150, bool), search, NONE)) == indices(
        choose_from_pool(early, pool, np.ones(150, bool), 4, search, NONE)
    )
