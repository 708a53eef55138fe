"""A bank that reads outcomes in its own ways says in raw units what its members say in theirs."""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from discovery.meta.bank import Bank
from discovery.meta.features import SourceFeatures
from discovery.meta.learner import Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.no_transfer import no_transfer_members
from discovery.meta.read_bank import ReadBank
from discovery.meta.reading import Reading
from discovery.meta.scale import OutcomeScale
from discovery.meta.slices import cut

RANGE = OutcomeScale(50.0, 25.0, "range", 0.0, 100.0)
PLAIN = (0.0, 0.0, 1.0, 1.0, 1.0, 50.0, 25.0)
LOWER = (1.0, 0.0, 100.0, 0.1, 50.0, -1.0, 0.6)  # sign, edge, unit, delta, reach, center, spread
UPPER = (-1.0, 100.0, 100.0, 0.5, 50.0, 0.1, 0.3)


def readings(*rows):
    """Readings with equal priors."""
    table = torch.tensor(rows, dtype=torch.float64)
    return Reading(*table.T, log_prior=-torch.log(torch.full((len(rows),), len(rows), dtype=torch.float64)))


@pytest.fixture
def measured(space, surface):
    X = space.sample(5, np.random.default_rng(3))
    return torch.as_tensor(X), torch.as_tensor(surface(X))


@pytest.fixture
def X_new(space):
    return torch.as_tensor(space.sample(7, np.random.default_rng(8)))


def build(members, components, features, support, reading):
    """A bank whose members each have one of the readings, in turn."""
    own = reading[torch.arange(members.n_members) % reading.n_readings]
    X, y = support
    return ReadBank(Bank(members, features, components, X, own.read(y)[0]), own)


@pytest.fixture
def bank(members, components, features, measured):
    return build(members, components, features, measured, readings(PLAIN, LOWER, UPPER))


def mixture(bank, mean, variance):
    """Mean and variance over the slices of each member. Shapes `h' x N` to `h x N`."""
    h = bank.bank.members.n_members
    share = bank.member_weights(torch.zeros(h, dtype=torch.float64)).exp()[:, None]
    own = torch.nn.functional.one_hot(bank.slices.owner, h).double().T
    total = own @ (share * mean)
    return total, own @ (share * (variance + mean.square())) - total.square()


def by_quadrature(reading, mean, variance):
    """Mean and variance of raw outcomes whose reading is Gaussian. Shapes `h x N`."""
    node, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = torch.as_tensor(weight / weight.sum())
    total, square = torch.zeros_like(mean), torch.zeros_like(mean)
    for x, w in zip(node, weight, strict=True):
        raw = reading.raw(mean + x * variance.sqrt())
        total, square = total + w * raw, square + w * raw.square()
    return total, square - total.square()


def test_slices_are_one_standard_gaussian_together():
    """Mean zero, variance one, weights that sum to one, and each narrower than the whole."""
    centers, width, log_weights = cut()
    weights = log_weights.exp()
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights @ centers) == pytest.approx(0.0, abs=1e-12)
    assert float(weights @ centers.square()) + width**2 == pytest.approx(1.0)
    assert 0 < width < 1
    grid = torch.linspace(-6, 6, 2001, dtype=torch.float64)
    mixed = (weights * torch.distributions.Normal(centers, width).log_prob(grid[:, None]).exp()).sum(1)
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(grid).exp()
    assert float((mixed - exact).abs().max()) < 0.03


def test_bent_members_have_the_moments_of_the_transformed_gaussian(bank, X_new):
    """Where members know the outcome within a factor of 1.5: mean within 2 %, variance within 8 % of quadrature."""
    inside = bank.bank.marginals(X_new)
    mean, variance = mixture(bank, *bank.marginals(X_new))
    exact_mean, exact_variance = by_quadrature(bank.own_reading, *inside)

    sd = inside[1].sqrt() * bank.own_reading.spread[:, None]
    fair = (bank.own_reading.sign != 0)[:, None] & (sd < 0.4)
    assert int(fair.sum()) > 15
    above = exact_mean[fair] + bank.own_reading.unit[:, None].expand_as(sd)[fair]  # no relative error around zero
    assert float(((mean - exact_mean)[fair] / above).abs().max()) < 0.03
    torch.testing.assert_close(variance[fair], exact_variance[fair], rtol=0.08, atol=0)


def test_bent_members_have_the_quantiles_of_the_transformed_gaussian(bank, X_new):
    """At the raw outcome that stands at a quantile, the slices' distribution function is near that level."""
    z_mean, z_variance = bank.bank.marginals(X_new)
    mean, variance = bank.marginals(X_new)
    share = bank.member_weights(torch.zeros(8, dtype=torch.float64)).exp()[:, None]
    own = torch.nn.functional.one_hot(bank.slices.owner, 8).double().T
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        z = z_mean + z_variance.sqrt() * float(torch.special.ndtri(torch.tensor(level).double()))
        y = bank.own_reading.raw(z)[bank.slices.owner]
        found = own @ (share * torch.special.ndtr((y - mean) / variance.sqrt()))
        torch.testing.assert_close(found, torch.full_like(found, level), rtol=0, atol=0.05)


def test_plain_members_are_told_exactly(members, components, features, measured, X_new):
    """Without a warp it is the bank of the same members in raw units: one slice, no approximation."""
    X, y = measured
    read = build(members, components, features, measured, readings(PLAIN))
    location, scale = (torch.tensor(v, dtype=torch.float64) for v in (50.0, 25.0))
    plain = Bank(members.in_units(location, scale), features, components, X, y)

    assert read.batch_shape == plain.batch_shape
    for ours, theirs in zip(read.predictive(X_new), plain.predictive(X_new), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    joint, other = (b.posterior(X_new[:3]).distribution for b in (read, plain))
    torch.testing.assert_close(joint.mean, other.mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(joint.covariance_matrix, other.covariance_matrix, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(read.prior_sd, 25.0 * members.prior_variance.sqrt())
    torch.testing.assert_close(read.Y, plain.Y)


@pytest.mark.parametrize("with_noise", [False, True])
def test_the_joint_posterior_has_the_marginals(bank, X_new, with_noise):
    """Means and variances of the joint posterior are those at single points, with the noise where it is asked for."""
    posterior = bank.posterior(X_new, observation_noise=with_noise)
    mean, variance = bank.predictive(X_new) if with_noise else bank.marginals(X_new)

    assert posterior.mean.shape == (*bank.batch_shape, 7, 1)
    torch.testing.assert_close(posterior.mean[..., 0], mean, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(posterior.variance[..., 0], variance, rtol=1e-5, atol=1e-5)


def test_noise_widens_what_is_predicted(bank, X_new):
    """The next noisy outcome varies more than the latent one, by the member's noise as its reading tells it."""
    (mean, latent), (noisy_mean, noisy) = (mixture(bank, *f(X_new)) for f in (bank.marginals, bank.predictive))
    assert (noisy > latent).all()
    plain = bank.own_reading.sign == 0
    torch.testing.assert_close(noisy_mean[plain], mean[plain])
    expected = (25.0 * bank.bank.members.noise[plain]).square()[:, None].expand_as(latent[plain])
    torch.testing.assert_close((noisy - latent)[plain], expected, rtol=1e-6, atol=1e-6)


def same(one, other, X):
    """Two banks predict the same."""
    for ours, theirs in zip(one.predictive(X), other.predictive(X), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_conditioning_equals_building_anew(members, components, features, measured, X_new):
    """Further outcomes in raw units, shared or one per slice, give the bank of all measurements."""
    X, y = measured
    reading = readings(PLAIN, LOWER, UPPER)
    whole = build(members, components, features, (X, y), reading)
    part = build(members, components, features, (X[:3], y[:3]), reading)
    slicewise = y[3:, None].expand(*part.batch_shape, 2, 1)

    same(part.condition_on_observations(X[3:], y[3:, None]), whole, X_new)
    same(part.condition_on_observations(X[3:], slicewise), whole, X_new)
    torch.testing.assert_close(whole.Y, y.expand(*whole.batch_shape, 5), rtol=1e-9, atol=1e-9)


def test_every_member_takes_its_own_outcomes(members, components, features, measured, X_new):
    """Outcomes that differ between members, told to all slices of each, reach that member and no other."""
    X, y = measured
    reading = readings(PLAIN, LOWER, UPPER)
    own = y + torch.arange(8, dtype=torch.float64)[:, None]  # h x n
    whole = build(members, components, features, (X, own), reading)
    part = build(members, components, features, (X[:3], own[:, :3]), reading)
    told = own[part.slices.owner]  # h' x n

    same(part.condition_on_observations(X[3:], told[:, 3:, None]), whole, X_new)
    same(build(members, components, features, (X, y), reading).with_outcomes(told), whole, X_new)


def test_other_outcomes_at_the_same_configurations(members, components, features, measured, X_new):
    """`with_outcomes` is the bank of those outcomes, fantasies (a leading dimension) included."""
    X, y = measured
    reading = readings(PLAIN, LOWER, UPPER)
    bank = build(members, components, features, (X, y), reading)
    others = torch.stack([y, y.flip(0), 0.5 * y])
    fantasies = bank.with_outcomes(others[:, None, :].expand(3, *bank.batch_shape, 5))

    assert fantasies.batch_shape == (3, *bank.batch_shape)
    mean, variance = fantasies.marginals(X_new)
    for i in range(3):
        expected_mean, expected_variance = build(members, components, features, (X, others[i]), reading).marginals(
            X_new
        )
        torch.testing.assert_close(mean[i], expected_mean)
        torch.testing.assert_close(variance[i], expected_variance)


@pytest.mark.parametrize("factor", [0.01, 1000.0])
def test_another_unit_scales_predictions(bank, X_new, factor):
    """Means grow with the factor and variances with its square, also of joint posteriors and outcomes."""
    scaled = bank.scaled(factor)
    (mean, variance), (other_mean, other_variance) = bank.predictive(X_new), scaled.predictive(X_new)

    torch.testing.assert_close(other_mean, mean * factor)
    torch.testing.assert_close(other_variance, variance * factor**2)
    torch.testing.assert_close(scaled.posterior(X_new[:2]).mean, bank.posterior(X_new[:2]).mean * factor)
    torch.testing.assert_close(scaled.prior_sd, bank.prior_sd * factor)
    torch.testing.assert_close(scaled.Y, bank.Y * factor)


def test_slices_share_their_members_weight(bank):
    """Weights over slices add up to the member's own, and plain members keep theirs in one piece."""
    log_weight = torch.log_softmax(torch.arange(8, dtype=torch.float64), 0)
    spread = bank.member_weights(log_weight).exp()

    torch.testing.assert_close(torch.zeros(8).double().index_add(0, bank.slices.owner, spread), log_weight.exp())
    counts = torch.bincount(bank.slices.owner)
    assert (counts[bank.own_reading.sign == 0] == 1).all() and (counts[bank.own_reading.sign != 0] > 1).all()


def no_transfer(space, geometry, scale):
    """Eight members of the no-transfer bank, told with all readings of a scale."""
    empty = SourceFeatures.empty(space.n_dims)
    return MetaGP(no_transfer_members(geometry, 8), empty, geometry.components, scale, torch.device("cpu"))


def raw_slope(reading, k, y):
    """`dz / dy` of one reading, by differences of its own inverse."""
    h = 1e-5
    z = reading.read(torch.as_tensor(y))[0][k : k + 1]
    own = reading[torch.tensor([k])]
    return (2 * h / (own.raw(z + h) - own.raw(z - h)))[0].numpy()


def test_evidence_is_a_density_of_raw_outcomes(space, geometry, measured):
    """A pair's log evidence is SciPy's normal density of the standardized outcomes times `dz / dy` of each outcome."""
    X, y = measured[0][:4], measured[1][:4].numpy()
    learner = no_transfer(space, geometry, RANGE)
    reading, h = RANGE.readings(), 8
    evidence = learner.adapt(Support.of(X.numpy(), y, None, "cpu")).log_evidence.reshape(-1, h)
    nothing = X[:0], torch.zeros(0, dtype=torch.float64)
    prior = Bank(learner.members, learner.features, learner.components, *nothing).posterior(X, observation_noise=True)
    mean, covariance = prior.mean[..., 0].numpy(), prior.distribution.covariance_matrix.numpy()

    assert reading.n_readings == evidence.shape[0] > 20
    for k in range(0, reading.n_readings, 5):  # plain readings and both kinds of bent ones
        z = reading.read(torch.as_tensor(y))[0][k].numpy()
        jacobian = np.log(raw_slope(reading, k, y)).sum()
        for i in range(h):
            expected = multivariate_normal(mean[i], covariance[i]).logpdf(z) + jacobian
            assert float(evidence[k, i]) == pytest.approx(expected, rel=1e-6)


def test_known_noise_is_seen_by_every_reading(space, geometry, measured):
    """A variance in raw units becomes one on the axis by the square of `dz / dy`: checked with SciPy on one outcome."""
    X, y, yvar = measured[0][:1], measured[1][:1].numpy(), 16.0
    learner = no_transfer(space, geometry, RANGE)
    reading = RANGE.readings()
    found = learner.adapt(Support.of(X.numpy(), y, np.array([yvar]), "cpu")).log_evidence.reshape(-1, 8)
    m = learner.members
    for k in range(0, reading.n_readings, 5):
        slope = float(raw_slope(reading, k, y)[0])
        z = float(reading.read(torch.as_tensor(y))[0][k, 0])
        variance = m.prior_variance + m.noise.square() + yvar * slope**2
        for i in range(8):
            expected = multivariate_normal(float(m.offset[i]), float(variance[i])).logpdf(z) + np.log(slope)
            assert float(found[k, i]) == pytest.approx(expected, rel=1e-6)


def test_adapted_members_are_conditioned_with_their_own_reading(space, geometry, measured, X_new):
    """Pairs are numbered reading by reading; each predicts as a bank built from that reading and that member alone."""
    X, y = measured
    learner = no_transfer(space, geometry, RANGE)
    reading = RANGE.readings()
    model = learner.adapt(Support(X, y)).condition(torch.tensor([3, 8 * 5 + 2, 8 * 20 + 7]))
    for i, (k, h) in enumerate([(0, 3), (5, 2), (20, 7)]):
        one, own = learner.members[torch.tensor([h])], reading[torch.tensor([k])]
        alone = ReadBank(Bank(one, learner.features, learner.components, X, own.read(y)[0]), own)
        is_own = model.slices.owner == i
        torch.testing.assert_close(model.marginals(X_new)[0][is_own], alone.marginals(X_new)[0])
        sd = float(model.prior_sd[is_own][0])
        assert sd == pytest.approx(sqrt(float(one.prior_variance[0])) * float(own.slope(torch.zeros(1, 1).double())))
