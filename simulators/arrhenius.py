"""The mechanism of `reaction_kinetics`, in closed form: a catalyzed network A → P → S with A → B beside it.

Every step runs on the catalyst, and the catalyst dies by first order. In the time that the catalyst has worked,
`τ = (1 - exp(-k_d t)) / k_d`, the network is linear, so that the amounts are sums of exponentials:
`A = exp(-Kτ)`, `P = k₁ (exp(-k₂τ) - exp(-Kτ)) / (K - k₂)`, `B = (k₃/K)(1 - exp(-Kτ))`,
with `K = k₁ + k₃`, and S is the rest.

Source:
    Levenspiel, Chemical Reaction Engineering, 3rd ed., chapters 2 (Arrhenius), 8 (series and parallel reactions) and 21
    (deactivating catalysts); departures: all steps share one deactivation, and the reactor is a batch or plug flow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from simulators.roles import Layout

GAS_CONSTANT = 8.314462618e-3  # kJ / (mol K), CODATA 2018
LOG_RATE_LIMIT = 60.0  # |ln k| beyond this changes no yield and would overflow
DEFAULT_SECONDS = 14400.0  # reaction time where the space has no time


@dataclass(frozen=True)
class Species:
    """Amounts as shares of the limiting reagent; they sum to one. Each of shape `t x n`.

    Attributes:
        reagent: A, not converted.
        product: P, what is wanted.
        consecutive: S, made from P.
        competing: B, made from A.
    """

    reagent: Tensor
    product: Tensor
    consecutive: Tensor
    competing: Tensor


def log_rate(log_rate_ref: Tensor, energy_kj: Tensor, temperature_k: Tensor, reference_k: float) -> Tensor:
    """Carry rate constants from a reference temperature to others: `ln k = ln k_ref - (E/R)(1/T - 1/T_ref)`.

    Args:
        log_rate_ref: Natural log of the rate constants at the reference temperature, any unit of 1/time.
        energy_kj: Activation energies; kJ/mol. Same shape as `log_rate_ref`, or one that broadcasts.
        temperature_k: Temperatures; kelvin.
        reference_k: The reference temperature; kelvin.

    Returns:
        Natural log of the rate constants, same unit.
    """
    shift = energy_kj / GAS_CONSTANT * (1.0 / temperature_k - 1.0 / reference_k)
    return log_rate_ref - shift


def saturation(u: Tensor) -> Tensor:
    """Return `(1 - exp(-u)) / u` for `u >= 0`, which is 1 at zero."""
    safe = u.clamp_min(1e-12)
    return -torch.expm1(-safe) / safe


def amounts(rates: Tensor, time: Tensor) -> Species:
    """Solve the network for all points at once.

    Args:
        rates: Rate constants of the main, consecutive, competing and deactivation step, unit 1/time.
            Shape `t x n x 4`; positive.
        time: Reaction time in the same unit of time. Shape `t x n`; not negative.

    Returns:
        Amounts of all species at that time. Same input, same result.
    """
    main, consecutive, competing, deactivation = rates.unbind(-1)
    worked = time * saturation(deactivation * time)  # τ, the time that the catalyst has worked
    total = main + competing
    slow = torch.minimum(total, consecutive) * worked
    product = main * worked * torch.exp(-slow) * saturation((total - consecutive).abs() * worked)
    converted = -torch.expm1(-total * worked)
    byproduct = competing / total * converted
    return Species(
        reagent=1.0 - converted,
        product=product,
        consecutive=(converted - byproduct - product).clamp_min(0.0),
        competing=byproduct,
    )


@dataclass(frozen=True)
class Mechanism:
    """Kinetics of `t` tasks.

    Attributes:
        log_rate_ref: ln k at reference conditions, k in 1/s. Shape `t x 4`.
        energy_kj: Activation energies, kJ/mol. Shape `t x 4`.
        orders: Reaction orders in the amounts. Shape `t x n_amounts x 4`.
        effects: Effects of the `c` features of other parameters on ln k and on energies. Shape `t x c x 8`.
        embedding: Embedding of the features, for interactions. Shape `t x c x rank`.
        mixing: What each rank does to each ln k. Shape `t x rank x 4`.
        recovery: Share of the product that is found. Shape `t x 1`.
    """

    log_rate_ref: Tensor
    energy_kj: Tensor
    orders: Tensor
    effects: Tensor
    embedding: Tensor
    mixing: Tensor
    recovery: Tensor

    def at(self, part: slice) -> Mechanism:
        """Return the kinetics of some tasks."""
        return Mechanism(**{f.name: getattr(self, f.name)[part] for f in fields(self)})


def react(layout: Layout, mechanism: Mechanism, X: Tensor) -> Species:
    """Run all tasks at all points.

    Args:
        layout: What the columns mean.
        mechanism: Kinetics of the tasks.
        X: Encoded configurations. Shape `t x n x d`; unit cube.

    Returns:
        Amounts of all species, each of shape `t x n`; they sum to one.
    """
    t, n, _ = X.shape
    features = layout.features(X)
    shift = features @ mechanism.effects  # t x n x 8
    pairs = (features @ mechanism.embedding).square() - features.square() @ mechanism.embedding.square()
    log_k = mechanism.log_rate_ref.unsqueeze(1) + shift[..., :4] + 0.5 * pairs @ mechanism.mixing
    if layout.amounts:
        log_k = log_k + torch.stack([r.log_ratio(X) for r in layout.amounts], dim=2) @ mechanism.orders
    temperature, time = layout.role("temperature"), layout.role("time")
    if temperature is not None:
        energy = (mechanism.energy_kj.unsqueeze(1) + shift[..., 4:]).clamp_min(0.0)
        log_k = log_rate(log_k, energy, temperature.values(X).unsqueeze(2), temperature.reference)
    seconds = X.new_full((t, n), DEFAULT_SECONDS) if time is None else time.values(X)
    return amounts(log_k.clamp(-LOG_RATE_LIMIT, LOG_RATE_LIMIT).exp(), seconds)
