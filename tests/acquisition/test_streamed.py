"""Promises of `discovery.acquisition.streamed`: choosing from a streamed pool is choosing from the pool."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition import streamed as streamed_room
from discovery.acquisition.streamed import Look, screen
from discovery.campaign import CampaignSpec
from discovery.cycle import CycleRequest, Observations, run_cycle
from discovery.errors import NoCandidateError
from discovery.space import CandidatePool, SearchSpace
from discovery.space import chunks as chunks_room
from discovery.space import pool as pool_room
from discovery.space.descriptors import read_table

N = 700


@pytest.fixture(scope="module")
def spec(space, tmp_path_factory):
    """A file of seven hundred candidates of the space that all these tests share."""
    folder = tmp_path_factory.mktemp("streamed")
    frame = space.decode(space.sample(N, np.random.default_rng(3)))
    frame.to_csv(folder / "c.csv", index=False)
    data = {
        "name": "c",
        "parameters": [p.model_dump(mode="json", exclude_defaults=True) | {"type": p.type} for p in space.parameters],
        "objectives": [{"name": "yield"}],
        "candidates": "c.csv",
    }
    return CampaignSpec.from_mapping(data, folder)


@pytest.fixture
def pools(spec, monkeypatch, tmp_path):
    monkeypatch.setattr(pool_room, "STREAM_ABOVE", 100)
    monkeypatch.setattr(chunks_room, "CHUNK_ROWS", 90)
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))
    own = SearchSpace.from_spec(spec)
    whole = pool_room.pool_of(read_table(spec.resolve("c.csv")), spec, own, "c.csv")
    return own, CandidatePool.from_spec(spec, own), whole


def observed(space, surface, n):
    X = space.sample(n, np.random.default_rng(4)) if n else np.zeros((0, space.n_dims))
    return Observations(X, surface(X) if n else np.zeros(0), None, tuple(space.keys(space.decode(X))) if n else ())


@pytest.mark.parametrize(
    ("name", "n_measured", "n"),
    [("log_ei", 0, 3), ("log_ei", 10, 1), ("log_ei", 10, 3), ("ucb", 0, 1), ("ucb", 10, 3), ("qlog_ei", 10, 2)],
)
def test_the_streamed_choice_is_the_choice_in_memory(hypotheses, pools, surface, name, n_measured, n):
    """Same rows of the file and same values, before and after measurements, for single experiments and batches."""
    space, streamed, whole = pools
    seen, request = observed(space, surface, n_measured), CycleRequest(n=n, acquisition=name, seed=2)
    first, second = (run_cycle(space, pool, hypotheses, seen, request).drafts for pool in (streamed, whole))
    assert [draft.row for draft in first] == [draft.row for draft in second]
    assert [draft.acqf_value for draft in first] == pytest.approx([draft.acqf_value for draft in second], abs=1e-6)
    assert [draft.configuration for draft in first] == [draft.configuration for draft in second]


def test_what_is_taken_never_comes_again(hypotheses, pools, surface):
    """The best of one pass is not among the proposals of the next, where it was measured or runs."""
    space, streamed, whole = pools
    seen = observed(space, surface, 10)
    first = run_cycle(space, streamed, hypotheses, seen, CycleRequest(n=4)).drafts
    keys, X = tuple(draft.key for draft in first), np.array([draft.X for draft in first])
    pending = CycleRequest(n=6, pending_keys=keys[:2], pending_X=X[:2])
    grown = replace(seen, X=np.vstack([seen.X, X[2:]]), y=np.append(seen.y, surface(X[2:])), keys=seen.keys + keys[2:])
    then = [run_cycle(space, pool, hypotheses, grown, pending).drafts for pool in (streamed, whole)]
    assert not {draft.key for draft in then[0]} & set(keys)
    assert [draft.row for draft in then[0]] == [draft.row for draft in then[1]]


def test_a_plate_from_a_streamed_pool_is_distinct_and_repeatable(hypotheses, pools, surface):
    """Twenty different configurations, the same ones from the same seed."""
    space, streamed, _ = pools
    seen = observed(space, surface, 10)
    once, again = (run_cycle(space, streamed, hypotheses, seen, CycleRequest(n=20)).drafts for _ in range(2))
    assert [draft.row for draft in once] == [draft.row for draft in again]
    assert len({draft.key for draft in once}) == 20


def test_only_the_best_go_on(pools):
    """Screening keeps the rows with the highest scores, whichever chunk they are in; equals are drawn by the seed."""
    _, streamed, whole = pools

    def first_column(X):
        return X[:, 0]

    values = whole.X[:, 0]
    found = screen(streamed, [Look(first_column, first_column)], torch.as_tensor, 20, taken=set(), seed=0)
    assert len(found) == 20 and np.sort(found.X[:, 0])[0] >= np.sort(values)[-20] - 1e-6
    nothing = Look(*[lambda X: X[:, 0] * 0] * 2)
    equal = [screen(streamed, [nothing], torch.as_tensor, 20, taken=set(), seed=s).keys for s in (0, 0, 1)]
    assert equal[0] == equal[1] != equal[2]


def test_what_a_first_look_keeps_is_looked_at_again(pools):
    """Of many rows that look good at first sight those go on that are best under the score itself."""
    _, streamed, whole = pools
    look = Look(lambda X: X[:, 3], lambda X: X[:, 4])
    found = screen(streamed, [look], torch.as_tensor, 20, taken=set(), seed=0)
    hot = whole.X[np.argsort(-whole.X[:, 3])][: 20 * streamed_room.MARGIN]
    np.testing.assert_allclose(np.sort(found.X[:, 4]), np.sort(hot[:, 4])[-20:])


@pytest.mark.parametrize("name", ["log_ei", "ucb"])
def test_a_first_look_does_not_lose_the_best(hypotheses, pools, surface, monkeypatch, name):
    """Where few rows go on, the choice is still the best of all."""
    space, streamed, whole = pools
    monkeypatch.setattr(streamed_room, "N_FANTASIZED", 12)
    seen, request = observed(space, surface, 10), CycleRequest(n=1, acquisition=name, seed=2)
    first, second = (run_cycle(space, pool, hypotheses, seen, request).drafts for pool in (streamed, whole))
    assert first[0].row == second[0].row


def test_a_pool_whose_rows_are_all_taken_is_refused(hypotheses, pools, surface):
    """Nothing left is its own error class, as in memory."""
    space, streamed, whole = pools
    seen = observed(space, surface, 10)
    with pytest.raises(NoCandidateError, match="none is left"):
        run_cycle(space, streamed, hypotheses, seen, CycleRequest(n=2, pending_keys=whole.keys))


def test_a_pool_with_nothing_to_be_had_today_is_refused(hypotheses, pools, surface):
    """Where availability leaves no candidate, that is said as in memory; where it leaves some, only they come."""
    space, streamed, _ = pools
    seen = observed(space, surface, 10)
    nothing = streamed.restricted(lambda frame: np.zeros(len(frame), dtype=bool))
    with pytest.raises(NoCandidateError, match="none is left"):
        run_cycle(space, nothing, hypotheses, seen, CycleRequest(n=2))
    cold = streamed.restricted(lambda frame: (frame["temperature"] < 40).to_numpy())
    drafts = run_cycle(space, cold, hypotheses, seen, CycleRequest(n=5)).drafts
    assert len({draft.key for draft in drafts}) == 5 and all(d.configuration["temperature"] < 40 for d in drafts)
