"""What learners by reinforcement share: advantages from rewards and a critic, and the loss that keeps steps small.

Source:
    Schulman et al. (2016), High-dimensional continuous control using generalized advantage estimation;
    Schulman et al. (2017), Proximal policy optimization algorithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ppo:
    """How a policy is improved.

    Attributes:
        discount: What a reward one step later is worth.
        trace: Lambda of the advantages: 1 trusts rewards alone, 0 the critic alone.
        clip: How far the ratio of new to old probabilities may move before it counts no more.
        value_weight: Of the critic's squared error.
        entropy_weight: Of the reward for staying undecided.
        epochs: Passes over what was collected.
        learning_rate: Of Adam.
    """

    discount: float = 0.99
    trace: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5
    entropy_weight: float = 0.01
    epochs: int = 4
    learning_rate: float = 3e-4


def advantages(rewards: Tensor, values: Tensor, ppo: Ppo) -> tuple[Tensor, Tensor]:
    """Return generalized advantages and the returns that the critic is to foresee.

    Args:
        rewards: Rewards of `s` steps; nothing follows after the last. Shape `s x b`.
        values: What the critic expected before each step. Shape `s x b`.
        ppo: Discount and trace.

    Returns:
        Two tensors of shape `s x b`.
    """
    following = torch.cat([values[1:], torch.zeros_like(values[:1])])
    surprise = rewards + ppo.discount * following - values
    found, carried = torch.empty_like(values), torch.zeros_like(values[0])
    for i in reversed(range(len(values))):
        carried = surprise[i] + ppo.discount * ppo.trace * carried
        found[i] = carried
    return found, found + values


def loss(log_ratio: Tensor, advantage: Tensor, errors: Tensor, entropy: Tensor, ppo: Ppo) -> Tensor:
    """Return the clipped objective, to be minimized.

    Args:
        log_ratio: Log of new over old probability of what was done. Any shape.
        advantage: Standardized advantages, same shape.
        errors: The critic's errors, same shape.
        entropy: Entropy of the policy, same shape.
        ppo: Clip and weights.
    """
    ratio = log_ratio.exp()
    gained = torch.minimum(ratio * advantage, ratio.clamp(1 - ppo.clip, 1 + ppo.clip) * advantage)
    return (-gained + ppo.value_weight * errors.square() - ppo.entropy_weight * entropy).mean()


def standardized(advantage: Tensor) -> Tensor:
    """Return advantages with mean 0 and deviation 1 over all that was collected."""
    return (advantage - advantage.mean()) / advantage.std().clamp_min(1e-8)
