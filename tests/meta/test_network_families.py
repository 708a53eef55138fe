"""The contract of every family that trains a network: what it makes of a support, and the closed forms behind it."""

import numpy as np
import pytest
import torch
from torch.func import vmap

from discovery import registry
from discovery.meta import memory_based, metric_based
from discovery.meta.network_family import Context, NetworkFamily
from discovery.meta.network_learner import NetworkLearner

D, N, R = 4, 7, 5
CLASSES = {name: registry.load("learner", name) for name in sorted(registry.LEARNERS)}
PRIORS = {"pacoh"}  # they read nothing: the process on top is what a support changes
FAMILIES = {name: found.network for name, found in CLASSES.items() if issubclass(found, NetworkLearner)}


@pytest.fixture(params=sorted(FAMILIES))
def family(request) -> NetworkFamily:
    return FAMILIES[request.param]


def drawn(family, seed=0):
    return family.initial(D, torch.Generator().manual_seed(seed))


def some(n=N, seed=1):
    g = torch.Generator().manual_seed(seed)
    return Context(torch.rand(n, D, generator=g), torch.randn(n, generator=g), torch.ones(n))


def told(family, context, seed=2):
    weights = drawn(family)
    X = torch.rand(R, D, generator=torch.Generator().manual_seed(seed))
    return family.tell(weights, family.read(weights, context), X)


def near(one, other):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_it_is_known_by_its_name(family):
    """The name in the table is the one that checkpoints carry."""
    assert FAMILIES[family.name] is family


def test_order_means_nothing(family):
    """A permuted support is the same support."""
    context = some()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(4))
    near(told(family, context), told(family, Context(*(value[order] for value in context))))


def test_padding_means_nothing(family):
    """Masked rows have no say, whatever stands in them."""
    context, rest = some(), some(3, seed=9)
    padded = Context(
        torch.cat([context.X, rest.X]),
        torch.cat([context.z, torch.zeros(3)]),
        torch.cat([context.mask, torch.zeros(3)]),
    )
    near(told(family, context), told(family, padded))


def test_what_is_measured_is_heard(family):
    """Other outcomes make other predictions; no outcome at all makes finite ones."""
    context = some()
    other = context._replace(z=-context.z)
    assert torch.allclose(told(family, context).mean, told(family, other).mean) == (family.name in PRIORS)
    nothing = told(family, Context(torch.zeros(1, D), torch.zeros(1), torch.zeros(1)))
    assert torch.isfinite(nothing.mean).all() and nothing.features.shape == (R, family.n_features)


def test_a_batch_is_a_stack_of_singles(family):
    """Tasks that are read together are read as if alone."""
    tasks, weights = [some(seed=i) for i in range(3)], drawn(family)
    X = torch.rand(R, D, generator=torch.Generator().manual_seed(2))
    stacked = Context(*(torch.stack(values) for values in zip(*tasks, strict=True)))
    state = vmap(family.read, in_dims=(None, 0))(weights, stacked)
    together = vmap(family.tell, in_dims=(None, 0, None))(weights, state, X)
    for i, task in enumerate(tasks):
        near((together.mean[i], together.features[i]), family.tell(weights, family.read(weights, task), X))


def test_prototypes_compare_squared_distances():
    """Euclidean log odds of a hit are half the difference of the squared distances."""
    g = torch.Generator().manual_seed(0)
    rows, centers = torch.randn(6, 3, generator=g), torch.randn(2, 3, generator=g)
    expected = 0.5 * ((rows - centers[0]).square().sum(1) - (rows - centers[1]).square().sum(1))
    torch.testing.assert_close(metric_based.prototype_logit(rows, centers, torch.eye(3).expand(2, -1, -1)), expected)


def test_mahalanobis_odds_are_those_of_two_gaussians():
    """With precisions of their own the log odds are the log ratio of two normal densities."""
    from scipy.stats import multivariate_normal

    g = np.random.default_rng(0)
    rows, centers, mix = g.normal(size=(6, 3)), g.normal(size=(2, 3)), g.normal(size=(2, 3, 3))
    precision = mix @ mix.transpose(0, 2, 1) + np.eye(3)
    logs = [multivariate_normal(c, np.linalg.inv(p)).logpdf(rows) for c, p in zip(centers, precision, strict=True)]
    found = metric_based.prototype_logit(*map(torch.as_tensor, (rows, centers, precision)))
    np.testing.assert_allclose(found.numpy(), logs[1] - logs[0])


def test_a_class_without_rows_takes_the_covariance_of_the_task():
    """A class's share in its covariance grows with its rows: n / (n + 1), as written in the source."""
    g = torch.Generator().manual_seed(0)
    embedded = torch.randn(5, 3, generator=g, dtype=torch.float64)
    labels, centers = torch.tensor([[1.0] * 5, [0.0] * 5], dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
    around = embedded - embedded.mean(0)
    task, own = around.T @ around / 5, embedded.T @ embedded / 5
    found = metric_based.precisions(embedded, labels, centers)
    torch.testing.assert_close(found[0], torch.linalg.inv(5 / 6 * own + 1 / 6 * task + torch.eye(3)))
    torch.testing.assert_close(found[1], torch.linalg.inv(task + torch.eye(3)))


def test_matched_outcomes_are_a_weighted_mean():
    """Attention is a softmax over the support and an entry of outcome zero."""
    g = np.random.default_rng(0)
    scores, z = g.normal(size=(4, 3)), g.normal(size=3)
    mask = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    weights = np.exp(np.column_stack([scores[:, [0, 2]], np.full(4, -2.0)]))
    expected = (weights[:, :2] @ z[[0, 2]]) / weights.sum(1)
    nothing = torch.tensor(-2.0, dtype=torch.float64)
    found = metric_based.attention_mean(torch.as_tensor(scores), torch.as_tensor(z), mask, nothing)
    np.testing.assert_allclose(found.numpy(), expected)


def test_attention_is_that_of_torch():
    """Heads, scale and mask are those of scaled dot-product attention."""
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, 8, generator=g) for n in (3, 5, 5))
    mask = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0])
    heads = [x.reshape(len(x), memory_based.N_HEADS, -1).transpose(0, 1) for x in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=mask.bool().expand(1, 3, 5))
    torch.testing.assert_close(memory_based.attend(q, k, v, mask), expected.transpose(0, 1).reshape(3, 8))


def test_a_step_of_the_reader_is_a_gated_recurrent_unit():
    """One step equals torch's cell with the same weights."""
    torch.manual_seed(0)
    cell = torch.nn.GRUCell(6, 5)
    row, state = torch.randn(6), torch.randn(5)
    given, own = cell.weight_ih @ row + cell.bias_ih, cell.weight_hh @ state + cell.bias_hh
    torch.testing.assert_close(memory_based.gated(given, own, state), cell(row[None], state[None])[0])
