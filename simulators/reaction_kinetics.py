"""Catalyzed reactions: A → P (wanted) → S, A → B beside it, on a catalyst that dies.

Outcomes, in percent: `yield` (P that is found), `conversion` (of A), `byproducts` (S and B).

Each task is one substrate: random Arrhenius constants, random effects of every level of every category, random orders
in amounts. Parameters are mapped by the words of their names, see `simulators.roles`: temperature (K), time (s),
loading, equivalents, concentration (relative to the middle of their range). A numeric parameter of no role gets a weak
smooth effect. What is drawn per task:

- activation energies, kJ/mol: main, consecutive and competing step U(40, 120), deactivation U(60, 140);
- speed: rate constant times typical time (Damköhler number), log-uniform: main 0.05–20; consecutive 0.005–0.5 and
  competing 0.01–1 of the main step; deactivation 0.02–5;
- reaction orders: see `ORDERS`;
- level effects on ln k: N(0, s²), s log-uniform 0.2–2 per parameter (1.4 is 1 kcal/mol at 353 K), shared by the
  catalyzed steps to half of the variance, so that active catalysts are unselective as often as not; on activation
  energies N(0, (4 kJ/mol)²); some levels hardly work: ln k lower by 2–6 with probability `dead_levels`;
- interactions of categories: rank 2, by factorization; recovery of product 0.85–1.

Source:
    Ranges are those of textbook kinetics (Levenspiel, Chemical Reaction Engineering; Atkins, Physical Chemistry), not
    fitted to any data set; mechanism and departures: see `simulators.arrhenius`. Interactions: Rendle (2010),
    Factorization Machines, equation 5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from discovery.errors import ConfigurationError
from discovery.tasks.task import TaskBatch
from simulators.arrhenius import DEFAULT_SECONDS, Mechanism, react
from simulators.columns import NUMBER, ONE_HOT, bound_columns, configurations, require_bound
from simulators.draws import Draws
from simulators.measuring import measure
from simulators.roles import ROLE_WORDS, Layout, find_roles

if TYPE_CHECKING:
    from discovery.space import SearchSpace

N_STEPS = 4  # main, consecutive, competing, deactivation: the order of every tensor below
ENERGY_KJ = ((40.0, 120.0), (40.0, 120.0), (40.0, 120.0), (60.0, 140.0))  # kJ/mol
DAMKOHLER = (0.05, 20.0)  # k_main × typical time
CONSECUTIVE_SHARE = (0.005, 0.5)  # of k_main
COMPETING_SHARE = (0.01, 1.0)  # of k_main
DEACTIVATION = (0.02, 5.0)  # k_d × typical time
ORDERS = {  # role -> order of each step in it, limits
    "loading": ((0.5, 1.2), (0.2, 1.0), (0.2, 1.0), (-0.3, 0.0)),
    "equivalents": ((0.0, 1.0), (0.3, 1.5), (0.0, 0.5), (0.0, 0.2)),
    "concentration": ((0.0, 1.0), (0.0, 1.0), (-0.5, 0.5), (0.0, 0.3)),
}
LEVEL_SD = (0.2, 2.0)  # of ln k, per categorical parameter
WEAK_SD = 0.25  # of ln k, over the range of a number of no role
SHARED = 0.5**0.5  # weight of what the catalyzed steps of a level have in common
LEVEL_ENERGY_SD_KJ = 4.0  # kJ/mol
DEAD_DROP = (2.0, 6.0)  # of ln k
RANK = 2  # of the interactions
INTERACTION = (0.0, 0.9)  # typical size of an embedding
RECOVERY = (0.85, 1.0)  # share of the product that is found
RELATIVE_NOISE = (0.0, 0.06)  # of the yield
OUTCOMES = ("yield", "conversion", "byproducts")
CHUNK_NUMBERS = 4_000_000  # float64 numbers of one chunk's largest tensor


def draw_mechanism(layout: Layout, t: int, dead_levels: float, draws: Draws) -> Mechanism:
    """Draw the kinetics of `t` tasks."""
    time = layout.role("time")
    main = draws.log_uniform(t, low=DAMKOHLER[0], high=DAMKOHLER[1])
    consecutive = main * draws.log_uniform(t, low=CONSECUTIVE_SHARE[0], high=CONSECUTIVE_SHARE[1])
    competing = main * draws.log_uniform(t, low=COMPETING_SHARE[0], high=COMPETING_SHARE[1])
    deactivation = draws.log_uniform(t, low=DEACTIVATION[0], high=DEACTIVATION[1])
    per_second = torch.stack([main, consecutive, competing, deactivation], dim=1) / (
        time.reference if time else DEFAULT_SECONDS
    )
    orders = [
        torch.stack([draws.uniform(t, low=low, high=high) for low, high in ORDERS[r.role]], 1) for r in layout.amounts
    ]
    effects, sd = _draw_effects(layout, t, dead_levels, draws)
    strength = draws.uniform(t, 1, low=INTERACTION[0], high=INTERACTION[1]) * sd.clamp_max(1.0)  # t x c
    return Mechanism(
        log_rate_ref=per_second.log(),
        energy_kj=torch.stack([draws.uniform(t, low=low, high=high) for low, high in ENERGY_KJ], dim=1),
        orders=torch.stack(orders, dim=1) if orders else draws.uniform(t, 0, N_STEPS),
        effects=effects,
        embedding=draws.normal(t, strength.shape[1], RANK) * strength.unsqueeze(2),
        mixing=draws.normal(t, RANK, N_STEPS),
        recovery=draws.uniform(t, 1, low=RECOVERY[0], high=RECOVERY[1]),
    )


def _draw_effects(layout: Layout, t: int, dead_levels: float, draws: Draws) -> tuple[Tensor, Tensor]:
    """Draw effects of features on ln k and energies (`t x c x 8`), and their spread per feature (`t x c`)."""
    block = layout.feature_blocks().to(draws.device)
    kinds = [kind for _, kind in layout.others]
    is_number = torch.tensor([kind == NUMBER for kind in kinds], dtype=torch.bool, device=draws.device)[block]
    is_level = torch.tensor([kind == ONE_HOT for kind in kinds], dtype=torch.bool, device=draws.device)[block]
    drawn = draws.log_uniform(t, len(kinds), low=LEVEL_SD[0], high=LEVEL_SD[1])[:, block]
    sd = torch.where(is_number, WEAK_SD, drawn)  # t x c
    own, common = draws.normal(t, len(block), N_STEPS), draws.normal(t, len(block), 1)
    catalyzed = SHARED * common + (1.0 - SHARED**2) ** 0.5 * own[..., :3]
    prefactor = sd.unsqueeze(2) * torch.cat([catalyzed, own[..., 3:]], dim=2)
    drop = draws.uniform(t, len(block), 1, low=DEAD_DROP[0], high=DEAD_DROP[1])
    is_dead = draws.flag(dead_levels, t, len(block), 1) & is_level.unsqueeze(1)
    prefactor[..., :3] -= drop * is_dead
    energy = draws.normal(t, len(block), N_STEPS, sd=LEVEL_ENERGY_SD_KJ) * torch.where(is_number, 0.0, 1.0).unsqueeze(1)
    return torch.cat([prefactor, energy], dim=2), sd


@dataclass(frozen=True)
class ReactionKinetics:
    """Yields, conversions and by-products in percent of catalyzed reactions with randomized kinetics.

    Attributes:
        outcomes: What is measured, among `outcome_ranges`; the columns of the tasks.
        roles: Roles by hand, parameter name -> temperature, time, loading, equivalents, concentration or none.
        units: Units by hand, parameter name -> K, degC, degF, s, min, h or d.
        noise: Limits of the absolute noise, percent points; drawn log-uniformly.
        dead_levels: Probability that a level of a category hardly works.
        layout: What the columns of the bound space mean; set by `bind`.
    """

    name: ClassVar[str] = "reaction_kinetics"
    field: ClassVar[str] = "chemistry"
    inputs: ClassVar[str] = "temperature, time, loading, equivalents, concentration, categories, other numbers"
    outputs: ClassVar[str] = "yield, conversion, byproducts in percent"
    source: ClassVar[str] = "textbook kinetics (Levenspiel, Chemical Reaction Engineering), ranges not fitted to data"
    outcome_range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    outcome_ranges: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(OUTCOMES, (0.0, 100.0))

    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    roles: Mapping[str, str] = dataclasses.field(default_factory=dict)
    noise: tuple[float, float] = (0.3, 3.0)
    dead_levels: float = 0.15
    outcomes: tuple[str, ...] = dataclasses.field(default=OUTCOMES[:1], metadata={"is_override": False})
    layout: Layout | None = dataclasses.field(default=None, repr=False, metadata={"is_override": False})

    def __post_init__(self) -> None:
        if not 0.0 < self.noise[0] < self.noise[1]:
            raise ConfigurationError(
                f"reaction_kinetics: noise must be [low, high] with 0 < low < high; got {self.noise!r}."
            )
        if not 0.0 <= self.dead_levels <= 1.0:
            raise ConfigurationError(f"reaction_kinetics: dead_levels must lie in [0, 1]; got {self.dead_levels!r}.")

    def bind(self, space: SearchSpace) -> ReactionKinetics:
        """Return the distribution on a space, with roles found for its parameters.

        Raises:
            ConfigurationError: If `space` is not a search space, a role by hand does not fit, or no parameter means
                anything to a reaction.
        """
        columns = bound_columns(self.name, space)
        layout = Layout(columns, find_roles(columns, self.roles, self.units))
        if not layout.roles and all(kind == NUMBER for _, kind in layout.others):
            raise ConfigurationError(
                f"reaction_kinetics needs a category or a parameter that means {', '.join(ROLE_WORDS)}; "
                f"got {', '.join(columns.names)}.",
                "Say what they mean, as in roles: {T1: temperature}, or use gp_prior.",
            )
        return replace(self, layout=layout)

    def sample(
        self,
        n_tasks: int,
        n_points: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        points: Tensor | None = None,
    ) -> TaskBatch:
        """Draw tasks, see `TaskDistribution.sample`.

        Returns:
            A batch of outcomes in percent; its truth also holds `log_rate_ref` (ln of 1/s) and `energy_kj` (kJ/mol) of
            the main, consecutive, competing and deactivation step, each of shape `t x 4`.

        Raises:
            ConfigurationError: If `bind` has not been called.
            InputError: If a number is below one.
            ShapeError: If the points have another shape.
        """
        layout = require_bound(self.name, self.layout)
        draws = Draws(generator, torch.device(device))
        X = configurations(layout.columns, n_tasks, n_points, draws, points)
        mechanism = draw_mechanism(layout, n_tasks, self.dead_levels, draws)
        found = _found(layout, mechanism, X)
        exact = 100.0 * torch.stack([found[name] for name in self.outcomes], dim=-1)  # t x n x m
        absolute = draws.log_uniform(n_tasks, 1, 1, low=self.noise[0], high=self.noise[1])
        relative = draws.uniform(n_tasks, 1, 1, low=RELATIVE_NOISE[0], high=RELATIVE_NOISE[1])
        truth = {
            "Y": exact,
            "log_rate_ref": mechanism.log_rate_ref,
            "energy_kj": mechanism.energy_kj,
        }
        noise_sd = torch.hypot(absolute.expand_as(exact), relative * exact)
        return measure(self.name, X, truth, noise_sd, self.outcome_range, draws)


def _found(layout: Layout, mechanism: Mechanism, X: Tensor) -> dict[str, Tensor]:
    """Return the shares that every outcome is of what was put in, in chunks of bounded memory. Shapes `t x n`."""
    t, n, d = X.shape
    size = max(1, CHUNK_NUMBERS // (n * (2 * d + 8)))
    parts = [slice(start, start + size) for start in range(0, t, size)]
    species = [react(layout, mechanism.at(part), X[part]) for part in parts]
    reagent, product = torch.cat([one.reagent for one in species]), torch.cat([one.product for one in species])
    beside = torch.cat([one.consecutive + one.competing for one in species])
    return {"yield": mechanism.recovery * product, "conversion": 1.0 - reagent, "byproducts": beside}
