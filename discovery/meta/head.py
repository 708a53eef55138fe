"""The Gaussian process on top of a network that has read a support: a Bayesian last layer and a residual.

    z(x) = offset + slope m(x) + a + w0 m(x) + sum_k w_k phi_k(x) + g(x) + e

where mean `m` and features `phi` are what the network says after its support, `g` is a Matern-5/2 process on the
configuration (with the space's shared components), and every scale is learned before the campaign. With the support's
features fixed this is exact: no sampling, no gradient step.

Source:
    Harrison et al. (2018), Meta-learning priors for efficient online Bayesian regression (the Bayesian last layer);
    departures: a mean of the network's own and a residual process beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from discovery.meta.components import Components
from discovery.meta.fitting import LENGTHSCALE_SD, lengthscale_location
from discovery.meta.geometry import Geometry
from discovery.meta.kernels import matern52, squared_distance
from discovery.meta.members import Members, plain_members

JITTER = 1e-6
CENTERS = {"slope_sd": 0.2, "offset_sd": 0.4, "feature_sd": 0.3, "signal": 0.4, "noise": 0.25}
COMPONENT = 0.2  # typical standard deviation of a shared component
Scalars = Mapping[str, Tensor]

# What a campaign may find a reader to be worth, relative to what held-out tasks found: mean slope, its spread,
# features, residual signal, noise; and prior weight.
VARIATIONS = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 3.0),  # as on held-out tasks
    (0.6, 1.5, 1.2, 1.4, 1.0, 1.0),  # its mean worth less
    (0.0, 1.5, 1.0, 2.0, 1.0, 1.0),  # its mean worth nothing
    (1.0, 1.0, 1.0, 1.3, 1.8, 1.0),  # rougher and noisier
)


def start(geometry: Geometry, n_networks: int, device: torch.device) -> dict[str, Tensor]:
    """Return where the scalars of `f` heads start; logarithms but for `slope` and `offset`. Leading dimension `f`."""

    def full(value: float, *shape: int) -> Tensor:
        return torch.full((n_networks, *shape), value, dtype=torch.float64, device=device)

    return {
        "slope": full(1.0),
        "offset": full(0.0),
        **{f"log_{name}": full(math.log(value)) for name, value in CENTERS.items()},
        "log_component": full(math.log(COMPONENT), geometry.components.n_components),
        "log_lengthscale": full(_location(geometry), geometry.n_blocks),
    }


def _location(geometry: Geometry) -> float:
    return lengthscale_location(max(1, geometry.n_blocks))


def penalty(p: Scalars, geometry: Geometry) -> Tensor:
    """Return minus the log prior of the scalars. Shape `f`."""
    total = ((p["log_lengthscale"] - _location(geometry)) / LENGTHSCALE_SD).square().sum(-1)
    total = total + (p["log_component"] - math.log(COMPONENT)).square().sum(-1) + ((p["slope"] - 1) / 0.5).square()
    for name, value in CENTERS.items():
        total = total + (p[f"log_{name}"] - math.log(value)).square()
    return 0.5 * total


def covariance(p: Scalars, X: Tensor, mean: Tensor, features: Tensor, geometry: Geometry) -> Tensor:
    """Covariance of the latent outcome at the rows of episodes.

    Args:
        p: Scalars. Leading dimension `f`.
        X: Configurations. Shape `t x n x d`.
        mean: What the networks say. Shape `f x t x n`.
        features: Shape `f x t x n x k`.
        geometry: Blocks of the space.

    Returns:
        Shape `f x t x n x n`.
    """

    def squared(name: str) -> Tensor:
        return p[f"log_{name}"].exp().square()[:, None, None, None]

    smooth = geometry.components.smooth_columns(X)
    Z = smooth * geometry.inverse_lengthscales(p["log_lengthscale"].exp())[:, None, None, :]
    K = squared("signal") * matern52(squared_distance(Z, Z)) + squared("offset_sd")
    K = K + squared("slope_sd") * mean[..., :, None] * mean[..., None, :]
    if features.shape[-1]:
        share = squared("feature_sd") / features.shape[-1]
        K = K + share * features @ features.transpose(-1, -2)
    if geometry.components.n_components:
        weights = p["log_component"].exp().square()
        K = K + torch.einsum("fc,ctij->ftij", weights, geometry.components(X, X))
    return K


def nlpd(
    p: Scalars, K: Tensor, mean: Tensor, z: Tensor, is_support: Tensor, is_query: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Judge predictions of queries, each on its own, given the support.

    Args:
        p: Scalars. Leading dimension `f`.
        K: What `covariance` gave. Shape `f x t x n x n`.
        mean: What the networks say. Shape `f x t x n`.
        z: Outcomes. Shape `t x n`.
        is_support: Rows that are known. Shape `t x n`.
        is_query: Rows that are predicted. Shape `t x n`.

    Returns:
        Mean negative log density of the queries, shape `f x t`, and mean and variance of every row's noisy outcome,
        shape `f x t x n` each.
    """
    known, asked = is_support.to(K.dtype), is_query.to(K.dtype)
    prior = p["offset"][:, None, None] + p["slope"][:, None, None] * mean
    noise = p["log_noise"].exp().square()[:, None, None]
    inside = K * known[:, :, None] * known[:, None, :]
    own = torch.diagonal(K, dim1=-2, dim2=-1)
    diagonal = (noise + JITTER * (1 + own)) * known + (1 - known)
    factor = torch.linalg.cholesky(inside + torch.diag_embed(diagonal))
    cross = K * known[:, :, None]  # f x t x support x rows
    half = torch.linalg.solve_triangular(factor, cross, upper=False)
    residual = torch.linalg.solve_triangular(factor, ((z - prior) * known)[..., None], upper=False)
    expected = prior + (half * residual).sum(-2)
    variance = own - half.square().sum(-2)
    variance = variance.clamp_min(1e-8) + noise
    density = -0.5 * ((z - expected).square() / variance + variance.log() + math.log(2 * math.pi))
    return -(density * asked).sum(-1) / asked.sum(-1).clamp_min(1), expected, variance


def members(p: Scalars, geometry: Geometry, n_features: int, n_readings: int) -> Members:
    """Spread scalars into a bank: every reading of the outcome, every network, every variation.

    Args:
        p: Scalars, not logarithms (`plain`). Leading dimension `f`.
        geometry: Blocks of the campaign's own space.
        n_features: Features `k` of each network.
        n_readings: Readings `i`; each has states, and so columns of features, of its own.

    Returns:
        `i f v` members; member `(i, f, v)` looks at the `1 + k` columns of state `(i, f)`, the mean's first.
    """
    f = len(p["signal"])
    table = torch.tensor(VARIATIONS, dtype=torch.float64, device=p["signal"].device).repeat(n_readings * f, 1)
    slope, slope_sd, feature_sd, signal, noise, prior = table.T
    network = torch.arange(f, device=table.device).repeat_interleave(len(VARIATIONS)).repeat(n_readings)
    n_states = n_readings * f
    own = torch.eye(n_states, dtype=torch.float64, device=table.device).repeat_interleave(len(VARIATIONS), dim=0)

    def told(name: str, factor: Tensor) -> Tensor:
        return factor * p[name][network]

    spread = told("feature_sd", feature_sd) / max(1, n_features) ** 0.5
    none = own.new_zeros(len(prior), n_states, n_features)
    slopes = torch.cat([(own * told("slope", slope)[:, None])[..., None], none], dim=-1)
    sds = torch.cat(
        [(own * told("slope_sd", slope_sd)[:, None])[..., None], (own * spread[:, None])[..., None] + none], dim=-1
    )
    return plain_members(
        geometry,
        p["lengthscale"][network],
        n_features=n_states * (1 + n_features),
        component_sd=p["component"][network] * signal[:, None],
        signal=told("signal", signal),
        noise=told("noise", noise).clamp_min(0.01),
        offset=p["offset"][network],
        offset_sd=p["offset_sd"][network],
        slope=slopes.flatten(1),
        slope_sd=sds.flatten(1),
        log_prior=prior.log(),
    )


def plain(p: Scalars) -> dict[str, Tensor]:
    """Take logarithms back: `log_noise` becomes `noise`."""
    return {name.removeprefix("log_"): v.exp() if name.startswith("log_") else v for name, v in p.items()}


def without_components(geometry: Geometry) -> Geometry:
    """Return a geometry whose only kernel is the Matern kernel of its smooth columns."""
    shared = geometry.components
    bare = Components(shared.factor[:0], shared.is_tanimoto[:0], shared.smooth)
    return Geometry(geometry.column_scale, geometry.block_of_column, geometry.is_numeric, geometry.n_blocks, bare)
