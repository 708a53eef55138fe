"""From noise-free outcomes to what a laboratory reports: noise that depends on the level, and the instrument's limits.

Next in the tour: `discovery.tasks.task`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from discovery.tasks.task import TaskBatch
from simulators.draws import Draws


def measure(
    name: str,
    X: Tensor,
    truth: Mapping[str, Tensor],
    noise_sd: Tensor,
    outcome_range: tuple[float, float],
    draws: Draws,
) -> TaskBatch:
    """Add noise to noise-free outcomes and pack the batch.

    A laboratory does not know its noise, so `Yvar` stays None and the noise goes to the truth.

    Args:
        name: Name of the simulator; tasks are called `<name>-0`, `<name>-1`, …
        X: Encoded configurations. Shape `t x n x d`; unit cube.
        truth: What is known, `Y` (shape `t x n x m`, raw units) among it.
        noise_sd: Standard deviation of the noise. Shape `t x n x m`, or `t x n` for one outcome; raw units.
        outcome_range: Lowest and highest value that can be reported, raw units.
        draws: Source of the noise.

    Returns:
        A batch without padding; `truth` has gained `noise_sd` (`t x n x m`), `maximum` and `minimum` (`t x m`: the
        best noise-free outcomes among the given points, for either goal).
    """
    t, n, _ = X.shape
    exact = truth["Y"]
    noise = noise_sd.reshape(exact.shape)
    Y = (exact + noise * draws.normal(*exact.shape)).clamp(*outcome_range)
    known = {**truth, "noise_sd": noise, "maximum": exact.amax(dim=1), "minimum": exact.amin(dim=1)}
    return TaskBatch(
        X=X,
        Y=Y,
        mask=torch.ones(t, n, dtype=torch.bool, device=X.device),
        task_ids=tuple(f"{name}-{i}" for i in range(t)),
        truth=known,
    )
