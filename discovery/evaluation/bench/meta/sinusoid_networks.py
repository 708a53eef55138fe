"""Few-shot learners of sinusoids as their papers have them: a small network and the squared error, nothing else.

The steps of adaptation, first order or second, and the closed-form layer are the product's own
(`discovery.meta.gradient_based`); network, rates and numbers of steps are those of the papers. All networks and all
tasks of a step are run at once.

Source:
    Finn et al. (2017), section 5.1 and appendix; Nichol et al. (2018); Li et al. (2017); Raghu et al. (2020) with the
    closed form of Bertinetto et al. (2019). Departures: a seventh of the steps of training at four times the rate,
    first weights drawn larger, and the same steps and rows for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, vmap

from discovery.evaluation.bench.meta.sinusoid_tasks import Sinusoids, raw
from discovery.meta.gradient_based import inner_loop, ridge
from discovery.meta.network_family import Context, Parameters, dense, run
from discovery.seeds import derive, torch_generator

WIDTH, N_SHOTS, N_META_BATCH = 40, 10, 25  # units of both layers, rows read in training, tasks a step
RATE, OUTER_RATE = 0.01, 4e-3
REPTILE_STEPS = 5  # on the rows of support and queries
X_SD = 5 / math.sqrt(3)  # of x: the first layer's weights are drawn for inputs of unit variance
RIDGE = 0.1  # precision of the closed-form layer's prior, at the start


@dataclass(frozen=True)
class Method:
    """One few-shot learner.

    Attributes:
        adapt: What it makes of a support in so many steps: weights to predict with.
        loss: What it is trained on: weights, support and queries of one task to a number.
        start: Adds to the drawn weights what else is learned.
        steps: After how many steps it is judged; a single entry where there is nothing to repeat.
    """

    adapt: Callable[[Parameters, Context, int], Parameters]
    loss: Callable[[Parameters, Context, Context], Tensor]
    start: Callable[[Parameters], Parameters] = lambda weights: weights
    steps: tuple[int, ...] = (1, 5, 10)


def predict(weights: Parameters, X: Tensor) -> Tensor:
    """Run the network 1-40-40-1. Shape `r x 1` in the unit cube to `r`."""
    return _hidden(weights, X) @ weights["last.0.weight"][:, 0] + weights["last.0.bias"]


def error(weights: Parameters, context: Context) -> Tensor:
    """Return the mean squared error; every row is real."""
    return (predict(weights, context.X) - context.z).square().mean()


def train(method: Method, n_steps: int, seeds: range) -> Parameters:
    """Train one network per seed, all on the same tasks. Leading dimension `f`.

    Args:
        method: The learner.
        n_steps: Steps of Adam.
        seeds: Of the networks' weights; the first is that of the tasks.
    """
    drawn = [method.start(_drawn(torch_generator(seed, "sinusoid weights"))) for seed in seeds]
    stacked = {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}
    weights = {name: value.requires_grad_(True) for name, value in stacked.items()}
    optimizer = torch.optim.Adam(list(weights.values()), lr=OUTER_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    generator = torch.Generator().manual_seed(derive(seeds[0], "sinusoid tasks"))
    each = vmap(vmap(method.loss, in_dims=(None, 0, 0)), in_dims=(0, None, None))
    for _ in range(n_steps):
        support, query = draw(N_META_BATCH, N_SHOTS, N_SHOTS, generator)
        optimizer.zero_grad()
        each(weights, support, query).mean(1).sum().backward()
        optimizer.step()
        schedule.step()
    return {name: value.detach() for name, value in weights.items()}


@torch.no_grad()
def errors(method: Method, weights: Parameters, support: Context, query: Context, n_steps: int) -> Tensor:
    """Return the squared error on every test task after so many steps, mean over networks. Shape `t`."""

    def one(weights: Parameters, support: Context, query: Context) -> Tensor:
        return error(method.adapt(weights, support, n_steps), query)

    return vmap(vmap(one, in_dims=(None, 0, 0)), in_dims=(0, None, None))(weights, support, query).mean(0)


def draw(n_tasks: int, n_support: int, n_query: int, generator: torch.Generator) -> tuple[Context, Context]:
    """Draw support and queries of `t` sinusoids; float32."""
    batch = Sinusoids().sample(n_tasks, n_support + n_query, generator)
    X, z = batch.X.float(), batch.Y[..., 0].float()
    ones = torch.ones_like(z)
    read, asked = slice(None, n_support), slice(n_support, None)
    return Context(X[:, read], z[:, read], ones[:, read]), Context(X[:, asked], z[:, asked], ones[:, asked])


def _drawn(generator: torch.Generator) -> Parameters:
    weights = dense("body", [1, WIDTH, WIDTH], generator) | dense("last", [WIDTH, 1], generator)
    weights["body.0.weight"] = weights["body.0.weight"] / X_SD
    return weights


def _hidden(weights: Parameters, X: Tensor) -> Tensor:
    return torch.relu(run("body", weights, raw(X), torch.relu))


def _slopes(weights: Parameters, context: Context, scale: float) -> Parameters:
    return {name: scale * slope for name, slope in grad(error)(weights, context).items()}


def _moving(weights: Parameters) -> Parameters:
    return {name: value for name, value in weights.items() if name.startswith(("body.", "last."))}


def _steps(*, is_first_order: bool = False) -> Callable[[Parameters, Context, int], Parameters]:
    def adapt(weights: Parameters, support: Context, n_steps: int) -> Parameters:
        return inner_loop(weights, support, RATE, n_steps, is_first_order=is_first_order, slopes=_slopes)

    return adapt


def _own_rates(weights: Parameters, support: Context, n_steps: int) -> Parameters:
    moving = _moving(weights)
    rates = {name: weights[f"rate.{name}"] for name in moving}
    return inner_loop(moving, support, rates, n_steps, slopes=_slopes)


def _with_rates(weights: Parameters) -> Parameters:
    return weights | {f"rate.{name}": torch.full_like(value, RATE) for name, value in weights.items()}


def _closed_form(weights: Parameters, support: Context, n_steps: int) -> Parameters:
    residual = support.z - predict(weights, support.X)
    solved = ridge(_hidden(weights, support.X), residual, weights["log_ridge"].exp())
    return _moving(weights) | {"last.0.weight": weights["last.0.weight"] + solved[:, None]}


def _with_ridge(weights: Parameters) -> Parameters:
    return weights | {"log_ridge": torch.tensor(RIDGE).log()}


def _after(adapt: Callable[[Parameters, Context, int], Parameters]) -> Callable[[Parameters, Context, Context], Tensor]:
    return lambda weights, support, query: error(adapt(weights, support, 1), query)


def _followed(weights: Parameters, support: Context, query: Context) -> Tensor:
    """Return half the squared distance to where the steps on all rows lead."""
    every = Context(*(torch.cat(pair) for pair in zip(support, query, strict=True)))
    there = _steps(is_first_order=True)(weights, every, REPTILE_STEPS)
    return sum(((weights[n] - there[n].detach()).square().sum() for n in weights), query.z.new_zeros(())) / 2


def _pooled(weights: Parameters, support: Context, query: Context) -> Tensor:
    return error(weights, query) + error(weights, support)


METHODS = {
    "maml": Method(_steps(), _after(_steps())),
    "fomaml": Method(_steps(), _after(_steps(is_first_order=True))),
    "reptile": Method(_steps(), _followed, steps=(1, 5, 10, 32)),
    "meta_sgd": Method(_own_rates, _after(_own_rates), _with_rates, steps=(1,)),
    "anil": Method(_closed_form, _after(_closed_form), _with_ridge, steps=(1,)),
    "pretrained": Method(_steps(), _pooled),
}
"""Few-shot learners by name; `pretrained` is one network for all tasks that is tuned to each."""
