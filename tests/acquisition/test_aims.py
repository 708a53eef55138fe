"""Aims: the plain one is today's code; every other one scores, explains itself, has slopes, and hedges batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.acquisition.aims import Aim, Limit, Want, acquisition_over
from discovery.acquisition.mixture import believed_best
from discovery.acquisition.pool import Search, acquisition_for, choose_from_pool
from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.beliefs import Beliefs
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale

T = torch.float64
SEARCH = Search("log_ei", 1.0, 0)
NONE = torch.zeros(0, 5, dtype=T)


def _support(X, y):
    return Support.of(X, y, None, "cpu")


@pytest.fixture(scope="session")
def cost(surface):
    """A second outcome: high where it is hot, whatever the yield."""
    return lambda X: 20 + 60 * X[:, 3] + 5 * X[:, 1]


@pytest.fixture(scope="session")
def beliefs(hypotheses, space, surface, cost):
    X = space.sample(10, np.random.default_rng(4))
    return Beliefs({
        "yield": Belief.adapt(hypotheses, _support(X, surface(X))),
        "cost": Belief.adapt(hypotheses, _support(X[:7], cost(X[:7]))),
    })  # fmt: skip


@pytest.fixture(scope="session")
def blank(hypotheses):
    nothing = Belief.adapt(hypotheses, _support(np.zeros((0, 5)), np.zeros(0)))
    return Beliefs({"yield": nothing, "cost": nothing.doubting()})


@pytest.fixture(scope="session")
def points(space):
    return torch.as_tensor(space.sample(40, np.random.default_rng(11)))


HIGH, LOW = Want("yield", span=(20, 90)), Want("cost", "minimize", span=(20, 80))
AIMS = {
    "target": Aim((Want("yield", "match", target=50.0),)),
    "window": Aim((Want("yield", "match", window=(40.0, 45.0)),)),
    "hits": Aim((Want("yield", "hits", threshold=60.0),)),
    "pareto": Aim((HIGH, LOW)),
    "pareto of a match": Aim((HIGH, Want("cost", "match", target=40.0))),
    "desirability": Aim((HIGH, LOW), combine="desirability"),
    "limit": Aim((HIGH,), (Limit({"cost": 1.0}, "<=", 50.0),)),
    "limits on a front": Aim((HIGH, LOW), (Limit({"yield": 1.0, "cost": -0.5}, ">=", 0.0),)),
    "limit in the direction of the goal": Aim((HIGH, LOW), (Limit({"yield": 1.0}, ">=", 35.0),)),
    "hits within a limit": Aim((Want("yield", "hits", threshold=60.0),), (Limit({"yield": 1.0}, ">=", 65.0),)),
    "hopeless": Aim((HIGH,), (Limit({"cost": 1.0}, "<=", -30.0),)),
    "information": Aim((HIGH,), discrimination=1.0),
    "both": Aim((HIGH,), discrimination=0.5),
    "cost": Aim((HIGH,), log_cost=lambda X: X[:, 3]),
}


@pytest.mark.parametrize("pending", [0, 2])
@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_the_plain_aim_is_the_plain_acquisition(beliefs, points, goal, pending):
    """One outcome that is high or low gives the very numbers of the plain code."""
    acqf = acquisition_over(Aim((Want("yield", goal),)), beliefs, SEARCH, points[:pending])
    plain = acquisition_for(
        beliefs.of["yield"], Search("log_ei", 1.0 if goal == "maximize" else -1.0, 0), points[:pending]
    )
    torch.testing.assert_close(acqf(points[:, None, :]), plain(points[:, None, :]), rtol=0, atol=0)


@pytest.mark.parametrize("state", ["known", "pending", "blank", "blank and pending"])
@pytest.mark.parametrize("name", list(AIMS))
def test_every_aim_scores_explains_and_climbs(beliefs, blank, points, name, state):
    """Values are finite and differ, repeat, have finite slopes, and shares of hypotheses sum to one."""
    believed = blank if state.startswith("blank") else beliefs
    pending = points[:2] if state.endswith("pending") else points[:0]
    X = points[2:, None, :].clone().requires_grad_(True)
    acqf = acquisition_over(AIMS[name], believed, SEARCH, pending)
    values = acqf(X)
    slope = torch.autograd.grad(values.sum(), X)[0]
    assert values.shape == (38,) and torch.isfinite(values).all() and torch.isfinite(slope).all()
    assert float(values.detach().std()) > 0
    torch.testing.assert_close(acquisition_over(AIMS[name], believed, SEARCH, pending)(X), values, rtol=0, atol=0)
    argument = acqf.argument(points[5])
    assert set(argument) == {"no_transfer", "history"}
    assert sum(argument.values()) == pytest.approx(1.0) and min(argument.values()) >= 0


@pytest.mark.parametrize("name", ["target", "pareto", "limit", "both"])
def test_slopes_are_those_of_differences(beliefs, points, name):
    """A small step changes the value by as much as the slope says."""
    acqf, step = acquisition_over(AIMS[name], beliefs, SEARCH, NONE), 1e-5
    X = points[:8, None, :].clone().requires_grad_(True)
    values = acqf(X)
    slope = torch.autograd.grad(values.sum(), X)[0][:, 0, 3]
    moved = points[:8].clone()
    moved[:, 3] += step
    torch.testing.assert_close(slope, (acqf(moved[:, None, :]) - values).detach() / step, rtol=2e-2, atol=2e-3)


def test_an_improvement_without_limits_is_the_plain_one(beliefs, points):
    """A cost of one changes nothing but the unit in which the plain value is told."""
    free = Aim((HIGH,), log_cost=lambda X: torch.zeros(len(X), dtype=X.dtype))
    ours = acquisition_over(free, beliefs, SEARCH, NONE)(points[:, None, :])
    plain = acquisition_for(beliefs.of["yield"], SEARCH, NONE)(points[:, None, :])
    shift = ours - plain
    torch.testing.assert_close(shift, shift[:1].expand_as(shift), rtol=0, atol=1e-6)


def test_shares_are_those_of_the_plain_code(beliefs, points):
    """The derivative by a weight is the member's part of the improvement."""
    free = Aim((HIGH,), log_cost=lambda X: torch.zeros(len(X), dtype=X.dtype))
    ours = acquisition_over(free, beliefs, SEARCH, NONE).argument(points[3])
    plain = choose_from_pool(beliefs.of["yield"], points[3:4], np.ones(1, dtype=bool), 1, SEARCH)[0].argument
    assert ours == pytest.approx(plain, abs=1e-6)


def test_limits_move_the_best_and_the_choice(beliefs, points, cost):
    """Improvement is measured on what keeps to the limit, and what breaks it clearly is worth less."""
    limited = acquisition_over(AIMS["limit"], beliefs, SEARCH, NONE)
    best = float(limited.serving.value.best)
    assert best < float(believed_best(beliefs.of["yield"].kept, 1.0))
    held = limited.log_feasible(points)
    c = torch.as_tensor(cost(points.numpy()))
    assert float(held[c < 40].exp().mean()) > 0.7 and float(held[c > 65].exp().mean()) < 0.2
    chosen = int(limited(points[:, None, :]).argmax())
    assert float(c[chosen]) < 55


def test_a_limit_that_the_goal_exceeds_anyway_changes_nothing(beliefs, points):
    """Yields above the best are above a lower limit too: the improvement is not discounted again."""
    limited = Aim((HIGH,), (Limit({"yield": 1.0}, ">=", 30.0),))
    free = Aim((HIGH,), log_cost=lambda X: torch.zeros(len(X), dtype=X.dtype))
    ours, plain = (acquisition_over(aim, beliefs, SEARCH, NONE)(points[:, None, :]) for aim in (limited, free))
    torch.testing.assert_close(ours, plain)


def test_while_nothing_keeps_to_the_limits_feasibility_decides(beliefs, points):
    """The value is the probability of feasibility alone."""
    acqf = acquisition_over(AIMS["hopeless"], beliefs, SEARCH, NONE)
    torch.testing.assert_close(acqf(points[:, None, :]), acqf.log_feasible(points))


@pytest.mark.parametrize("name", ["hits", "hopeless", "information", "pareto"])
def test_what_runs_already_is_worth_less(beliefs, points, name):
    """With the best row under way, rows beside it lose against those elsewhere."""
    before = acquisition_over(AIMS[name], beliefs, SEARCH, NONE)(points[:, None, :])
    best = int(before.argmax())
    after = acquisition_over(AIMS[name], beliefs, SEARCH, points[best][None])(points[:, None, :])
    lost = before.exp() - after.exp()
    assert float(lost[best]) > max(0.8 * float(lost.max()), 0.1 * float(before[best].exp()))


def test_failures_are_avoided(beliefs, space, points):
    """Where experiments failed the value falls, by the probability of success."""
    cold = MetaGP.meta_train(None, Setting("no_transfer", space, OutcomeScale(0.5, 0.25, "range")))
    X = space.sample(30, np.random.default_rng(8))
    hypothesis = Hypothesis("no_transfer", 1.0, MetaGP.load(cold), cold.checkpoint_id)
    success = Belief.adapt([hypothesis], _support(X, 1.0 * (X[:, 3] < 0.5)))
    known = replace(beliefs, feasible=success)
    free = Aim((HIGH,))
    values = acquisition_over(free, known, SEARCH, NONE)
    alone = acquisition_over(
        replace(free, log_cost=lambda X: torch.zeros(len(X), dtype=X.dtype)), beliefs, SEARCH, NONE
    )
    held = values.log_feasible(points).exp()
    assert float(held[points[:, 3] < 0.3].min()) > 0.8 and float(held[points[:, 3] > 0.7].max()) < 0.5
    torch.testing.assert_close(values(points[:, None, :]), alone(points[:, None, :]) + values.log_feasible(points))


@pytest.mark.parametrize(
    ("aim", "search", "error"),
    [
        (Aim((HIGH, Want("cost", "hits", threshold=1.0))), SEARCH, NotSupportedError),
        (Aim((Want("yield", "match"),)), SEARCH, ConfigurationError),
        (Aim((Want("yield", "hits"),)), SEARCH, ConfigurationError),
        (Aim((Want("yield"),), combine="desirability"), SEARCH, ConfigurationError),
        (Aim((HIGH, LOW)), Search("ucb", 1.0, 0), NotSupportedError),
        (Aim((HIGH,) * 5), SEARCH, NotSupportedError),
    ],
)
def test_what_cannot_be_combined_is_refused(beliefs, aim, search, error):
    """The outcome or key is named."""
    with pytest.raises(error, match=r"yield|cost|acquisition\.name|objectives"):
        acquisition_over(aim, beliefs, search, NONE)
