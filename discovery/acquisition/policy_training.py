"""Training an acquisition policy by reinforcement on simulated campaigns, and the gate that it has to pass.

The reward of a choice is by how much less regret it leaves than LogEI has after as many choices in the very same
campaign: nothing at the start, where both are the same. Held-out campaigns decide whether a policy is used at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.policy import NAME, Policy, PolicyNetwork
from discovery.acquisition.policy_features import NAMES, State
from discovery.acquisition.simulated_campaigns import N_STARTS, Step, Tasks, area, draw, roll_out
from discovery.errors import InputError
from discovery.meta.actor_critic import Ppo, advantages, loss, standardized
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.learner import Progress, Setting
from discovery.seeds import derive, torch_generator
from discovery.tasks.distribution import TaskDistribution

HINT = "Name one under experience.simulators."
N_LOOKED_AT = 24  # candidates of the highest expected improvement; the bound leaves the others hardly a chance
PPO = Ppo(discount=0.9, trace=0.6, learning_rate=1e-3, entropy_weight=0.0)


@dataclass(frozen=True)
class Schooling:
    """How a policy is trained.

    Attributes:
        steps: Steps of training, each on campaigns of its own.
        n_campaigns: Campaigns of a step.
        n_choices: Choices of a campaign, after its random start.
        temperature: Of drawing choices from scores, while it trains.
        n_held_out: Campaigns of the gate.
        ppo: How it is improved.
    """

    steps: int = 450
    n_campaigns: int = 160
    n_choices: int = 25
    temperature: float = 0.3
    n_held_out: int = 1024
    ppo: Ppo = PPO


def plain(known: Tensor, mixture: Mixture, state: State) -> Tensor:
    """Choose by LogEI."""
    return known[..., 0]


def train(
    distributions: Sequence[TaskDistribution],
    schooling: Schooling,
    seed: int,
    network: PolicyNetwork | None = None,
    on_step: Progress | None = None,
) -> PolicyNetwork:
    """Train a policy on campaigns of several distributions, in turn.

    Args:
        distributions: Bound to their spaces.
        schooling: How long, how fast.
        seed: Of everything that is drawn.
        network: A policy to go on from.
        on_step: Called with (step, steps).
    """
    if network is None:
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "policy"))
            network = PolicyNetwork().double()
    optimizer = torch.optim.Adam(network.parameters(), lr=schooling.ppo.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schooling.steps)
    for i in range(schooling.steps):
        generator = torch_generator(seed, "policy campaigns", i)
        tasks = draw(distributions[i % len(distributions)], schooling.n_campaigns, generator)
        _improve(network, optimizer, tasks, schooling, generator)
        schedule.step()
        if on_step is not None:
            on_step(i + 1, schooling.steps)
    return network


def _improve(
    network: PolicyNetwork,
    optimizer: torch.optim.Optimizer,
    tasks: Tasks,
    schooling: Schooling,
    generator: torch.Generator,
) -> None:
    """Let the policy and LogEI run the same campaigns, and move towards what was better."""

    def drawn(known: Tensor, mixture: Mixture, state: State) -> Tensor:
        return network.score(known) / schooling.temperature

    ppo = schooling.ppo
    done = roll_out(tasks, drawn, schooling.n_choices, generator, N_LOOKED_AT)
    reference = roll_out(tasks, plain, schooling.n_choices)
    rewards = rewards_over(done, reference)
    whole = torch.stack([step.features for step in done])
    is_free = torch.stack([step.is_free for step in done])
    was_chosen = torch.nn.functional.one_hot(torch.stack([step.chosen for step in done]), whole.shape[-2])
    # what was chosen stands first, the others by their expected improvement
    rank = whole[..., 0].masked_fill(~is_free, -torch.inf) + 1e6 * was_chosen
    at = rank.topk(N_LOOKED_AT, dim=-1).indices
    known, is_free = whole.gather(-2, at[..., None].expand(*at.shape, whole.shape[-1])), is_free.gather(-1, at)
    with torch.no_grad():
        ahead, returns = advantages(rewards, network.worth(known, is_free), ppo)
        before = _log_probability(network, known, is_free, schooling)[..., 0]
        ahead = standardized(ahead)
    for _ in range(ppo.epochs):
        logs = _log_probability(network, known, is_free, schooling)
        entropy = -(logs.exp() * logs.masked_fill(~is_free, 0.0)).sum(-1)
        errors = network.worth(known, is_free) - returns
        cost = loss(logs[..., 0] - before, ahead, errors, entropy, ppo)
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def rewards_over(own: Sequence[Step], reference: Sequence[Step]) -> Tensor:
    """Return by how much less regret each choice leaves than the reference's after as many. Shape `s x b`."""
    return torch.stack([other.regret - step.regret for step, other in zip(own, reference, strict=True)])


def _log_probability(network: PolicyNetwork, known: Tensor, is_free: Tensor, schooling: Schooling) -> Tensor:
    scores = network.score(known) / schooling.temperature
    return torch.log_softmax(scores.masked_fill(~is_free, -torch.inf), dim=-1)


def held_out_gain(
    network: PolicyNetwork, distributions: Sequence[TaskDistribution], schooling: Schooling, seed: int
) -> dict[str, float]:
    """Return by how much less regret than LogEI a policy leaves on average, on campaigns that it has not seen."""
    gains = []
    for i, distribution in enumerate(distributions):
        generator = torch_generator(seed, "held-out campaigns", i)
        tasks = draw(distribution, schooling.n_held_out // len(distributions), generator)
        own = roll_out(tasks, lambda known, mixture, state: network.score(known), schooling.n_choices)
        gains.append(area(roll_out(tasks, plain, schooling.n_choices)) - area(own))
    gain = torch.cat(gains)
    return {"gain": float(gain.mean()), "gain_se": float(gain.std() / len(gain) ** 0.5)}


class PolicyLearner:
    """The family as the table names it: trains, loads and, given a belief, gives an acquisition function."""

    load = Policy.load

    @classmethod
    def meta_train(
        cls,
        distribution: TaskDistribution | None,
        setting: Setting,
        *,
        start_from: Checkpoint | None = None,
        schooling: Schooling = Schooling(),
    ) -> Checkpoint:
        """Train on simulated campaigns of one distribution, and judge on others of it.

        Args:
            distribution: A simulator that is bound to the space.
            setting: Seed and progress; the space and the scale are the distribution's own.
            start_from: A policy to go on from.
            schooling: How long and how fast.

        Raises:
            CheckpointError: If `start_from` is of another family.
            InputError: If there is no distribution, or it gives measured tasks.
        """
        if distribution is None:
            raise InputError("An acquisition policy must have a simulator to train on; got none.", HINT)
        network = None if start_from is None else Policy.load(start_from).network.train().requires_grad_(True)
        network = train([distribution], schooling, setting.seed, network, setting.on_step)
        scores = held_out_gain(network, [distribution], schooling, setting.seed)
        parent = "" if start_from is None else start_from.checkpoint_id
        sources = (f"simulator:{distribution.name}",)
        meta = described(setting.hypothesis, setting.seed, schooling, scores, sources)
        return Checkpoint(replace(meta, parent=parent, space_hash=setting.space.schema_hash), network.state_dict())


def described(
    hypothesis: str, seed: int, schooling: Schooling, scores: dict[str, float], sources: tuple[str, ...]
) -> CheckpointMeta:
    """Return what a policy's checkpoint says of it; no space is its own, so that it chooses in any."""
    details = {"features": list(NAMES), "most_measured": schooling.n_choices + N_STARTS}
    details |= {"steps": schooling.steps, "n_held_out": schooling.n_held_out}
    return CheckpointMeta(NAME, hypothesis, "", seed, sources, scores=scores, details=details)
