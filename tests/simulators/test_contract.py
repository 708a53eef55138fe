"""What every simulator promises, over one table of all of them."""

import pickle

import numpy as np
import pytest
import torch

from discovery import registry
from discovery.errors import ConfigurationError, InputError, ShapeError
from discovery.tasks import TaskDistribution

SIMULATORS = ("gp_prior", "reaction_kinetics")
FIELDS = {
    "materials",
    "chemistry",
    "drug screening",
    "climate",
    "astronomy",
    "robotics",
    "bioinformatics",
    "medicine",
    "generic",
}
T, N = 6, 9


@pytest.fixture(params=SIMULATORS)
def simulator(request):
    """Each simulator in turn, not bound."""
    return registry.simulator(request.param)


def test_table_is_complete():
    """The table of this file names every installed simulator of the project."""
    assert set(SIMULATORS) <= set(registry.simulator_names())
    own = [
        name for name in registry.simulator_names() if registry.simulator_class(name).__module__[:10] == "simulators"
    ]
    assert sorted(SIMULATORS) == own


def test_protocol_and_card(simulator):
    """A simulator is a task distribution and says what it is, for which field and from which source."""
    card = registry.simulator_card(simulator.name)

    assert isinstance(simulator, TaskDistribution)
    assert card.name == simulator.name
    assert card.field in FIELDS
    assert all((card.inputs, card.outputs, card.source))


def test_batch_shapes(simulator, space, seeded):
    """A batch has the shapes of the contract, no padding, float64, and one name per task."""
    batch = simulator.bind(space).sample(T, N, seeded(0))

    assert batch.X.shape == (T, N, space.n_dims)
    assert batch.Y.shape == batch.truth["Y"].shape == batch.truth["noise_sd"].shape == (T, N, 1)
    assert batch.mask.shape == (T, N) and batch.mask.dtype == torch.bool and batch.mask.all()
    assert {batch.X.dtype, batch.Y.dtype, batch.truth["Y"].dtype} == {torch.float64}
    assert len(set(batch.task_ids)) == T
    assert batch.X.device == batch.Y.device == torch.device("cpu")


def test_values_in_range(simulator, space, seeded):
    """Outcomes are finite and within the stated range, with noise and without; points are on the unit cube."""
    batch = simulator.bind(space).sample(200, 20, seeded(1))
    low, high = simulator.outcome_range

    for values in (batch.Y, batch.truth["Y"]):
        assert values.min() >= low and values.max() <= high
    assert batch.X.min() >= 0 and batch.X.max() <= 1
    assert (batch.truth["noise_sd"] > 0).all()


def test_configurations_are_valid(simulator, space, seeded):
    """Random points are configurations of the space: decoding and encoding changes nothing."""
    X = simulator.bind(space).sample(2, 30, seeded(2)).X.reshape(60, -1).numpy()

    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-9)


def test_constraints_hold(simulator, make_space, seeded):
    """Random points meet the constraints of the space."""
    numbers = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("loading", "temperature")]
    bounded = make_space(numbers, constraints=["loading + temperature <= 0.7"])

    X = simulator.bind(bounded).sample(3, 50, seeded(0)).X

    assert (X.sum(dim=2) <= 0.7 + 1e-9).all()


def test_same_generator_state_same_batch(simulator, space, seeded):
    """The same generator state gives the same batch, the next state another one."""
    bound, generator = simulator.bind(space), seeded(3)
    first, second = bound.sample(T, N, generator), bound.sample(T, N, generator)
    again = bound.sample(T, N, seeded(3))

    assert torch.equal(first.X, again.X) and torch.equal(first.Y, again.Y)
    assert not torch.equal(first.Y, second.Y)


def test_global_seed_is_untouched(simulator, space, seeded):
    """Sampling neither reads nor moves torch's global generator."""
    before = torch.get_rng_state()
    simulator.bind(space).sample(T, N, seeded(0))

    assert torch.equal(before, torch.get_rng_state())


def test_tasks_differ(simulator, space, seeded):
    """Two tasks at the same points are two functions."""
    points = torch.as_tensor(space.sample(30, np.random.default_rng(0)))
    Y = simulator.bind(space).sample(40, 30, seeded(4), points=points).truth["Y"].squeeze(2)

    assert torch.linalg.matrix_rank(Y - Y.mean(dim=1, keepdim=True)) > 3


def test_shared_points(simulator, space, seeded):
    """Given points are shared by all tasks and come back as they were."""
    points = torch.as_tensor(space.sample(N, np.random.default_rng(0)))
    batch = simulator.bind(space).sample(T, N, seeded(5), points=points)

    assert torch.equal(batch.X, points.expand(T, N, -1))


def test_truth_is_a_function(simulator, mixed, seeded):
    """Noise-free outcomes at a repeated point are equal, measured ones are not."""
    points = torch.as_tensor(mixed.sample(1, np.random.default_rng(0))).expand(8, -1)
    batch = simulator.bind(mixed).sample(50, 8, seeded(6), points=points)
    spread = simulator.outcome_range[1] - simulator.outcome_range[0]

    assert (batch.truth["Y"] - batch.truth["Y"][:, :1]).abs().max() < 0.01 * spread  # the GP's jitter
    assert (batch.Y - batch.Y[:, :1]).abs().amax() > 0.01 * spread


def test_noise_is_as_stated(simulator, mixed, seeded):
    """Residuals of outcomes away from the limits have the standard deviation in the truth."""
    batch = simulator.bind(mixed).sample(400, 30, seeded(7))
    low, high = simulator.outcome_range
    exact, sd = batch.truth["Y"], batch.truth["noise_sd"]
    inside = (exact - 4 * sd > low) & (exact + 4 * sd < high)
    z = ((batch.Y - exact) / sd)[inside]

    assert len(z) > 1000
    assert abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.05


def test_best_among_points(simulator, mixed, seeded):
    """The truth holds the best noise-free outcome among the points, for both goals."""
    truth = simulator.bind(mixed).sample(T, N, seeded(8)).truth

    assert torch.equal(truth["maximum"], truth["Y"].amax(dim=1))
    assert torch.equal(truth["minimum"], truth["Y"].amin(dim=1))


def test_bind_leaves_the_original(simulator, mixed, seeded):
    """Binding returns another value; the one it was called on stays unbound."""
    bound = simulator.bind(mixed)

    assert bound is not simulator
    with pytest.raises(ConfigurationError, match=r"must be bound to a space.*Call bind"):
        simulator.sample(T, N, seeded(0))


def test_survives_a_process_border(simulator, mixed, seeded):
    """A bound simulator pickles and samples the same afterwards."""
    bound = simulator.bind(mixed)
    copy = pickle.loads(pickle.dumps(bound))

    assert torch.equal(copy.sample(T, N, seeded(0)).Y, bound.sample(T, N, seeded(0)).Y)


@pytest.mark.parametrize("wrong", [None, {"temperature": [0, 1]}, 3])
def test_what_is_no_space_is_refused(simulator, wrong):
    """Binding to something else than a space says so in one sentence."""
    with pytest.raises(ConfigurationError, match=rf"{simulator.name} must be bound to a SearchSpace; got"):
        simulator.bind(wrong)


@pytest.mark.parametrize(("t", "n"), [(0, 4), (4, 0)])
def test_empty_batches_are_refused(simulator, mixed, seeded, t, n):
    """A batch has at least one task and one point."""
    with pytest.raises(InputError, match="must each be at least 1"):
        simulator.bind(mixed).sample(t, n, seeded(0))


@pytest.mark.parametrize("shape", [(N, 2), (N + 1, None), (1, N, None)])
def test_points_of_another_shape_are_refused(simulator, mixed, seeded, shape):
    """Shared points have one row per point and one column per dimension."""
    points = torch.zeros([mixed.n_dims if size is None else size for size in shape], dtype=torch.float64)

    with pytest.raises(ShapeError, match="points must have shape n x d"):
        simulator.bind(mixed).sample(T, N, seeded(0), points=points)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_device(simulator, mixed, seeded):
    """A CPU generator gives the same batch on the GPU, a GPU generator gives one too."""
    bound = simulator.bind(mixed)
    near, far = bound.sample(T, N, seeded(0)), bound.sample(T, N, seeded(0), device="cuda")

    torch.testing.assert_close(far.Y.cpu(), near.Y)
    assert {far.X.device.type, far.Y.device.type, far.mask.device.type} == {"cuda"}
    assert {value.device.type for value in far.truth.values()} == {"cuda"}
    assert bound.sample(T, N, torch.Generator("cuda").manual_seed(0), device="cuda").Y.isfinite().all()
