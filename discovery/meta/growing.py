"""Models at points that are known beforehand, conditioned on imagined outcomes one after the other.

One more outcome changes a Gaussian process at fixed points by a rank-one update of means and variances; nothing is
factorized again. So a plate of 96 out of a large pool costs seconds. Next in the tour: `discovery.acquisition.batches`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from discovery.meta.reading import Reading
from discovery.meta.slices import Slices

Covariances = Callable[[int], Tensor]


class Growing(Protocol):
    """What a batch needs of a hypothesis's model at `N` points, given `f` sets of imagined outcomes; raw units."""

    def marginals(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and sds of the latent outcome at some points (indices). Shape `f x h x len(columns)` each."""
        ...

    def predictive(self, row: int) -> tuple[Tensor, Tensor]:
        """Return mean and sd of the next noisy outcome at one point. Shape `f x h` each."""
        ...

    def left(self) -> Tensor:
        """Return the latent variance at all points under the members, in their own units. Shape `h x N`."""
        ...

    def grown(self, row: int, y: Tensor) -> Self:
        """Return the model with one more outcome at a point, a value per fantasy. Shape `f`."""
        ...


@runtime_checkable
class Grows(Protocol):
    """A model that can be prepared for imagined outcomes in closed form; plug-ins need not be."""

    def growing(self, X: Tensor) -> Growing:
        """Prepare for imagined outcomes at some of `N` points, with or without feature columns. Shape `N x d`."""
        ...


@dataclass(frozen=True)
class GrowingGaussian:
    """Gaussian processes, one per member.

    Attributes:
        mean: Means of the latent outcome. Shape `f x h x N`.
        variance: Its variances. Shape `h x N`.
        noise: Variances that noise adds. Shape `h x (1 | N)`.
        least: Least variances. Shape `h x (1 | N)`.
        covariances: Takes a row to its covariances with all points before anything was imagined. Shape `h x N`.
        steps: What every imagined outcome explains: its covariances over its standard deviation. Shapes `h x N`.
    """

    mean: Tensor
    variance: Tensor
    noise: Tensor
    least: Tensor
    covariances: Covariances
    steps: tuple[Tensor, ...] = ()

    def marginals(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and sds at some points. Shape `f x h x len(columns)` each."""
        mean = self.mean[..., columns]
        return mean, self.variance[:, columns].sqrt().expand(mean.shape)

    def inner(self, row: int) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the next noisy outcome at one point, before any reading. Shape `f x h` each."""
        mean = self.mean[..., row]
        noise = self.noise[:, row] if self.noise.shape[1] > 1 else self.noise[:, 0]
        return mean, (self.variance[:, row] + noise).expand(mean.shape)

    def predictive(self, row: int) -> tuple[Tensor, Tensor]:
        """Return mean and sd of the next noisy outcome at one point. Shape `f x h` each."""
        mean, variance = self.inner(row)
        return mean, variance.sqrt()

    def left(self) -> Tensor:
        """Return the variances. Shape `h x N`."""
        return self.variance

    def grown(self, row: int, y: Tensor) -> GrowingGaussian:
        """Return the model with one more outcome at a point. Shape of `y`: `f`, or `f x h` with one per member."""
        mean, variance = self.inner(row)
        total = variance[0].sqrt()  # h
        explained = self.covariances(row)
        for step in self.steps:
            explained = torch.addcmul(explained, step[:, row, None], step, value=-1)
        explained = explained / total[:, None]
        surprise = ((y if y.ndim > 1 else y[:, None]) - mean) / total  # f x h
        return replace(
            self,
            mean=self.mean + surprise[..., None] * explained,
            variance=torch.maximum(self.variance - explained.square(), self.least),
            steps=(*self.steps, explained),
        )


@dataclass(frozen=True)
class GrowingRead:
    """Gaussian processes on axes of their own, told in raw units by slices (`discovery.meta.read_bank`).

    Attributes:
        inner: The members in standardized units.
        reading: One reading per member. Shape `h`.
        slices: How they are told. Shape `h'`.
    """

    inner: GrowingGaussian
    reading: Reading
    slices: Slices

    def marginals(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and sds at some points, raw units. Shape `f x h' x len(columns)` each."""
        return self._in_raw_units(*self.inner.marginals(columns))

    def predictive(self, row: int) -> tuple[Tensor, Tensor]:
        """Return mean and sd of the next noisy outcome at one point, raw units. Shape `f x h'` each."""
        mean, sd = self._in_raw_units(*(value[..., None] for value in self.inner.predictive(row)))
        return mean[..., 0], sd[..., 0]

    def left(self) -> Tensor:
        """Return the variances in standardized units. Shape `h x N`."""
        return self.inner.left()

    def grown(self, row: int, y: Tensor) -> GrowingRead:
        """Return the model with one more outcome at a point, raw units. Shape `f`."""
        own = self.reading.read(y[:, None, None].expand(-1, len(self.slices.first), 1))[0][..., 0]  # f x h
        return replace(self, inner=self.inner.grown(row, own))

    def _in_raw_units(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        raw, tangent = self.slices.raw(mean, sd)
        return raw, tangent * sd[..., self.slices.owner, :]
