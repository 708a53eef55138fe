"""Randomness of one batch: every number comes from one torch generator, so the same state gives the same batch.

Numbers are drawn where the generator lives and moved to the batch's device, so that a CPU generator gives the same
batch on every device. Next in the tour: `simulators.columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """A generator and the device its numbers are wanted on.

    Attributes:
        generator: Source of all randomness.
        device: Where the tensors are returned; all are float64.
    """

    generator: torch.Generator
    device: torch.device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw from U(low, high)."""
        unit = torch.rand(shape, generator=self.generator, device=self.generator.device, dtype=torch.float64)
        return low + (high - low) * unit.to(self.device)

    def log_uniform(self, *shape: int, low: float, high: float) -> Tensor:
        """Draw numbers whose logarithm is uniform between log(low) and log(high)."""
        return self.uniform(*shape, low=log(low), high=log(high)).exp()

    def normal(self, *shape: int, mean: float = 0.0, sd: float = 1.0) -> Tensor:
        """Draw from N(mean, sd²)."""
        unit = torch.randn(shape, generator=self.generator, device=self.generator.device, dtype=torch.float64)
        return mean + sd * unit.to(self.device)

    def flag(self, probability: float, *shape: int) -> Tensor:
        """Draw booleans that are True with a probability."""
        return self.uniform(*shape) < probability

    def index(self, n_choices: int, *shape: int) -> Tensor:
        """Draw whole numbers from 0 to `n_choices - 1`."""
        drawn = torch.randint(n_choices, shape, generator=self.generator, device=self.generator.device)
        return drawn.to(self.device)

    def pick(self, values: Sequence[float], *shape: int) -> Tensor:
        """Draw from a list of values with equal probability."""
        return torch.tensor(values, dtype=torch.float64, device=self.device)[self.index(len(values), *shape)]

    def numpy(self) -> np.random.Generator:
        """Return a NumPy generator whose seed is drawn from this one."""
        seed = torch.randint(2**62, (1,), generator=self.generator, device=self.generator.device)
        return np.random.default_rng(int(seed.item()))
