"""Learning by gradients: derivatives against plain loops and finite differences, last layers against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

from discovery.meta import gradient_based as gb
from discovery.meta.learner import Setting, Support
from discovery.meta.network_family import Context, NetworkFamily, dense
from discovery.meta.scale import OutcomeScale
from discovery.seeds import torch_generator
from discovery.tasks.history import HistoryDistribution

NETWORKS = {
    "maml": gb.MamlNetwork(),
    "fomaml": gb.FomamlNetwork(),
    "reptile": gb.ReptileNetwork(),
    "meta_sgd": gb.MetaSgdNetwork(),
    "anil": gb.AnilNetwork(),
}
RATE, N_STEPS = 0.3, 3
T, S, D = 4, 6, 2


@pytest.fixture(params=[NETWORKS[name] for name in sorted(NETWORKS)], ids=sorted(NETWORKS))
def network(request) -> NetworkFamily:
    return request.param


@pytest.fixture
def tiny():
    """Weights of a network 2-5-5-1, float64."""
    g = torch_generator(0, "tiny")
    weights = dense("body", [D, 5, 5], g) | dense("mean", [5, 1], g)
    return {name: value.double() + 0.1 for name, value in weights.items()}


def tasks(n, seed=1, n_dims=D):
    """Draw `T` tasks, the last row of each support padded."""
    g = torch_generator(seed, "tasks")
    mask = torch.ones(T, n, dtype=torch.float64)
    mask[:, -1] = 0
    X = torch.rand(T, n, n_dims, generator=g, dtype=torch.float64)
    return Context(X, torch.randn(T, n, generator=g, dtype=torch.float64) * mask, mask)


def of_task(context, i):
    return Context(*(value[i] for value in context))


def drawn(network, n_dims=D, seed=0):
    """Weights of a network as training starts it, float64."""
    return {name: value.double() for name, value in network.initial(n_dims, torch_generator(seed, "w")).items()}


def outer(weights, *, is_first_order=False):
    """Return the mean error on queries after the steps, all tasks at once: what MAML differentiates."""

    def one(support, query):
        return gb.squared_error(gb.inner_loop(weights, support, RATE, N_STEPS, is_first_order=is_first_order), query)

    return vmap(one)(tasks(S), tasks(5, 2)).mean()


def slopes_of_loop(weights, *, is_second_order):
    """Return the same gradient from a loop over tasks and `autograd.grad`, as the paper's algorithm says it."""
    start = {name: value.clone().requires_grad_() for name, value in weights.items()}
    total = torch.zeros((), dtype=torch.float64)
    for i in range(T):
        moved = start
        for _ in range(N_STEPS):
            error = gb.squared_error(moved, of_task(tasks(S), i))
            steps = torch.autograd.grad(error, list(moved.values()), create_graph=is_second_order)
            moved = {n: v - RATE * s for (n, v), s in zip(moved.items(), steps, strict=True)}
        total = total + gb.squared_error(moved, of_task(tasks(5, 2), i)) / T
    return dict(zip(start, torch.autograd.grad(total, list(start.values())), strict=True))


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_the_written_out_gradient_is_the_gradient(tiny, scale):
    """What is written out layer by layer is what automatic differentiation gives, padding and scale included."""
    context = of_task(tasks(S), 0)
    torch.testing.assert_close(
        gb.error_slopes(tiny, context, scale), {n: scale * s for n, s in grad(gb.squared_error)(tiny, context).items()}
    )


@pytest.mark.parametrize("is_first_order", [False, True])
def test_the_outer_gradient_is_that_of_a_loop(tiny, is_first_order):
    """MAML's gradient goes through the steps and FOMAML's does not, each as a plain loop over tasks has it."""
    ours = grad(lambda w: outer(w, is_first_order=is_first_order))(tiny)
    torch.testing.assert_close(ours, slopes_of_loop(tiny, is_second_order=not is_first_order))


def test_first_and_second_order_differ(tiny):
    """The comparison above is no comparison of a thing with itself."""
    first, second = (slopes_of_loop(tiny, is_second_order=order)["body.1.weight"] for order in (False, True))
    assert float((first - second).norm() / second.norm()) > 0.01


@pytest.mark.parametrize("name", ["body.0.weight", "body.1.bias", "mean.0.weight"])
def test_the_outer_gradient_is_that_of_finite_differences(tiny, name):
    """Moving a weight by a little moves the error after the steps as MAML's gradient says."""
    direction = torch.randn(tiny[name].shape, generator=torch_generator(3, name), dtype=torch.float64)
    ends = [outer(tiny | {name: tiny[name] + sign * 1e-5 * direction}) for sign in (1, -1)]
    slope = (grad(outer)(tiny)[name] * direction).sum()
    assert float((ends[0] - ends[1]) / 2e-5) == pytest.approx(float(slope), rel=1e-6)


def test_reptile_goes_where_the_steps_lead():
    """Its gradient is the mean of first weights minus weights after the steps on all rows."""
    network, every = gb.ReptileNetwork(), tasks(S)
    weights = drawn(network)

    def loss(weights):
        def one(context):
            state = network.read(weights, context)
            return network.extra_loss(weights, state, context, context.X, context.z, context.mask)

        return vmap(one)(every).mean()

    ours, start = grad(loss)(weights), network.moving(weights)
    ends = [gb.inner_loop(start, of_task(every, i), gb.RATE, gb.N_STEPS) for i in range(T)]
    mean_end = {name: torch.stack([end[name] for end in ends]).mean(0) for name in start}
    torch.testing.assert_close({n: ours[n] for n in start}, {n: start[n] - mean_end[n] for n in start})
    assert not ours["feature.0.weight"].any()


def test_anil_solves_ridge_regression():
    """Its last layer is the primal solution `w0 + (H'H + ridge I)^-1 H'(z - H w0)` on the real rows."""
    network, context = gb.AnilNetwork(), of_task(tasks(S), 0)
    weights = drawn(network)
    real = context.mask > 0
    H = gb.body(weights, context.X[real])
    residual = context.z[real] - gb.first_mean(weights, H)
    precision = weights["log_ridge"].exp()
    primal = torch.linalg.solve(H.T @ H + precision * torch.eye(H.shape[1], dtype=H.dtype), H.T @ residual)
    state = network.read(weights, context)
    torch.testing.assert_close(state["last"], primal)
    mean = network.tell(weights, state, context.X[real]).mean
    torch.testing.assert_close(mean, gb.first_mean(weights, H) + H @ primal)


def test_meta_sgd_with_equal_rates_is_maml():
    """As it starts, every rate alike, it goes where MAML goes; another rate for one weight moves that weight alone."""
    sgd, context = gb.MetaSgdNetwork(), of_task(tasks(S), 0)
    weights = drawn(sgd)
    torch.testing.assert_close(sgd.read(weights, context), gb.MamlNetwork().read(weights, context))
    faster = weights | {"rate.mean.0.bias": 2 * weights["rate.mean.0.bias"]}
    one = gb.inner_loop(sgd.moving(weights), context, sgd.rates(weights), 1)
    other = gb.inner_loop(sgd.moving(weights), context, sgd.rates(faster), 1)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"mean.0.bias"}


def test_an_empty_support_moves_nothing(network):
    """With padding alone the weights stay as they were, and so do the predictions, to the last bit."""
    weights, context = drawn(network), of_task(tasks(S), 0)
    empty = Context(context.X, context.z * 0, context.mask * 0)
    state = network.read(weights, empty)
    for name, value in state.items():
        torch.testing.assert_close(value, weights.get(name, torch.zeros_like(value)), rtol=0, atol=0)
    assert torch.isfinite(network.tell(weights, state, context.X).mean).all()


def test_permuting_the_support_changes_nothing(network):
    """The order of measurements is of no account."""
    weights, context = drawn(network), of_task(tasks(S), 0)
    order = torch.randperm(S, generator=torch_generator(0, "order"))
    torch.testing.assert_close(
        network.read(weights, context), network.read(weights, Context(*(v[order] for v in context)))
    )


def test_padding_changes_nothing(network):
    """Rows that are masked out may hold anything."""
    weights, context = drawn(network), of_task(tasks(S), 0)
    wild = torch.cat([context.X[:-1], torch.full_like(context.X[-1:], 0.123)])
    real = context.mask > 0
    whole = network.read(weights, context)
    torch.testing.assert_close(whole, network.read(weights, Context(wild, context.z, context.mask)))
    torch.testing.assert_close(whole, network.read(weights, Context(*(v[real] for v in context))))


def test_a_batch_is_a_stack_of_singles(network):
    """Tasks and networks read side by side know nothing of each other."""
    each = [network.initial(D, torch_generator(seed, "w")) for seed in range(2)]
    weights = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    batch = Context(*(v.float() for v in tasks(S)))
    state = vmap(vmap(network.read, in_dims=(None, 0)), in_dims=(0, None))(weights, batch)
    told = vmap(vmap(network.tell, in_dims=(None, 0, 0)), in_dims=(0, 0, None))(weights, state, batch.X)
    for f, one in enumerate(each):
        for t in range(T):
            alone = network.tell(one, network.read(one, of_task(batch, t)), batch.X[t])
            torch.testing.assert_close(told.mean[f, t], alone.mean, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(told.features[f, t], alone.features, rtol=1e-4, atol=1e-5)


LEARNERS = {"maml": gb.Maml, "fomaml": gb.Fomaml, "reptile": gb.Reptile, "meta_sgd": gb.MetaSgd, "anil": gb.Anil}


@pytest.mark.parametrize("name", sorted(LEARNERS))
@pytest.mark.parametrize("n", [0, 12])
def test_hits_are_ranked_before_the_others(name, n, space, surface, related, trained_once):
    """The probability of passing a threshold, by the adapted bank, is higher for hits of a task never seen."""
    learner = trained_once(LEARNERS[name], space, related)
    X = space.sample(200, np.random.default_rng(0))
    y = surface(X, shift=0.06)
    threshold = float(np.quantile(y, 0.8))
    rows = np.random.default_rng(1).choice(200, n, replace=False)
    adapted = learner.adapt(Support.of(X[rows], y[rows], None, "cpu"))
    posterior = adapted.model.posterior(torch.as_tensor(X)[None, None])
    mean, sd = posterior.mean[0, :, :, 0], posterior.variance[0, :, :, 0].sqrt()
    weight = torch.softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    hit = (weight @ torch.special.ndtr((mean - threshold) / sd)).numpy()
    others = np.setdiff1d(np.arange(200), rows)
    is_hit = y[others] > threshold
    area = (hit[others][is_hit][:, None] > hit[others][~is_hit][None, :]).mean()
    assert area > (0.8 if n == 0 else 0.95)


@pytest.fixture(scope="module")
def trained_once():
    """Train a learner briefly, once for all tests."""
    known = {}

    def train(learner, space, related):
        if learner not in known:
            brief = type(learner.__name__, (learner,), {"recipe": replace(learner.recipe, steps=20)})
            setting = Setting("history", space, OutcomeScale(50.0, 25.0, "range"))
            known[learner] = brief.load(brief.meta_train(HistoryDistribution(tuple(related)), setting))
        return known[learner]

    return train
