"""Acquisition functions over a belief: unmodified BoTorch functions per bank, reduced over members.

Expected improvement is linear in the mixture, so `logsumexp(log weight + LogEI of member)` *is* the LogEI of the
belief. An upper confidence bound is a quantile of the mixture, which is not linear and is found by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from botorch.acquisition import AcquisitionFunction, LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.sampling import SobolQMCNormalSampler
from torch import Tensor

from discovery import registry
from discovery.belief.belief import KeptBank
from discovery.meta.learner import Surrogate

ANALYTIC = ("log_ei", "ucb")
MONTE_CARLO = ("qlog_ei", "qlog_nei")
NAMES = ANALYTIC + MONTE_CARLO
UCB_LEVEL = 0.9  # quantile of the mixture that `ucb` maximizes
MC_SAMPLES = 64


def own_columns(banks: Sequence[Surrogate], i: int, X: Tensor) -> Tensor:
    """Give bank `i` its inputs with its own features: picked out of `X`, or computed. Shape `* x (d + j_i)`."""
    d, n_pooled = banks[i].n_dims, banks[i].features.n_pooled
    if X.shape[-1] == d or not n_pooled:
        return banks[i].with_features(X[..., :d])
    start = d + sum(bank.features.n_pooled for bank in banks[:i])
    return torch.cat([X[..., :d], X[..., start : start + n_pooled]], dim=-1)


class MixtureAcquisition(AcquisitionFunction):
    """A BoTorch acquisition function that sums or averages over the members of all banks.

    Args:
        parts: One BoTorch acquisition function per bank; each returns `b x [f x] h` for `X` of shape `b x 1 x q x d`.
        log_weights: Log weights of the members, one tensor per bank, shape `[f x] h`; `f` are fantasies.
    """

    is_logarithm = True

    def __init__(self, parts: Sequence[AcquisitionFunction], log_weights: Sequence[Tensor]) -> None:
        super().__init__(model=parts[0].model)
        self.parts = torch.nn.ModuleList(parts)
        self.banks: list[Surrogate] = [part.model for part in parts]
        self.log_weights = list(log_weights)

    def members(self, X: Tensor) -> list[Tensor]:
        """Log weight plus log acquisition value of every member, one tensor per bank. Shape `b x [f x] h`."""
        return [self._part(i, X) for i in range(len(self.parts))]

    def _part(self, i: int, X: Tensor) -> Tensor:
        part, weights = self.parts[i], self.log_weights[i]
        own = own_columns(self.banks, i, X)
        batched = own.reshape(own.shape[0], *[1] * weights.ndim, *own.shape[-2:])  # b x [1 x] 1 x q x d
        return part(batched) + weights

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate the mixture. Shape `b x q x d` to `b`."""
        return self.reduce(torch.cat(self.members(X), dim=-1))

    @staticmethod
    def reduce(values: Tensor) -> Tensor:
        """Sum over members, average over fantasies (in logs)."""
        total = torch.logsumexp(values, dim=-1)
        return total if total.ndim == 1 else torch.logsumexp(total, dim=-1) - math.log(total.shape[-1])


class MixtureMean(AcquisitionFunction):
    """The belief's mean: what the first proposal maximizes when nothing is measured yet."""

    def __init__(self, kept: Sequence[KeptBank], sign: float) -> None:
        super().__init__(model=kept[0].bank)
        self.kept, self.sign = list(kept), sign

    def sd(self, X: Tensor) -> Tensor:
        """Return the mixture's standard deviation at single points. Shape `n x d` to `n`."""
        mean, sd, weights = mixture_marginals(self.kept, X)
        around = mean - (weights * mean).sum(-1, keepdim=True)
        return (weights * (sd.square() + around.square())).sum(-1).sqrt()

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate the mean. Shape `b x 1 x d` to `b`."""
        mean, _, weights = mixture_marginals(self.kept, X[:, 0, :])
        return self.sign * (weights * mean).sum(-1)


class MixtureQuantile(AcquisitionFunction):
    """A quantile of the belief's latent outcome: the mixture's upper confidence bound."""

    def __init__(self, kept: Sequence[KeptBank], sign: float, level: float = UCB_LEVEL) -> None:
        super().__init__(model=kept[0].bank)
        self.kept, self.sign, self.level = list(kept), sign, level

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate the quantile. Shape `b x 1 x d` to `b`."""
        mean, sd, weights = mixture_marginals(self.kept, X[:, 0, :])
        level = torch.full(mean.shape[:1], self.level, dtype=mean.dtype, device=mean.device)
        found = mixture_quantile(self.sign * mean.detach(), sd.detach(), weights, level)
        # differentiable by the implicit function theorem: dq = sum w pdf (dmean + z dsd) / sum w pdf
        z = (found[:, None] - self.sign * mean.detach()) / sd.detach()
        density = weights * torch.exp(-0.5 * z.square()) / sd.detach()
        share = density / density.sum(-1, keepdim=True).clamp_min(1e-300)
        linear = (share * (self.sign * mean + z * sd)).sum(-1)
        return found + linear - linear.detach()


def mixture_marginals(kept: Sequence[KeptBank], X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Marginals of the latent outcome under all members of all banks.

    Args:
        kept: Banks with weights.
        X: Configurations, with all feature columns or none. Shape `n x d`.

    Returns:
        Means and standard deviations, shape `n x H`, and weights, shape `H`.
    """
    means, sds = [], []
    for i, part in enumerate(kept):
        mean, variance = part.bank.marginals(own_columns([p.bank for p in kept], i, X))
        means.append(mean.T)
        sds.append(variance.sqrt().T)
    return torch.cat(means, dim=-1), torch.cat(sds, dim=-1), torch.cat([p.log_weight for p in kept]).exp()


def at_given(X: Tensor, given: Sequence[tuple[int, float]]) -> Tensor:
    """Return configurations with coordinates that are given today in place of their own. Shape `n x d`."""
    if not given:
        return X
    moved = X.clone()
    for column, value in given:
        moved[..., column] = value
    return moved


def believed_best(kept: Sequence[KeptBank], sign: float, given: Sequence[tuple[int, float]] = ()) -> Tensor:
    """Return the best outcome so far as the belief sees it: its highest mean at a configuration of the support.

    The highest measurement was also lucky; improvement on it would be asked of places that cannot give it.

    Args:
        kept: Banks with weights (possibly with a leading fantasy dimension), conditioned on the same configurations.
        sign: 1 to maximize, -1 to minimize.
        given: Coordinates of a context and their values today: the best is looked for there.

    Returns:
        A scalar, or shape `f` for fantasies; in the banks' unit.
    """
    points = [at_given(part.bank.X.flatten(0, -2), given) for part in kept]
    means = [part.bank.marginals(part.bank.with_features(X))[0] for part, X in zip(kept, points, strict=True)]
    weighted = [(part.log_weight.exp()[..., None] * mean).sum(-2) for part, mean in zip(kept, means, strict=True)]
    return sign * (sign * torch.stack(weighted).sum(0)).amax(-1)


def mixture_quantile(mean: Tensor, sd: Tensor, weights: Tensor, level: Tensor, n_steps: int = 50) -> Tensor:
    """Find quantiles of Gaussian mixtures by bisection.

    Args:
        mean: Component means. Shape `n x H`.
        sd: Component standard deviations. Shape `n x H`.
        weights: Component weights, shape `H` or `n x H`; sum to one.
        level: Levels in (0, 1). Shape `n`.
        n_steps: Halvings of the bracket.

    Returns:
        Quantiles. Shape `n`.
    """
    low, high = (mean - 9 * sd).amin(-1), (mean + 9 * sd).amax(-1)
    for _ in range(n_steps):
        middle = (low + high) / 2
        below = (weights * torch.special.ndtr((middle[:, None] - mean) / sd)).sum(-1) < level
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def outcome_unit(kept: Sequence[KeptBank]) -> float:
    """Return a unit in which outcomes vary by about one: a power of two, so that changing units loses no digit.

    BoTorch's functions expect such outcomes: they clamp variances at 1e-12 and smooth improvements over 1e-6.
    """
    typical = sum(float((part.log_weight.exp() * part.bank.prior_sd).sum()) for part in kept)
    return float(2.0 ** round(math.log2(typical)))


def in_unit(kept: Sequence[KeptBank], unit: float) -> list[KeptBank]:
    """Express banks in a unit, given in raw units."""
    return [KeptBank(part.name, part.bank.scaled(1 / unit), part.log_weight) for part in kept]


def in_raw_units(acqf: torch.nn.Module, value: float, unit: float) -> float:
    """Turn an acquisition value over banks in a unit into one in raw units; most functions give logarithms."""
    return value + math.log(unit) if getattr(acqf, "is_logarithm", False) else value * unit


@dataclass(frozen=True)
class Target:
    """What improvement is measured against.

    Attributes:
        sign: 1 to maximize, -1 to minimize.
        best_f: Best outcome so far (`believed_best`), in the banks' unit; a scalar, or shape `f` for fantasies.
    """

    sign: float
    best_f: Tensor


def build(
    name: str, kept: Sequence[KeptBank], target: Target, *, seed: int = 0, X_pending: Tensor | None = None
) -> AcquisitionFunction:
    """Build an acquisition function over banks.

    Args:
        name: One of `NAMES`, or of a plug-in.
        kept: Banks with member weights (possibly with a leading fantasy dimension).
        target: Direction and best outcome so far.
        seed: Seed of Monte Carlo samples.
        X_pending: Configurations under way, for the Monte Carlo functions. Shape `p x d`.

    Raises:
        ConfigurationError: If the name is unknown.
    """
    if name == "ucb":
        return MixtureQuantile(kept, target.sign)
    weights = [part.log_weight for part in kept]
    if name == "log_ei":
        best = target.best_f[:, None, None] if target.best_f.ndim else target.best_f  # f x 1 (h) x 1 (m)
        parts = [LogExpectedImprovement(p.bank, best_f=best, maximize=target.sign > 0) for p in kept]
        return MixtureAcquisition(parts, weights)
    if name not in MONTE_CARLO:
        return _plug_in(name, kept, target, seed)
    return MixtureAcquisition([_monte_carlo(name, part.bank, target, seed, X_pending) for part in kept], weights)


def _plug_in(name: str, kept: Sequence[KeptBank], target: Target, seed: int) -> AcquisitionFunction:
    """Build the acquisition function of a plug-in: its entry point is called with banks, target and seed."""
    made: AcquisitionFunction = registry.load("acquisition", name)(list(kept), target, seed=seed)
    made.kept = list(kept)  # who argues for a row is then told by the hypotheses' weights
    return made


def _monte_carlo(
    name: str, bank: Surrogate, target: Target, seed: int, X_pending: Tensor | None
) -> AcquisitionFunction:
    common = {
        "posterior_transform": ScalarizedPosteriorTransform(target.best_f.new_tensor([target.sign])),
        "sampler": SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=seed % 2**31),
        "X_pending": None if X_pending is None else bank.with_features(X_pending),
    }
    if name == "qlog_ei":
        return qLogExpectedImprovement(bank, target.sign * target.best_f, **common)
    baseline = bank.with_features(bank.X[0])
    return qLogNoisyExpectedImprovement(bank, baseline, prune_baseline=False, cache_root=False, **common)
