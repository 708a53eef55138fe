"""RL² on control tasks: what is got in the first episode and in the last, against a policy without memory and chance.

On Bernoulli bandits the best that anybody can get is known exactly: dynamic programming over what the arms have shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from discovery import registry, seeds
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.meta.actor_critic import Ppo
from discovery.meta.rl2 import Recipe, attempt, episode_returns, train
from discovery.tasks.control import ControlTasks

BANDIT = "bernoulli_bandit"
N_TASKS = 4000
PULLS = Ppo(discount=0.99, trace=0.3, learning_rate=3e-3)  # a pull pays now, what it tells pays later
RECIPES = {BANDIT: Recipe(800, 512, PULLS, alone=0.0), "point_mass": Recipe(800), "reacher": Recipe(800)}


def run(options: CheckOptions) -> CheckResult:
    """Train on every distribution of control tasks, with memory and without, and judge on tasks not seen."""
    rows: list[dict[str, Any]] = []
    for position, name in enumerate(RECIPES):
        if options.report is not None:
            options.report(name, position, len(RECIPES))
        found: dict[str, list[Tensor]] = {}
        for seed in range(1 if options.is_quick else options.seeds):
            for method, returns in _of_tasks(registry.control_tasks(name), seed, options).items():
                found.setdefault(method, []).append(returns.mean(0))
        for method, each in found.items():
            returns = torch.stack(each)
            total = returns.sum(1)
            row: dict[str, Any] = {"tasks": name, "method": method, "first": float(returns[:, 0].mean())}
            row |= {"last": float(returns[:, -1].mean()), "total": float(total.mean())}
            rows.append(row | {"total_se": float(total.std() / len(total) ** 0.5) if len(total) > 1 else None})
        if name == BANDIT:
            tasks = registry.control_tasks(name)
            best = best_total(tasks.n_actions, tasks.n_episodes)
            rows.append({"tasks": name, "method": "exact optimum", "first": 0.5, "last": None, "total": best})
    note = f"{N_TASKS} unseen tasks per seed; returns of the first and the last episode and of all; errors over seeds."
    return CheckResult("control", tuple(rows), {}, (note,))


def _of_tasks(tasks: ControlTasks, seed: int, options: CheckOptions) -> dict[str, Tensor]:
    """Return what each method gets in each episode. Shapes `b x e`."""
    whole = RECIPES[tasks.name]
    recipe = replace(whole, steps=3 if options.is_quick else whole.steps)
    hidden = tasks.draw(N_TASKS, seeds.torch_generator(seed, "control", tasks.name), options.device)
    found = {}
    for method, has_memory in (("rl2", True), ("without memory", False)):
        network = train(tasks, replace(recipe, has_memory=has_memory), seed, options.device)
        generator = seeds.torch_generator(seed, "control chance", tasks.name)
        trajectory = attempt(network, tasks, hidden, generator, is_greedy=has_memory, has_memory=has_memory)
        found[method] = episode_returns(trajectory, tasks)
    others: dict[str, Callable[..., Tensor]] = {"chance": _chance}
    if tasks.name == BANDIT:
        others |= {"thompson": _thompson, "ucb1": _ucb1}
    for method, choose in others.items():
        found[method] = _played(tasks, hidden, choose, seeds.torch_generator(seed, method))
    return found


def _played(tasks: ControlTasks, hidden: Tensor, choose: Callable[..., Tensor], generator: torch.Generator) -> Tensor:
    """Return what a rule gets that sees how often each action was taken and what it paid. Shape `b x e`."""
    taken = hidden.new_zeros(len(hidden), tasks.n_actions)
    paid, returns = torch.zeros_like(taken), []
    for _ in range(tasks.n_episodes):
        state, total = tasks.reset(hidden), hidden.new_zeros(len(hidden))
        for _ in range(tasks.n_steps):
            action = choose(taken, paid, generator)
            state, reward = tasks.step(hidden, state, action, generator)
            at = torch.nn.functional.one_hot(action, tasks.n_actions)
            taken, paid, total = taken + at, paid + at * reward[:, None], total + reward
        returns.append(total)
    return torch.stack(returns, dim=-1)


def _chance(taken: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(taken.shape[1], (len(taken),), generator=generator)


def _thompson(taken: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
    """Draw chances from their posteriors, Beta(1 + paid, 1 + not paid), as ratios of Gamma draws."""
    wins, losses = torch._standard_gamma(1 + paid, generator), torch._standard_gamma(1 + taken - paid, generator)
    return (wins / (wins + losses)).argmax(-1)


def _ucb1(taken: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
    """Mean plus the root of `2 log(n) / n_a`, as Auer et al. (2002); arms not tried come first."""
    n = taken.sum(-1, keepdim=True).clamp_min(1)
    bound = paid / taken.clamp_min(1) + (2 * n.log() / taken.clamp_min(1)).sqrt()
    jitter = 1e-6 * torch.rand(taken.shape, generator=generator)
    return torch.where(taken == 0, torch.full_like(bound, 1e6), bound).add(jitter).argmax(-1)


def best_total(n_actions: int, n_pulls: int) -> float:
    """Return what the Bayes-optimal player of a Bernoulli bandit expects in all, chances uniform a priori.

    Arms are exchangeable, so that a state is the sorted list of (times paid, times not paid).
    """

    @cache
    def value(shown: tuple[tuple[int, int], ...], left: int) -> float:
        if left == 0:
            return 0.0
        best = 0.0
        for i, (won, lost) in enumerate(shown):
            if i and shown[i - 1] == shown[i]:
                continue
            chance = (won + 1) / (won + lost + 2)
            paid = value(tuple(sorted((*shown[:i], (won + 1, lost), *shown[i + 1 :]))), left - 1)
            empty = value(tuple(sorted((*shown[:i], (won, lost + 1), *shown[i + 1 :]))), left - 1)
            best = max(best, chance * (1 + paid) + (1 - chance) * empty)
        return best

    return value(((0, 0),) * n_actions, n_pulls)
