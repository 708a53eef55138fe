"""Tasks as values, and padding them to a batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from discovery.errors import InputError, ShapeError
from discovery.tasks import HistoryDistribution, Task, TaskBatch


def task(n, d=2, m=1, name="a", has_noise=False):
    """A task whose numbers say which row they are of."""
    rows = np.arange(1.0, n + 1)[:, None]
    return Task(name, rows * np.ones(d) / (n + 1), rows * np.ones(m), 0.1 * rows * np.ones(m) if has_noise else None)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.booleans())
def test_padding_round_trip(sizes, has_noise):
    """Real rows of a padded batch are the tasks' rows in order; padding is zero and masked."""
    tasks = [task(n, name=str(i), has_noise=has_noise) for i, n in enumerate(sizes)]
    batch = TaskBatch.from_tasks(tasks)

    assert batch.n_tasks == len(sizes) and batch.mask.sum(dim=1).tolist() == sizes
    assert batch.task_ids == tuple(map(str, range(len(sizes))))
    for i, one in enumerate(tasks):
        np.testing.assert_array_equal(batch.X[i][batch.mask[i]].numpy(), one.X)
        np.testing.assert_array_equal(batch.Y[i][batch.mask[i]].numpy(), one.Y)
    assert (batch.X[~batch.mask] == 0).all() and (batch.Y[~batch.mask] == 0).all()
    assert (batch.Yvar is not None) == has_noise
    assert batch.X.dtype == batch.Y.dtype == torch.float64


def test_noise_is_known_only_if_every_task_knows_it():
    """One task without noise variances makes the batch's unknown."""
    assert TaskBatch.from_tasks([task(2, has_noise=True), task(3)]).Yvar is None


def test_no_task():
    """A batch of nothing is refused."""
    with pytest.raises(InputError, match="at least one task; got none"):
        TaskBatch.from_tasks([])


def test_tasks_of_different_spaces():
    """Tasks of different spaces do not make a batch; the message shows their dimensions."""
    with pytest.raises(InputError, match=r"must share one space; got \(d, m\) of \[\(2, 1\), \(3, 1\)\]"):
        TaskBatch.from_tasks([task(2, d=2), task(2, d=3)])


def test_shapes_are_checked():
    """A task and a batch whose parts do not fit together are refused with both shapes."""
    with pytest.raises(ShapeError, match=r"Y must have shape n x m with n = 3; got \(2, 1\)"):
        Task("a", np.zeros((3, 2)), np.zeros((2, 1)))
    batch = TaskBatch.from_tasks([task(2)])
    with pytest.raises(ShapeError, match="mask must have shape t x n"):
        TaskBatch(batch.X, batch.Y, batch.mask[:, :1], batch.task_ids)
    with pytest.raises(ShapeError, match="task_ids must name each of the 1 tasks; got 2 names"):
        TaskBatch(batch.X, batch.Y, batch.mask, ("a", "b"))


def test_to_device_keeps_everything():
    """Moving a batch moves its truth and noise along."""
    batch = TaskBatch.from_tasks([task(2, has_noise=True)])
    moved = TaskBatch(batch.X, batch.Y, batch.mask, batch.task_ids, batch.Yvar, {"Y": batch.Y}).to(torch.device("meta"))

    assert {moved.X.device.type, moved.Y.device.type, moved.mask.device.type, moved.Yvar.device.type} == {"meta"}
    assert moved.truth["Y"].device.type == "meta" and moved.task_ids == batch.task_ids


def test_bounds_go_into_batches():
    """Padded batches and drawn episodes carry the sides with their rows; what is measured is told apart."""
    Y, sides = np.array([[5.0], [8.0], [80.0], [30.0]]), np.array([[-1], [0], [1], [0]], dtype=np.int8)
    bounded = Task("old", np.zeros((4, 2)), Y, sides=sides)
    known = Task("known", np.zeros((2, 2)), np.ones((2, 1)))
    batch = TaskBatch.from_tasks([bounded, known])
    assert batch.measured.tolist() == [[False, True, False, True], [True, True, False, False]]
    drawn = HistoryDistribution((bounded, known)).sample(20, 4, torch.Generator().manual_seed(0))
    assert set(drawn.sides[drawn.Y == 5.0].tolist()) == {-1} and set(drawn.sides[drawn.Y == 80.0].tolist()) == {1}
    assert TaskBatch.from_tasks([known]).sides is None
    assert (bounded.n_bounds, bounded.measured().Y.tolist()) == (2, [[8.0], [30.0]])
