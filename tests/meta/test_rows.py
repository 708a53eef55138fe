"""What is said of single measurements changes a belief as it should, and saying nothing changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import CampaignSpec
from discovery.meta.blocks import BlockEffects
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import outcome_scale
from discovery.space import SearchSpace

SPACE = SearchSpace.from_spec(
    CampaignSpec.from_mapping(
        {
            "name": "rows",
            "parameters": [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in "ab"],
            "objectives": [{"name": "y"}],
        }
    )
)
N, LEFT = 24, 60  # measured, and held out


@pytest.fixture(scope="module", params=["range", "anchored"])
def learner(request: pytest.FixtureRequest) -> MetaGP:
    """The no-transfer learner, with a stated range and without."""
    scale = outcome_scale((0, 100) if request.param == "range" else None, ())
    return MetaGP.load(MetaGP.meta_train(None, Setting("no_transfer", SPACE, scale)))


def task(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return configurations and outcomes of a smooth peak, with a little noise."""
    rng = np.random.default_rng(seed)
    X, peak = rng.random((N + LEFT, 2)), rng.random(2)
    y = 15 + 60 * np.exp(-((X - peak) ** 2).sum(1) / 0.12) + 15 * np.sin(4 * X[:, 0])
    return X, np.clip(y + 2 * rng.standard_normal(len(y)), 0, 100)


def believe(learner: MetaGP, support: Support) -> Belief:
    """Return the belief of the no-transfer hypothesis alone."""
    return Belief.adapt([Hypothesis("no_transfer", 1.0, learner, "")], support)


def nlpd(belief: Belief, X: np.ndarray, y: np.ndarray) -> float:
    """Return the mean negative log predictive density."""
    mean, sd, weight = belief.marginals(torch.as_tensor(X))
    each = torch.distributions.Normal(mean, sd).log_prob(torch.as_tensor(y)[:, None])
    return -float(torch.logsumexp(weight.log() + each, -1).mean())


def test_bounds_teach_more_than_their_values_or_nothing(learner: MetaGP) -> None:
    """With 40 % below the detection limit, bounds foretell held-out values better than the limit itself or no row."""
    scores = []
    for seed in range(3):
        X, y = task(seed)
        limit = np.quantile(y[:N], 0.4)
        side = np.where(y[:N] <= limit, -1, 0)
        told = Support.of(X[:N], np.maximum(y[:N], limit), None, "cpu")
        some = side == 0
        dropped = Support.of(X[:N][some], y[:N][some], None, "cpu")
        beliefs = [believe(learner, support) for support in (told.marked(side), told, dropped)]
        scores.append([nlpd(belief, X[N:], y[N:]) for belief in beliefs])
    as_bound, as_value, as_nothing = np.mean(scores, 0)
    assert as_bound < as_nothing - 0.05
    assert as_bound < as_value - 1


def test_no_bound_no_block_and_no_wild_value_change_no_number(learner: MetaGP) -> None:
    """Marks that say nothing give the very same numbers, and the general way agrees with the plain one."""
    X, y = task(0)
    plain = Support.of(X[:N], y[:N], None, "cpu")
    marked = plain.marked(np.zeros(N, dtype=np.int8), is_robust=True)
    query = torch.as_tensor(X[N:])
    a, b = believe(learner, plain), believe(learner, marked)
    assert torch.equal(a.steps, b.steps)
    assert all(torch.equal(left, right) for left, right in zip(a.marginals(query), b.marginals(query), strict=True))
    rows = learner._rows(plain)
    reading, n = learner._readings(plain)
    steps = learner.adapt(plain).log_steps.reshape(reading.n_readings, -1, N)[..., n:]
    torch.testing.assert_close(rows.log_steps(reading)[..., n:], steps, rtol=1e-6, atol=1e-6)


def test_bounds_keep_evidence_whatever_their_order(learner: MetaGP) -> None:
    """The evidence of measured values and bounds is that of the set, not of the sequence."""
    X, y = task(1)
    side = np.where(y[:12] < 25, -1, 0)
    order = np.r_[0, 11:0:-1]  # the first one may fix the scale
    forward = believe(learner, Support.of(X[:12], y[:12], None, "cpu").marked(side))
    back = believe(learner, Support.of(X[:12][order], y[:12][order], None, "cpu").marked(side[order]))
    assert float(forward.steps.sum()) == pytest.approx(float(back.steps.sum()), abs=1e-3)


def test_a_bound_that_is_certain_costs_nothing(learner: MetaGP) -> None:
    """That an outcome is at most what none can be tells nothing: neither evidence nor predictions change."""
    X, y = task(2)
    base = Support.of(X[:8], y[:8], None, "cpu")
    more = Support.of(X[:9], np.r_[y[:8], 1e5], None, "cpu").marked(np.r_[np.zeros(8), -1].astype(np.int8))
    a, b = believe(learner, base), believe(learner, more)
    assert float(a.steps.sum()) == pytest.approx(float(b.steps.sum()), abs=0.05)
    assert nlpd(a, X[N:], y[N:]) == pytest.approx(nlpd(b, X[N:], y[N:]), abs=0.05)


@pytest.mark.parametrize(("sides", "best"), [([0, -1, 1, 0], (5.0, 90.0)), ([-1, -1, -1, -1], (5.0, 90.0))])
def test_the_best_outcome_counts_bounds_on_their_own_side(
    learner: MetaGP, sides: list[int], best: tuple[float, float]
) -> None:
    """At most 5 may be the lowest and is no highest outcome; where there are only bounds they have to do."""
    support = Support.of(np.random.default_rng(0).random((4, 2)), np.array([20.0, 5.0, 90.0, 50.0]), None, "cpu")
    assert believe(learner, support.marked(np.array(sides))).best_f == best


def test_one_wild_value_neither_kills_the_good_members_nor_is_dropped(learner: MetaGP) -> None:
    """A gross error is found, and predictions stay nearly what they were without it; a clean task has none."""
    for seed in range(2):
        X, y = task(seed)
        wrong = y[:N].copy()
        wrong[9] += 60 if wrong[9] < 50 else -60
        robust, plain = (
            believe(learner, Support.of(X[:N], wrong, None, "cpu").marked(None, is_robust=is_robust))
            for is_robust in (True, False)
        )
        clean = believe(learner, Support.of(X[:N], y[:N], None, "cpu").marked(None, is_robust=True))
        assert (robust.doubtful, clean.doubtful) == ((9,), ())
        assert 0.5 < robust.doubt <= 1
        scores = [nlpd(belief, X[N:], y[N:]) for belief in (robust, plain, clean)]
        assert scores[0] < scores[1] - 0.2
        assert scores[0] == pytest.approx(scores[2], abs=0.2)


def test_a_value_that_is_confirmed_is_doubted_no_longer(learner: MetaGP) -> None:
    """Measured again twice with the same result, what looked wild is what there is."""
    X, y = task(0)
    y[9] += 60 if y[9] < 50 else -60
    again = np.r_[np.arange(N), 9, 9]
    assert believe(learner, Support.of(X[:N], y[:N], None, "cpu").marked(None, is_robust=True)).doubtful == (9,)
    assert believe(learner, Support.of(X[again], y[again], None, "cpu").marked(None, is_robust=True)).doubtful == ()


def test_blocks_take_shifts_out_of_the_measurements(learner: MetaGP) -> None:
    """Where plates differ by much, knowing them foretells the part that is not the plate's better."""
    scores = []
    for seed in range(3):
        X, y = task(seed)
        plate = np.arange(N) % 4
        shift = np.array([-18.0, -6.0, 6.0, 18.0])[plate]
        support = Support.of(X[:N], y[:N] + shift, None, "cpu")
        means = []
        for belief in (believe(learner, support.marked(None, (plate,))), believe(learner, support)):
            mean, _, weight = belief.marginals(torch.as_tensor(X[N:]))
            means.append((mean @ weight).numpy())
        scores.append([np.corrcoef(mean, y[N:])[0, 1] for mean in means])
    with_blocks, without = np.mean(scores, 0)
    assert with_blocks > without + 0.02


def test_block_effects_are_shared_within_a_block_and_new_beyond() -> None:
    """Two of one plate share its shift, outcomes imagined later stand in blocks of their own, and units scale it."""
    effects = BlockEffects(torch.tensor([[4.0]], dtype=torch.float64), (torch.tensor([0, 1, 0]),))
    expected = 4 * torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(effects.covariance(4)[0], expected)
    assert float(effects.scaled(0.5).total) == pytest.approx(1.0)
    assert math.isclose(float(effects[torch.tensor([0, 0])].total.sum()), 8.0)
