"""What a family of meta-learning that trains a network has to say: how it begins, reads a support, and predicts.

All code of a family is written for one task; `discovery.meta.network_training` runs it over tasks and networks at once
with `torch.func.vmap`. What a family makes of a support is a mean and features of every configuration; a Gaussian
process on top (`discovery.meta.head`) turns them into calibrated predictions.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from discovery.meta.episodes import Supply

Parameters = dict[str, Tensor]
"""Weights by name; float32."""
FARTHEST = 20.0  # standardized units: nothing is said to lie farther out
State = dict[str, Tensor]
"""What a family keeps of a support, by name."""


class Context(NamedTuple):
    """A support as one task's code sees it.

    Attributes:
        X: Configurations. Shape `s x d`; float32.
        z: Standardized outcomes; zero where padded. Shape `s`.
        mask: One for real rows, zero for padding. Shape `s`.
    """

    X: Tensor
    z: Tensor
    mask: Tensor


class Told(NamedTuple):
    """What a family says of configurations.

    Attributes:
        mean: Expected outcome, standardized. Shape `r`.
        features: What a Bayesian last layer stands on. Shape `r x k`.
    """

    mean: Tensor
    features: Tensor


class NetworkFamily(ABC):
    """One algorithm; subclasses say how it begins, reads and tells, and may say how it is trained.

    Attributes:
        name: Name in campaign files and checkpoints.
        n_features: Features `k` that it tells; 0 for none.
        n_particles: Networks of each fold of tasks, next to each other, which `directions` may let act on each other.
    """

    name: str = ""
    n_features: int = 8
    n_particles: int = 1

    @abstractmethod
    def initial(self, n_dims: int, generator: torch.Generator) -> Parameters:
        """Draw the weights of one network.

        Args:
            n_dims: Columns of a configuration.
            generator: Source of randomness, on the CPU.
        """

    @abstractmethod
    def read(self, parameters: Parameters, context: Context) -> State:
        """Adapt to a support, which may be all padding; the order of its rows must not matter."""

    @abstractmethod
    def tell(self, parameters: Parameters, state: State, X: Tensor) -> Told:
        """Predict at configurations. Shape `r x d`; differentiable in X."""

    def extra_loss(
        self, parameters: Parameters, state: State, context: Context, X: Tensor, z: Tensor, is_query: Tensor
    ) -> Tensor:
        """Return what the family adds to the head's loss on one task, per task; nothing unless it says so.

        Args:
            parameters: Weights.
            state: What it kept of the support.
            context: The support.
            X: All rows of the episode. Shape `n x d`.
            z: Their outcomes. Shape `n`.
            is_query: One for the rows that it is judged on. Shape `n`.
        """
        return X.new_zeros(())

    def head_weight(self) -> float:
        """Return how much the head's loss counts in training beside `extra_loss`."""
        return 1.0

    def written(
        self, parameters: Parameters, supply: Supply, is_seen: Tensor, generator: torch.Generator
    ) -> Parameters:
        """Return the weights of all networks with what is written down once training has ended; nothing by itself.

        Args:
            parameters: Weights. Leading dimension `f`.
            supply: Where episodes come from.
            is_seen: Which network may know which task. Shape `f x sources`, bool.
            generator: Source of randomness, on the CPU.
        """
        return parameters

    def directions(self, parameters: Parameters, gradients: Parameters) -> Parameters:
        """Turn gradients of all networks, leading dimension `f`, into what the optimizer follows."""
        return gradients


def bounded(told: Told) -> Told:
    """Keep what a family says within `FARTHEST`: gradient steps on few rows can lead anywhere."""
    mean, features = (torch.nan_to_num(value, 0.0, 1e6, -1e6) for value in told)
    return Told(*(value / (1 + (value / FARTHEST).square()).sqrt() for value in (mean, features)))


def dense(names: str, sizes: list[int], generator: torch.Generator, last_gain: float = 1.0) -> Parameters:
    """Draw a network of dense layers: weights `{names}.{i}.weight`, `in x out`, and biases `{names}.{i}.bias`."""
    parameters = {}
    for i, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        gain = last_gain if i == len(sizes) - 2 else math.sqrt(2.0)
        noise = torch.randn(rows, columns, generator=generator)
        parameters[f"{names}.{i}.weight"] = noise * gain / math.sqrt(rows)
        parameters[f"{names}.{i}.bias"] = torch.zeros(columns)
    return parameters


def run(
    names: str, parameters: Parameters, X: Tensor, activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu
) -> Tensor:
    """Run a network of dense layers, the last one without activation. Shape `* x in` to `* x out`."""
    n_layers = sum(name.startswith(f"{names}.") and name.endswith(".weight") for name in parameters)
    for i in range(n_layers):
        X = X @ parameters[f"{names}.{i}.weight"] + parameters[f"{names}.{i}.bias"]
        X = activation(X) if i < n_layers - 1 else X
    return X
