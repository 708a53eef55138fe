"""Earlier tasks with bounds: what their processes, their scale, their gate and the learners make of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from discovery.errors import NotEnoughDataError
from discovery.meta.deep_kernel import FEWEST_TASKS, DeepKernelGP
from discovery.meta.fitting import TaskHyperparameters, fit_tasks, source_features, subsample
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.meta.molecule_sources import _dual
from discovery.meta.refine import held_out_nlpd
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.meta.told_sources import told_sources
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task, TaskBatch

SCALE = OutcomeScale(50.0, 25.0, "range")
SIGNAL, NOISE = 0.8, 0.3


def bounded(task, limit):
    """The task as a laboratory that detects nothing below a limit reports it."""
    sides = -np.less(task.Y, limit).astype(np.int8)
    return replace(task, Y=np.maximum(task.Y, limit), sides=sides)


@pytest.fixture
def one(space):
    """A batch of one task of one configuration."""
    task = Task("t", space.sample(1, np.random.default_rng(0)), np.array([[-0.4]]))
    return TaskBatch.from_tasks([task])


def known(batch, geometry):
    """Hyperparameters that are given, not fitted."""
    t, d = batch.n_tasks, batch.X.shape[2]
    ones = torch.ones(t, dtype=torch.float64)
    return TaskHyperparameters(
        torch.ones(t, geometry.n_blocks, dtype=torch.float64), torch.ones(t, d), torch.ones(t, d), SIGNAL * ones,
        NOISE * ones, 0.2 * ones,
    )  # fmt: skip


@pytest.mark.parametrize("side", [-1, 1])
def test_one_bound_gives_the_truncated_mean(one, geometry, side):
    """The posterior mean of a source at its only measurement, a bound, is that of a Gaussian cut off there."""
    marked = replace(one, sides=torch.full((1, 1, 1), side, dtype=torch.int8))
    mean = float(source_features(marked, known(one, geometry), geometry)(one.X)[0, 0, 0])
    total = (SIGNAL**2 + NOISE**2 + 1e-6) ** 0.5
    z = side * (0.2 - -0.4) / total
    assert mean == pytest.approx(0.2 + side * SIGNAL**2 / total * stats.norm.pdf(z) / stats.norm.cdf(z), abs=1e-4)


def test_without_bounds_nothing_changes(one):
    """Values and noise come back as they were, the very tensors, and so where no side is said at all."""
    K, noise = one.X.new_full((1, 1, 1), 0.64), one.X.new_full((1, 1), 0.09)
    values, variances = told_sources(K, one.X.new_zeros(1), noise, one)
    assert variances is noise and torch.equal(values, one.Y[..., 0])


def test_hyperparameters_do_not_see_the_number_of_a_bound(related, geometry):
    """Moving the number at which a bound stands changes no fit; moving a value does; thinning keeps sides in place."""
    tasks = [bounded(task, 40.0) for task in related[:2]]
    batch = subsample(TaskBatch.from_tasks(tasks), 20, torch_generator(0))
    assert torch.equal(batch.sides[..., 0] == -1, batch.Y[..., 0] == 40.0)
    moved = replace(batch, Y=torch.where(batch.sides != 0, batch.Y - 5.0, batch.Y))
    first, second = (fit_tasks(replace(b, Y=(b.Y - 50) / 25), geometry) for b in (batch, moved))
    torch.testing.assert_close(first.signal, second.signal, rtol=0, atol=0)
    other = replace(batch, Y=torch.where(batch.sides == 0, batch.Y - 5.0, batch.Y))
    assert not torch.equal(first.constant, fit_tasks(replace(other, Y=(other.Y - 50) / 25), geometry).constant)


def test_features_go_below_a_limit(related, geometry):
    """Where half of a task is known to lie below a limit, its posterior mean is nearer to the truth than the limit."""
    truth, task = related[0], bounded(related[0], 60.0)
    below = task.sides[:, 0] == -1
    assert 5 < below.sum() < 35
    errors = []
    for one in (task, replace(task, sides=None)):
        batch = TaskBatch.from_tasks([one])
        batch = replace(batch, Y=(batch.Y - 50) / 25)
        mean = source_features(batch, fit_tasks(batch, geometry), geometry)(batch.X)[0, :, 0].numpy() * 25 + 50
        errors.append(np.sqrt(np.mean((mean[below] - truth.Y[below, 0]) ** 2)))
    assert errors[0] < 0.9 * errors[1]


def test_a_scale_is_that_of_values():
    """Bounds move neither middle nor spread, but deny a floor at zero; with nothing else they stand at their number."""
    y = np.array([[1.0], [3.0], [900.0]])
    task = Task("t", np.zeros((3, 1)), y, sides=np.array([[0], [0], [1]], dtype=np.int8))
    assert outcome_scale(None, [task]).location_scale == (2.0, 1.0)
    below = replace(task, Y=y - 1000 * (task.sides != 0), sides=-task.sides)
    assert outcome_scale(None, [below]).low is None
    alone = replace(task, sides=np.ones((3, 1), dtype=np.int8))
    assert outcome_scale(None, [alone]).location == pytest.approx(y.mean())


def test_the_gate_scores_a_bound_by_its_probability(related, space):
    """A held-out bound that all of the prediction keeps to costs nothing, one that none keeps to costs a lot."""
    setting = Setting("history", space, SCALE)
    checkpoint = MetaGP.meta_train(HistoryDistribution(tuple(related[:3])), setting)

    def judged(number, side):
        marked = [replace(t, Y=np.full_like(t.Y, number), sides=np.full(t.Y.shape, side, np.int8)) for t in related[:3]]
        return held_out_nlpd(checkpoint, marked)

    assert judged(1e4, -1) == pytest.approx(0.0, abs=1e-3) == judged(-1e4, 1)
    assert judged(300.0, 1) > 0.05


def test_a_history_with_bounds_is_learned_from(related, space):
    """Meta-training takes bounds in: another checkpoint than from the same numbers as values; the same one again."""
    setting, tasks = Setting("history", space, SCALE), tuple(bounded(task, 45.0) for task in related[:3])
    first, again = (MetaGP.meta_train(HistoryDistribution(tasks), setting) for _ in range(2))
    plain = MetaGP.meta_train(HistoryDistribution(tuple(replace(task, sides=None) for task in tasks)), setting)
    assert first.checkpoint_id == again.checkpoint_id != plain.checkpoint_id


def test_molecules_are_conditioned_on_bounds():
    """A source's coefficients are those of its values where nothing is a bound, and lower where one is `at most`."""
    g = torch.Generator().manual_seed(0)
    A = torch.randn(12, 12, generator=g, dtype=torch.float64)
    K, y = A @ A.T / 12 + 0.1 * torch.eye(12, dtype=torch.float64), torch.randn(12, generator=g, dtype=torch.float64)
    none = torch.zeros(12, dtype=torch.long)
    torch.testing.assert_close(_dual(K, y, none), _dual(K, y))
    side = none.clone()
    side[int(y.argmin())] = -1
    i = int(y.argmin())
    assert (K @ _dual(K, y, side))[i] < (K @ _dual(K, y))[i]


def test_networks_learn_from_values_alone(related, space):
    """A deep kernel leaves bounds out, and says so where too few tasks have anything else."""
    nothing = [bounded(task, 1e3) for task in related[:FEWEST_TASKS]]
    with pytest.raises(NotEnoughDataError, match="needs 4 earlier tasks at least; got 3"):
        tasks = HistoryDistribution((*related[: FEWEST_TASKS - 1], nothing[-1]))
        DeepKernelGP.meta_train(tasks, Setting("deep_kernel", space, SCALE))
