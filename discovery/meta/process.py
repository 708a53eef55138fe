"""What a belief says of an outcome everywhere, as one random function: mean and covariance of its mixture.

It is what a later stage's outcome may follow (`discovery.meta.linked`). What the models take for noise is mostly a
property of the configuration here: a molecule that binds better than its relatives does so in the next assay, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from discovery.meta.bank import Bank, Inputs
from discovery.meta.kernels import squared_distance
from discovery.meta.learner import Surrogate
from discovery.meta.read_bank import ReadBank

OWN = 0.8  # share of the noise's variance that belongs to the configuration and is there again at the next stage
SAME = 1e-10  # squared distance below which two configurations are one
PRIOR_COUNT = 3.0  # measurements that the prior counts for in the unit of the outcome


@runtime_checkable
class Varied(Protocol):
    """A bank whose prior variance is not the same everywhere."""

    def variance_before(self, inputs: Inputs) -> Tensor:
        """Prior variance at points. Shape `* x h x n`."""
        ...


class Told(NamedTuple):
    """One bank at `n` points."""

    inputs: Inputs
    half: Tensor  # what its measurements explain, whitened: * x h x s x n
    mean: Tensor  # raw units: * x h' x n
    tangent: Tensor  # raw units per standardized unit: * x h' x n
    variance: Tensor  # standardized units: * x h x n


class Moments(NamedTuple):
    """An outcome at `n` points, in its own unit. Shape `n` each."""

    mean: Tensor
    variance: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Process:
    """What is believed of an outcome everywhere: mean and covariance of a mixture of Gaussian processes.

    Attributes:
        banks: Its models.
        log_weights: Log weights of their members; all together sum to one. Shape `h'` each.
        location: Raw outcome that stands for zero.
        scale: Raw units per unit.
    """

    banks: tuple[ReadBank, ...]
    log_weights: tuple[Tensor, ...]
    location: float
    scale: float

    @classmethod
    def of(cls, banks: Sequence[Surrogate], log_weights: Sequence[Tensor], y: Tensor) -> Process:
        """Read a belief.

        Args:
            banks: Models of the outcome; those that are no Gaussian processes have no say.
            log_weights: Log weights of their members.
            y: What was measured, raw units; its mean and spread are the unit, as far as it suffices. Shape `n`.
        """
        pairs = [(b, w) for b, w in zip(banks, log_weights, strict=True) if isinstance(b, ReadBank)]
        total = torch.logsumexp(torch.cat([w for _, w in pairs]), dim=0)
        own, weights = tuple(b for b, _ in pairs), tuple(w - total for _, w in pairs)
        prior_sd = sum(float((w.exp() * b.prior_sd).sum()) for b, w in zip(own, weights, strict=True))
        prior_mean = sum(float((w.exp() * _prior_mean(b)).sum()) for b, w in zip(own, weights, strict=True))
        n = len(y) + PRIOR_COUNT
        location = (PRIOR_COUNT * prior_mean + float(y.sum())) / n
        squares = float((y - y.mean()).square().sum()) if len(y) else 0.0
        return cls(own, weights, location, ((PRIOR_COUNT * prior_sd**2 + squares) / n) ** 0.5)

    def again(self, banks: Sequence[Surrogate]) -> Process:
        """Return the process with its models conditioned on more, in the same unit."""
        return replace(self, banks=tuple(bank for bank in banks if isinstance(bank, ReadBank)))

    def moments(self, X: Tensor) -> Moments:
        """Return mean, variance and variance of the noise that is left at points. Shape `n x d` to `n` each."""
        told = [_tell(bank, X) for bank in self.banks]
        mean = self._mean(told)
        variance, noise = torch.zeros_like(mean), torch.zeros_like(mean)
        for bank, weight, one in zip(self.banks, self._weights, told, strict=True):
            slope = one.tangent.square()
            inner = slope * one.variance[bank.slices.owner]
            variance = variance + (weight * (inner + (one.mean - mean).square())).sum(0)
            noise = noise + (1 - OWN) * (weight * slope * bank.bank.noise_variance[bank.slices.owner, None]).sum(0)
        square = self.scale**2
        return Moments((mean - self.location) / self.scale, variance / square, noise / square)

    def mean(self, X: Tensor) -> Tensor:
        """Return the mean at points, in the process's unit. Shape `* x d` to `*`."""
        rows = X.reshape(-1, X.shape[-1])
        mean = self._mean([_tell(bank, rows) for bank in self.banks])
        return ((mean - self.location) / self.scale).reshape(X.shape[:-1])

    def covariance(self, A: Tensor, B: Tensor) -> Tensor:
        """Return covariances, in the process's unit squared.

        Args:
            A: Configurations. Shape `* x 1 x n x d`.
            B: Configurations. Shape `* x 1 x m x d`.

        Returns:
            Shape `* x 1 x n x m`.
        """
        left, right = ([_tell(bank, X) for bank in self.banks] for X in (A, B))
        a_mean, b_mean = self._mean(left), self._mean(right)
        total: Tensor | float = 0.0
        for bank, weight, a, b in zip(self.banks, self._weights, left, right, strict=True):
            owner = bank.slices.owner
            inner = _shared(bank.bank, a.inputs, b.inputs) - a.half.transpose(-1, -2) @ b.half
            bent = (a.tangent * weight)[..., :, None] * inner[..., owner, :, :] * b.tangent[..., None, :]
            apart = (weight * (a.mean - a_mean[..., None, :])).transpose(-1, -2) @ (b.mean - b_mean[..., None, :])
            total = total + bent.sum(-3) + apart
        return total[..., None, :, :] / self.scale**2  # type: ignore[index]

    @property
    def _weights(self) -> list[Tensor]:
        return [weight.exp()[:, None] for weight in self.log_weights]

    def _mean(self, told: Sequence[Told]) -> Tensor:
        return torch.stack([(w * one.mean).sum(-2) for w, one in zip(self._weights, told, strict=True)]).sum(0)


def _tell(read: ReadBank, X: Tensor) -> Told:
    """Tell a bank at points of shape `n x d`, or `* x 1 x n x d`."""
    bank = read.bank
    inputs = bank._inputs(X)
    cross = _shared(bank, bank._train, inputs)
    half = torch.linalg.solve_triangular(bank._factor.expand(*cross.shape[:-2], -1, -1), cross, upper=False)
    mean = inputs.mean + (bank._whitened[..., None, :] @ half)[..., 0, :]
    prior = bank.variance_before(inputs) if isinstance(bank, Varied) else _variance_before(bank, inputs)
    prior = prior + OWN * bank.noise_variance[:, None]
    variance = (prior - half.square().sum(-2)).clamp_min(1e-12)
    raw, tangent = read.slices.raw(mean, variance.sqrt())
    return Told(inputs, half, raw, tangent, variance)


def _shared(bank: Bank, left: Inputs, right: Inputs) -> Tensor:
    """Covariance of what belongs to configurations, before any measurement. Shape `* x h x n x m`."""
    is_same = squared_distance(left.encoded, right.encoded) < SAME
    return bank._covariance(left, right) + OWN * bank.noise_variance[:, None, None] * is_same


def _variance_before(bank: Bank, inputs: Inputs) -> Tensor:
    """Prior variance at points. Shape `* x h x n`."""
    m = bank.members
    return (m.prior_variance - m.offset_sd.square())[:, None] + inputs.features.square().sum(-1)


def _prior_mean(read: ReadBank) -> Tensor:
    """Outcome that every slice stands around before any measurement, raw units. Shape `h'`."""
    return read.slices.reading.raw(read.bank.members.offset[read.slices.owner, None])[:, 0]
