"""A dear outcome that follows a cheap one: a hypothesis that evidence finds or drops."""

import numpy as np
import pytest
import torch

from discovery.belief.belief import Hypothesis
from discovery.belief.links import adapt_stages, linked, process_of
from discovery.errors import ConfigurationError
from discovery.meta.learner import Setting, Support
from discovery.meta.linked import LinkedBank, linked_members
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale

N = 60
OUTCOMES = (("screen", "cheap"), ("assay", "dear"))


@pytest.fixture(scope="module")
def cold(space):
    trained = MetaGP.meta_train(None, Setting("no_transfer", space, OutcomeScale(50.0, 25.0, "range")))
    return (Hypothesis("no_transfer", 1.0, MetaGP.load(trained), trained.checkpoint_id),)


@pytest.fixture(scope="module")
def rows(space):
    return space.sample(N, np.random.default_rng(2))


def _adapt(cold, X, cheap, dear):
    supports = {name: Support.of(X[: len(y)], y, None, "cpu") for name, y in (("cheap", cheap), ("dear", dear))}
    return adapt_stages(OUTCOMES, {"cheap": cold, "dear": cold}, supports)


def test_a_real_link_is_found(cold, rows, surface):
    """Where the cheap outcome foretells the dear one, evidence says so and predictions become better."""
    dear = surface(rows)
    cheap = 0.1 * dear + 3 + 0.2 * np.random.default_rng(1).normal(size=N)
    belief = _adapt(cold, rows, cheap[:40], dear[:12])["dear"]
    assert belief.summary().weights["stage:screen"] > 0.9
    errors = {}
    for name, one in (("linked", belief), ("alone", _adapt(cold, rows, cheap[:0], dear[:12])["dear"])):
        mean, _, weight = one.marginals(torch.as_tensor(rows[12:40]))
        errors[name] = float(((weight * mean).sum(1) - torch.as_tensor(dear[12:40])).square().mean())
    assert errors["linked"] < 0.5 * errors["alone"]


@pytest.mark.parametrize("kind", ["smooth", "noise"])
def test_a_useless_proxy_loses_its_weight(kind, cold, rows, surface):
    """Where the cheap outcome has nothing to do with the dear one, the link loses the weight that it began with."""
    dear = surface(rows)
    cheap = {"smooth": 100 * rows[:, 4] * (1 - rows[:, 3]), "noise": np.random.default_rng(5).permutation(dear)}[kind]
    belief = _adapt(cold, rows, cheap[:40], dear[:20])["dear"]
    assert belief.summary().weights["stage:screen"] < 0.3


def test_the_link_may_be_opposed(cold, rows, surface):
    """A cheap outcome that falls where the dear one rises is as good."""
    dear = surface(rows)
    belief = _adapt(cold, rows, 100 - dear[:40], dear[:15])["dear"]
    assert belief.summary().weights["stage:screen"] > 0.9


def test_first_stage_and_plain_beliefs_are_left_alone(cold, rows, surface):
    """The first outcome has only its own hypotheses, whatever is known of the second."""
    dear = surface(rows)
    one, other = (_adapt(cold, rows, dear[:10], dear[:k])["cheap"] for k in (0, 10))
    assert [h.name for h in one.hypotheses] == ["no_transfer"]
    assert torch.equal(one.steps, other.steps)


def test_evidence_does_not_depend_on_order(cold, rows, surface):
    """The joint evidence of the dear measurements given the cheap ones is the same in any order."""
    dear = surface(rows)
    belief = _adapt(cold, rows, dear[:20], dear[:8])["dear"]
    order = np.random.default_rng(0).permutation(8)
    supports = {
        "cheap": Support.of(rows[:20], dear[:20], None, "cpu"),
        "dear": Support.of(rows[:8][order], dear[:8][order], None, "cpu"),
    }
    again = adapt_stages(OUTCOMES, {"cheap": cold, "dear": cold}, supports)["dear"]
    name = "stage:screen"
    assert again.summary().log_evidence[name] == pytest.approx(belief.summary().log_evidence[name], abs=1e-6)


@pytest.fixture(scope="module")
def followed(cold, rows, surface):
    """The bank of the link after ten cheap and six dear measurements, and its process."""
    dear = surface(rows)
    beliefs = _adapt(cold, rows, dear[4:14] / 10, dear[:6])
    part = next(part for part in beliefs["dear"].kept if part.name == "stage:screen")
    return part.bank.bank


def test_both_outcomes_are_jointly_gaussian(followed, rows):
    """Mean and covariance of cheap and dear outcome are those of one Gaussian, conditioned on the measurements."""
    X, h, rho = torch.as_tensor(rows[20:25]), 0, followed.members.slope[0, 0]
    P, m, train = followed.process, followed.members, followed.X[0]
    both = torch.cat([train, X])
    assert isinstance(followed, LinkedBank)
    cheap = P.covariance(both[None], both[None])[0]
    inputs = followed._inputs(both)
    dear = followed._covariance(inputs, inputs)[h]
    n = len(train)
    # the vector (dear at train with noise, dear at X, cheap at X), prior given the cheap measurements
    K = torch.zeros(n + 10, n + 10, dtype=torch.float64)
    K[: n + 5, : n + 5] = dear
    K[: n + 5, n + 5 :] = rho * cheap[:, n:]
    K[n + 5 :, : n + 5] = rho * cheap[n:]
    K[n + 5 :, n + 5 :] = cheap[n:, n:]
    A = K[:n, :n] + torch.eye(n) * m.noise[h].square()
    gain = torch.linalg.solve(A, K[:n, n:]).T
    residual = followed.Y[h] - inputs.mean[0 if inputs.mean.shape[0] == 1 else h, :n]
    after = K[n:, n:] - gain @ K[:n, n:]
    joint = followed.joint(X)
    assert torch.allclose(joint.mean[h], inputs.mean[h, n:] + gain[:5] @ residual, atol=1e-6)
    assert torch.allclose(joint.cheap_mean[h], P.mean(X) + gain[5:] @ residual, atol=1e-6)
    assert torch.allclose(joint.variance[h], after[:5, :5].diagonal(), atol=1e-6)
    assert torch.allclose(joint.cheap_variance[h], after[5:, 5:].diagonal(), atol=1e-6)
    assert torch.allclose(joint.covariance[h], after[:5, 5:].diagonal(), atol=1e-6)


def test_a_process_is_the_belief_it_was_made_of(cold, rows, surface):
    """Its mean is the belief's, and its covariance is a covariance."""
    dear = surface(rows)
    support = Support.of(rows[:10], dear[:10], None, "cpu")
    belief = adapt_stages(OUTCOMES[:1], {"cheap": cold}, {"cheap": support})["cheap"]
    process, X = process_of(belief, support), torch.as_tensor(rows[10:30])
    mean, _, weight = belief.marginals(X)
    assert torch.allclose(process.mean(X) * process.scale + process.location, (weight * mean).sum(1), atol=1e-6)
    covariance = process.covariance(X[None], X[None])[0]
    assert torch.allclose(covariance.diagonal(), process.moments(X).variance, atol=1e-9)
    assert float(torch.linalg.eigvalsh(covariance).min()) > -1e-9


def test_members_leave_no_more_freedom_than_without(cold):
    """What the cheap outcome does not say has at most the spread that the members had before."""
    members = cold[0].learner.members
    made = linked_members(members)
    assert bool((made.signal <= members.signal + 1e-12).all())
    assert bool((made.component_sd[:, -1] == made.slope[:, 0].abs()).all())


def test_a_link_needs_the_hypothesis_without_experience(cold, rows, surface):
    """Without it there is nothing to build on, and the message says what to add."""
    support = Support.of(rows[:5], surface(rows[:5]), None, "cpu")
    belief = adapt_stages(OUTCOMES[:1], {"cheap": cold}, {"cheap": support})["cheap"]
    with pytest.raises(ConfigurationError, match="no_transfer"):
        linked([Hypothesis("history", 1.0, cold[0].learner, "x")], "screen", process_of(belief, support))
