"""Campaigns of every goal on drawn worlds: what they come to agrees with sums by hand, and with what there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition.aims import Aim, Limit, Want
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.evaluation.aimed_progress import Replayed, check_target, progress_of
from discovery.evaluation.aimed_worlds import AimedRules, AimedStart, is_within, replay_aimed_worlds, values_at
from discovery.evaluation.axes import Axes
from discovery.evaluation.worlds import JointBelief
from discovery.meta.reading import Reading
from discovery.seeds import torch_generator

N = 9
HITS = Aim((Want("y", "hits", threshold=1.0),))
FRONT = Aim((Want("y", reference=-9.0), Want("z", "minimize", reference=9.0)))


def joint(seed: int = 0, sd: float = 1.0) -> JointBelief:
    """One member, nine candidates that tell nothing about each other, no noise to speak of."""
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    mean = torch.as_tensor(np.random.default_rng(seed).normal(size=(1, N)))
    return JointBelief(
        mean=mean,
        covariance=sd**2 * torch.eye(N, dtype=torch.float64)[None],
        noise_variance=torch.full((1, N), 1e-12, dtype=torch.float64),
        log_weight=zero,
        axes=Axes(Reading(zero, zero, one, one, one, zero, one, zero)),
    )


def start_of(aim: Aim, n: int, **more: object) -> AimedStart:
    """Where a campaign begins that has measured nothing."""
    names = aim.outcomes
    empty = {name: torch.zeros(0, dtype=torch.float64) for name in names}
    rules = AimedRules(aim, dict.fromkeys(names, 1.0), n, measured=empty, **more)
    return AimedStart({name: joint(i) for i, name in enumerate(names)}, torch.ones(N, dtype=torch.bool), rules)


def replay(start: AimedStart, n_worlds: int):
    generator = torch_generator(0, "test")
    worlds = {name: one.draw(n_worlds, generator) for name, one in start.joint.items()}
    return worlds, replay_aimed_worlds(start, worlds, generator)


def test_hits_add_up_to_the_largest_probabilities():
    """Of independent candidates the likeliest are taken: expected hits are sums of their probabilities."""
    start = start_of(HITS, 4)
    _, paths = replay(start, 4000)
    probability = 1 - torch.special.ndtr(1.0 - start.joint["y"].mean[0])
    best = probability.sort(descending=True)
    assert paths.rows.unique(dim=0).tolist() == [best.indices[:4].tolist()]
    found = (paths.outcomes["y"] >= 1.0).double().cumsum(1).mean(0)
    assert found.numpy() == pytest.approx(best.values[:4].cumsum(0).numpy(), abs=0.04)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_no_candidate_comes_twice_and_nothing_hangs_on_who_replays(n_workers):
    """Rows are distinct in every world, those that run already come first, and chunks change no outcome."""
    start = start_of(FRONT, 6, batch_size=2, first=(7, 3))
    generator = torch_generator(0, "test")
    worlds = {name: one.draw(40, generator) for name, one in start.joint.items()}
    state = generator.get_state()
    one = replay_aimed_worlds(start, worlds, generator)
    generator.set_state(state)

    def here(function, works, _):
        return [(i, function(*work)) for i, (_, work) in enumerate(works)]

    other = replay_aimed_worlds(start, worlds, generator, n_workers, here)
    assert torch.equal(one.rows, other.rows)
    assert all(torch.equal(one.outcomes[name], other.outcomes[name]) for name in one.outcomes)
    assert one.rows[:, :2].unique(dim=0).tolist() == [[7, 3]]
    assert all(len(set(row)) == 6 for row in one.rows.tolist())


def test_where_nothing_is_allowed_yet_only_the_chance_to_be_allowed_counts():
    """In worlds without an allowed experiment candidates are ranked by the probability of keeping to the limit."""
    aim = Aim((Want("y"),), (Limit({"z": 1.0}, "<=", 0.0),))
    start = start_of(aim, 1)
    from discovery.evaluation.aimed_worlds import _mixture
    from discovery.evaluation.tracks import Track

    at = {name: _mixture(Track(one, 2, 1)) for name, one in start.joint.items()}
    seen = {"y": torch.tensor([[5.0], [0.1]], dtype=torch.float64), "z": torch.tensor([[1.0], [-1.0]]).double()}
    values = values_at(aim, start.rules.units, at, seen)
    chance = torch.special.ndtr(-start.joint["z"].mean[0])
    assert values[0].exp().numpy() == pytest.approx(chance.numpy())
    z = start.joint["y"].mean[0] - 0.1
    gain = torch.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + z * torch.special.ndtr(z)
    assert values[1].exp().numpy() == pytest.approx((gain * chance).numpy())
    assert is_within(aim, seen).tolist() == [[False], [True]]


def spec_of(**changes: object) -> CampaignSpec:
    unit = [{"name": "a", "type": "continuous", "bounds": [0, 1]}]
    return CampaignSpec.from_mapping({"name": "small", "parameters": unit, **changes})


def test_all_candidates_hold_the_whole_hypervolume():
    """The share of the hypervolume never falls, and is one when everything is measured."""
    spec = spec_of(objectives=[{"name": "y"}, {"name": "z", "goal": "minimize"}])
    worlds, paths = replay(start_of(FRONT, N), 12)
    truth = {name: one.outcomes.numpy() for name, one in worlds.items()}
    gave = {name: y.numpy() for name, y in paths.outcomes.items()}
    replayed = Replayed(spec, {"y": np.zeros(0), "z": np.zeros(0)}, (), np.ones(N, bool), paths.rows.numpy(), gave)
    found = progress_of(replayed, truth)
    assert (np.diff(found.path, axis=1) >= -1e-12).all() and found.now is None
    assert found.path[:, -1] == pytest.approx(np.ones(12)) and found.path[:, 0].max() < 1
    later = progress_of(replace(replayed, known=(4,)), truth)
    assert later.path.shape == (12, N + 1) and later.now == np.quantile(later.path[:, 0], 0.5, method="inverted_cdf")


@pytest.mark.parametrize(
    ("changes", "now", "path", "most"),
    [
        ({"objectives": [{"name": "y", "goal": "hits", "threshold": 5}]}, 1, [1, 1, 2], 3),
        ({"objectives": [{"name": "y", "goal": "match", "window": [6, 7]}]}, 1, [1, 1, 0], 0),
        ({"objectives": [{"name": "y", "goal": "match", "target": 3}]}, 1, [1, 1, 1], 0.5),
        ({"objectives": [{"name": "y"}], "outcome_constraints": ["z <= 1"]}, None, [-np.inf, 6.5], 9),
        (
            {"objectives": [{"name": "y", "desirability": [0, 10]}], "combine": "desirability"},
            0.8,
            [0.8, 0.8, 0.8],
            0.9,
        ),
    ],
    ids=["hits", "window", "target", "limit", "desirability"],
)
def test_what_is_counted_is_what_the_status_counts(changes, now, path, most):
    """Hits, distances, allowed outcomes and desirabilities of two experiments after two, by hand."""
    measured = {"y": np.array([2.0, 8.0]), "z": np.array([5.0, 6.0])}
    gave = {"y": np.array([[1.0, 6.5]]), "z": np.array([[3.0, 0.0]])}
    truth = {"y": np.array([[9.0, 6.5, 3.5, 2.0]]), "z": np.array([[1.0, 0.0, 0.0, 0.0]])}
    free, rows = np.array([True, True, True, False]), np.array([[0, 1]])
    found = progress_of(Replayed(spec_of(**changes), measured, (3, 3), free, rows, gave), truth)
    assert (found.now, found.path[0].tolist(), found.most.tolist()) == (now, path, [most])


@pytest.mark.parametrize(
    ("measure", "target"), [("share", 90.0), ("desirability", 0.0), ("hits", -1), ("distance", -2)]
)
def test_targets_without_a_meaning_are_refused(measure, target):
    """A share of 90 is a typing error, and nothing is nearer than 0."""
    with pytest.raises(ConfigurationError, match="target of this forecast must"):
        check_target(measure, target)
