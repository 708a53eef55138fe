"""Control tasks: what is hidden stays hidden, and what is done does what the geometry says."""

import math

import pytest
import torch

from discovery import registry
from discovery.errors import ConfigurationError
from discovery.tasks.control import ControlTasks

NAMES = registry.control_names()


@pytest.mark.parametrize("name", NAMES)
def test_every_distribution_keeps_the_protocol(name):
    """Shapes, finite numbers, and the same tasks from the same seed."""
    tasks = registry.control_tasks(name)
    assert isinstance(tasks, ControlTasks)
    hidden = tasks.draw(7, torch.Generator().manual_seed(3))
    torch.testing.assert_close(hidden, tasks.draw(7, torch.Generator().manual_seed(3)))
    state, generator = tasks.reset(hidden), torch.Generator().manual_seed(4)
    assert tasks.observe(state).shape == (7, tasks.n_observed)
    for action in range(tasks.n_actions):
        state, reward = tasks.step(hidden, state, torch.full((7,), action), generator)
        assert reward.shape == (7,) and bool(torch.isfinite(reward).all()) and bool(torch.isfinite(state).all())
    other = tasks.reset(tasks.draw(7, torch.Generator().manual_seed(5)))
    torch.testing.assert_close(tasks.observe(other), tasks.observe(tasks.reset(hidden)))  # the first look tells nothing


def test_a_point_moves_by_its_stride():
    """Forwards and back is where it was; the reward is the distance to the goal."""
    tasks = registry.control_tasks("point_mass")
    hidden, generator = torch.tensor([[1.0, 0.0]]), torch.Generator()
    state, reward = tasks.step(hidden, tasks.reset(hidden), torch.tensor([0]), generator)
    assert state.tolist() == [[0.25, 0.0]] and float(reward) == pytest.approx(-0.75)
    state, reward = tasks.step(hidden, state, torch.tensor([1]), generator)
    assert state.tolist() == [[0.0, 0.0]] and float(reward) == pytest.approx(-1.0)


def test_an_arm_bends_as_its_links_are_long():
    """Stretched out the tip is as far as both links; with a right angle Pythagoras holds; goals are within reach."""
    tasks, lengths = registry.control_tasks("reacher"), torch.tensor([[0.4, 0.5]])
    assert tasks.tip(lengths, torch.tensor([[0.0, 0.0]]))[0].tolist() == pytest.approx([0.9, 0.0])
    bent = tasks.tip(lengths, torch.tensor([[0.3, math.pi / 2]]))[0]
    assert float(bent.norm()) == pytest.approx(math.hypot(0.4, 0.5))
    hidden = tasks.draw(500, torch.Generator().manual_seed(0))
    assert bool((hidden[:, :2].norm(dim=-1) <= hidden[:, 2:].sum(-1) + 1e-6).all())


def test_arms_of_a_bandit_pay_as_often_as_they_should():
    """The mean of many pulls is the hidden chance."""
    tasks = registry.control_tasks("bernoulli_bandit", n_actions=2)
    hidden = torch.tensor([[0.2, 0.9]]).expand(20000, 2)
    _, reward = tasks.step(
        hidden, tasks.reset(hidden), torch.ones(20000, dtype=torch.long), torch.Generator().manual_seed(0)
    )
    assert float(reward.mean()) == pytest.approx(0.9, abs=0.01)


def test_unknown_names_and_settings_are_refused():
    """With the names that there are."""
    with pytest.raises(ConfigurationError, match="point_mass"):
        registry.control_tasks("point_mas")
    with pytest.raises(ConfigurationError, match="n_legs"):
        registry.control_tasks("point_mass", n_legs=4)
