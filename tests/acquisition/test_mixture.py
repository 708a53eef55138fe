"""The mixture's acquisition values are those of the mixture, checked against brute force."""

import numpy as np
import pytest
import torch

from discovery.acquisition.fantasies import N_FANTASIES, fantasize
from discovery.acquisition.mixture import (
    MixtureAcquisition,
    Target,
    believed_best,
    build,
    mixture_marginals,
    mixture_quantile,
)
from discovery.cycle import pool_with_features
from discovery.errors import ConfigurationError


@pytest.fixture
def points(space):
    return torch.as_tensor(space.sample(6, np.random.default_rng(11)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_log_ei_is_the_expected_improvement_of_the_mixture(belief, points, sign):
    """Sampling the mixture's latent outcome gives the same expected improvement."""
    best = torch.tensor(belief.best_f[1] if sign > 0 else belief.best_f[0], dtype=torch.float64)
    values = build("log_ei", belief.kept, Target(sign, best))(points[:, None, :]).exp()

    mean, sd, weights = mixture_marginals(belief.kept, points)
    g = torch.Generator().manual_seed(0)
    component = torch.multinomial(weights, 200_000, replacement=True, generator=g)
    z = torch.randn(200_000, generator=g, dtype=torch.float64)
    for i in range(6):
        draws = mean[i, component] + sd[i, component] * z
        expected = (sign * (draws - best)).clamp_min(0).mean()
        assert float(values[i]) == pytest.approx(float(expected), rel=0.05, abs=0.02)


def test_ucb_is_a_quantile_of_the_mixture(belief, points):
    """Ninety percent of the mixture's mass lies below it, and it has a gradient."""
    best = torch.tensor(belief.best_f[1], dtype=torch.float64)
    acqf = build("ucb", belief.kept, Target(1.0, best))
    x = points[:, None, :].clone().requires_grad_(True)
    values = acqf(x)
    mean, sd, weights = mixture_marginals(belief.kept, points)
    below = (weights * torch.special.ndtr((values[:, None] - mean) / sd)).sum(-1)
    torch.testing.assert_close(below, torch.full_like(below, 0.9), rtol=1e-6, atol=1e-6)
    values.sum().backward()
    step = 1e-5
    shifted = points.clone()
    shifted[:, 3] += step
    numeric = (acqf(shifted[:, None, :]) - values.detach()) / step
    torch.testing.assert_close(x.grad[:, 0, 3], numeric, rtol=1e-2, atol=1e-2)


def test_quantile_of_one_gaussian_is_closed_form():
    """Bisection finds the normal quantile."""
    found = mixture_quantile(
        torch.tensor([[2.0]], dtype=torch.float64),
        torch.tensor([[3.0]], dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
        torch.tensor([0.975], dtype=torch.float64),
    )
    assert float(found) == pytest.approx(2 + 3 * 1.959964, rel=1e-5)


@pytest.mark.parametrize("name", ["log_ei", "ucb", "qlog_ei", "qlog_nei"])
def test_given_features_change_nothing(belief, hypotheses, points, name):
    """A pool scored with its features in extra columns scores the same."""
    from types import SimpleNamespace

    best = torch.tensor(belief.best_f[1], dtype=torch.float64)
    acqf = build(name, belief.kept, Target(1.0, best), seed=1)
    wide = pool_with_features(SimpleNamespace(X=points.numpy()), hypotheses)
    torch.testing.assert_close(acqf(points[:, None, :]), acqf(wide[:, None, :]), rtol=1e-6, atol=1e-8)


def test_unknown_names_are_refused(belief):
    """The known names are listed."""
    with pytest.raises(ConfigurationError, match="one of log_ei, policy, qlog_ei, qlog_nei, ucb; got 'pi'"):
        build("pi", belief.kept, Target(1.0, torch.tensor(0.0)))


def test_fantasies_average_to_the_belief(belief, points):
    """Averaged over fantasies at a point, the mean elsewhere stays (the martingale property) and variance shrinks."""
    imagined = fantasize(belief.kept, points[:1], torch.Generator().manual_seed(0), sign=1.0)
    assert imagined.target.best_f.shape == (N_FANTASIES,)
    before_mean, _, before_weights = mixture_marginals(belief.kept, points[1:])
    before = (before_weights * before_mean).sum(-1)
    after = torch.zeros_like(before)
    for part in imagined.kept:
        mean, _ = part.bank.marginals(points[1:])  # f x h x n
        after += (part.log_weight.exp()[..., None] * mean).sum(1).mean(0)
    torch.testing.assert_close(after, before, rtol=0.02, atol=0.5)
    for part in imagined.kept:
        assert float(torch.logsumexp(part.log_weight, -1).max()) <= 1e-9


def test_the_best_outcome_is_one_that_is_believed(belief):
    """It is the belief's highest (or lowest) mean at a measured configuration, per fantasy where there are some."""
    measured = belief.kept[0].bank.X[0]
    mean, _, weights = mixture_marginals(belief.kept, measured)
    means = (weights * mean).sum(-1)
    assert float(believed_best(belief.kept, 1.0)) == pytest.approx(float(means.max()))
    assert float(believed_best(belief.kept, -1.0)) == pytest.approx(float(means.min()))
    assert float(believed_best(belief.kept, 1.0)) < belief.best_f[1]  # the highest measurement was also lucky

    again = measured[means.argmax()][None]
    imagined = fantasize(belief.kept, again, torch.Generator().manual_seed(0), sign=1.0)
    best = believed_best(imagined.kept, 1.0)
    assert best.shape == (N_FANTASIES,)
    assert float(best.min()) < float(means.max()) < float(best.max())


def test_members_are_summed_and_fantasies_averaged():
    """Values `b x f x h` become the log of the mean over fantasies of the sum over members."""
    values = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(MixtureAcquisition.reduce(values), values.exp().sum(-1).mean(-1).log())
    torch.testing.assert_close(MixtureAcquisition.reduce(values[:, 0]), values[:, 0].exp().sum(-1).log())
