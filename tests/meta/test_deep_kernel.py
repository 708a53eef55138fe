"""Promises of the deep kernel: what it learns, that no task is judged by a network that saw it, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief, Hypothesis
from discovery.errors import CheckpointError, ConfigurationError, NotEnoughDataError
from discovery.meta import deep_network
from discovery.meta.checkpoint import load, save
from discovery.meta.deep_kernel import N_FOLDS, VARIATIONS, DeepKernelGP
from discovery.meta.deep_network import row_densities, train_networks
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task, TaskBatch

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="module")
def dozen(space, surface):
    """Twelve tasks that share a shape and differ in level."""
    tasks = []
    for i in range(12):
        g = np.random.default_rng(100 + i)
        X = space.sample(30, g)
        Y = surface(X, shift=0.03 * (i % 3 - 1)) + 4 * (i % 4) + g.normal(size=30)
        tasks.append(Task(f"task {i}", X, Y[:, None], source=f"task_{i}.csv"))
    return tuple(tasks)


@pytest.fixture(scope="module")
def setting(space):
    return Setting("deep_kernel", space, SCALE)


@pytest.fixture(scope="module")
def checkpoint(dozen, setting):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deep_network, "STEPS", 80)
        return DeepKernelGP.meta_train(HistoryDistribution(dozen), setting)


@pytest.fixture(scope="module")
def batch(dozen):
    whole = TaskBatch.from_tasks(dozen)
    return replace(whole, Y=(whole.Y - 50) / 25)


def test_it_ranks_a_new_task_unseen(checkpoint, space, surface):
    """Without a measurement it already tells good configurations from bad ones."""
    learner = DeepKernelGP.load(checkpoint)
    X = space.sample(200, np.random.default_rng(7))
    belief = Belief.adapt([Hypothesis("deep_kernel", 1.0, learner, "x")], Support.of(X[:0], np.zeros(0), None, "cpu"))
    mean, _, weight = belief.marginals(torch.as_tensor(X))

    assert np.corrcoef((mean * weight).sum(1).numpy(), surface(X))[0, 1] > 0.7
    assert checkpoint.meta.scores["rank_correlation"] > 0.6


def test_the_bank_is_every_network_with_every_variation(checkpoint):
    """Members are networks times variations; each refers to its own network alone and keeps a residual."""
    members = DeepKernelGP.load(checkpoint).members

    assert members.n_members == N_FOLDS * len(VARIATIONS)
    own = torch.eye(N_FOLDS).repeat_interleave(len(VARIATIONS), dim=0).bool()
    assert ((members.component_sd != 0) == own).all()
    assert (members.slope[~own] == 0).all() and (members.slope_sd[~own] == 0).all()
    assert (members.signal > 0).all() and (members.noise >= 0.01).all()


def test_a_checkpoint_comes_back_as_it_was(checkpoint, space, surface, tmp_path):
    """Saved and loaded, it gives the same evidence; the same setting gives the same checkpoint."""
    X = space.sample(6, np.random.default_rng(0))
    support = Support.of(X, surface(X), None, "cpu")
    again = DeepKernelGP.load(load(save(checkpoint, tmp_path), learner="deep_kernel"))

    torch.testing.assert_close(
        again.adapt(support).log_evidence, DeepKernelGP.load(checkpoint).adapt(support).log_evidence
    )


def test_the_same_seed_gives_the_same_networks(batch, geometry, monkeypatch):
    """Training is a function of its arguments; another seed gives other networks."""
    monkeypatch.setattr(deep_network, "STEPS", 5)
    one, again, other = (
        train_networks(batch, geometry, torch.Generator().manual_seed(seed), N_FOLDS) for seed in (0, 0, 1)
    )

    assert torch.equal(one.networks.first, again.networks.first)
    assert not torch.equal(one.networks.first, other.networks.first)


def test_no_network_sees_the_tasks_of_its_fold(batch, geometry, monkeypatch):
    """Outcomes of a fold do not change what its network becomes, and do change the others."""
    monkeypatch.setattr(deep_network, "STEPS", 10)
    monkeypatch.setattr(deep_network, "CHECK_EVERY", 5)
    plain = train_networks(batch, geometry, torch.Generator().manual_seed(0), N_FOLDS)
    left_out = plain.fold == 2
    turned = replace(batch, Y=torch.where(left_out[:, None, None], -batch.Y, batch.Y))
    other = train_networks(turned, geometry, torch.Generator().manual_seed(0), N_FOLDS)

    same = [torch.equal(plain.networks.feature[f], other.networks.feature[f]) for f in range(N_FOLDS)]
    assert torch.equal(plain.fold, other.fold) and len(set(plain.fold.tolist())) == N_FOLDS
    assert same == [False, False, True, False]


def test_unseen_takes_the_network_of_the_fold(batch, geometry, monkeypatch):
    """Every task is evaluated by the network of its own fold."""
    monkeypatch.setattr(deep_network, "STEPS", 1)
    trained = train_networks(batch, geometry, torch.Generator().manual_seed(0), N_FOLDS)
    phi, mean = trained.unseen(batch.X)
    all_phi, all_mean = trained.networks(batch.X)

    for task, fold in enumerate(trained.fold.tolist()):
        torch.testing.assert_close(phi[task], all_phi[fold, task])
        torch.testing.assert_close(mean[task], all_mean[fold, task])


def test_row_densities_are_those_of_the_normal_distribution():
    """The sum over real rows is the joint log density, whatever stands in the padding."""
    g = torch.Generator().manual_seed(0)
    A = torch.randn(2, 5, 5, generator=g, dtype=torch.float64)
    K, r = A @ A.transpose(1, 2), torch.randn(2, 5, generator=g, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found = (row_densities(K, torch.tensor(0.5, dtype=torch.float64), r, mask) * mask).sum(1)

    for i, n in enumerate((5, 3)):
        covariance = K[i, :n, :n] + (0.5 + deep_network.JITTER) * torch.eye(n, dtype=torch.float64)
        normal = torch.distributions.MultivariateNormal(torch.zeros(n, dtype=torch.float64), covariance)
        torch.testing.assert_close(found[i], normal.log_prob(r[i, :n]))


def test_its_gradients_reach_configurations(checkpoint, space):
    """Means and correlations are differentiable, so that spaces without a pool can be searched."""
    learner = DeepKernelGP.load(checkpoint)
    X = torch.as_tensor(space.sample(3, np.random.default_rng(1))).requires_grad_(True)
    (learner.features(X).sum() + learner.components(X, X.detach()).sum()).backward()

    assert torch.isfinite(X.grad).all() and (X.grad[:, 3:] != 0).all()


def test_correlations_of_batches_are_those_of_single_points(checkpoint, space):
    """Whatever the batch dimensions of the two sides, every network compares the same points."""
    components = DeepKernelGP.load(checkpoint).components
    A = torch.as_tensor(space.sample(3, np.random.default_rng(2)))
    B = torch.as_tensor(space.sample(4 * 2, np.random.default_rng(3)))
    plain = components(A, B)  # f x 3 x 8
    batched = components(A[None], B.reshape(4, 1, 2, -1))  # f x 4 x 1 x 3 x 2

    torch.testing.assert_close(batched[:, :, 0].movedim(1, 2).reshape(N_FOLDS, 3, 8), plain)
    torch.testing.assert_close(torch.diagonal(components(A, A), dim1=1, dim2=2), torch.ones(N_FOLDS, 3).double())


def test_what_it_refuses(dozen, setting, checkpoint):
    """It learns from histories only, of one task per fold at least, and loads its own checkpoints only."""
    with pytest.raises(ConfigurationError, match="must learn from a history; got None"):
        DeepKernelGP.meta_train(None, setting)
    with pytest.raises(NotEnoughDataError, match="needs 4 earlier tasks at least; got 3"):
        DeepKernelGP.meta_train(HistoryDistribution(dozen[:3]), setting)
    with pytest.raises(CheckpointError, match="meta_gp checkpoint is needed; this one was made by deep_kernel"):
        MetaGP.load(checkpoint)
