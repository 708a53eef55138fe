"""RL²: a recurrent policy that learns within a task, by what it remembers of its episodes.

What it did, saw and got is read step by step into one state, which lasts from episode to episode and is cleared only
between tasks. Trained over many tasks, the state comes to be a belief about what is hidden, and acting becomes
exploring first and exploiting then; no weight changes in a new task. For control tasks (`discovery.tasks.control`), not
for tables: acquisition has a policy of its own (`discovery.acquisition.policy`).

Source:
    Duan et al. (2016), RL²: fast reinforcement learning via slow reinforcement learning; departures: PPO.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from discovery.errors import CheckpointError, InputError, ShapeError
from discovery.meta.actor_critic import Ppo, advantages, loss, standardized
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.learner import Progress
from discovery.seeds import derive, torch_generator
from discovery.tasks.control import ControlTasks

NAME = "rl2"
WIDTH = 64
PPO = Ppo(discount=0.9, trace=0.8, learning_rate=2e-3, entropy_weight=0.03)
N_HELD_OUT = 512
HINT = "`discovery.registry.control_tasks(NAME)` makes them."


@dataclass(frozen=True)
class Recipe:
    """How a policy is trained.

    Attributes:
        steps: Steps of training, each on tasks of its own.
        n_tasks: Tasks of a step.
        ppo: How it is improved.
        has_memory: Whether the state lasts from episode to episode, as RL² has it; otherwise each is the first.
        alone: Share of the steps, the first ones, in which each episode is by itself all the same: what helps
            within one is learned before what helps from one to the next.
    """

    steps: int = 300
    n_tasks: int = 256
    ppo: Ppo = PPO
    has_memory: bool = True
    alone: float = 0.5


class Trajectory(NamedTuple):
    """All steps of `b` tasks, episode after episode.

    Attributes:
        read: What was read before each step. Shape `s x b x i`.
        begins: Which steps are the first of an episode. Shape `s`, bool.
        action: What was done. Shape `s x b`.
        log_probability: Of that, when it was done. Shape `s x b`.
        value: What the critic expected. Shape `s x b`.
        reward: What was got. Shape `s x b`.
    """

    read: Tensor
    begins: Tensor
    action: Tensor
    log_probability: Tensor
    value: Tensor
    reward: Tensor


class RecurrentPolicy(nn.Module):
    """A gated recurrent unit with heads for actions and value.

    Args:
        n_observed: Numbers that are observed.
        n_actions: Actions to choose from.
    """

    def __init__(self, n_observed: int, n_actions: int) -> None:
        super().__init__()
        self.n_observed, self.n_actions = n_observed, n_actions
        self.cell = nn.GRUCell(n_observed + n_actions + 2, WIDTH)  # and the last reward, and whether an episode begins
        self.action, self.value = nn.Linear(WIDTH, n_actions), nn.Linear(WIDTH, 1)
        nn.init.orthogonal_(self.action.weight, gain=0.01)

    def read(self, seen: Tensor, action: Tensor | None, reward: Tensor, begins: bool) -> Tensor:
        """Join what is known before a step. Shapes `b x o`, `b` (None before the first), `b` to `b x i`."""
        done = seen.new_zeros(len(seen), self.n_actions)
        if action is not None:
            done = nn.functional.one_hot(action, self.n_actions).to(seen)
        return torch.cat([seen, done, reward[:, None], torch.full_like(reward[:, None], float(begins))], dim=-1)

    def forward(self, read: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log probabilities `b x a`, value `b` and the next state `b x w`."""
        state = self.cell(read, state)
        return torch.log_softmax(self.action(state), -1), self.value(state)[:, 0], state


@torch.no_grad()
def attempt(
    network: RecurrentPolicy,
    tasks: ControlTasks,
    hidden: Tensor,
    generator: torch.Generator,
    *,
    is_greedy: bool = False,
    has_memory: bool = True,
) -> Trajectory:
    """Live through all episodes of tasks.

    Args:
        network: The policy.
        tasks: Their distribution.
        hidden: What is hidden of each. Shape `b x ...`.
        generator: Source of chance, the policy's and the tasks'.
        is_greedy: Whether the likeliest action is taken instead of a drawn one.
        has_memory: Whether the state lasts from episode to episode.
    """
    b = len(hidden)
    state, action, reward = hidden.new_zeros(b, WIDTH), None, hidden.new_zeros(b)
    steps: list[tuple[Tensor, ...]] = []
    for _ in range(tasks.n_episodes):
        world = tasks.reset(hidden)
        if not has_memory:
            state, action, reward = torch.zeros_like(state), None, torch.zeros_like(reward)
        for position in range(tasks.n_steps):
            read = network.read(tasks.observe(world), action, reward, position == 0)
            logs, value, state = network(read, state)
            if is_greedy:
                action = logs.argmax(-1)
            else:
                action = torch.multinomial(logs.exp().cpu(), 1, generator=generator)[:, 0].to(logs.device)
            world, reward = tasks.step(hidden, world, action, generator)
            steps.append((read, action, logs.gather(-1, action[:, None])[:, 0], value, reward))
    read, *others = (torch.stack(column) for column in zip(*steps, strict=True))
    begins = torch.arange(len(steps), device=hidden.device) % tasks.n_steps == 0
    return Trajectory(read, begins, *others)


def train(
    tasks: ControlTasks,
    recipe: Recipe,
    seed: int,
    device: torch.device | str = "cpu",
    on_step: Progress | None = None,
) -> RecurrentPolicy:
    """Train a policy over tasks: all tasks of a round at once, gradients through all episodes."""
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, NAME, tasks.name))
        network = RecurrentPolicy(tasks.n_observed, tasks.n_actions).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.ppo.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    center, unit = torch.zeros(()), torch.ones(())
    for i in range(recipe.steps):
        generator = torch_generator(seed, NAME, tasks.name, i)
        hidden = tasks.draw(recipe.n_tasks, generator, device)
        has_memory = recipe.has_memory and i >= recipe.alone * recipe.steps
        trajectory = attempt(network, tasks, hidden, generator, has_memory=has_memory)
        if i == 0:  # episodes have the same length, so that the best policy stays the best; the critic starts near
            center, unit = trajectory.reward.mean(), trajectory.reward.std().clamp_min(1e-6)
        ahead, returns = advantages((trajectory.reward - center) / unit, trajectory.value, recipe.ppo)
        ahead = standardized(ahead)
        for _ in range(recipe.ppo.epochs):
            logs, value = _again(network, trajectory, has_memory)
            entropy = -(logs.exp() * logs).sum(-1)
            own = logs.gather(-1, trajectory.action[..., None])[..., 0]
            cost = loss(own - trajectory.log_probability, ahead, value - returns, entropy, recipe.ppo)
            optimizer.zero_grad()
            cost.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(i + 1, recipe.steps)
    return network.eval()


def _again(network: RecurrentPolicy, trajectory: Trajectory, has_memory: bool) -> tuple[Tensor, Tensor]:
    """Read a trajectory again: log probabilities `s x b x a` and values `s x b`."""
    state, logs, values = trajectory.read.new_zeros(trajectory.read.shape[1], WIDTH), [], []
    for read, begins in zip(trajectory.read, trajectory.begins.tolist(), strict=True):
        log, value, state = network(read, torch.zeros_like(state) if begins and not has_memory else state)
        logs.append(log)
        values.append(value)
    return torch.stack(logs), torch.stack(values)


def episode_returns(trajectory: Trajectory, tasks: ControlTasks) -> Tensor:
    """Return the sum of rewards of every episode. Shape `b x e`."""
    return trajectory.reward.reshape(tasks.n_episodes, tasks.n_steps, -1).sum(1).T


@dataclass(frozen=True)
class Rl2:
    """A trained policy of one distribution of control tasks.

    Attributes:
        network: The policy.
        tasks_name: Name of the distribution.
        scores: Mean return of the first and of the last episode of held-out tasks.
    """

    network: RecurrentPolicy
    tasks_name: str
    scores: Mapping[str, float]

    @classmethod
    def meta_train(
        cls,
        tasks: ControlTasks,
        seed: int = 0,
        recipe: Recipe = Recipe(),
        device: torch.device | str = "cpu",
        on_step: Progress | None = None,
    ) -> Checkpoint:
        """Train on control tasks, and judge on others.

        Raises:
            InputError: If the tasks are not control tasks.
        """
        if not isinstance(tasks, ControlTasks):
            raise InputError(f"rl2 must be trained on control tasks; got {type(tasks).__name__}.", HINT)
        network = train(tasks, recipe, seed, device, on_step)
        generator = torch_generator(seed, NAME, tasks.name, "held out")
        hidden = tasks.draw(N_HELD_OUT, generator, device)
        returns = episode_returns(attempt(network, tasks, hidden, generator, is_greedy=True), tasks).mean(0)
        details = {"n_observed": tasks.n_observed, "n_actions": tasks.n_actions, "tasks": tasks.name}
        meta = CheckpointMeta(
            NAME,
            f"control:{tasks.name}",
            space_hash="",
            seed=seed,
            task_sources=(f"control:{tasks.name}",),
            scores={"first_return": float(returns[0]), "last_return": float(returns[-1])},
            details={**details, **asdict(recipe)},
        )
        return Checkpoint(meta, network.state_dict())

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Rl2:
        """Rebuild the policy.

        Raises:
            CheckpointError: If another family made the checkpoint.
        """
        meta = checkpoint.meta
        if meta.learner != NAME:
            raise CheckpointError(f"A {NAME} checkpoint is needed; got one made by {meta.learner}.")
        network = RecurrentPolicy(int(meta.details["n_observed"]), int(meta.details["n_actions"])).to(device).eval()
        network.load_state_dict(checkpoint.tensors)
        return cls(network, meta.details["tasks"], meta.scores)

    def act(self, tasks: ControlTasks, hidden: Tensor, generator: torch.Generator) -> Trajectory:
        """Live through the episodes of new tasks, doing what is likeliest to be right.

        Raises:
            ShapeError: If the tasks have other observations or actions than those that it was trained on.
        """
        if (tasks.n_observed, tasks.n_actions) != (self.network.n_observed, self.network.n_actions):
            text = f"Tasks must be like {self.tasks_name}, which the policy was trained on; got {tasks.name}"
            raise ShapeError(f"{text} with {tasks.n_observed} numbers observed and {tasks.n_actions} actions.")
        return attempt(self.network, tasks, hidden, generator, is_greedy=True)
