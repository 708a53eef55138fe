"""Batches keep their rules: one value of what is shared, and few changes where changes are dear."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery import sequences as room
from discovery.acquisition.changeover import Changeover
from discovery.batch import choose_batch, fix_shared
from discovery.belief.hypotheses import load_hypotheses
from discovery.cycle import CycleRequest, Observations, run_cycle
from discovery.errors import NoCandidateError
from discovery.meta.train import Experience, meta_train_hypotheses
from discovery.sequences import BatchRules
from discovery.space import CandidatePool


@pytest.fixture(scope="module")
def hypotheses(small_spec, space):
    return load_hypotheses(meta_train_hypotheses(small_spec, space, Experience()))


@pytest.fixture(scope="module")
def pool(space):
    frame = space.decode(space.sample(60, np.random.default_rng(77)))
    frame["temperature"] = (frame["temperature"] / 20).round() * 20
    return CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), np.arange(60))


@pytest.fixture(scope="module")
def ask(space, surface, hypotheses, pool):
    """Return a function that chooses a batch after some measurements of the pool, with one pass over what is left."""

    def choose(n, pool_or_none, rules, n_measured=8, name="log_ei"):
        seen = Observations(pool.X[:n_measured], surface(pool.X[:n_measured]), None, pool.keys[:n_measured])

        def passes(part, left, n, also):
            pending = np.array([draft.X for draft in also]) if also else None
            keys = tuple(draft.key for draft in also)
            request = CycleRequest(n=n, pending_X=pending, pending_keys=keys, acquisition=name)
            return run_cycle(part, left, hypotheses, seen, request)

        rules = replace(rules, taken=frozenset(seen.keys), is_first=n_measured == 0)
        return choose_batch(passes, space, pool_or_none, n, rules), passes

    return choose


def values(result, name):
    return [draft.configuration[name] for draft in result.drafts]


@pytest.mark.parametrize("n_measured", [0, 8])
def test_no_rules_ask_once(ask, space, pool, n_measured):
    """Without rules a batch is what one pass gives, draft for draft."""
    found, passes = ask(4, pool, BatchRules(), n_measured)
    assert found.drafts == passes(space, pool, 4, ()).drafts


@settings(deadline=None, max_examples=6)
@given(
    shared=st.sampled_from([("temperature",), ("catalyst",), ("catalyst", "temperature")]),
    n_measured=st.sampled_from([0, 3, 8]),
    n=st.integers(2, 7),
)
def test_a_batch_from_a_pool_shares_its_value(ask, pool, shared, n_measured, n):
    """All proposals have one value, are different rows, and are no fewer than the best-filled value allows."""
    found, _ = ask(n, pool, BatchRules(shared=shared), n_measured)
    for name in shared:
        assert len(set(values(found, name))) == 1
    free = pool.frame.iloc[n_measured:]
    assert len({draft.key for draft in found.drafts}) == min(n, free.groupby(list(shared)).size().max())


def test_the_value_is_compared_by_the_whole_batch(ask, pool):
    """The value chosen is worth at least as much, over the batch, as that of the best first proposal."""
    found, _ = ask(4, pool, BatchRules(shared=("temperature",)))
    single, _ = ask(1, pool, BatchRules(shared=("temperature",)))
    same = pool.frame["temperature"].to_numpy() == values(single, "temperature")[0]
    rest = CandidatePool(pool.frame[same], pool.X[same], tuple(np.array(pool.keys)[same]), pool.rows[same])
    alone, _ = ask(4, rest, BatchRules())

    def worth(result):
        return np.exp([draft.acqf_value for draft in result.drafts]).sum()

    assert worth(found) >= worth(alone) - 1e-9


def test_a_value_must_fill_the_batch(space, pool):
    """Values with too few free rows are passed over where another one has enough."""
    frame = pool.frame.copy()
    frame["temperature"] = [20.0] * 3 + [40.0] * 57
    few = CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), pool.rows)
    assert fix_shared(few, ["temperature"], 4, set()).tolist() == [False] * 3 + [True] * 57
    assert fix_shared(few, ["temperature"], 3, set()).all()
    assert fix_shared(few, ["temperature"], 99, {few.keys[5]}).sum() == 56


@pytest.mark.parametrize(
    ("shared", "n"), [pytest.param(("temperature",), 3, marks=pytest.mark.slow), (("catalyst", "time"), 2)]
)
def test_a_batch_in_a_space_shares_its_value(ask, space, shared, n):
    """In a free space too: one value, valid configurations that differ from each other."""
    found, _ = ask(n, None, BatchRules(shared=shared))
    for name in shared:
        assert len(set(values(found, name))) == 1
    assert len({draft.key for draft in found.drafts}) == n
    X = np.array([draft.X for draft in found.drafts])
    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-9)


@pytest.mark.parametrize(("name", "n_measured"), [("log_ei", 0), ("log_ei", 8), ("ucb", 8)])
def test_what_costs_nothing_changes_nothing(ask, space, pool, name, n_measured):
    """With a cost that is next to nothing the batch has the same members as without, in a cheaper order."""
    rules = BatchRules(changeover={"temperature": 1e-12}, last=pool.X[7])
    found, passes = ask(3, pool, rules, n_measured, name)
    assert {draft.key for draft in found.drafts} == {draft.key for draft in passes(space, pool, 3, ()).drafts}


@pytest.mark.parametrize("is_pooled", [True, False])
def test_what_is_dear_stays(ask, pool, space, is_pooled):
    """With a prohibitive cost nothing is changed, from the experiment before the batch on."""
    rules = BatchRules(changeover={"temperature": 1e6, "catalyst": 1e6}, last=pool.X[7])
    found, _ = ask(2, pool if is_pooled else None, rules)
    before = pool.frame.iloc[7]
    assert set(values(found, "catalyst")) == {before["catalyst"]}
    assert set(values(found, "temperature")) == {before["temperature"]}


def test_each_choice_is_worth_the_most_on_balance(ask, space, pool):
    """The first choice has the highest improvement less cost of all rows, found by scoring every row alone."""
    rules = BatchRules(changeover={"temperature": 0.4, "catalyst": 0.3}, last=pool.X[7])
    found, passes = ask(1, pool, rules)
    costs = Changeover.of(rules.changeover, space)
    best = -np.inf
    for i in range(8, 60):
        one = CandidatePool(pool.frame.iloc[[i]], pool.X[[i]], (pool.keys[i],), pool.rows[[i]])
        draft = passes(space, one, 1, ()).drafts[0]
        best = max(best, np.exp(draft.acqf_value) - costs.extra(pool.X[[i]], pool.X[[7]])[0])
    chosen = found.drafts[0]
    assert np.exp(chosen.acqf_value) - costs.extra(np.array([chosen.X]), pool.X[[7]])[0] == pytest.approx(best)


def test_batches_come_in_a_cheap_order(ask, space, pool):
    """No swap of two proposals would need cheaper changes."""
    rules = BatchRules(changeover={"temperature": 1e-9, "catalyst": 2e-9}, last=pool.X[7])
    found, _ = ask(5, pool, rules)
    costs, X = Changeover.of(rules.changeover, space), np.array([draft.X for draft in found.drafts])
    total = costs.total(np.vstack([pool.X[[7]], X]))
    for i in range(5):
        for j in range(i):
            order = np.arange(5)
            order[[i, j]] = order[[j, i]]
            assert total <= costs.total(np.vstack([pool.X[[7]], X[order]])) + 1e-15


def test_large_batches_keep_the_settings_of_their_first(ask, pool, monkeypatch):
    """What a large batch lacks has settings that are in it already, until there is nothing left with these."""
    monkeypatch.setattr(room, "MAX_ALONE", 2)
    rules = BatchRules(changeover={"temperature": 1e-9}, last=pool.X[7])
    found, _ = ask(6, pool, rules)
    assert set(values(found, "temperature")) <= {
        pool.frame["temperature"].iloc[7],
        *values(ask(2, pool, rules)[0], "temperature"),
    }
    every, _ = ask(52, pool, rules)
    assert len({draft.key for draft in every.drafts}) == 52


def test_nothing_left_is_said(ask, pool):
    """Where every row is taken, a batch that shares a value says so as any other."""
    rows = CandidatePool(pool.frame[:5], pool.X[:5], pool.keys[:5], pool.rows[:5])
    with pytest.raises(NoCandidateError, match="none is left"):
        ask(2, rows, BatchRules(shared=("temperature",)))
