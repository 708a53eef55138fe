"""Readings: the ways in which an outcome may be put on a member's standardized axis, and back.

A member does not know whether this task's outcomes spread as widely as stated, nor whether they spread evenly or crowd
at an end, as yields crowd at zero. So every member is told with several readings, a scale and a warp each, and the
evidence (with the warp's Jacobian) says which one fits. A reading bends outcomes and leaves covariances alone: one
factorization per member serves all readings.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

OUTSIDE = 1e-3  # an outcome outside a warp's domain is read at its edge, and denied:
DENIED = -1e4  # log density of such an outcome


@dataclass(frozen=True)
class Reading:
    """Ways to read outcomes, as one record of tensors of shape `k`.

    With `w = center + spread z`, a plain reading is `y = w`, and a warped one `y = edge + s unit (exp(s w) - delta)`,
    that is `w = s log(s (y - edge) / unit + delta)`: sign `s` is 1 where outcomes crowd at a lower edge, -1 where they
    crowd at an upper one, and 0 without a warp.

    Attributes:
        sign: 0, 1 or -1.
        edge: Raw outcome at the edge where outcomes crowd.
        unit: Raw units per unit of the warp.
        delta: How sharply outcomes crowd; the smaller the sharper.
        reach: How far from the edge a warp imagines outcomes, in its unit.
        center: Value of `w` at zero.
        spread: Change of `w` per standardized unit.
        log_prior: Log prior weight; normalized.
    """

    sign: Tensor
    edge: Tensor
    unit: Tensor
    delta: Tensor
    reach: Tensor
    center: Tensor
    spread: Tensor
    log_prior: Tensor

    @property
    def n_readings(self) -> int:
        """Number of readings `k`."""
        return int(self.sign.shape[0])

    def __getitem__(self, index: Tensor) -> Reading:
        """Select readings; priors stay as they are."""
        return Reading(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def read(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Put raw outcomes on the standardized axis.

        Args:
            y: Raw outcomes. Shape `n` or `* x k x n`.

        Returns:
            Standardized outcomes and the logarithm of `dz / dy`, per raw unit. Shape `* x k x n` each.
        """
        s, edge, unit, delta, _, center, spread = self._columns()
        inside = s * (y - edge) / unit + delta
        is_warped, least = s != 0, OUTSIDE * delta
        logarithm = torch.maximum(inside, least).log()
        w = torch.where(is_warped, s * logarithm, y)
        log_slope = torch.where(is_warped, -logarithm - unit.log(), torch.zeros_like(w)) - spread.log()
        log_slope = torch.where(is_warped & (inside < least), torch.full_like(w, DENIED), log_slope)
        return (w - center) / spread, log_slope

    def raw(self, z: Tensor) -> Tensor:
        """Put standardized outcomes back. Shape `* x k x n`."""
        return self.told(z)[0]

    def slope(self, z: Tensor) -> Tensor:
        """Raw units per standardized unit at `z`. Shape `* x k x n`."""
        return self.told(z)[1]

    def told(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Put standardized outcomes back, and say how many raw units a standardized one is there; see both above."""
        s, edge, unit, delta, _, center, spread = self._columns()
        is_warped, grown = s != 0, self._grown(z)
        raw = torch.where(is_warped, edge + s * unit * (grown - delta), center + spread * z)
        return raw, spread * torch.where(is_warped, unit * grown, torch.ones_like(z))

    def _grown(self, z: Tensor) -> Tensor:
        s, _, _, delta, reach, center, spread = self._columns()
        return torch.minimum(s * (center + spread * z), (delta + reach).log()).exp()

    def scaled(self, factor: float) -> Reading:
        """Return the readings of outcomes in another unit: `factor` new units are one old unit."""
        plain = self.sign == 0
        return Reading(
            sign=self.sign,
            edge=self.edge * factor,
            unit=self.unit * factor,
            delta=self.delta,
            reach=self.reach,
            center=torch.where(plain, self.center * factor, self.center),
            spread=torch.where(plain, self.spread * factor, self.spread),
            log_prior=self.log_prior,
        )

    def _columns(self) -> tuple[Tensor, ...]:
        return tuple(getattr(self, f.name)[:, None] for f in fields(self) if f.name != "log_prior")
