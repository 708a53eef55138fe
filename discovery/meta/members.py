"""Members: fully specified Gaussian-process priors, as one record of tensors with a leading member dimension `h`.

A member says, for features `F` of its hypothesis,

    y(x) = b0 + F(x) beta + a + F(x) w + g(x) + sum_c m_c(x) + e
    a ~ N(0, s0^2), w_j ~ N(0, v_j), g ~ GP(0, sg^2 M52), m_c ~ GP(0, sc^2 C_c), e ~ N(0, sn^2)

so that slopes, intercept and shared components marginalize to the kernel
`s0^2 + F diag(v) F' + sg^2 M52 + sum_c sc^2 C_c`: one exact GP whose whole prior was meta-learned. Nothing here is
fitted to a campaign. Next in the tour: `discovery.meta.bank`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from discovery.meta.geometry import Geometry


@dataclass(frozen=True)
class Members:
    """The parameters of `h` members, all in one outcome unit.

    Attributes:
        inverse_lengthscale: Factor per smooth column (block scaling included). Shape `h x d'`.
        warp_a: First Kumaraswamy exponent per smooth column; one means no warp. Shape `h x d'`.
        warp_b: Second exponent. Shape `h x d'`.
        component_sd: Standard deviations `sc` of the shared components (`discovery.meta.components`). Shape `h x c`.
        signal: Standard deviation `sg` of the residual GP. Shape `h`.
        noise: Standard deviation `sn` of the observation noise. Shape `h`.
        offset: Prior mean `b0`. Shape `h`.
        offset_sd: Standard deviation `s0` of the random intercept. Shape `h`.
        slope: Prior mean `beta` of the feature coefficients. Shape `h x j`.
        slope_sd: Square roots of `v`. Shape `h x j`.
        log_prior: Log prior weight within the hypothesis; normalized. Shape `h`.
    """

    inverse_lengthscale: Tensor
    warp_a: Tensor
    warp_b: Tensor
    component_sd: Tensor
    signal: Tensor
    noise: Tensor
    offset: Tensor
    offset_sd: Tensor
    slope: Tensor
    slope_sd: Tensor
    log_prior: Tensor

    @property
    def n_members(self) -> int:
        """Number of members `h`."""
        return int(self.signal.shape[0])

    @property
    def prior_variance(self) -> Tensor:
        """Prior variance of the latent outcome at one point, features left out. Shape `h`."""
        return self.signal.square() + self.offset_sd.square() + self.component_sd.square().sum(-1)

    @property
    def is_warped(self) -> bool:
        """Whether any member bends its inputs."""
        return bool(((self.warp_a != 1) | (self.warp_b != 1)).any())

    def __getitem__(self, index: Tensor) -> Members:
        """Select members; priors stay as they are (they need not sum to one after a selection)."""
        return Members(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: torch.device | str) -> Members:
        """Return the members on a device."""
        return Members(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def in_units(self, location: Tensor, scale: Tensor) -> Members:
        """Express standardized members in raw outcome units, `y_raw = location + scale * y`.

        Features are outcomes of other tasks and are rescaled with the outcome; so their slopes carry no unit, but the
        location that the features themselves do not have is put into the offset.

        Args:
            location: Outcome that stands for zero. Shape `h` or scalar.
            scale: Raw units per standardized unit. Shape `h` or scalar.
        """
        column = scale[..., None] if scale.ndim else scale
        return replace(
            self,
            component_sd=self.component_sd * column,
            signal=self.signal * scale,
            noise=self.noise * scale,
            offset=location + self.offset * scale,
            offset_sd=self.offset_sd * scale,
            slope=self.slope * column,
            slope_sd=self.slope_sd * column,
        )


def concatenate(parts: Sequence[Members]) -> Members:
    """Join members of one hypothesis; priors are renormalized over all of them."""
    joined = {f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Members)}
    joined["log_prior"] = torch.log_softmax(joined["log_prior"], dim=0)
    return Members(**joined)


def plain_members(geometry: Geometry, lengthscale: Tensor, n_features: int = 0, **values: Tensor) -> Members:
    """Assemble members from values of shape `h`; whatever is not given is absent from the model."""
    h, d = lengthscale.shape[0], geometry.column_scale.shape[0]
    nothing = lengthscale.new_zeros(h, geometry.components.n_components)
    zeros, ones = lengthscale.new_zeros(h), lengthscale.new_ones(h, d)
    none = lengthscale.new_zeros(h, n_features)
    prior = values.get("log_prior", zeros)
    return Members(
        inverse_lengthscale=geometry.inverse_lengthscales(lengthscale),
        warp_a=values.get("warp_a", ones),
        warp_b=values.get("warp_b", ones),
        component_sd=values.get("component_sd", nothing),
        signal=values["signal"],
        noise=values["noise"],
        offset=values.get("offset", zeros),
        offset_sd=values["offset_sd"],
        slope=values.get("slope", none),
        slope_sd=values.get("slope_sd", none),
        log_prior=torch.log_softmax(prior, dim=0),
    )
