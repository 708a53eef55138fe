"""The learned acquisition policy against LogEI, a quantile and chance, on simulated campaigns that it has not seen.

Beliefs are exact and the same for all (`discovery.acquisition.simulated_campaigns`), and so are the first measurements:
what differs is the choice alone. Spaces of the policy's training come first, then spaces that it has not seen.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from discovery import registry, seeds
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.policy import shipped
from discovery.acquisition.policy_features import State
from discovery.acquisition.policy_training import plain
from discovery.acquisition.simulated_campaigns import Chooser, draw, roll_out
from discovery.campaign import CampaignSpec
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.space import SearchSpace

SIMULATOR = "gp_prior"
N_CAMPAIGNS, N_STEPS, SHOWN = 512, 25, (5, 10, 25)
MIXED = [{"name": "kind", "type": "categorical", "values": ["A", "B", "C", "D"]}]
SPACES = {
    "2 numbers": (2, []),
    "5 numbers": (5, []),
    "8 numbers, not trained on": (8, []),
    "2 numbers and a category, not trained on": (2, MIXED),
}
METHODS = ("policy", "log_ei", "ucb", "random")


def run(options: CheckOptions) -> CheckResult:
    """Run the same campaigns with every method."""
    n = 32 if options.is_quick else N_CAMPAIGNS
    rows: list[dict[str, Any]] = []
    for position, (label, (n_numbers, others)) in enumerate(SPACES.items()):
        if options.report is not None:
            options.report(label, position, len(SPACES))
        world = registry.simulator(SIMULATOR).bind(_space(n_numbers, others))
        found: dict[str, list[Tensor]] = {name: [] for name in METHODS}
        for seed in range(1 if options.is_quick else options.seeds):
            tasks = draw(world, n, seeds.torch_generator(seed, "policy check", label))
            for name in METHODS:
                steps = roll_out(tasks, _chooser(name, seed), N_STEPS)
                found[name].append(torch.stack([step.regret for step in steps], dim=-1))
        rows += _rows(label, {name: torch.cat(regrets) for name, regrets in found.items()})
    gate = shipped()
    notes = (
        f"Simulator {SIMULATOR}; {n} campaigns per seed and space, two random measurements first; regret is 1 at the "
        "mean of the pool. The gain is over log_ei in the area under the regret, campaign by campaign.",
        f"The shipped policy {'passed' if gate.has_passed else 'did NOT pass'} its gate: {gate.scores}.",
    )
    return CheckResult("policy", tuple(rows), {"gate": dict(gate.scores)}, notes)


def _rows(label: str, regret: dict[str, Tensor]) -> list[dict[str, Any]]:
    reference = regret["log_ei"].mean(-1)
    rows: list[dict[str, Any]] = []
    for name, own in regret.items():
        gain = reference - own.mean(-1)
        row: dict[str, Any] = {"space": label, "method": name}
        row |= {f"regret_{i}": float(own[:, i - 1].mean()) for i in SHOWN}
        row |= {"area": float(own.mean()), "gain": float(gain.mean()), "gain_se": float(gain.std() / len(gain) ** 0.5)}
        rows.append(row)
    return rows


def _chooser(name: str, seed: int) -> Chooser:
    if name == "policy":
        policy = shipped()
        return lambda known, mixture, state: policy.network.score(known)
    return {"log_ei": plain, "ucb": _quantile, "random": _random(seed)}[name]


def _quantile(known: Tensor, mixture: Mixture, state: State) -> Tensor:
    """Score by mean and spread of the mixture: about its 90 % quantile."""
    weight, mean = mixture.log_weight.exp(), mixture.expected
    variance = (weight * (mixture.sd.square() + (mixture.mean - mean[..., None]).square())).sum(-1)
    return mean + 1.2816 * variance.sqrt()


def _random(seed: int) -> Chooser:
    def choose(known: Tensor, mixture: Mixture, state: State) -> Tensor:
        return torch.rand(known.shape[:2], generator=seeds.torch_generator(seed, "random choices", state.n_measured))

    return choose


def _space(n_numbers: int, others: list[dict[str, Any]]) -> SearchSpace:
    numbers = [{"name": f"x{i}", "type": "continuous", "bounds": [0, 1]} for i in range(n_numbers)]
    spec = {"name": "cube", "parameters": numbers + others, "objectives": [{"name": "y", "goal": "maximize"}]}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(spec))
