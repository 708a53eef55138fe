"""The learned acquisition policy: exact simulated beliefs, features without units, LogEI where nothing was learned."""

import math
from dataclasses import replace

import pytest
import torch

from discovery import registry
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.mixture import Target, believed_best, build
from discovery.acquisition.policy import BOUND, Policy, PolicyNetwork, shipped
from discovery.acquisition.policy_features import NAMES, State, features, log_improvement
from discovery.acquisition.policy_training import PolicyLearner, Schooling, held_out_gain, plain, rewards_over, train
from discovery.acquisition.simulated_campaigns import (
    AMPLITUDES,
    LENGTHSCALES,
    NOISES,
    OFFSET,
    Campaigns,
    Tasks,
    draw,
    roll_out,
)
from discovery.errors import CheckpointError, InputError
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.learner import Setting
from discovery.meta.scale import OutcomeScale
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution

SMALL = Schooling(steps=2, n_campaigns=8, n_choices=4, n_held_out=16)


@pytest.fixture(scope="module")
def world(space):
    return registry.simulator("gp_prior").bind(space)


@pytest.fixture(scope="module")
def tasks(world):
    return draw(world, 6, torch_generator(0, "policy test"), n_pool=30)


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = PolicyNetwork().double()
    torch.nn.init.normal_(made.correction.weight)
    return made


def test_simulated_beliefs_equal_exact_processes(tasks):
    """Mean, variance and weight of every member, as the formulas say them, campaign by campaign."""
    campaigns, order = Campaigns(tasks, 5), [3, 17, 4, 25, 9]
    for i in order:
        campaigns.measure(torch.full((6,), i))
    grid = [(a, b, c) for a in LENGTHSCALES for b in AMPLITUDES for c in NOISES]
    for b in (0, 5):
        X, y, logs = tasks.X[b], tasks.y[b, order], []
        for h, (lengthscale, amplitude, noise) in enumerate(grid):
            r = math.sqrt(5) * torch.cdist(X, X) / (lengthscale * math.sqrt(X.shape[1]))
            kernel = amplitude**2 * ((1 + r + r**2 / 3) * torch.exp(-r) + OFFSET)
            total = kernel[order][:, order] + noise**2 * torch.eye(5, dtype=X.dtype)
            gain = torch.linalg.solve(total, kernel[order])
            torch.testing.assert_close(campaigns.mean[b, h], gain.T @ y)
            variance = kernel.diagonal() - (kernel[order] * gain).sum(0)
            torch.testing.assert_close(campaigns.variance[b, h], variance, rtol=1e-6, atol=1e-6)
            normal = torch.distributions.MultivariateNormal(torch.zeros(5, dtype=X.dtype), total)
            logs.append(normal.log_prob(y))
        torch.testing.assert_close(campaigns.log_weight[b], torch.log_softmax(torch.stack(logs), -1))


def test_campaigns_of_a_batch_do_not_know_each_other(tasks):
    """A campaign by itself goes as it goes among others; nothing is measured twice; regret never rises."""
    many = roll_out(tasks, plain, 8)
    alone = Tasks(tasks.X[2:3], tasks.y[2:3], tasks.truth[2:3], tasks.starts[2:3])
    for one, among in zip(roll_out(alone, plain, 8), many, strict=True):
        assert int(one.chosen[0]) == int(among.chosen[2])
    chosen = torch.cat([tasks.starts.T, torch.stack([step.chosen for step in many])])
    assert all(len(set(column.tolist())) == 10 for column in chosen.T)
    regret = torch.stack([step.regret for step in many])
    assert bool((regret.diff(dim=0) <= 0).all()) and bool((regret >= 0).all())


def _mixture(n=7, h=3):
    generator = torch.Generator().manual_seed(1)
    mean, sd = torch.randn(n, h, generator=generator).double(), torch.rand(n, h, generator=generator).double() + 0.1
    return Mixture(mean, sd, torch.log_softmax(torch.randn(h, generator=generator).double(), -1))


def test_features_have_no_unit_and_no_order():
    """Other units, candidates in another order, members in another order: the same numbers."""
    mixture, state = _mixture(), State(torch.tensor(0.3).double(), torch.tensor(1.2).double(), 5)
    known = features(mixture, state)
    assert known.shape == (7, len(NAMES)) and bool(torch.isfinite(known).all())
    other = Mixture(40 * mixture.mean - 7, 40 * mixture.sd, mixture.log_weight)
    torch.testing.assert_close(features(other, State(40 * state.best - 7, 40 * state.spread, 5)), known)
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    torch.testing.assert_close(
        features(Mixture(mixture.mean[order], mixture.sd[order], mixture.log_weight), state), known[order]
    )
    turned = Mixture(mixture.mean.flip(-1), mixture.sd.flip(-1), mixture.log_weight.flip(-1))
    torch.testing.assert_close(features(turned, state), known)


def test_an_untrained_policy_is_logei_and_a_trained_one_is_bounded(network):
    """Scores differ from the logarithm of the expected improvement by at most the bound, and by nothing at first."""
    mixture, state = _mixture(), State(torch.tensor(0.3).double(), torch.tensor(1.2).double(), 5)
    known, exact = features(mixture, state), log_improvement(mixture, state.best) - math.log(1.2)
    torch.testing.assert_close(PolicyNetwork().double().score(known), exact)
    assert 0 < float((network.score(known).detach() - exact).abs().max()) <= BOUND


def test_what_draws_candidates_never_draws_one_that_is_not_looked_at(tasks):
    """The chosen one is among the free candidates of the highest expected improvement."""
    steps = roll_out(tasks, lambda known, *_: torch.zeros_like(known[..., 0]), 6, torch_generator(3, "draw"), 4)
    for step in steps:
        gain = step.features[..., 0].masked_fill(~step.is_free, -torch.inf)
        rank = (gain > gain.gather(-1, step.chosen[:, None])).sum(-1)
        assert int(rank.max()) < 4
    assert any(
        int((s.features[..., 0].masked_fill(~s.is_free, -torch.inf).argmax(-1) != s.chosen).sum()) for s in steps
    )


def test_what_leaves_less_regret_is_rewarded(tasks):
    """Whoever knows the truth gets more than LogEI, who gets more than whoever shuns what is best."""
    knowing, shunning = (roll_out(tasks, lambda *_, s=sign: s * tasks.truth, 5) for sign in (1.0, -1.0))
    plainly = roll_out(tasks, plain, 5)
    assert float(rewards_over(knowing, plainly).sum()) > 0 > float(rewards_over(shunning, plainly).sum())
    assert float(rewards_over(plainly, plainly).abs().sum()) == 0.0
    assert float((knowing[0].regret).abs().max()) == 0.0


def test_a_seed_repeats_the_training(world):
    """Training changes the correction; a seed repeats it; LogEI gains nothing over itself."""
    one, again = (train([world], SMALL, seed=4) for _ in range(2))
    for left, right in zip(one.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
    assert float(one.correction.weight.detach().abs().max()) > 0  # something was learned
    assert held_out_gain(PolicyNetwork().double(), [world], SMALL, 0)["gain"] == 0.0  # LogEI gains nothing over itself


def test_a_checkpoint_carries_the_policy_and_its_gate(world, space, tmp_path):
    """What is loaded scores as what was trained; other families, other features and missing simulators are refused."""
    setting = Setting("policy", space, OutcomeScale(50.0, 25.0, "range"))
    made = PolicyLearner.meta_train(world, setting, schooling=SMALL)
    loaded = PolicyLearner.load(made)
    assert set(loaded.scores) == {"gain", "gain_se"} and loaded.most_measured == 6
    assert made.meta.space_hash == space.schema_hash and made.meta.task_sources == ("simulator:gp_prior",)
    torch.testing.assert_close(loaded.network.correction.weight, made.tensors["correction.weight"])
    on = PolicyLearner.meta_train(world, setting, start_from=made, schooling=SMALL)
    assert on.meta.parent == made.checkpoint_id != on.checkpoint_id
    with pytest.raises(CheckpointError, match="somebody_elses"):
        Policy.load(Checkpoint(CheckpointMeta("somebody_elses", "history", space_hash="0", seed=0), {}))
    stale = replace(made.meta, details={**made.meta.details, "features": ["x"]})
    with pytest.raises(CheckpointError, match="features"):
        Policy.load(Checkpoint(stale, made.tensors))
    with pytest.raises(InputError, match="simulator"):
        PolicyLearner.meta_train(None, setting)


def test_measured_tasks_are_refused(related):
    """Regret needs the truth."""
    with pytest.raises(InputError, match="simulated tasks"):
        draw(HistoryDistribution(tuple(related)), 4, torch_generator(0, "x"), 10)


@pytest.fixture(scope="module")
def kept(belief):
    return belief.kept


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_in_a_belief_it_is_logei_plus_the_correction(kept, network, sign, space):
    """A policy that passed corrects LogEI, by gradients too; one that did not, or has seen too much, is LogEI."""
    target = Target(sign, believed_best(kept, sign))
    X = torch.rand(9, 1, space.n_dims, dtype=torch.float64)
    exact = build("log_ei", kept, target)(X)
    passed = Policy(network, {"gain": 0.1, "gain_se": 0.01}, most_measured=27)
    own = passed.acquisition(kept, target)(X.requires_grad_(True))
    assert 0 < float((own.detach() - exact).abs().max()) <= BOUND + 1e-3
    own.sum().backward()
    assert bool(torch.isfinite(X.grad).all()) and float(X.grad.abs().max()) > 0
    for other in (replace(passed, scores={"gain": 0.01, "gain_se": 0.01}), replace(passed, most_measured=3)):
        plain_values = other.acquisition(kept, target)(X.detach())
        torch.testing.assert_close(plain_values, exact, rtol=1e-4, atol=1e-4)


def test_what_ships_loads_and_says_how_it_did():
    """The gate's figures stand in the file."""
    assert shipped().scores["gain_se"] > 0 and shipped().most_measured == 27
