"""Particles over priors: Stein directions against loops and closed forms, and folds that keep to themselves."""

import math

import numpy as np
import pytest
import torch

from discovery.meta.network_training import folds
from discovery.meta.pacoh import HYPER_SD, N_PARTICLES, N_TASKS, PacohNetwork, stein_directions


class _Sources:
    def __init__(self, n_sources):
        self.n_sources = n_sources


def test_directions_equal_a_double_loop():
    """The batched direction is the sum over pairs, written out."""
    rng = np.random.default_rng(0)
    values, scores = rng.normal(size=(2, 5, 3))
    squared = [((values[i] - values[j]) ** 2).sum() for i in range(5) for j in range(5) if i != j]
    width = float(torch.tensor(squared).median()) / math.log(6)
    expected = np.zeros((5, 3))
    for i in range(5):
        for j in range(5):
            k = math.exp(-((values[j] - values[i]) ** 2).sum() / width)
            expected[i] += (k * scores[j] - 2 / width * (values[j] - values[i]) * k) / 5
    found = stein_directions(torch.tensor(values), torch.tensor(scores)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_one_particle_follows_the_map_gradient():
    """One particle goes down the mean loss and the hyper-prior, `w / (sd^2 tasks)`, and nowhere else."""
    g = torch.Generator().manual_seed(0)
    weights = {"a": torch.randn(1, 2, 3, generator=g), "b": torch.randn(1, 4, generator=g)}
    slopes = {"a": torch.randn(1, 2, 3, generator=g), "b": torch.randn(1, 4, generator=g)}
    for name, value in PacohNetwork().directions(weights, slopes).items():
        torch.testing.assert_close(value, slopes[name] + weights[name] / (HYPER_SD**2 * N_TASKS))


def test_particles_recover_a_gaussian():
    """Many particles that follow a normal density end with its mean and spread."""
    x = torch.randn(40, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.1
    for _ in range(1500):
        x = x + 0.2 * stein_directions(x, -(x - 2) / 0.5**2)
    assert abs(float(x.mean()) - 2) < 0.05
    assert abs(float(x.std()) - 0.5) < 0.08


def test_folds_know_nothing_of_each_other():
    """What moves the particles of one fold leaves those of another where they are."""
    g = torch.Generator().manual_seed(0)
    weights = {"a": torch.randn(2 * N_PARTICLES, 4, generator=g)}
    slopes = {"a": torch.randn(2 * N_PARTICLES, 4, generator=g)}
    other = {"a": slopes["a"].clone()}
    other["a"][N_PARTICLES:] += 1.0
    before, after = (PacohNetwork().directions(weights, s)["a"] for s in (slopes, other))
    torch.testing.assert_close(after[:N_PARTICLES], before[:N_PARTICLES])
    assert not torch.allclose(after[N_PARTICLES:], before[N_PARTICLES:])


@pytest.mark.parametrize(("n_sources", "n_folds"), [(0, 1), (2, 2), (9, 4)])
def test_particles_of_a_fold_leave_out_the_same_tasks(n_sources, n_folds):
    """Every fold has its particles, all of which leave out the same tasks; each task is left out by one fold."""
    seen = folds(PacohNetwork(), _Sources(n_sources), torch.Generator().manual_seed(0))
    assert seen.shape == (n_folds * N_PARTICLES, max(1, n_sources))
    by_fold = seen.reshape(n_folds, N_PARTICLES, -1)
    assert (by_fold == by_fold[:, :1]).all()
    assert not n_sources or ((~by_fold[:, 0]).sum(0) == 1).all()
