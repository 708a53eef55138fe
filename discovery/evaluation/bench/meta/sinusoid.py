"""Sinusoid regression from 5 and 10 points: few-shot learners as published, and as they enter a campaign.

The first are a network and its steps (`sinusoid_networks`). The second are whole learners meta-trained on the same
sinusoids as a simulator: networks with a Gaussian process on top, and Gaussian processes alone. A Gaussian process that
learned nothing before shows what there is to gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from discovery import registry
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.sinusoid_networks import METHODS, draw, errors, train
from discovery.evaluation.bench.meta.sinusoid_tasks import AMPLITUDE, Sinusoids, sinusoid_space
from discovery.meta.learner import Learner, Setting, Support
from discovery.meta.network_family import Context
from discovery.meta.scale import OutcomeScale
from discovery.seeds import torch_generator

SHOTS, N_QUERY = (5, 10), 100
N_STEPS, N_TEST = 10_000, 600  # steps of training; test tasks
LEARNERS, N_TEST_LEARNERS = ("maml", "meta_gp", "neural_process"), 100  # whole learners read one task at a time
COLD = "cold_gp"


def run(options: CheckOptions) -> CheckResult:
    """Train every method and judge it on the same test tasks; seeds are networks of the first kind."""
    wanted = options.learners or (*METHODS, COLD, *LEARNERS)
    rows = [*_published(options, wanted), *_cold(options, wanted), *_learners(options, wanted)]
    n_steps, n_test, n_few = _sizes(options)
    note = (
        f"Mean squared error with a 95 % interval over {n_test} test sinusoids ({n_few} for {COLD} and those used as "
        f"in a campaign); published ones: {options.seeds} networks, {n_steps} steps of training with 10 points."
    )
    return CheckResult("sinusoid", tuple(rows), notes=(note,))


def _sizes(options: CheckOptions) -> tuple[int, int, int]:
    return (30, 20, 2) if options.is_quick else (N_STEPS, N_TEST, N_TEST_LEARNERS)


def _published(options: CheckOptions, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    n_steps, n_test, _ = _sizes(options)
    names = [name for name in METHODS if name in wanted]
    for position, name in enumerate(names):
        if options.report is not None:
            options.report(f"{name} as published", position + 1, len(names))
        weights = train(METHODS[name], n_steps, range(options.seeds))
        for n_shots in SHOTS:
            support, query = _test(n_test, n_shots)
            for n in METHODS[name].steps:
                found = errors(METHODS[name], weights, support, query, n)
                yield _row(name, "published", n_shots, n, found)


def _cold(options: CheckOptions, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if COLD not in wanted:
        return
    from discovery.evaluation.cold_gp import fit_points

    for n_shots in SHOTS:
        support, query = _test(_sizes(options)[2], n_shots)
        found = []
        for X, y, Xq, yq in _pairs(support, query):
            model = fit_points(X.numpy(), y.numpy(), 0)
            found.append((model.posterior(Xq).mean.detach()[:, 0] - yq).square().mean())
        yield _row(COLD, "cold", n_shots, None, torch.stack(found))


def _learners(options: CheckOptions, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    names = [name for name in LEARNERS if name in wanted and name in registry.LEARNERS]
    space, scale = sinusoid_space(), OutcomeScale(0.0, AMPLITUDE[1] / 2, "range")
    for position, name in enumerate(names):
        if options.report is not None:
            options.report(f"{name} as in a campaign", position + 1, len(names))
        family = registry.load("learner", name)
        setting = Setting("simulator:sinusoid", space, scale, device=options.device)
        learner = family.load(family.meta_train(Sinusoids(), setting), options.device)
        for n_shots in SHOTS:
            support, query = _test(_sizes(options)[2], n_shots)
            found = [
                (_expected(learner, Support(X, y), Xq) - yq).square().mean() for X, y, Xq, yq in _pairs(support, query)
            ]
            yield _row(name, "campaign", n_shots, None, torch.stack(found))


def _expected(learner: Learner, support: Support, X: Tensor) -> Tensor:
    """Return the mean of the mixture of members, weighted by evidence. Shape `r`."""
    adapted = learner.adapt(support)
    weight = torch.softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    with torch.no_grad():
        mean = adapted.model.posterior(X[None, None]).mean  # 1 x h x r x 1
    return torch.einsum("h,hr->r", weight, mean[0, :, :, 0]).cpu()


def _test(n_tasks: int, n_shots: int) -> tuple[Context, Context]:
    """Draw the test tasks: the same for every method, and none that a setting was chosen on."""
    return draw(n_tasks, n_shots, N_QUERY, torch_generator(0, "sinusoid reported", n_shots))


def _pairs(support: Context, query: Context) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    for X, y, Xq, yq in zip(support.X, support.z, query.X, query.z, strict=True):
        yield X.double(), y.double(), Xq.double(), yq.double()


def _row(name: str, used: str, n_shots: int, n_steps: int | None, found: Tensor) -> dict[str, Any]:
    """Return a row with the mean over tasks and its 95 % interval."""
    mean, half = float(found.mean()), 1.96 * float(found.std()) / len(found) ** 0.5
    return {
        "method": name,
        "used": used,
        "shots": n_shots,
        "steps": n_steps,
        "mse": round(mean, 4),
        "low": round(mean - half, 4),
        "high": round(mean + half, 4),
    }
