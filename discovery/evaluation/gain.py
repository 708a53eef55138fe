"""Is the next batch worth it? Its expected gain under the belief, in raw units, against what an experiment must bring.

The gain looks one batch ahead: how much better the best outcome is expected to be after it. It says nothing of what ten
further batches may bring; `discovery.evaluation.forecast` does. Next in the tour: `discovery.session.stopping`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from discovery.belief.belief import Belief

N_SAMPLES = 1024  # quasi-random draws of a batch's outcomes, per member
JITTER = 1e-9  # of the mean variance


@torch.no_grad()
def expected_gain(
    belief: Belief, X: Tensor, *, sign: float = 1.0, X_running: Tensor | None = None, seed: int = 0
) -> float | None:
    """Return how much a batch is expected to improve on the best outcome measured so far.

    `E[max(0, max_i sign * f(x_i) - best)]` over all members of the belief; exact for one configuration, quasi-Monte
    Carlo for several. What experiments under way are expected to gain anyway is taken off.

    Args:
        belief: The belief over what is measured.
        X: The batch. Shape `q x d`.
        sign: 1 to maximize, -1 to minimize.
        X_running: Configurations under way. Shape `p x d`.
        seed: Seed of the draws.

    Returns:
        The gain of the whole batch, raw units, at least 0; None before the first measurement.
    """
    if belief.best_f is None:
        return None
    best = sign * (belief.best_f[1] if sign > 0 else belief.best_f[0])
    n_running = 0 if X_running is None else len(X_running)
    if len(X) == 1 and not n_running:
        return _single(belief, X, sign, best)
    points = X if X_running is None else torch.cat([X_running, X])
    total = 0.0
    for part in belief.kept:
        improved = _improvements(part.bank.posterior(points), sign, best, seed)  # h x s x (p + q)
        before = improved[..., :n_running].amax(-1) if n_running else torch.zeros_like(improved[..., 0])
        gained = (improved.amax(-1) - before).clamp_min(0.0).mean(-1)
        total += float((part.log_weight.exp() * gained).sum())
    return total


def _single(belief: Belief, X: Tensor, sign: float, best: float) -> float:
    """Return the expected improvement of one configuration, in closed form."""
    total = 0.0
    for part in belief.kept:
        mean, variance = part.bank.marginals(X)
        sd = variance[..., 0].sqrt()
        z = (sign * mean[..., 0] - best) / sd
        density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
        gain = (sd * (density + z * torch.special.ndtr(z))).clamp_min(0.0)
        total += float((part.log_weight.exp() * gain).sum())
    return total


def _improvements(posterior: object, sign: float, best: float, seed: int) -> Tensor:
    """Draw how much each point improves on the best. Shape `h x s x q`."""
    mean = posterior.mean[..., 0]  # type: ignore[attr-defined]
    covariance = posterior.distribution.covariance_matrix  # type: ignore[attr-defined]
    q = mean.shape[-1]
    scale = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    eye = torch.eye(q, dtype=mean.dtype, device=mean.device)
    factor = torch.linalg.cholesky(covariance + JITTER * scale * eye)
    sobol = torch.quasirandom.SobolEngine(q, scramble=True, seed=seed % 2**31)
    level = sobol.draw(N_SAMPLES, dtype=torch.float64).clamp(1e-9, 1 - 1e-9).to(mean.device)
    z = torch.special.ndtri(level)  # s x q
    return (sign * (mean[..., None, :] + z @ factor.transpose(-1, -2)) - best).clamp_min(0.0)
