"""The expected gain of every goal: closed forms against plain drawing, batches, limits, and what runs already."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from discovery.belief.beliefs import Beliefs
from discovery.campaign import CampaignSpec
from discovery.cycle import Observations, adapt
from discovery.evaluation.aimed_gain import aimed_gain
from discovery.evaluation.aimed_progress import scored
from discovery.standing import hypervolume, is_allowed, reference_point, scores

N = 6
GOALS = {
    "window": {"objectives": [{"name": "y", "goal": "match", "window": [58, 60]}]},
    "hits": {"objectives": [{"name": "y", "goal": "hits", "threshold": 55}]},
    "limit": {"objectives": [{"name": "y"}], "outcome_constraints": ["z <= 40"]},
    "front": {"objectives": [{"name": "y"}, {"name": "z", "goal": "minimize"}]},
    "desirability": {
        "objectives": [
            {"name": "y", "desirability": [0, 100]},
            {"name": "z", "goal": "minimize", "desirability": [0, 60]},
        ],
        "combine": "desirability",
    },
}


@pytest.fixture(scope="module")
def known(space, surface, cold_and_history):
    """Beliefs in two outcomes after six measurements, the outcomes, and five further configurations."""
    from discovery.meta.scale import OutcomeScale, outcome_scale

    X = space.sample(N + 5, np.random.default_rng(0))
    y = {"y": surface(X), "z": 60 - 0.5 * surface(X, 0.2)}
    scale = outcome_scale((0.0, 100.0), ())
    assert isinstance(scale, OutcomeScale)
    hypotheses = cold_and_history(scale, (0.5, 0.5))
    keys = tuple(map(str, range(N)))
    of = {name: adapt(hypotheses, Observations(X[:N], values[:N], None, keys)) for name, values in y.items()}
    return Beliefs(of), {name: values[:N] for name, values in y.items()}, torch.as_tensor(X[N:])


def spec_of(goal: str) -> CampaignSpec:
    unit = [{"name": "a", "type": "continuous", "bounds": [0, 1]}]
    return CampaignSpec.from_mapping({"name": "small", "parameters": unit, **GOALS[goal]})


def drawn(belief, x, rng, n=40_000):
    """Draw the true outcome at one configuration."""
    mean, sd, weight = [], [], []
    for part in belief.kept:
        m, v = part.bank.marginals(x)
        mean, sd, weight = (
            [*mean, *m[:, 0].tolist()],
            [*sd, *v[:, 0].sqrt().tolist()],
            [*weight, *part.log_weight.exp()],
        )
    p = np.array([float(w) for w in weight])
    member = rng.choice(len(mean), size=n, p=p / p.sum())
    return np.array(mean)[member] + np.array(sd)[member] * rng.normal(size=n)


@pytest.mark.parametrize("goal", GOALS)
def test_one_configuration_gains_what_drawing_shows(known, goal):
    """The gain is the mean improvement over 40,000 draws, in the goal's own unit."""
    beliefs, measured, X = known
    spec, rng = spec_of(goal), np.random.default_rng(1)
    y = {name: drawn(belief, X[:1], rng) for name, belief in beliefs.of.items()}
    if goal == "front":
        base = scores(spec, measured)
        reference = reference_point(spec, base)
        whole = hypervolume(base, reference)
        sample = scores(spec, y)[:4000]
        grown = np.mean([hypervolume(np.vstack([base, row]), reference) - whole for row in sample])
        wanted = grown / (whole + grown)
    elif goal == "hits":
        wanted = np.nanmean(scored(spec, y))
    else:
        best = np.nanmax(scored(spec, measured))
        wanted = np.maximum(np.nan_to_num(scored(spec, y), nan=best) - best, 0).mean()
    found = aimed_gain(spec, beliefs, measured, X[:1])
    assert found == pytest.approx(wanted, rel=0.1, abs=2e-3 * (1 if goal in ("hits", "front", "desirability") else 10))


@pytest.mark.parametrize("goal", ["window", "limit", "front", "desirability"])
def test_a_batch_gains_more_than_its_best_and_less_than_all_apart(known, goal):
    """Look-alikes share their gain, and what runs already is not gained again."""
    beliefs, measured, X = known
    spec = spec_of(goal)
    alone = [aimed_gain(spec, beliefs, measured, x[None]) for x in X]
    together = aimed_gain(spec, beliefs, measured, X)
    assert 0.9 * max(alone) < together <= sum(alone)
    twice = aimed_gain(spec, beliefs, measured, X[[0, 0, 0]])
    assert twice == pytest.approx(alone[0], rel=1e-3)
    best = int(np.argmax(alone))
    again = aimed_gain(spec, beliefs, measured, X[best : best + 1], X_running=X[best : best + 1])
    assert again < 0.02 * alone[best]


def test_hits_of_a_batch_are_the_sum_of_probabilities(known):
    """What runs takes nothing from the hits of others."""
    beliefs, measured, X = known
    alone = [aimed_gain(spec_of("hits"), beliefs, measured, x[None]) for x in X]
    assert aimed_gain(spec_of("hits"), beliefs, measured, X[1:], X_running=X[:1]) == pytest.approx(sum(alone[1:]))


def test_before_anything_counts_no_gain_is_said(known):
    """Nothing measured or nothing allowed: nothing to improve on. In the window: 0. A first front adds all."""
    beliefs, measured, X = known
    none = {name: y[:0] for name, y in measured.items()}
    assert aimed_gain(spec_of("limit"), beliefs, none, X[:1]) is None
    forbidden = {"y": measured["y"], "z": np.full(N, 99.0)}
    assert not is_allowed(spec_of("limit"), forbidden).any()
    assert aimed_gain(spec_of("limit"), beliefs, forbidden, X[:1]) is None
    assert aimed_gain(spec_of("front"), beliefs, {name: y[:1] for name, y in measured.items()}, X[:1]) == 1.0
    matched = {"y": np.array([59.0]), "z": np.array([1.0])}
    assert aimed_gain(spec_of("window"), beliefs, matched, X[:1]) == 0.0
