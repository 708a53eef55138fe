"""A bank is what it says: exact Gaussian processes that BoTorch uses unmodified."""

import math

import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler

from discovery.errors import ShapeError
from discovery.meta.bank import Bank
from discovery.meta.kernels import kumaraswamy


def by_hand(bank, h, X_test):
    """One member's posterior from the textbook formulas, written without the bank's code."""
    m, X = bank.members, bank.X[0]

    def matern(a, b):
        r = math.sqrt(5) * torch.cdist(a, b)
        return (1 + r + r**2 / 3) * torch.exp(-r)

    def z(x):
        return kumaraswamy(x, m.warp_a[h], m.warp_b[h]) * m.inverse_lengthscale[h] if m.is_warped else x

    def kernel(a, b):
        Fa, Fb = bank.features(a), bank.features(b)
        K = m.signal[h] ** 2 * matern(z(a), z(b)) + m.offset_sd[h] ** 2 + Fa @ torch.diag(m.slope_sd[h] ** 2) @ Fb.T
        for factor, sd in zip(bank.components.factor, m.component_sd[h], strict=True):
            K = K + sd**2 * matern(a * factor, b * factor)
        return K

    def mean(a):
        return m.offset[h] + bank.features(a) @ m.slope[h]

    K = kernel(X, X) + m.noise[h] ** 2 * torch.eye(len(X), dtype=X.dtype)
    k = kernel(X, X_test)
    solved = torch.linalg.solve(K, k)
    y = bank.Y[h] if bank.Y.ndim > 1 else bank.Y
    posterior_mean = mean(X_test) + solved.T @ (y - mean(X))
    covariance = kernel(X_test, X_test) - k.T @ solved
    evidence = torch.distributions.MultivariateNormal(mean(X), K).log_prob(y)
    return posterior_mean, covariance, evidence


@pytest.fixture
def bank(members, components, features, support):
    return Bank(members, features, components, *support)


def test_posterior_equals_a_gp_by_hand(bank, space):
    """On five points every member's mean, covariance and evidence are those of the textbook."""
    import numpy as np

    X = torch.as_tensor(space.sample(4, np.random.default_rng(0)))

    posterior = bank.posterior(X)

    for h in range(8):
        mean, covariance, evidence = by_hand(bank, h, X)
        torch.testing.assert_close(posterior.mean[h, :, 0], mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(posterior.distribution.covariance_matrix[h], covariance, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(bank.log_evidence()[h], evidence, rtol=1e-8, atol=1e-8)


def test_one_step_densities_multiply_to_the_evidence(members, components, features, support):
    """Each one-step density is what a bank with the measurements before it predicts."""
    X, y = support
    whole = Bank(members, features, components, X, y)
    for t in range(5):
        before = Bank(members, features, components, X[:t], y[:t])
        post = before.posterior(X[t : t + 1], observation_noise=True)
        density = torch.distributions.Normal(post.mean[:, 0, 0], post.variance[:, 0, 0].sqrt()).log_prob(y[t])
        torch.testing.assert_close(whole.one_step_log_densities()[:, t], density, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(whole.one_step_log_densities().sum(1), whole.log_evidence())


def test_order_changes_neither_evidence_nor_posterior(members, components, features, support):
    """Measurements are a set."""
    X, y = support
    order = torch.tensor([3, 0, 4, 1, 2])
    one, other = Bank(members, features, components, X, y), Bank(members, features, components, X[order], y[order])

    torch.testing.assert_close(one.log_evidence(), other.log_evidence())
    torch.testing.assert_close(one.posterior(X[:2] * 0.9).mean, other.posterior(X[:2] * 0.9).mean)


def test_batch_equals_stack_of_singles(members, components, features, support, bank):
    """A bank of eight members is eight banks of one."""
    x = support[0][:3] * 0.8
    for h in range(8):
        single = Bank(members[torch.tensor([h])], features, components, *support)
        torch.testing.assert_close(single.posterior(x).mean[0], bank.posterior(x).mean[h])
        torch.testing.assert_close(single.log_evidence()[0], bank.log_evidence()[h])


@pytest.mark.parametrize("q", [1, 3])
def test_t_batches_equal_single_calls(bank, q):
    """Shapes `b x 1 x q x d` give `b x h x q`, the same numbers as one call per batch element."""
    X = torch.rand(4, 1, q, 5, dtype=torch.float64)

    posterior = bank.posterior(X)

    assert posterior.mean.shape == (4, 8, q, 1)
    for b in range(4):
        torch.testing.assert_close(posterior.mean[b], bank.posterior(X[b, 0]).mean)
        torch.testing.assert_close(posterior.variance[b], bank.posterior(X[b, 0]).variance, rtol=1e-6, atol=1e-8)


def test_features_may_be_given(bank):
    """Inputs with feature columns give the same posterior as inputs without."""
    X = torch.rand(6, 5, dtype=torch.float64)
    mean, variance = bank.marginals(X)
    mean_too, variance_too = bank.marginals(bank.with_features(X))
    torch.testing.assert_close(mean, mean_too)
    torch.testing.assert_close(variance, variance_too)


def test_zero_measurements_give_the_prior(members, components, features):
    """An empty support is a valid one."""
    bank = Bank(
        members, features, components, torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    )
    X = torch.rand(3, 5, dtype=torch.float64)

    posterior = bank.posterior(X)

    expected = members.offset[:, None] + (features(X) @ members.slope.T).T
    torch.testing.assert_close(posterior.mean[..., 0], expected)
    assert bank.log_evidence().shape == (8,) and not bank.log_evidence().any()


def test_conditioning_equals_building_anew(members, components, features, support):
    """`condition_on_observations` is the bank of all measurements."""
    X, y = support
    grown = Bank(members, features, components, X[:3], y[:3]).condition_on_observations(X[3:], y[3:, None])
    whole = Bank(members, features, components, X, y)
    torch.testing.assert_close(grown.log_evidence(), whole.log_evidence())
    torch.testing.assert_close(grown.posterior(X * 0.7).mean, whole.posterior(X * 0.7).mean)


def test_fantasies_have_a_batch_of_their_own(bank):
    """`fantasize` gives a model of batch shape `f x h` whose mean over fantasies is the posterior mean."""
    x = torch.rand(8, 1, 5, dtype=torch.float64)[:1].expand(8, 1, 5)
    model = bank.fantasize(x, SobolQMCNormalSampler(torch.Size([256]), seed=0))

    assert model.batch_shape == (256, 8)
    test = torch.rand(2, 5, dtype=torch.float64)
    mean = model.posterior(test[None, None]).mean
    assert mean.shape == (256, 8, 2, 1)
    torch.testing.assert_close(mean.mean(0), bank.posterior(test).mean, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("leading", [(), (2,), (2, 1), (2, 1, 1)])
def test_single_points_have_the_shape_of_joint_ones(bank, leading):
    """On a bank and on its fantasies, `q = 1` gives the batch shape and the numbers that `q = 2` gives."""
    x = torch.rand(8, 1, 5, dtype=torch.float64)[:1].expand(8, 1, 5)
    for model in (bank, bank.fantasize(x, SobolQMCNormalSampler(torch.Size([2]), seed=0))):
        X = torch.rand(*leading, 1, 2, 5, dtype=torch.float64)
        one, two = model.posterior(X[..., :1, :]), model.posterior(X)
        torch.testing.assert_close(one.mean, two.mean[..., :1, :])
        torch.testing.assert_close(one.variance, two.variance[..., :1, :], rtol=1e-6, atol=1e-8)


def test_gradients_are_those_of_finite_differences(members, components, features, support):
    """The posterior is differentiable in its inputs, through warp, kernel and features."""
    bank = Bank(members, features, components, *support)
    x = (0.2 + 0.6 * torch.rand(2, 1, 1, 5, dtype=torch.float64)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v: bank.posterior(v).mean, (x,), atol=1e-5)
    assert torch.autograd.gradcheck(lambda v: bank.posterior(v).variance, (x,), atol=1e-5)


@pytest.mark.parametrize("kind", ["log_ei", "qlog_ei", "qlog_nei"])
def test_botorch_acquisitions_work_unmodified(bank, kind):
    """BoTorch's own functions return one value per member and are maximized by its own optimizer."""
    if kind == "log_ei":
        acqf, q = LogExpectedImprovement(bank, best_f=0.5), 1
    elif kind == "qlog_ei":
        acqf, q = qLogExpectedImprovement(bank, best_f=0.5, sampler=SobolQMCNormalSampler(torch.Size([16]), seed=0)), 2
    else:
        sampler = SobolQMCNormalSampler(torch.Size([16]), seed=0)
        acqf = qLogNoisyExpectedImprovement(bank, bank.X[0], sampler=sampler, prune_baseline=False, cache_root=False)
        q = 2

    values = acqf(torch.rand(3, 1, q, 5, dtype=torch.float64))

    assert values.shape == (3, 8)
    assert torch.isfinite(values).all()


def test_optimizer_of_botorch_climbs(bank):
    """`optimize_acqf` runs on one member's acquisition as on any BoTorch model."""
    single = Bank(bank.members[torch.tensor([0])], bank.features, bank.components, bank.X[0], bank.Y[0])

    class Reduced(LogExpectedImprovement):
        def forward(self, X):
            return super().forward(X.unsqueeze(-3))[..., 0]

    bounds = torch.tensor([[0.0] * 5, [1.0] * 5], dtype=torch.float64)
    x, value = optimize_acqf(Reduced(single, best_f=0.5), bounds, q=1, num_restarts=2, raw_samples=16)
    assert x.shape == (1, 5) and torch.isfinite(value)


def test_known_noise_adds_to_the_members_noise(members, components, features, support):
    """Given variances make measurements count less."""
    X, y = support
    noisy = Bank(members, features, components, X, y, torch.full((5,), 100.0, dtype=torch.float64))
    plain = Bank(members, features, components, X, y)
    assert (noisy.marginals(X)[1] > plain.marginals(X)[1]).all()


def test_wrong_shapes_are_refused(members, components, features, support):
    """Columns and rows that do not fit are named."""
    X, y = support
    with pytest.raises(ShapeError, match="one outcome per row"):
        Bank(members, features, components, X, y[:3])
    with pytest.raises(ShapeError, match="5 columns"):
        Bank(members, features, components, X, y).posterior(torch.rand(2, 9, dtype=torch.float64))
