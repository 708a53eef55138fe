"""Sinusoid regression: the tasks are the paper's, the networks compute what their papers say, the table is whole."""

import math

import pytest
import torch

from discovery.evaluation.bench.meta import sinusoid, sinusoid_networks
from discovery.evaluation.bench.meta.frame import CheckOptions, run_check
from discovery.evaluation.bench.meta.sinusoid_tasks import Sinusoids, raw, sinusoid_space
from discovery.seeds import torch_generator

METHODS = sorted(sinusoid_networks.METHODS)


def weights_of(name, seed=0):
    method = sinusoid_networks.METHODS[name]
    return method, method.start(sinusoid_networks._drawn(torch_generator(seed, "w")))


def one_task(n_support=10, n_query=20):
    support, query = sinusoid_networks.draw(1, n_support, n_query, torch_generator(1, "task"))
    return type(support)(*(v[0] for v in support)), type(query)(*(v[0] for v in query))


def test_tasks_are_the_sinusoids_of_the_paper():
    """Every outcome is `a sin(x - p)`; amplitudes, phases and x fill their ranges."""
    batch = Sinusoids().bind(sinusoid_space()).sample(2000, 8, torch_generator(0, "tasks"))
    a, p = batch.truth["amplitude"], batch.truth["phase"]
    expected = a[:, None, None] * torch.sin(raw(batch.X) - p[:, None, None])
    torch.testing.assert_close(batch.Y, expected)
    for values, low, high in ((a, 0.1, 5.0), (p, 0.0, math.pi), (raw(batch.X), -5.0, 5.0)):
        assert low <= float(values.min()) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < float(values.max()) <= high


def test_points_may_be_shared_by_all_tasks():
    """Given configurations are every task's own."""
    points = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    batch = Sinusoids().sample(3, 5, torch_generator(0, "tasks"), points=points)
    assert torch.equal(batch.X, points.expand(3, 5, 1))


def test_a_step_follows_the_gradient():
    """One step of the paper's network is `w - 0.01 dE/dw` by automatic differentiation."""
    method, weights = weights_of("maml")
    support, _ = one_task()
    moved = method.adapt(weights, support, 1)
    start = {name: value.clone().requires_grad_() for name, value in weights.items()}
    slopes = torch.autograd.grad(sinusoid_networks.error(start, support), list(start.values()))
    expected = {n: v - sinusoid_networks.RATE * s for (n, v), s in zip(weights.items(), slopes, strict=True)}
    torch.testing.assert_close(moved, expected)


def test_the_closed_form_layer_is_ridge_regression():
    """Its last layer is the primal solution around the learned one."""
    method, weights = weights_of("anil")
    support, _ = one_task(5)
    weights, support = {n: v.double() for n, v in weights.items()}, type(support)(*(v.double() for v in support))
    H, start = sinusoid_networks._hidden(weights, support.X), weights["last.0.weight"][:, 0]
    gram = H.T @ H + weights["log_ridge"].exp() * torch.eye(H.shape[1], dtype=H.dtype)
    residual = support.z - sinusoid_networks.predict(weights, support.X)
    found = method.adapt(weights, support, 1)["last.0.weight"][:, 0]
    torch.testing.assert_close(found, start + torch.linalg.solve(gram, H.T @ residual))


@pytest.mark.parametrize("name", METHODS)
def test_training_is_repeatable_and_networks_are_judged_one_by_one(name):
    """The same seeds give the same weights; errors are the mean of what each network would have alone."""
    method = sinusoid_networks.METHODS[name]
    one, again = (sinusoid_networks.train(method, 3, range(2)) for _ in range(2))
    assert all(torch.equal(value, again[key]) for key, value in one.items())
    support, query = sinusoid._test(5, 10)
    together = sinusoid_networks.errors(method, one, support, query, 1)
    alone = [sinusoid_networks.errors(method, {n: v[[f]] for n, v in one.items()}, support, query, 1) for f in (0, 1)]
    torch.testing.assert_close(together, (alone[0] + alone[1]) / 2, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1])


@pytest.mark.parametrize("name", ["maml", "meta_sgd", "anil"])
def test_training_serves_new_sinusoids(name):
    """Three hundred steps of training lower the error after adaptation on sinusoids that training never saw."""
    method, (support, query) = sinusoid_networks.METHODS[name], sinusoid._test(100, 10)
    before, after = (
        float(sinusoid_networks.errors(method, sinusoid_networks.train(method, n, range(1)), support, query, 1).mean())
        for n in (1, 300)
    )
    assert after < 0.85 * before


def test_the_check_has_a_row_for_every_method_and_number_of_points():
    """Each row has an error within its interval; both kinds of use and the cold process are there."""
    rows = run_check("sinusoid", CheckOptions(seeds=1, is_quick=True, learners=("anil", "pretrained", "cold_gp"))).rows
    assert {(row["method"], row["used"]) for row in rows} == {
        ("anil", "published"),
        ("pretrained", "published"),
        ("cold_gp", "cold"),
    }
    assert {row["shots"] for row in rows} == {5, 10}
    assert all(row["low"] <= row["mse"] <= row["high"] for row in rows)
