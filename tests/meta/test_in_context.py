"""The in-context learner: what it promises about order, units, evidence, imagined outcomes, and a belief with it."""

import numpy as np
import pytest
import torch

from discovery.acquisition.pool import Search, choose_from_pool
from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import CampaignSpec
from discovery.errors import CheckpointError, ShapeError
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.checkpoint import load as load_checkpoint
from discovery.meta.checkpoint import save as save_checkpoint
from discovery.meta.in_context import MOST_READ, InContext, shipped_prior
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace

RANGE = OutcomeScale(50.0, 25.0, "range")
ANCHORED = OutcomeScale(None, None, "anchored")


def learner(space, scale=RANGE):
    return InContext.load(InContext.meta_train(None, Setting("pretrained", space, scale)))


def measured(space, surface, n, seed=0):
    generator = np.random.default_rng(seed)
    X = space.sample(n, generator)
    return Support.of(X, surface(X) + generator.normal(size=n), None, "cpu")


def mixture(adapted, X):
    mean, variance = adapted.model.predictive(X)
    return adapted.log_prior.exp(), mean, variance.sqrt()


def log_density(adapted, X, y):
    weight, mean, sd = mixture(adapted, X)
    each = torch.distributions.Normal(mean, sd).log_prob(y) + weight.log()[:, None]
    return torch.logsumexp(each, 0)


@pytest.mark.parametrize("n", [0, 1, 5, 30])
@pytest.mark.parametrize("scale", [RANGE, ANCHORED], ids=["range", "anchored"])
def test_predictions_do_not_depend_on_the_order_of_measurements(space, surface, scale, n):
    """Permuted measurements give the same mixture; only an unknown scale's first measurement is special."""
    support = measured(space, surface, n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    order = torch.cat([torch.zeros(1, dtype=torch.long), order[order != 0]]) if n and scale is ANCHORED else order
    points = torch.as_tensor(space.sample(7, np.random.default_rng(2)))
    one = mixture(learner(space, scale).adapt(support), points)
    other = mixture(learner(space, scale).adapt(Support(support.X[order], support.y[order])), points)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_predictions_do_not_depend_on_the_order_of_parameters_or_levels(surface):
    """A campaign file that lists its parameters, or a category's levels, in another order gives the same numbers."""
    parameters = [
        {"name": "a", "type": "categorical", "values": ["p", "q", "r"]},
        {"name": "b", "type": "continuous", "bounds": [0, 1]},
        {"name": "c", "type": "continuous", "bounds": [0, 1]},
    ]
    turned = [parameters[2], parameters[0] | {"values": ["r", "p", "q"]}, parameters[1]]
    frame_space, other_space = (
        SearchSpace.from_spec(
            CampaignSpec.from_mapping(
                {"name": "order", "parameters": p, "objectives": [{"name": "y", "goal": "maximize"}]}
            )
        )
        for p in (parameters, turned)
    )
    X = frame_space.sample(15, np.random.default_rng(0))
    frame = frame_space.decode(X)
    y = torch.as_tensor(surface(X))
    predictions = []
    for own in (frame_space, other_space):
        encoded = torch.as_tensor(own.encode(frame))
        adapted = learner(own).adapt(Support(encoded[:10], y[:10]))
        predictions.append(mixture(adapted, encoded[10:]))
    for a, b in zip(*predictions, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("shift", "factor"), [(0.0, 1e-3), (-300.0, 40.0), (7e4, 1.0)])
def test_an_unknown_scale_is_found_exactly(space, surface, shift, factor):
    """Shifted and stretched outcomes give shifted and stretched predictions, and evidence with the Jacobian."""
    support = measured(space, surface, 12)
    moved = Support(support.X, shift + factor * support.y)
    points = torch.as_tensor(space.sample(5, np.random.default_rng(3)))
    one, other = (learner(space, ANCHORED).adapt(s) for s in (support, moved))
    (w, mean, sd), (v, moved_mean, moved_sd) = mixture(one, points), mixture(other, points)
    torch.testing.assert_close(w, v, rtol=2e-3, atol=1e-4)
    torch.testing.assert_close(shift + factor * mean, moved_mean, rtol=2e-3, atol=2e-2 * factor)
    torch.testing.assert_close(factor * sd, moved_sd, rtol=5e-3, atol=2e-2 * factor)
    later = slice(3, None)
    torch.testing.assert_close(
        one.log_steps[0, later] - np.log(factor), other.log_steps[0, later], rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize("scale", [RANGE, ANCHORED], ids=["range", "anchored"])
def test_every_step_is_the_density_that_was_predicted_before(space, surface, scale):
    """One-step log densities, computed together, are those of the mixtures that a growing campaign would have seen."""
    support = measured(space, surface, 12)
    steps = learner(space, scale).adapt(support).log_steps[0]
    for n in (3, 7, 11):
        before = learner(space, scale).adapt(Support(support.X[:n], support.y[:n]))
        said = log_density(before, support.X[n : n + 1], support.y[n : n + 1])
        assert float(said) == pytest.approx(float(steps[n]), abs=2e-3)


def test_the_first_of_unscaled_measurements_is_not_scored_and_equal_ones_are_met_with_scales(space):
    """Without a scale the first density is zero; equal outcomes keep all scales, the second different one ends them."""
    X = torch.as_tensor(space.sample(4, np.random.default_rng(0)))
    own = learner(space, ANCHORED)
    equal = own.adapt(Support(X[:3], torch.full((3,), 5.0, dtype=torch.float64)))
    different = own.adapt(Support(X, torch.tensor([5.0, 5.0, 5.0, 9.0], dtype=torch.float64)))
    assert float(equal.log_steps[0, 0]) == 0.0
    assert len(equal.log_prior) > len(different.log_prior)
    assert torch.isfinite(different.log_steps).all()
    torch.testing.assert_close(equal.log_steps[0], different.log_steps[0, :3])


def test_steps_are_kept_for_the_next_cycle_and_stay_the_same(space, surface):
    """A learner that has seen the campaign grow computes only what is new, with the same result."""
    own, support = learner(space), measured(space, surface, 20)
    own.adapt(Support(support.X[:19], support.y[:19]))
    grown = own.adapt(support)
    assert len(own.known) == 20
    torch.testing.assert_close(grown.log_steps, learner(space).adapt(support).log_steps, rtol=1e-3, atol=1e-3)


def test_more_measurements_than_in_training_are_thinned(space, surface):
    """Beyond the number of measurements seen in training all are scored, and that many are read."""
    adapted = learner(space).adapt(measured(space, surface, MOST_READ + 8))
    assert adapted.log_steps.shape[1] == MOST_READ + 8
    assert adapted.model.X.shape[-2] == MOST_READ
    assert torch.isfinite(adapted.log_steps).all()


def test_a_joint_posterior_has_the_marginals_and_the_correlation_of_neighbors(space, surface):
    """The diagonal of a joint posterior is the marginal variance; near points are tied, far ones less so."""
    adapted = learner(space).adapt(measured(space, surface, 10))
    X = torch.as_tensor(space.sample(3, np.random.default_rng(5)))
    X[1] = X[0]
    X[1, -1] = X[0, -1] + 0.01
    posterior = adapted.model.posterior(X[None, None])
    mean, variance = adapted.model.marginals(X)
    covariance = posterior.distribution.covariance_matrix[0]
    torch.testing.assert_close(posterior.mean[0, ..., 0], mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(covariance.diagonal(dim1=-2, dim2=-1), variance, rtol=1e-3, atol=1e-4)
    sd = variance.sqrt()
    correlation = covariance / (sd[:, :, None] * sd[:, None, :])
    assert (correlation[:, 0, 1] > 0.9).all()
    assert (correlation[:, 0, 2] < correlation[:, 0, 1]).all()


def test_imagined_outcomes_move_the_mean_towards_them_and_take_variance_away(space, surface):
    """Conditioning on an imagined outcome acts as on a Gaussian: exact at the point, faded far from it."""
    model = learner(space).adapt(measured(space, surface, 8)).model
    x = torch.as_tensor(space.sample(2, np.random.default_rng(7)))
    mean, variance = model.marginals(x)
    high = (mean[:, :1] + 3 * variance[:, :1].sqrt())[None, :, :, None]  # 1 x h x 1 x 1
    grown = model.condition_on_observations(x[:1], high)
    moved, narrowed = grown.marginals(x)
    assert grown.batch_shape == (1, len(mean))
    assert (moved[0, :, 0] > mean[:, 0]).all()
    assert (narrowed[:, 0] < variance[:, 0]).all()
    assert (narrowed <= variance * (1 + 1e-9)).all()
    with pytest.raises(ShapeError, match="shared by all fantasies"):
        model.condition_on_observations(torch.rand(4, 1, 1, 5), torch.zeros(4, 8, 1, 1))


def test_units_can_be_changed_without_changing_what_is_said(space, surface):
    """A model in thousandths says a thousand times as much, imagined outcomes included."""
    model = learner(space).adapt(measured(space, surface, 6)).model
    x = torch.as_tensor(space.sample(3, np.random.default_rng(1)))
    grown = model.condition_on_observations(x[:1], torch.full((1, 1), 60.0, dtype=torch.float64))
    for one in (model, grown):
        mean, variance = one.predictive(x)
        scaled_mean, scaled_variance = one.scaled(1000.0).predictive(x)
        torch.testing.assert_close(scaled_mean, 1000 * mean)
        torch.testing.assert_close(scaled_variance, 1e6 * variance)


def test_predictions_have_gradients(space, surface):
    """A continuous search can climb: derivatives with respect to configurations are finite and not all zero."""
    model = learner(space).adapt(measured(space, surface, 10)).model
    X = torch.as_tensor(space.sample(4, np.random.default_rng(1))).requires_grad_()
    mean, variance = model.marginals(X)
    (gradient,) = torch.autograd.grad(mean.sum() + variance.sum(), X)
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().max()) > 0


@pytest.mark.parametrize("n_choices", [1, 3])
def test_a_belief_with_it_chooses_from_a_pool(space, surface, n_choices):
    """Beside no transfer it has evidence and weight, and single proposals and batches are distinct rows."""
    cold = MetaGP.load(MetaGP.meta_train(None, Setting("no_transfer", space, RANGE)))
    hypotheses = [Hypothesis("no_transfer", 0.8, cold, "a"), Hypothesis("pretrained", 0.2, learner(space), "b")]
    belief = Belief.adapt(hypotheses, measured(space, surface, 8))
    pool = torch.as_tensor(space.sample(50, np.random.default_rng(4)))
    choices = choose_from_pool(belief, pool, np.ones(50, dtype=bool), n_choices, Search("log_ei", 1.0, 0))
    assert len({choice.index for choice in choices}) == n_choices
    assert float(belief.weights.sum()) == pytest.approx(1.0)
    mean, sd, weights = belief.marginals(pool)
    assert mean.shape == sd.shape == (50, len(weights))
    assert float(weights.sum()) == pytest.approx(1.0)


def test_a_checkpoint_holds_all_that_is_needed(space, surface, tmp_path):
    """Saved, read and loaded it predicts as before; another family's checkpoint is refused."""
    checkpoint = InContext.meta_train(None, Setting("pretrained", space, RANGE))
    again = load_checkpoint(save_checkpoint(checkpoint, tmp_path), space_hash=space.schema_hash)
    support, points = measured(space, surface, 5), torch.as_tensor(space.sample(3, np.random.default_rng(1)))
    for a, b in zip(*(mixture(InContext.load(c).adapt(support), points) for c in (checkpoint, again)), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(CheckpointError, match="somebody_elses"):
        InContext.load(Checkpoint(CheckpointMeta("somebody_elses", "pretrained", space_hash="0", seed=0), {}))


def test_the_prior_that_ships_says_what_went_into_it():
    """The card beside the weights names data with licenses, seed, steps, hardware and held-out scores."""
    tensors, card = shipped_prior()
    assert sum(value.numel() for value in tensors.values()) * 4 < 4_000_000
    assert {"sizes", "seed", "steps", "tasks", "hardware", "sources", "validation"} <= set(card)
    assert card["steps"] > 0
    assert all(card["sources"].values())
