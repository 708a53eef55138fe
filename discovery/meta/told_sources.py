"""Earlier tasks some of whose outcomes are bounds: what their own processes are conditioned on.

Bounds become Gaussian values by expectation propagation, as those of the campaign itself do. What has no likelihood of
single rows leaves them out (`TaskBatch.measured`). Next in the tour: `discovery.meta.history_bank`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from discovery.meta.censored import tell
from discovery.tasks.task import TaskBatch


def told_sources(K: Tensor, constant: Tensor, noise: Tensor, batch: TaskBatch) -> tuple[Tensor, Tensor]:
    """Return values and noise variances that stand for the outcomes of every task; values stay as measured.

    Args:
        K: Covariance of every task's process, zero where padded. Shape `t x n x n`.
        constant: Its mean. Shape `t`.
        noise: Noise variances. Shape `t x n`.
        batch: The tasks, in the units of their processes.

    Returns:
        Values and variances. Shape `t x n` each.
    """
    y = batch.Y[..., 0]
    if batch.sides is None:
        return y, noise
    y, noise, sides = y.clone(), noise.clone(), batch.sides[..., 0].long() * batch.mask
    for i in torch.nonzero(sides.any(dim=1))[:, 0].tolist():  # tasks differ in which rows are bounds
        y[i], noise[i] = told_source(K[i], constant[i], noise[i], y[i], sides[i], batch.mask[i])
    return y, noise


def told_source(
    K: Tensor, constant: Tensor, noise: Tensor, y: Tensor, side: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Return values and noise variances that stand for the outcomes of one task.

    Args:
        K: Covariance. Shape `n x n`.
        constant: Mean, a scalar.
        noise: Noise variances. Shape `n`.
        y: Values and bounds. Shape `n`.
        side: -1 where the true value is at most `y`, 1 where at least, 0 where it is `y`. Shape `n`.
        mask: True for real rows. Shape `n`.
    """
    real = torch.nonzero(mask)[:, 0]
    mean = constant.expand(1, len(real))
    told = tell(mean, K[real[:, None], real][None], noise[real][None], y[real][None], side[real])
    values, variances = y.clone(), noise.clone()
    values[real], variances[real] = told.y[0], told.variance[0]
    return values, variances
