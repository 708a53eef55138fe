"""Random functions of varied Gaussian-process priors, for thousands of tasks at once.

A prior is a record of tensors with one row per task. Up to `EXACT_LIMIT` points a function is drawn by batched
Cholesky, above by random Fourier features (Rahimi and Recht, 2007), both in float64 and in chunks of bounded memory.
Next in the tour: `simulators.gp_outputs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sqrt

import torch
from torch import Tensor

from simulators.columns import NUMBER, ONE_HOT, Columns
from simulators.draws import Draws

MATERN32, MATERN52, RBF = range(3)
DEGREES = {MATERN32: 3, MATERN52: 5, RBF: 0}  # degrees of freedom of the spectral density; none for the Gaussian
EXACT_LIMIT = 512  # points of a task up to which its covariance is factored
N_FEATURES = 1024  # random Fourier features above that
CHUNK_NUMBERS = 250_000  # float64 numbers of one chunk's largest tensor: 2 MB, within the processor's cache
JITTER = 1e-6  # added to the unit variance
DISTANCE = {NUMBER: 1.0, ONE_HOT: 0.5}  # factor of squared distances: two levels of a one-hot block are one apart


@dataclass(frozen=True)
class FunctionPrior:
    """Priors of `t` random functions with zero mean and unit variance.

    Attributes:
        family: `MATERN32`, `MATERN52` or `RBF`. Shape `t`.
        lengthscale: One per parameter, in its own distance. Shape `t x n_blocks`.
        active: False where a parameter does not matter. Shape `t x n_blocks`.
        joint_share: Share of the variance in which all parameters interact; the rest is additive. Shape `t`.
        warp: Kumaraswamy exponents a and b of every column, 1 for none. Shape `2 x t x d`.
    """

    family: Tensor
    lengthscale: Tensor
    active: Tensor
    joint_share: Tensor
    warp: Tensor

    @property
    def n_tasks(self) -> int:
        """Number of tasks `t`."""
        return int(self.family.shape[0])

    @property
    def additive_weight(self) -> Tensor:
        """Share of each parameter in the additive part: equal among active ones. Shape `t x n_blocks`; float64."""
        active = self.active.to(torch.float64)
        return active / active.sum(dim=1, keepdim=True)

    def at(self, index: Tensor) -> FunctionPrior:
        """Return the priors of some tasks; an index may come more than once."""
        return FunctionPrior(
            family=self.family[index],
            lengthscale=self.lengthscale[index],
            active=self.active[index],
            joint_share=self.joint_share[index],
            warp=self.warp[:, index],
        )


def warped(prior: FunctionPrior, X: Tensor) -> Tensor:
    """Bend every column by its Kumaraswamy function `1 - (1 - x^a)^b`. Shape `t x n x d` in and out."""
    a, b = prior.warp.unsqueeze(2)  # each t x 1 x d
    return 1.0 - (1.0 - X.clamp(0.0, 1.0) ** a) ** b


def draw_functions(prior: FunctionPrior, columns: Columns, X: Tensor, draws: Draws) -> Tensor:
    """Draw one function per task and evaluate it.

    Args:
        prior: Priors of the functions.
        columns: Columns of the space.
        X: Encoded configurations. Shape `t x n x d`; unit cube.
        draws: Source of the randomness.

    Returns:
        Values with zero mean and unit variance a priori. Shape `t x n`.
    """
    t, n, _ = X.shape
    exact = n <= EXACT_LIMIT
    z = draws.normal(t, n) if exact else None
    values = torch.empty(t, n, dtype=torch.float64, device=X.device)
    for family, index in _chunks(prior, n * max(n if exact else N_FEATURES, X.shape[2])):
        part = prior.at(index)
        Z = scaled(part, columns, X[index])
        if z is not None:
            values[index] = _factored(part, columns, Z, family, z[index])
        else:
            values[index] = _fourier(part, columns, Z, family, draws)
    return values


def scaled(prior: FunctionPrior, columns: Columns, X: Tensor) -> Tensor:
    """Warp and divide by lengthscales, so that plain Euclidean distance is what the kernel sees; 0 where inactive."""
    factor = torch.tensor(
        [DISTANCE.get(kind, 1.0 / int(width)) for kind, width in zip(columns.kinds, columns.widths, strict=True)],
        dtype=torch.float64,
        device=X.device,
    )
    weight = factor.sqrt() * prior.active / prior.lengthscale  # t x n_blocks
    return warped(prior, X) * columns.spread(weight).unsqueeze(1)


def correlation(squared: Tensor, family: int) -> Tensor:
    """Return the kernel of a family at squared scaled distances, any shape."""
    if family == RBF:
        return (-0.5 * squared).exp_()
    r = (DEGREES[family] * squared).sqrt_()
    growth = r + 1.0 if family == MATERN32 else (r + 1.0).addcmul_(r, r, value=1.0 / 3.0)
    return growth.mul_(r.neg_().exp_())


def covariance(prior: FunctionPrior, columns: Columns, Z: Tensor, family: int) -> Tensor:
    """Return prior covariances of one family: joint and additive parts by their shares.

    Args:
        prior: Priors, all of one family.
        columns: Columns of the space.
        Z: Scaled configurations, see `scaled`. Shape `t x n x d`.
        family: The family.

    Returns:
        Covariances with unit diagonal. Shape `t x n x n`.
    """
    share = prior.joint_share.view(-1, 1, 1)
    if bool((share == 1.0).all()):
        return correlation(_squared(Z), family)
    weight = prior.additive_weight
    total = additive = torch.zeros((), dtype=Z.dtype, device=Z.device)
    for i, part in enumerate(columns.slices):
        squared = _squared(Z[..., part])
        total = total + squared
        additive = additive + correlation(squared, family).mul_((1.0 - share) * weight[:, i].view(-1, 1, 1))
    return correlation(total, family).mul_(share).add_(additive)


def _squared(Z: Tensor) -> Tensor:
    """Squared Euclidean distances between all points of a task. Shape `t x n x d` in, `t x n x n` out."""
    if Z.shape[2] == 1:
        return (Z - Z.transpose(1, 2)).square()
    norm = Z.square().sum(dim=2, keepdim=True)
    return (norm + norm.transpose(1, 2)).baddbmm_(Z, Z.transpose(1, 2), alpha=-2.0).clamp_min_(0.0)


def _factored(prior: FunctionPrior, columns: Columns, Z: Tensor, family: int, z: Tensor) -> Tensor:
    """Draw exactly, by the Cholesky factor of the covariance. Shape `t x n`."""
    K = covariance(prior, columns, Z, family)
    K.diagonal(dim1=1, dim2=2).add_(JITTER)
    return (torch.linalg.cholesky(K) @ z.unsqueeze(2)).squeeze(2)


def _fourier(prior: FunctionPrior, columns: Columns, Z: Tensor, family: int, draws: Draws) -> Tensor:
    """Draw by random Fourier features; one of the additive part sees the columns of one parameter. Shape `t x n`."""
    t, _, d = Z.shape
    frequency = draws.normal(t, d, N_FEATURES)
    if DEGREES[family]:  # a Matérn kernel's spectral density is a multivariate Student t
        chi2 = draws.normal(t, DEGREES[family], N_FEATURES).square().sum(dim=1, keepdim=True)
        frequency = frequency * (DEGREES[family] / chi2).sqrt()
    is_joint = draws.uniform(t, N_FEATURES) < prior.joint_share.unsqueeze(1)
    order = prior.additive_weight.cumsum(dim=1)  # t x n_blocks
    block = torch.searchsorted(order, draws.uniform(t, N_FEATURES)).clamp_max(columns.n_blocks - 1)
    own = columns.block_of.to(Z.device).view(1, d, 1) == block.unsqueeze(1)  # t x d x features
    frequency = frequency * (is_joint.unsqueeze(1) | own)
    phase = draws.uniform(t, 1, N_FEATURES, high=2.0 * pi)
    waves = torch.cos(torch.baddbmm(phase, Z, frequency))  # t x n x features
    return (waves @ draws.normal(t, N_FEATURES, 1)).squeeze(2) * sqrt(2.0 / N_FEATURES)


def _chunks(prior: FunctionPrior, numbers_per_task: int) -> Iterator[tuple[int, Tensor]]:
    """Yield the tasks in chunks of one family and one structure, of bounded size."""
    size = max(1, CHUNK_NUMBERS // numbers_per_task)
    for family in DEGREES:
        for is_joint in (True, False):
            member = (prior.family == family) & ((prior.joint_share == 1.0) == is_joint)
            for index in member.nonzero().squeeze(1).split(size):
                if index.numel():
                    yield family, index
