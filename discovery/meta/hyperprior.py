"""The hyperprior that ships: how hyperparameters of real campaigns spread, fitted to measured tasks.

Six coordinates, each Gaussian: `log_total` (signal in standardized units), `log_noise`, `log_lengthscale` (shift of all
lengthscales from the dimension-scaled location), `share` (standard normal quantile of the share of main effects),
`log_offset` (random intercept) and `log_spread` (how differently parameters matter). `data/fit_hyperprior.py` fits it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor

COORDINATES = ("log_total", "log_noise", "log_lengthscale", "share", "log_offset", "log_spread")


@dataclass(frozen=True)
class Hyperprior:
    """Mean and standard deviation of every coordinate, in the order of `COORDINATES`. Shapes `6`, `6`; float64."""

    mean: Tensor
    sd: Tensor

    def coordinates(self, normal: Tensor) -> dict[str, Tensor]:
        """Turn standard normal numbers into coordinates by name. Shape `h x 6` to `h` each."""
        values = self.mean.to(normal.device) + self.sd.to(normal.device) * normal
        return dict(zip(COORDINATES, values.unbind(-1), strict=True))


@cache
def shipped_hyperprior() -> Hyperprior:
    """Read the hyperprior that ships."""
    text = files("discovery.meta").joinpath("prior", "hyperprior.json").read_text(encoding="utf-8")
    stored = json.loads(text)["mean_and_sd"]
    mean, sd = torch.tensor([stored[name] for name in COORDINATES], dtype=torch.float64).T
    return Hyperprior(mean, sd)
