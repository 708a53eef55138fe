"""The ranking-weighted ensemble as a hypothesis: posteriors, weights, and evidence that looks at no later outcome."""

import numpy as np
import pytest
import torch

from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Setting, Support
from discovery.meta.network_members import first
from discovery.meta.rgpe import N_MEMBERS, Rgpe, own_covariances
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

SETTING = {"hypothesis": "history", "scale": OutcomeScale(0.0, 1.0, "range")}


def wave(X, shift=0.0):
    return np.sin(6 * X[:, -1] + shift)


@pytest.fixture(scope="module")
def learner(space):
    rng = np.random.default_rng(0)
    tasks = []
    for i, shift in enumerate((0.0, np.pi)):  # the second ranks everything the other way round
        X = space.sample(30, rng)
        tasks.append(Task(f"t{i}", X, (wave(X, shift) + 0.01 * rng.normal(size=30))[:, None], source=f"t{i}"))
    return Rgpe.load(Rgpe.meta_train(HistoryDistribution(tuple(tasks)), Setting(space=space, **SETTING)))


def support(space, n, seed=1):
    X = space.sample(n, np.random.default_rng(seed))
    return Support.of(X, wave(X), None, "cpu")


def test_source_posteriors_are_those_of_exact_processes(learner, space):
    """Means are the features, covariances the prior less what is known."""
    rows = support(space, 4).X
    mean, covariance = learner.source_posteriors(rows)
    f, signal, noise = learner.features, learner.trust["signal"], learner.trust["noise"]
    known, asked = f.X[1] * f.inverse_lengthscale[1], rows * f.inverse_lengthscale[1]

    def K(a, b):
        return signal[1].square() * matern52(squared_distance(a, b))

    noisy = K(known, known) + (noise[1].square() + 1e-6) * torch.eye(len(known), dtype=torch.float64)
    expected = K(asked, asked) - K(asked, known) @ torch.linalg.solve(noisy, K(known, asked))
    torch.testing.assert_close(covariance[1], expected, atol=1e-8, rtol=1e-5)
    torch.testing.assert_close(mean, f(rows).T)


def test_a_hidden_point_is_as_if_never_measured(learner, space):
    """The own process without one measurement equals the one conditioned on the others."""
    some = support(space, 6)
    mean, covariance = learner.own_posteriors(some.X, some.y)
    members = learner.members[torch.arange(N_MEMBERS)]
    K, noise = own_covariances(members, learner.components, some.X)
    best = None
    for h in range(N_MEMBERS):
        others = [0, 1, 3, 4, 5]
        noisy = K[h][others][:, others] + noise[h] * torch.eye(5, dtype=torch.float64)
        expected = K[h][:, others] @ torch.linalg.solve(noisy, some.y[others])
        if torch.allclose(mean[2], expected, atol=1e-3):
            best = K[h] - K[h][:, others] @ torch.linalg.solve(noisy, K[h][others])
    assert best is not None
    torch.testing.assert_close(covariance[2], best, atol=1e-3, rtol=1e-3)


def test_who_ranks_well_has_the_weight(learner, space):
    """The task of the same shape outweighs its mirror image; with two measurements nobody is judged."""
    weights = learner.weights(support(space, 12))
    assert float(weights.sum()) == pytest.approx(1.0)
    assert weights[0] > 0.3 and weights[1] < 0.02
    torch.testing.assert_close(learner.weights(support(space, 2)), torch.full((3,), 1 / 3, dtype=torch.float64))


def test_weights_do_not_depend_on_the_order(learner, space):
    """Measurements are a set."""
    some = support(space, 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(learner.weights(some), learner.weights(Support(some.X[order], some.y[order])))


def test_a_measurement_is_scored_before_it_is_used(learner, space):
    """One-step densities of the first measurements are the same whatever comes later."""
    some = support(space, 10)
    whole, begun = learner.adapt(some).log_steps, learner.adapt(first(some, 6)).log_steps
    torch.testing.assert_close(whole[:, :6], begun)
    assert torch.isfinite(whole).all()


def test_doubts_and_bounds_are_scored_too(learner, space):
    """A wild value and a bound among the measurements give evidence of every member, doubting ones included."""
    some = support(space, 6)
    doubtful = torch.zeros(6, dtype=torch.bool)
    doubtful[4] = True
    marked = Support(some.X, some.y, limits=torch.tensor([0, 0, -1, 0, 0, 0]), doubtful=doubtful)
    adapted = learner.adapt(marked)
    assert adapted.log_steps.shape == (len(adapted.log_prior), 6)
    assert torch.isfinite(adapted.log_evidence).all() and adapted.is_doubting is not None
