"""Putting outcomes of a history, and of simulated tasks, on the standardized axis that learners work with."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from discovery.errors import ConfigurationError, InputError
from discovery.meta.scale import OutcomeScale
from discovery.tasks.task import TaskBatch

FARTHEST = 1e6  # standardized units: an outcome of the history farther out is in another unit, and fits would break


def standardize(batch: TaskBatch, scale: OutcomeScale) -> TaskBatch:
    """Express history in a scale's units, on its axis. Padding stays zero.

    Raises:
        ConfigurationError: If the scale is anchored: history does not vary, and no range is given.
        InputError: If outcomes lie so far from the scale that they cannot be in its unit.
    """
    if scale.location is None or scale.scale is None:
        raise ConfigurationError(
            f"outcomes[].range must be given where outcomes of the history do not vary; got {batch.Y[0, 0, 0]:g} only.",
            "Add the range, or remove the history.",
        )
    real = batch.mask[..., None]
    far = ((batch.Y - scale.location) / scale.scale * real).abs()
    if float(far.max()) > FARTHEST:
        raise InputError(
            f"Outcomes of the history must be in the campaign's unit, around {scale.location:g}; got "
            f"{float((batch.Y * real).flatten()[far.argmax()]):g}.",
            "Correct the unit or the number, or outcomes[].range.",
        )
    z, log_slope = scale.own_reading(batch.Y.device).read(batch.Y.reshape(-1))
    Yvar = None if batch.Yvar is None else batch.Yvar * (2 * log_slope[0].clamp_min(-300)).exp().reshape(batch.Y.shape)
    return replace(batch, Y=z[0].reshape(batch.Y.shape) * real, Yvar=Yvar)


def own_units(
    batch: TaskBatch, mean: Tensor | None = None, sd: Tensor | None = None
) -> tuple[TaskBatch, Tensor, Tensor]:
    """Standardize simulated tasks, and the truth with them, by a mean and a spread; by their own, pooled, without.

    Returns:
        The batch, and the mean and spread, shape `m` each.
    """
    values = batch.Y[batch.mask]
    mean = values.mean(0) if mean is None else mean
    sd = values.std(0).clamp_min(1e-9) if sd is None else sd
    truth = None if batch.truth is None else {"Y": (batch.truth["Y"] - mean) / sd}
    return replace(batch, Y=(batch.Y - mean) / sd * batch.mask[..., None], truth=truth), mean, sd
