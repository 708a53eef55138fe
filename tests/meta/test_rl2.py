"""RL² and what reinforcement learners share: advantages and losses as written out, memory that lasts, and learning."""

import pytest
import torch

from discovery import registry
from discovery.errors import CheckpointError, InputError, ShapeError
from discovery.evaluation.bench.meta.control import PULLS, best_total
from discovery.meta.actor_critic import Ppo, advantages, loss
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta, load, save
from discovery.meta.rl2 import Recipe, RecurrentPolicy, Rl2, _again, attempt, episode_returns, train


def test_advantages_equal_their_definition():
    """The discounted sum of surprises, step by step, and returns that are advantages plus values."""
    generator, ppo = torch.Generator().manual_seed(0), Ppo(discount=0.9, trace=0.7)
    rewards, values = torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator)
    found, returns = advantages(rewards, values, ppo)
    for b in range(3):
        for i in range(5):
            expected = 0.0
            for k in range(i, 5):
                following = float(values[k + 1, b]) if k < 4 else 0.0
                expected += (0.9 * 0.7) ** (k - i) * (float(rewards[k, b]) + 0.9 * following - float(values[k, b]))
            assert float(found[i, b]) == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(returns, found + values)
    whole, _ = advantages(rewards, values, Ppo(discount=1.0, trace=1.0))
    torch.testing.assert_close(whole[0], rewards.sum(0) - values[0])


@pytest.mark.parametrize(
    ("advantage", "log_ratio", "moves"), [(1.0, 0.5, False), (1.0, 0.0, True), (-1.0, -0.5, False), (-1.0, 0.5, True)]
)
def test_the_loss_is_flat_beyond_its_clip(advantage, log_ratio, moves):
    """Nothing is to be won by going on where the ratio has moved far enough in the good direction."""
    at = torch.tensor([log_ratio], requires_grad=True)
    zero = torch.zeros(1)
    loss(at, torch.tensor([advantage]), zero, zero, Ppo(entropy_weight=0.0)).backward()
    assert (float(at.grad) != 0.0) is moves


def test_reading_again_gives_what_was_said():
    """Log probabilities of a trajectory are the same when it is read again, with memory and without."""
    tasks = registry.control_tasks("point_mass", n_steps=3, n_episodes=2)
    network = RecurrentPolicy(tasks.n_observed, tasks.n_actions)
    hidden = tasks.draw(5, torch.Generator().manual_seed(0))
    for has_memory in (True, False):
        trajectory = attempt(network, tasks, hidden, torch.Generator().manual_seed(1), has_memory=has_memory)
        logs, values = _again(network, trajectory, has_memory)
        torch.testing.assert_close(logs.gather(-1, trajectory.action[..., None])[..., 0], trajectory.log_probability)
        torch.testing.assert_close(values, trajectory.value)
        assert trajectory.begins.tolist() == [True, False, False, True, False, False]


def test_memory_lasts_from_episode_to_episode_and_no_longer():
    """What happened in the first episode changes what is thought in the second only where there is memory."""
    tasks = registry.control_tasks("point_mass", n_steps=3, n_episodes=2)
    network = RecurrentPolicy(tasks.n_observed, tasks.n_actions)
    one, other = (torch.tensor([goal]) for goal in ([1.0, 0.0], [-1.0, 0.0]))
    for has_memory in (True, False):
        first, second = (
            attempt(network, tasks, hidden, torch.Generator().manual_seed(1), is_greedy=True, has_memory=has_memory)
            for hidden in (one, other)
        )
        assert (float(first.value[3]) != float(second.value[3])) is has_memory


def test_it_learns_to_pull_what_pays():
    """After a short training the last pulls pay more than the first and more than chance; a seed repeats it."""
    tasks = registry.control_tasks("bernoulli_bandit", n_actions=2, n_episodes=6)
    network = train(tasks, Recipe(60, 256, PULLS, alone=0.0), seed=0)
    hidden = tasks.draw(4000, torch.Generator().manual_seed(1))
    returns = episode_returns(attempt(network, tasks, hidden, torch.Generator().manual_seed(2), is_greedy=True), tasks)
    assert returns.shape == (4000, 6)
    assert float(returns[:, -1].mean()) > 0.57 > float(returns[:, 0].mean())
    assert float(returns.sum(1).mean()) < best_total(2, 6) + 0.1
    one, again = (train(tasks, Recipe(steps=2, n_tasks=8), seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], again[key]) for key in one)


def test_the_best_of_a_bandit_is_known_for_small_ones():
    """One pull pays a half; two pulls of two arms pay 1/2 + (1/2 x 2/3 + 1/2 x 1/2)."""
    assert best_total(2, 1) == pytest.approx(0.5)
    assert best_total(2, 2) == pytest.approx(0.5 + 0.5 * 2 / 3 + 0.5 * 0.5)


def test_a_checkpoint_carries_the_policy(tmp_path):
    """It acts as before after a way through files; others are refused, and so are tasks of another kind."""
    tasks = registry.control_tasks("point_mass", n_steps=3, n_episodes=2)
    made = Rl2.meta_train(tasks, recipe=Recipe(steps=1, n_tasks=8))
    loaded, direct = Rl2.load(load(save(made, tmp_path))), Rl2.load(made)
    hidden = tasks.draw(4, torch.Generator().manual_seed(0))
    one, other = (learner.act(tasks, hidden, torch.Generator().manual_seed(1)) for learner in (loaded, direct))
    torch.testing.assert_close(one.value, other.value)
    assert set(loaded.scores) == {"first_return", "last_return"}
    with pytest.raises(CheckpointError, match="somebody_elses"):
        Rl2.load(Checkpoint(CheckpointMeta("somebody_elses", "history", space_hash="0", seed=0), {}))
    with pytest.raises(ShapeError, match="bernoulli_bandit"):
        loaded.act(registry.control_tasks("bernoulli_bandit"), hidden, torch.Generator())
    with pytest.raises(InputError, match="control tasks"):
        Rl2.meta_train("point_mass")
