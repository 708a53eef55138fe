"""The multi-task process: against an explicit Gaussian process, and what it finds alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.errors import ConfigurationError
from discovery.meta import multi_task
from discovery.meta.geometry import Geometry
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.learner import Setting
from discovery.meta.multi_task import MultiTask, coregionalize, related_members
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import TaskBatch


def wave(X, shift):
    return np.sin(6 * X[:, -1] + shift)


@pytest.fixture(scope="module")
def batch(space):
    """Two tasks that are alike, and one that is their opposite in shape: nothing positive relates it to them."""
    rng = np.random.default_rng(0)
    X = np.stack([space.sample(30, rng) for _ in range(3)])
    Y = np.stack([wave(x, shift) for x, shift in zip(X, (0.0, 0.1, np.pi / 2), strict=True)])
    X, Y = torch.as_tensor(X), torch.as_tensor(Y)
    return TaskBatch(X, Y[..., None], torch.ones(3, 30, dtype=torch.bool), ("a", "b", "c"))


@pytest.fixture(scope="module")
def found(batch, space):
    return coregionalize(batch, Geometry.of(space))


def test_the_covariance_between_tasks_is_positive(found):
    """Every entry is positive, and so is every eigenvalue."""
    assert (found.covariance > 0).all()
    assert (torch.linalg.eigvalsh(found.covariance) > 0).all()


def test_what_is_alike_is_found_alike(found):
    """The two tasks of one shape are correlated; the third is not."""
    assert float(found.correlation[0, 1]) > 0.9
    assert float(found.correlation[0, 2]) < 0.6


def test_posterior_means_equal_an_explicit_process(found, batch, space):
    """`m_t = sum_s B_ts u_s` is the posterior mean of one Gaussian process over all rows of all tasks."""
    geometry, rows = Geometry.of(space), torch.rand(5, space.n_dims, dtype=torch.float64)
    inverse = geometry.inverse_lengthscales(found.lengthscale)
    X, task = batch.X.reshape(-1, space.n_dims), torch.arange(3).repeat_interleave(30)
    K, cross = (matern52(squared_distance(a * inverse, X * inverse)) for a in (X, rows))
    same = (task[:, None] == task).double()
    noisy = found.covariance[task][:, task] * K + found.offset_sd**2 * same
    noisy = noisy + (found.noise**2 + 1e-6) * torch.eye(len(X), dtype=torch.float64)
    alpha = torch.linalg.solve(noisy, batch.Y.reshape(-1) - found.offset)
    for t in range(3):
        expected = (found.covariance[t][task] * cross) @ alpha
        torch.testing.assert_close(found.features(rows) @ found.covariance[t], expected, rtol=1e-6, atol=1e-8)


def test_members_hold_every_degree_of_likeness(found, space):
    """Like the mean and like each task, from not at all to nearly the same; variances add up to a task's."""
    members = related_members(found, Geometry.of(space), found.lengthscale)
    assert members.n_members == 4 * len(multi_task.DEGREES) * len(multi_task.NOISES)
    assert float(members.log_prior.exp().sum()) == pytest.approx(1.0)
    unlike = members.signal == members.signal.max()
    assert (members.slope[unlike] == 0).all()
    typical = float(torch.diagonal(found.covariance).mean().sqrt())
    assert float(members.signal.max()) == pytest.approx(typical)


def test_tasks_without_relation_are_believed_unrelated(found, space):
    """Where the covariance is diagonal, members that are like nothing have more prior weight than the others."""
    alone = replace(found, covariance=torch.eye(3, dtype=torch.float64))
    members = related_members(alone, Geometry.of(space), found.lengthscale)
    weight = members.log_prior.exp()
    unlike = (members.slope == 0).all(1)
    by_degree = weight.sum() - weight[unlike].sum()
    assert float(weight[unlike].sum()) > float(by_degree) / (len(multi_task.DEGREES) - 1)


def test_the_table_of_likeness_is_kept(related, space):
    """A checkpoint says how alike its tasks are, in the order of its sources."""
    setting = Setting(space=space, hypothesis="history", scale=OutcomeScale(50.0, 25.0, "range"))
    learner = MultiTask.load(MultiTask.meta_train(HistoryDistribution(tuple(related)), setting))
    likeness = learner.task_correlation
    assert likeness.shape == (len(related), len(related))
    torch.testing.assert_close(torch.diagonal(likeness), torch.ones(len(related), dtype=torch.float64))


def test_it_needs_a_history(space):
    """Without earlier tasks it says what it needs."""
    setting = Setting(space=space, hypothesis="history", scale=OutcomeScale(50.0, 25.0, "range"))
    with pytest.raises(ConfigurationError, match="must learn from a history"):
        MultiTask.meta_train(None, setting)
