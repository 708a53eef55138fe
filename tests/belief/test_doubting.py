"""Members that doubt: some of those kept stand for the prior, whatever the evidence says."""

import numpy as np
import pytest
import torch

from discovery.belief.belief import DOUBT, DOUBTING, LEAST_KEPT, N_KEPT, Belief
from discovery.belief.weights import FLOOR
from discovery.meta.learner import Support
from discovery.meta.scale import OutcomeScale

SCALE = OutcomeScale(50.0, 25.0, "range", 0.0, 100.0)
NOTHING = np.full(10, 0.4)  # outcomes, raw units: measurements that happen to be equal


@pytest.fixture(scope="module")
def hypotheses(cold_and_history):
    return cold_and_history(SCALE, (0.2, 0.8))


@pytest.fixture
def flat(hypotheses, space):
    """The belief of no transfer alone after ten equal outcomes."""
    X = space.sample(10, np.random.default_rng(0))
    return Belief.adapt(hypotheses[:1], Support.of(X, NOTHING, None, "cpu"))


def at_quantile(adapted, level):
    """Prior spread of the member at a quantile of it, by NumPy."""
    spread, weight = adapted.spread.numpy(), adapted.log_prior.exp().numpy()
    order = np.argsort(spread, kind="stable")
    return spread[order][np.searchsorted(np.cumsum(weight[order]), level)]


def test_doubters_stand_at_quantiles_of_the_priors_spread(flat):
    """Each quantile's member is kept, with an equal part of the doubters' weight at least."""
    assert len(DOUBTING) >= 2
    kept = flat.kept[0]
    spread = kept.bank.prior_sd
    for level in DOUBTING:
        own = torch.isclose(spread, torch.tensor(at_quantile(flat.adapted[0], level)))
        assert float(kept.log_weight[own].exp().sum()) >= 0.999 * DOUBT / len(DOUBTING)
    assert float(kept.log_weight.exp().sum()) == pytest.approx(1.0)


def test_equal_measurements_leave_somebody_who_imagines_others(flat):
    """Evidence alone would keep members that hold all outcomes for equal; with doubters, others remain thinkable."""
    adapted, kept = flat.adapted[0], flat.kept[0]
    posterior = torch.softmax(adapted.log_prior + adapted.log_evidence, 0)
    far, share = at_quantile(adapted, DOUBTING[-1]), DOUBT / len(DOUBTING)
    weight = kept.log_weight.exp()

    assert float(posterior[adapted.spread >= 0.999 * far].sum()) < 0.1 * share
    assert float(weight[kept.bank.prior_sd >= 0.999 * far].sum()) >= 0.999 * share


def test_doubters_hardly_move_the_prediction(hypotheses, space, surface):
    """They hold a small weight: mean and level of a well measured task are those of all members."""
    X = space.sample(12, np.random.default_rng(5))
    belief = Belief.adapt(hypotheses[1:], Support.of(X, surface(X), None, "cpu"))
    adapted, points = belief.adapted[0], torch.as_tensor(space.sample(20, np.random.default_rng(6)))
    posterior = torch.softmax(adapted.log_prior + adapted.log_evidence, 0)
    everybody = adapted.model.member_weights(posterior.log()).exp()
    exact = (adapted.model.marginals(points)[0] * everybody[:, None]).sum(0)
    mean, _, weight = belief.marginals(points)
    torch.testing.assert_close((mean * weight).sum(1), exact, rtol=0.03, atol=1.0)


def test_no_transfer_keeps_its_floor_in_the_belief(hypotheses, space, surface):
    """However well a history fits, some of the search is free of it, and its bank weighs just that."""
    X = space.sample(25, np.random.default_rng(2))
    belief = Belief.adapt(hypotheses, Support.of(X, surface(X, 0.01), None, "cpu"))
    summary = belief.summary()
    assert summary.log_evidence["history"] - summary.log_evidence["no_transfer"] > 5
    assert summary.weights["no_transfer"] == pytest.approx(FLOOR)
    assert float(belief.kept[0].log_weight.exp().sum()) == pytest.approx(FLOOR)


def test_who_trusts_no_experience_looks_at_all_of_no_transfer(hypotheses, space, surface):
    """A light hypothesis is told with few members; alone, with all that are kept and all the weight."""
    X = space.sample(12, np.random.default_rng(6))
    belief = Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))
    light, alone = belief.kept[0], belief.doubting().kept[0]
    assert float(light.log_weight.exp().sum()) < 0.25
    assert len(light.bank.own_reading.sign) == LEAST_KEPT
    assert len(alone.bank.own_reading.sign) == N_KEPT
    assert float(alone.log_weight.exp().sum()) == pytest.approx(1.0)
