"""The belief is an exact mixture with a guarantee."""

import math

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.records import HypothesisPrediction, mix
from discovery.errors import ConfigurationError
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.registry import simulator

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="module")
def hypotheses(cold_and_history):
    return cold_and_history(SCALE, (0.2, 0.8))


def measured(space, surface, n, seed=5):
    g = np.random.default_rng(seed)
    X = space.sample(n, g)
    return X, surface(X, 0.03) + g.normal(size=n)


def test_order_changes_no_evidence(hypotheses, space, surface):
    """Evidence is exact and independent of order."""
    X, y = measured(space, surface, 12)
    order = np.random.default_rng(0).permutation(12)
    one = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu")).summary()
    other = Belief.adapt(hypotheses, Support.of(X[order], y[order], None, "cpu")).summary()
    assert one.log_evidence == pytest.approx(other.log_evidence, rel=1e-8)
    assert one.e_value == pytest.approx(other.e_value, rel=1e-6)


def test_evidence_is_prequential(hypotheses, space, surface):
    """Log evidence is the sum of what was said about each measurement before it was seen."""
    X, y = measured(space, surface, 6)
    said = {"no_transfer": 0.0, "history": 0.0}
    for t in range(6):
        before = Belief.adapt(hypotheses, Support.of(X[:t], y[:t], None, "cpu"))
        for hypothesis, adapted in zip(before.hypotheses, before.adapted, strict=True):
            weights = adapted.model.member_weights(torch.log_softmax(adapted.log_prior + adapted.log_evidence, 0))
            mean, variance = adapted.model.predictive(torch.as_tensor(X[t : t + 1]))
            density = torch.distributions.Normal(mean[:, 0], variance[:, 0].sqrt()).log_prob(torch.tensor(y[t]))
            said[hypothesis.name] += float(torch.logsumexp(weights + density, 0))
    evidence = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu")).summary().log_evidence
    assert evidence["history"] == pytest.approx(said["history"], rel=1e-6)
    assert evidence["no_transfer"] == pytest.approx(said["no_transfer"], abs=0.3)  # its slices approximate a bent axis


def test_mixture_is_never_far_below_no_transfer(hypotheses, space):
    """On a task unlike history, the mixture's score is within ln(1/prior) of the no-transfer bank's."""
    g = np.random.default_rng(1)
    X, y = space.sample(20, g), 50 + 20 * g.standard_normal(20)
    evidence = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu")).summary().log_evidence
    mixture = np.logaddexp(math.log(0.2) + evidence["no_transfer"], math.log(0.8) + evidence["history"])
    assert mixture >= evidence["no_transfer"] - math.log(1 / 0.2)


def test_related_history_wins_and_a_stranger_raises_the_alarm(hypotheses, space, surface):
    """Weight goes to history on a sibling task and to no transfer on an unrelated one, where e passes 20."""
    X, y = measured(space, surface, 25)
    unrelated = 50 + 30 * np.sin(14 * X[:, 4]) * (X[:, 0] - X[:, 1])
    sibling = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu")).summary()
    stranger = Belief.adapt(hypotheses, Support.of(X, unrelated, None, "cpu")).summary()
    assert sibling.weights["history"] > 0.8
    assert sibling.e_value < 1
    assert stranger.weights["no_transfer"] > sibling.weights["no_transfer"]
    assert stranger.e_value > 20


def test_predictions_are_in_raw_units_and_add_up(hypotheses, space, surface):
    """Per-hypothesis mixtures average to the belief's marginals."""
    X, y = measured(space, surface, 8)
    belief = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu"))
    x = torch.as_tensor(space.sample(3, np.random.default_rng(9)))
    mean, _, weights = belief.marginals(x)
    for row, parts in enumerate(belief.predict(x)):
        overall = mix(parts)
        assert overall.mean == pytest.approx(float((weights * mean[row]).sum()), rel=1e-6)
        assert 0 < overall.cdf(overall.mean) < 1
        assert overall.n_measurements == 8


def test_intervals_cover(hypotheses, space, surface):
    """Of 200 unseen outcomes of a noise-free sibling, 80 to 99.5 % lie inside the 90 % interval."""
    X, y = measured(space, surface, 10)
    Xq, yq = measured(space, surface, 200, seed=8)
    belief = Belief.adapt(hypotheses, Support.of(X, y, None, "cpu"))
    values = np.array([mix(p).cdf(v) for p, v in zip(belief.predict(torch.as_tensor(Xq)), yq, strict=True)])
    assert 0.80 <= ((values > 0.05) & (values < 0.95)).mean() <= 0.995


def test_two_hypotheses_of_one_name_are_refused(hypotheses):
    """Names identify; so do empty beliefs make no sense."""
    empty = Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu")
    with pytest.raises(ConfigurationError, match="distinct names"):
        Belief.adapt([hypotheses[0], hypotheses[0]], empty)
    with pytest.raises(ConfigurationError, match="distinct names"):
        Belief.adapt([], empty)


def test_before_any_measurement_a_simulator_says_what_it_knows(space):
    """Equal members are represented evenly: the prior mean of the members kept is that of all, not of the doubters."""
    checkpoint = MetaGP.meta_train(
        simulator("reaction_kinetics").bind(space), Setting("simulator:reaction_kinetics", space, SCALE)
    )
    hypothesis = Hypothesis("simulator:reaction_kinetics", 1.0, MetaGP.load(checkpoint), checkpoint.checkpoint_id)
    belief = Belief.adapt([hypothesis], Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu"))
    X = torch.as_tensor(space.sample(50, np.random.default_rng(3)))
    kept_mean, _, weights = belief.marginals(X)
    exact = (belief.adapted[0].model.marginals(X)[0] * belief.adapted[0].log_prior.exp()[:, None]).sum(0)
    assert float(exact.std()) > 1.0
    torch.testing.assert_close((kept_mean * weights).sum(-1), exact, rtol=0.02, atol=2.0)


def test_without_a_scale_all_scales_are_kept_at_first(space):
    """After the measurement that anchors it, no scale of the grid is left out of the predictions."""
    anchored = OutcomeScale(None, None, "anchored")
    cold = MetaGP.meta_train(None, Setting("no_transfer", space, anchored))
    hypothesis = Hypothesis("no_transfer", 1.0, MetaGP.load(cold), cold.checkpoint_id)
    belief = Belief.adapt([hypothesis], Support.of(np.full((1, 5), 0.5), np.array([40.0]), None, "cpu"))
    sd = belief.kept[0].bank.prior_sd
    assert float(sd.min()) < 4 and float(sd.max()) > 40


def test_a_spread_survives_a_large_mean():
    """Components one unit either side of a thousand million, each with a deviation of one: the square root of two."""
    half = math.log(0.5)
    said = HypothesisPrediction("history", 1.0, (half, half), (1e9 - 1, 1e9 + 1), (1.0, 1.0), "history-0", 3)
    assert said.sd == pytest.approx(math.sqrt(2))
