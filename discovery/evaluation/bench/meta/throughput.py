"""How many tasks a second an outer step reads, against a plain loop over tasks.

The loop is second-order MAML as it is written down: for each task, `autograd.grad` with `create_graph=True` through
every step. What stands against it is the product's own code (`discovery.meta.gradient_based`) over all tasks at once
with `torch.func.vmap`. Both run the same network on the same tasks with the squared error of the paper, forward,
backward and one step of Adam, in turns in one process. Each is given the number of threads that serves it best.

Source:
    Finn et al. (2017), Model-agnostic meta-learning, algorithm 2 (the loop); departures: the product's activation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.func import vmap

from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.meta.gradient_based import N_STEPS, RATE, AnilNetwork, FomamlNetwork, MamlNetwork
from discovery.meta.network_family import Context, Parameters
from discovery.seeds import torch_generator
from discovery.settings import set_threads

N_TASKS, N_SUPPORT, N_QUERY, N_DIMS = 128, 10, 15, 10  # of one outer step
N_ROUNDS = 9  # turns that the medians are taken of
THREADS = (1, 2)
NETWORKS: dict[str, MamlNetwork | AnilNetwork] = {
    "maml": MamlNetwork(),
    "fomaml": FomamlNetwork(),
    "anil": AnilNetwork(),
}
Loss = Callable[[Parameters, Context, Context], Tensor]


def run(options: CheckOptions) -> CheckResult:
    """Time the loop and the vmapped steps in turns."""
    n_tasks, n_rounds = (8, 1) if options.is_quick else (N_TASKS, N_ROUNDS)
    steps = {"task loop": _step(task_loop, MamlNetwork(), n_tasks)}
    steps |= {name: _step(partial(vmapped, net), net, n_tasks) for name, net in NETWORKS.items()}
    before, rates = torch.get_num_threads(), dict[str, dict[int, float]]()
    threads = [n for n in THREADS if n <= (os.cpu_count() or 1)]
    try:
        for position, n_threads in enumerate(threads):
            set_threads(n_threads)
            if options.report is not None:
                options.report(f"{n_threads} threads", position + 1, len(threads))
            for name, seconds in _in_turns(steps, n_rounds).items():
                rates.setdefault(name, {})[n_threads] = n_tasks / seconds
    finally:
        set_threads(before)
    fastest = {name: max(rate.values()) for name, rate in rates.items()}
    ratios = {name: fastest[name] / fastest["task loop"] for name in NETWORKS}
    return CheckResult("throughput", _table(rates, fastest), {"ratio_to_task_loop": ratios}, (_note(n_tasks),))


def task_loop(weights: Parameters, support: Context, query: Context) -> Tensor:
    """Return the mean loss after the steps, one task at a time. Leading dimension `t` of support and query."""
    losses = []
    for i in range(len(support.X)):
        moved = weights
        for _ in range(N_STEPS):
            error = torch.nn.functional.mse_loss(_forward(moved, support.X[i]), support.z[i])
            slopes = torch.autograd.grad(error, list(moved.values()), create_graph=True)
            moved = {name: value - RATE * s for (name, value), s in zip(moved.items(), slopes, strict=True)}
        losses.append(torch.nn.functional.mse_loss(_forward(moved, query.X[i]), query.z[i]))
    return torch.stack(losses).mean()


def vmapped(network: MamlNetwork | AnilNetwork, weights: Parameters, support: Context, query: Context) -> Tensor:
    """Return the mean loss of the product's network after it has read, over all tasks at once."""

    def one(support: Context, query: Context) -> Tensor:
        mean, _ = network.mean_and_hidden(weights, network.read(weights, support), query.X)
        return (mean - query.z).square().mean()

    return vmap(one)(support, query).mean()


def _forward(weights: Parameters, X: Tensor) -> Tensor:
    """Run the network of the loop, one fused product per layer."""
    act, hidden = torch.nn.functional.silu, 2 * X - 1
    for layer in ("body.0", "body.1"):
        hidden = act(torch.addmm(weights[f"{layer}.bias"], hidden, weights[f"{layer}.weight"]))
    return torch.addmm(weights["mean.0.bias"], hidden, weights["mean.0.weight"])[:, 0]


def _step(loss: Loss, network: MamlNetwork | AnilNetwork, n_tasks: int) -> Callable[[], None]:
    """Return one outer step on fixed tasks: forward, backward, Adam."""
    generator = torch_generator(0, "throughput")
    drawn = network.initial(N_DIMS, generator)
    weights = {n: v.requires_grad_(True) for n, v in drawn.items() if not n.startswith("feature.")}
    support, query = (_rows(n_tasks, n, generator) for n in (N_SUPPORT, N_QUERY))
    optimizer = torch.optim.Adam(list(weights.values()), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss(weights, support, query).backward()
        optimizer.step()

    return step


def _rows(n_tasks: int, n_rows: int, generator: torch.Generator) -> Context:
    X = torch.rand(n_tasks, n_rows, N_DIMS, generator=generator)
    return Context(X, torch.randn(n_tasks, n_rows, generator=generator), torch.ones(n_tasks, n_rows))


def _in_turns(steps: dict[str, Callable[[], None]], n_rounds: int) -> dict[str, float]:
    """Return the median seconds of each step, measured in turns after a first one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(n_rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def _table(rates: dict[str, dict[int, float]], fastest: dict[str, float]) -> tuple[dict[str, object], ...]:
    """Return one row per method: tasks per second by threads, and against the loop."""
    return tuple(
        {
            "method": name,
            **{f"tasks_per_s_{n}_threads": round(rate, 1) for n, rate in by_threads.items()},
            "ratio_to_task_loop": round(fastest[name] / fastest["task loop"], 2),
        }
        for name, by_threads in rates.items()
    )


def _note(n_tasks: int) -> str:
    return (
        f"{n_tasks} tasks a step, {N_SUPPORT} rows to read and {N_QUERY} to judge, network {N_DIMS}-64-64-1, {N_STEPS} "
        "inner steps; each side with the number of threads that is faster for it; medians of turns in one process."
    )
