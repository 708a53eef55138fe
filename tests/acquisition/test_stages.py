"""Choosing configuration and stage, over beliefs in two outcomes of which one foretells the other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition.promotion import N_NODES, REACH, Reward, look_ahead
from discovery.acquisition.stages import Progress, Stage, Staging, choose_stages
from discovery.belief.belief import Hypothesis, KeptBank
from discovery.belief.links import adapt_stages
from discovery.errors import ConfigurationError, NoCandidateError
from discovery.meta.learner import Setting, Support
from discovery.meta.linked import LinkedBank
from discovery.meta.meta_gp import MetaGP
from discovery.meta.read_bank import ReadBank
from discovery.meta.scale import OutcomeScale

N = 60
STAGING = Staging((Stage("screen", ("cheap",), 1.0), Stage("assay", ("dear",), 10.0)))
OUTCOMES = (("screen", "cheap"), ("assay", "dear"))


@pytest.fixture(scope="module")
def campaign(space, surface):
    """A pool, and beliefs after measurements at either stage; the proxy is right, or has to do with nothing."""
    X = space.sample(N, np.random.default_rng(2))
    dear = surface(X)
    scale = OutcomeScale(50.0, 25.0, "range")
    trained = MetaGP.meta_train(None, Setting("no_transfer", space, scale))
    cold = (Hypothesis("no_transfer", 1.0, MetaGP.load(trained), trained.checkpoint_id),)
    proxies = {"right": dear + np.random.default_rng(3).normal(size=N), "useless": 100 * X[:, 4] * (1 - X[:, 3])}

    def told(proxy, n_cheap, n_dear):
        outcomes = {"cheap": proxies[proxy][:n_cheap], "dear": dear[:n_dear]}
        supports = {name: Support.of(X[: len(y)], y, None, "cpu") for name, y in outcomes.items()}
        beliefs = adapt_stages(OUTCOMES, {"cheap": cold, "dear": cold}, supports)
        done = torch.zeros(2, N, dtype=torch.bool)
        done[0, :n_cheap] = True
        done[1, :n_dear] = True
        return beliefs, torch.as_tensor(X), Progress(done, done.clone())

    return told


def test_a_right_proxy_is_screened_and_a_useless_one_left_out(campaign):
    """After some measurements at both stages, evidence decides whether the cheap stage is used."""
    shares = {}
    for proxy in ("right", "useless"):
        beliefs, X, progress = campaign(proxy, 25, 12)
        shares[proxy] = [c.stage for c in choose_stages(STAGING, beliefs, X, progress, 5)].count("screen")
    assert shares["right"] >= 3
    assert shares["useless"] <= 1


def test_choices_are_open_distinct_and_reproducible(campaign):
    """No pair of row and stage comes twice, none that is closed, and the same call gives the same choices."""
    beliefs, X, progress = campaign("right", 20, 5)
    first, again = (choose_stages(STAGING, beliefs, X, progress, 5, seed=3) for _ in range(2))
    pairs = [(c.index, c.stage) for c in first]
    assert pairs == [(c.index, c.stage) for c in again]
    assert len(set(pairs)) == 5
    names = STAGING.names
    assert not any(bool(progress.closed[names.index(stage), row]) for row, stage in pairs)
    for choice in first:
        assert sum(choice.argument.values()) == pytest.approx(1.0)
        assert 0 <= choice.promotion <= 1 + 1e-12
        assert choice.cost == 10.0 if choice.stage == "assay" else 1.0 <= choice.cost <= 11.0


def test_what_a_stage_needs_comes_before_it(campaign):
    """Only what went through the needed stage is proposed at the next one."""
    beliefs, X, progress = campaign("useless", 10, 4)
    needy = Staging((STAGING.stages[0], replace(STAGING.stages[1], needs="screen")))
    found = choose_stages(needy, beliefs, X, progress, 4)
    assert all(c.index < 10 for c in found if c.stage == "assay")


def test_a_row_waits_for_what_runs_there(campaign):
    """Where a stage is pending, the row waits, and what is believed there is taken as known."""
    beliefs, X, progress = campaign("right", 20, 5)
    first = choose_stages(STAGING, beliefs, X, progress, 1)[0]
    pending = replace(progress, pending={first.stage: first.x[None]})
    second = choose_stages(STAGING, beliefs, X, pending, 1)[0]
    both = choose_stages(STAGING, beliefs, X, progress, 2)
    assert second.index != first.index
    assert [(c.index, c.stage) for c in both] == [(first.index, first.stage), (second.index, second.stage)]
    assert second.value == pytest.approx(both[1].value)


def test_no_earlier_stage_once_a_later_one_is_done(campaign):
    """A configuration whose dear outcome is known is not screened any more."""
    beliefs, X, progress = campaign("right", 0, 12)
    found = choose_stages(STAGING, beliefs, X, progress, 4)
    assert all(c.index >= 12 for c in found)


def test_waiting_costs(campaign):
    """A delay counts in the unit of cost, so that a slow dear stage is asked for less."""
    beliefs, X, progress = campaign("right", 20, 5)
    slow = Staging((STAGING.stages[0], replace(STAGING.stages[1], delay=40.0)), delay_cost=1.0)
    assert slow.costs == (1.0, 50.0)
    quick = [c.stage for c in choose_stages(STAGING, beliefs, X, progress, 4)]
    waited = [c.stage for c in choose_stages(slow, beliefs, X, progress, 4)]
    assert waited.count("assay") <= quick.count("assay")


def test_the_first_choice_needs_no_measurement(campaign):
    """With nothing measured, improvement is counted from what is believed of the pool."""
    beliefs, X, progress = campaign("right", 0, 0)
    assert len(choose_stages(STAGING, beliefs, X, progress, 3)) == 3


def test_minimizing_mirrors_maximizing(campaign):
    """Where low outcomes are wanted, the dear stage is asked where outcomes are believed to be low."""
    beliefs, X, progress = campaign("right", 40, 12)
    low, high = (
        choose_stages(Staging(STAGING.stages[1:], sign=s), beliefs, X, _last(progress), 1)[0] for s in (-1.0, 1.0)
    )
    mean, _, weight = beliefs["dear"].marginals(X)
    mean = (weight * mean).sum(1)
    assert mean[low.index] < mean.median() < mean[high.index]


def _last(progress):
    return Progress(progress.done[1:], progress.closed[1:])


def test_nothing_open_is_said(campaign):
    """A pool that is used up raises the error that ends a campaign."""
    beliefs, X, progress = campaign("right", 20, 5)
    with pytest.raises(NoCandidateError, match="none is left"):
        choose_stages(STAGING, beliefs, X, replace(progress, closed=torch.ones(2, N, dtype=torch.bool)), 1)


def test_a_dear_stage_must_cost_something():
    """Gain per cost is not defined where the last stage is free."""
    with pytest.raises(ConfigurationError, match="must cost something"):
        Staging((Stage("screen", ("cheap",), 1.0), Stage("assay", ("dear",), 0.0)))


def test_what_a_cheap_outcome_would_change_is_what_it_then_changes(campaign):
    """The worth given an imagined cheap outcome is the expected improvement after that outcome was measured."""
    beliefs, X, _ = campaign("right", 12, 6)
    plain = torch.tensor([2 * 128 + 5])  # one member of each, read on the plain axis
    cheap = beliefs["cheap"].adapted[0].condition(plain)
    dear = beliefs["dear"].adapted[1].condition(plain)
    follows = dear.bank.process
    alone = replace(follows, banks=(cheap,), log_weights=(torch.zeros(1, dtype=torch.float64),))
    dear = ReadBank(LinkedBank.of(dear.bank, alone), dear.own_reading)
    zero, x = torch.zeros(1, dtype=torch.float64), X[30:31]
    reward = Reward(1.0, float(dear.marginals(x)[0]) + 5.0)
    kept = ((KeptBank("no_transfer", cheap, zero),), (KeptBank("stage:screen", dear, zero),))
    way = look_ahead(kept, x, reward)
    mean, variance = cheap.predictive(x)
    y = mean[0] + variance[0].sqrt() * torch.linspace(-REACH, REACH, N_NODES, dtype=torch.float64)[:, None]
    for node in (8, 20, 32):
        told = cheap.condition_on_observations(x, y[node][:, None])
        after = ReadBank(LinkedBank.of(dear.bank, alone.again([told])), dear.own_reading)
        mean, variance = after.marginals(x)
        assert float(way.worth[0][node, 0]) == pytest.approx(float(reward(mean, variance.sqrt())[0, 0]), rel=1e-5)
    assert float(way.said.sum()) == pytest.approx(float(way.direct.sum()), rel=1e-3)  # to look changes no mean


@pytest.mark.parametrize("needs", [None, "chain"])
@pytest.mark.parametrize("threshold", [None, 70.0])
def test_three_stages(needs, threshold, campaign):
    """A third stage follows the second as the second follows the first; hits are counted the same way."""
    beliefs, X, _ = campaign("right", 12, 6)
    middle = beliefs["dear"].hypotheses[0]
    supports = {
        name: Support.of(X[:n].numpy(), beliefs["cheap"].adapted[0].model.Y[0, :n].numpy(), None, "cpu")
        for name, n in (("cheap", 12), ("middle", 8), ("dear", 4))
    }
    stages = [Stage("screen", ("cheap",), 1.0), Stage("assay", ("middle",), 4.0), Stage("trial", ("dear",), 20.0)]
    if needs:
        stages[1:] = replace(stages[1], needs="screen"), replace(stages[2], needs="assay")
    told = adapt_stages([(s.name, s.outcome) for s in stages], dict.fromkeys(supports, (middle,)), supports)
    done = torch.zeros(3, N, dtype=torch.bool)
    for row, n in enumerate((12, 8, 4)):
        done[row, :n] = True
    found = choose_stages(Staging(tuple(stages), threshold=threshold), told, X, Progress(done, done), 3)
    assert [h.name for h in told["dear"].hypotheses] == ["no_transfer", "stage:assay"]
    assert all(0 < one.cost <= 25 and np.isfinite(one.value) for one in found)
    if needs:
        limits = {"screen": N, "assay": 12, "trial": 8}
        assert all(one.index < limits[one.stage] for one in found)
