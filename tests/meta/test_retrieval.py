"""The memory of past tasks: what is written, and how it is looked up."""

import pytest
import torch

from discovery.meta.episodes import HistorySupply
from discovery.meta.gradient_based import AnilNetwork, body, first_mean, ridge
from discovery.meta.network_family import Context
from discovery.meta.retrieval import N_SLOTS, NOTHING, MemoryNetwork, likeness
from discovery.tasks.task import TaskBatch

D, T = 3, 5


@pytest.fixture
def network():
    return MemoryNetwork()


@pytest.fixture
def supply():
    g = torch.Generator().manual_seed(0)
    X = torch.rand(T, 12, D, generator=g, dtype=torch.float64)
    Y = torch.randn(T, 12, 1, generator=g, dtype=torch.float64)
    return HistorySupply(TaskBatch(X, Y, torch.ones(T, 12, dtype=torch.bool), tuple("abcde")))


def weights(network, n=2):
    drawn = [network.initial(D, torch.Generator().manual_seed(i)) for i in range(n)]
    return {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}


def test_an_empty_memory_is_anil(network):
    """Without slots the start is the learned one."""
    own, g = network.initial(D, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    context = Context(torch.rand(4, D, generator=g), torch.randn(4, generator=g), torch.ones(4))
    torch.testing.assert_close(network.read(own, context), AnilNetwork().read(own, context))


def test_a_slot_is_as_likely_as_what_it_foretells():
    """Log odds are Gaussian densities of what is off; starting from nothing counts for several slots."""
    g = torch.Generator().manual_seed(0)
    hidden, residual, slots = (torch.randn(*shape, generator=g) for shape in ((4, 6), (4,), (3, 6)))
    spread = torch.tensor(0.7)
    told = likeness(hidden, residual, slots, spread)
    normal = torch.distributions.Normal
    expected = [normal(hidden @ slot, spread).log_prob(residual).sum() for slot in (*slots, torch.zeros(6))]
    torch.testing.assert_close(
        told - told[0], torch.stack(expected) - expected[0] + torch.log(torch.tensor([1, 1, 1, NOTHING]))
    )


def test_slots_hold_what_all_rows_of_a_task_lead_to(network, supply):
    """A slot is the last layer after all rows; tasks that a network has not seen are not there."""
    is_seen = torch.ones(2, T, dtype=torch.bool)
    is_seen[1, 3] = False
    own = weights(network)
    written = network.written(own, supply, is_seen, torch.Generator().manual_seed(0))
    assert written["is_filled"].sum(1).tolist() == [T, T - 1]
    assert written["slots"].shape == own["slots"].shape == (2, N_SLOTS, own["slots"].shape[-1])
    first = {name: value[0] for name, value in own.items()}
    hidden = body(first, supply.batch.X[2].float())
    residual = supply.batch.Y[2, :, 0].float() - first_mean(first, hidden)
    expected = ridge(hidden, residual, first["log_ridge"].exp())
    assert (written["slots"][0] - expected).abs().amax(1).min() < 1e-3


def test_a_task_of_the_past_is_found_again(network, supply):
    """With some of its rows, a task's own slot is the warm start."""
    own = network.written(weights(network, 1), supply, torch.ones(1, T, dtype=torch.bool), torch.Generator())
    own = {name: value[0] for name, value in own.items()} | {"log_spread": torch.tensor(0.05).log()}
    X, z = supply.batch.X[1, :6].float(), supply.batch.Y[1, :6, 0].float()
    hidden = body(own, X)
    told = likeness(hidden, z - first_mean(own, hidden), own["slots"], own["log_spread"].exp())
    found = int(told[:-1][own["is_filled"] > 0].argmax())
    everything = body(own, supply.batch.X[1].float())
    whole = ridge(everything, supply.batch.Y[1, :, 0].float() - first_mean(own, everything), own["log_ridge"].exp())
    assert float((own["slots"][found] - whole).abs().max()) < 1e-3
