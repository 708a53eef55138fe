"""A belief at points that are known beforehand, growing by imagined outcomes in closed form.

What `fantasies` does by conditioning banks anew, this does by rank-one updates: the same draws, the same weights, the
same improvement, at a cost that does not grow with every member's factorization. Next: `discovery.acquisition.batches`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.mixture import UCB_LEVEL, at_given, in_unit, mixture_quantile, outcome_unit, own_columns
from discovery.belief.belief import FORBIDDEN, Belief, KeptBank
from discovery.meta.growing import Growing, Grows

CHUNK = 512  # points whose improvement is computed at once: fantasies x members x points stay near a core's cache
SQRT_2PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Imagined:
    """What is believed about `N` points, given imagined outcomes at some of them.

    Attributes:
        names: All hypotheses.
        said_by: Which of them each model belongs to; hypotheses without a say have none.
        growing: The models.
        log_weights: Log weights of their members. Shape `f x h` each.
        known: Points that are measured, run or are chosen, as indices; with a context, as they would be today.
        today: Where points that run already stand with the context of today.
        sign: 1 to maximize, -1 to minimize.
        unit: What improvements are counted in, raw units.
    """

    names: tuple[str, ...]
    said_by: tuple[str, ...]
    growing: tuple[Growing, ...]
    log_weights: tuple[Tensor, ...]
    known: tuple[int, ...]
    today: Mapping[int, int]
    sign: float
    unit: float

    @classmethod
    def of(
        cls,
        belief: Belief,
        X: Tensor,
        X_further: Tensor,
        sign: float,
        given: Sequence[tuple[int, float]] = (),
    ) -> Imagined:
        """Read a belief at points.

        Args:
            belief: The belief over real measurements; all its banks can grow (`can_grow`).
            X: Candidates, with all feature columns or none. Shape `N x d`.
            X_further: Points that run already; they come after the candidates. Shape `p x d`.
            sign: 1 to maximize, -1 to minimize.
            given: Coordinates of a context and their values today: what is known is looked at there.
        """
        unit = outcome_unit(belief.kept)
        kept = in_unit(belief.kept, unit)
        known = torch.cat([at_given(Z, given) for Z in (X_further, kept[0].bank.X.flatten(0, -2))])
        return cls.at(kept, (X, X_further, known), sign, unit)

    @classmethod
    def at(
        cls, kept: Sequence[KeptBank], points: tuple[Tensor, Tensor, Tensor], sign: float = 1.0, unit: float = 1.0
    ) -> Imagined:
        """Read banks at points.

        Args:
            kept: Banks with weights, conditioned on real measurements only; all can grow.
            points: Candidates, with all feature columns or none; points that run already; those again as they would be
                today, and then what is measured. Shapes `N x d`, `p x d`, `p + n x d`.
            sign: 1 to maximize, -1 to minimize.
            unit: The unit of the banks, raw units.
        """
        (X, X_further, known), banks = points, [part.bank for part in kept]
        growing, weights, said_by = [], [], []
        for i, part in enumerate(kept):
            if float(part.log_weight.max()) < -FORBIDDEN / 2:
                continue
            own = torch.cat([own_columns(banks, i, Z) for Z in points])
            growing.append(part.bank.growing(own))  # type: ignore[attr-defined]
            weights.append(part.log_weight[None])
            said_by.append(part.name)
        n, p = len(X), len(X_further)
        today = {n + i: n + p + i for i in range(p)}
        measured = tuple(range(n + 2 * p, n + p + len(known)))
        names = tuple(part.name for part in kept)
        return cls(names, tuple(said_by), tuple(growing), tuple(weights), measured, today, sign, unit)

    def mixture(self, columns: Tensor) -> Mixture:
        """Return the mixture of the latent outcome at points (indices), in units of `unit`, with fantasies."""
        told = [part.marginals(columns) for part in self.growing]
        mean, sd = (torch.cat([pair[k] for pair in told], dim=-2).transpose(-1, -2) for k in (0, 1))
        return Mixture(mean, sd, torch.cat(self.log_weights, dim=-1)[:, None, :])

    @property
    def best(self) -> Tensor:
        """Best outcome so far as the belief sees it (`believed_best`), in units of `unit`. Shape `f`."""
        columns = torch.tensor(self.known, device=self.log_weights[0].device)
        means = [part.marginals(columns)[0] for part in self.growing]
        weighted = [(w.exp()[..., None] * mean).sum(-2) for w, mean in zip(self.log_weights, means, strict=True)]
        return self.sign * (self.sign * torch.stack(weighted).sum(0)).amax(-1)

    def grown(self, row: int, levels: Tensor) -> Imagined:
        """Imagine an outcome at a point: condition every member on it and weigh it by how well it foresaw it.

        Args:
            row: The point.
            levels: Quantile of the mixture that is imagined, per fantasy. Shape `f`.
        """
        f = len(levels)
        told = [part.predictive(row) for part in self.growing]
        means, sds = (torch.cat([pair[k].expand(f, -1) for pair in told], dim=-1) for k in (0, 1))
        weights = torch.cat([w.expand(f, -1) for w in self.log_weights], dim=-1)
        y = mixture_quantile(means, sds, weights.exp(), levels)
        density = weights - 0.5 * ((y[:, None] - means) / sds).square() - sds.log()
        density = density - torch.logsumexp(density, dim=-1, keepdim=True)
        return replace(
            self,
            growing=tuple(part.grown(row, y) for part in self.growing),
            log_weights=tuple(density.split(self.sizes, dim=-1)),
            known=(*self.known, self.today.get(row, row)),
        )

    def improvement(self, columns: Tensor) -> Tensor:
        """Logarithm of the expected improvement at points (indices), in units of `unit`. Shape `len(columns)`."""
        best = self.best
        parts = [torch.stack(self._improvements(chunk, best)).sum(0) for chunk in columns.split(CHUNK)]
        return torch.cat(parts).clamp_min(1e-300).log()

    def quantile(self, columns: Tensor) -> Tensor:
        """Upper confidence bound at points (indices), averaged over no fantasies: there must be one."""
        told = [part.marginals(columns) for part in self.growing]
        means, sds = (torch.cat([pair[k][0] for pair in told]).T for k in (0, 1))
        weights = torch.cat([w[0] for w in self.log_weights]).exp()
        level = torch.full_like(means[:, 0], UCB_LEVEL)
        return mixture_quantile(self.sign * means, sds, weights, level)

    def argument(self, row: int, *, by_weight: bool = False) -> dict[str, float]:
        """Share of every hypothesis in the improvement at a point, or in the belief."""
        if by_weight:
            said = torch.stack([w.exp().sum(-1).mean() for w in self.log_weights])
        else:
            column = torch.tensor([row], device=self.log_weights[0].device)
            said = torch.cat(self._improvements(column, self.best)).clamp_min(1e-300)
        shares = dict(zip(self.said_by, (said / said.sum()).tolist(), strict=True))
        return {name: shares.get(name, 0.0) for name in self.names}

    @property
    def sizes(self) -> list[int]:
        """Number of members of every hypothesis in `said_by`."""
        return [weight.shape[-1] for weight in self.log_weights]

    def _improvements(self, columns: Tensor, best: Tensor) -> list[Tensor]:
        """Weighted expected improvement by hypothesis, averaged over fantasies. Shape `len(columns)` each."""
        found = []
        for part, weight in zip(self.growing, self.log_weights, strict=True):
            mean, sd = part.marginals(columns)
            z = (mean - best[:, None, None]).mul_(self.sign).div_(sd)
            density = z.square().mul_(-0.5).exp_().div_(SQRT_2PI)
            gain = density.add_(z * torch.special.ndtr(z)).mul_(sd).clamp_min_(0)
            found.append((weight.exp()[:, None, :] @ gain)[:, 0].mean(0))
        return found


def can_grow(belief: Belief) -> bool:
    """Say whether all banks of a belief have closed forms; a plug-in's model may have none."""
    return all(isinstance(part.bank, Grows) for part in belief.kept)


def levels(n: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw stratified quantile levels for `n` fantasies, in random order. Shape `n`."""
    order = torch.randperm(n, generator=generator).to(like.device)
    return ((order + 0.5) / n).to(like.dtype)


def members(belief: Belief) -> int:
    """Number of members that score candidates."""
    return sum(part.bank.batch_shape[-1] for part in belief.kept)


def distinct(turns: Sequence[Belief]) -> list[Belief]:
    """Return the distinct beliefs of a batch, in the order of their first turn."""
    return list({id(belief): belief for belief in turns}.values())
