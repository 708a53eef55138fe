"""What is believed of one outcome in every world, growing by measured outcomes in closed form.

All candidates are known beforehand, so conditioning is a rank-one update of means and variances, for all worlds and
members together, on the axis on which each member is Gaussian. Next in the tour: `discovery.evaluation.worlds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from discovery.evaluation.worlds import JointBelief


class Track:
    """The belief in one outcome on `f` worlds, on the members' own axes.

    Args:
        joint: The belief where the worlds begin.
        n_worlds: Number of worlds `f`.
        n_experiments: How many outcomes it will be told.
    """

    def __init__(self, joint: JointBelief, n_worlds: int, n_experiments: int) -> None:
        h, n = joint.mean.shape
        self.joint = joint
        self.mean = joint.mean.expand(n_worlds, h, n).clone()
        self.variance = joint.covariance.diagonal(dim1=-2, dim2=-1).expand(n_worlds, h, n).clone()
        self.log_weight = joint.log_weight.expand(n_worlds, h).clone()
        self.columns = self.mean.new_zeros(n_worlds, h, n_experiments, n)
        self.world = torch.arange(n_worlds, device=self.mean.device)

    def marginals(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return means and deviations of the latent outcome, raw units (`f x h' x N`), and log weights (`f x h'`)."""
        axes = self.joint.axes
        mean, sd = axes.raw_marginals(self.mean, self.variance.clamp_min(1e-300).sqrt())
        return mean, sd, axes.spread(self.log_weight)

    def occupy(self, k: int, row: Tensor) -> Tensor:
        """Condition variances on experiment `k` at `row`, whose outcome need not be known.

        Args:
            k: Number of the experiment, counted from 0.
            row: The candidate in each world. Shape `f`.

        Returns:
            Standard deviation of its outcome. Shape `f x h`.
        """
        column = self.joint.covariance[:, row].transpose(0, 1)  # f x h x N
        if k:
            before = self.columns[:, :, :k]
            at_row = before[self.world, :, :, row]  # f x h x k
            column = column - (at_row[:, :, None, :] @ before)[:, :, 0]
        spread = (self.variance[self.world, :, row] + self.joint.noise_variance[:, row].T).sqrt()
        self.columns[:, :, k] = column / spread[..., None]
        self.variance = (self.variance - self.columns[:, :, k].square()).clamp_min(0.0)
        return spread

    def learn(self, k: int, row: Tensor, spread: Tensor, y: Tensor) -> None:
        """Condition means on the outcome of experiment `k`, and weigh members by how well they foresaw it.

        Args:
            k: Number of the experiment.
            row: The candidate in each world. Shape `f`.
            spread: What `occupy` gave. Shape `f x h`.
            y: The outcome, raw units. Shape `f`.
        """
        z, log_slope = self.joint.axes.read(y)  # f x h
        residual = (z - self.mean[self.world, :, row]) / spread
        self.mean = self.mean + self.columns[:, :, k] * residual[..., None]
        self.log_weight = torch.log_softmax(self.log_weight - 0.5 * residual.square() - spread.log() + log_slope, dim=1)
