"""Promises of what all families that train networks share: evidence, bounds, blocks, wild steps, and going on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief, Hypothesis
from discovery.errors import ConfigurationError, NotEnoughDataError
from discovery.meta import network_members
from discovery.meta.checkpoint import load, save
from discovery.meta.gradient_based import Anil, MamlNetwork
from discovery.meta.learner import Setting, Support
from discovery.meta.network_family import Context, Told, bounded
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution

RANGE = OutcomeScale(50.0, 25.0, "range")


class Short(Anil):
    """ANIL, trained for a moment."""

    recipe = replace(Anil.recipe, steps=30)


def setting(space, scale=RANGE):
    return Setting("steps", space, scale)


@pytest.fixture(scope="module")
def checkpoint(related, space):
    return Short.meta_train(HistoryDistribution(tuple(related)), setting(space))


def support(space, surface, n):
    X = space.sample(n, np.random.default_rng(3))
    return Support.of(X, surface(X), None, "cpu")


def test_evidence_is_what_was_said_before(checkpoint, space, surface):
    """The score of each measurement is the density that the belief before it gave, whatever comes after."""
    whole, learner = support(space, surface, 6), Short.load(checkpoint)
    steps = learner.adapt(whole)
    for n in (0, 1, 5):
        before = learner.adapt(network_members.first(whole, n))
        mean, variance = before.model.predictive(whole.X[n : n + 1])
        own = before.model.member_weights(torch.log_softmax(before.log_prior + before.log_evidence, 0))
        density = torch.logsumexp(
            own - 0.5 * ((whole.y[n] - mean[:, 0]) ** 2 / variance[:, 0] + variance[:, 0].log()), 0
        )
        density = float(density) - 0.5 * np.log(2 * np.pi)
        joint = torch.logsumexp(steps.log_prior[:, None] + steps.log_steps.cumsum(1), 0)
        assert density == pytest.approx(float(joint[n] - (joint[n - 1] if n else 0.0)), abs=1e-4)


def test_known_evidence_is_not_computed_again(checkpoint, space, surface, monkeypatch):
    """A campaign that grows by one measurement is read once more, not from its beginning."""
    learner, whole = Short.load(checkpoint), support(space, surface, 8)
    learner.adapt(network_members.first(whole, 7))
    reads, real = [], Short._read
    monkeypatch.setattr(Short, "_read", lambda self, *told: reads.append(len(told[0].y)) or real(self, *told))
    again = learner.adapt(whole)
    assert sorted(reads) == [7, 8]
    torch.testing.assert_close(again.log_steps, Short.load(checkpoint).adapt(whole).log_steps)


def test_many_measurements_are_read_in_blocks():
    """Beyond some two dozen measurements networks read after every eighth; every measurement is in one block."""
    blocks = network_members.blocks_of(50)
    assert [i for start, stop in blocks for i in range(start, stop)] == list(range(50))
    assert len(blocks) == 24 + 4 and network_members.blocks_of(0) == []


@pytest.mark.parametrize("said", ["bounds", "noise", "blocks"])
def test_what_is_said_of_measurements_is_heard(checkpoint, space, surface, said):
    """Bounds, known noise and blocks change what is believed, and leave finite evidence."""
    plain, learner = support(space, surface, 9), Short.load(checkpoint)
    told = {
        "bounds": replace(plain, limits=torch.tensor([1, 0, 0, -1, 0, 0, 0, 0, 0])),
        "noise": replace(plain, yvar=torch.full((9,), 100.0, dtype=torch.float64)),
        "blocks": replace(plain, blocks=(torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]),)),
    }[said]
    X = torch.as_tensor(space.sample(5, np.random.default_rng(8)))
    means = []
    for one in (plain, told):
        belief = Belief.adapt([Hypothesis("steps", 1.0, learner, "x")], one)
        assert torch.isfinite(belief.steps).all()
        mean, _, weight = belief.marginals(X)
        means.append((mean * weight).sum(-1))
    assert not torch.allclose(*means, atol=1e-3)


def test_an_unknown_scale_is_found(related, space, surface):
    """With no range and no history the first measurement fixes the scale and is not scored."""
    from discovery import registry

    simulator = registry.simulator("gp_prior").bind(space)
    checkpoint = Short.meta_train(simulator, setting(space, OutcomeScale(None, None, "anchored")))
    adapted = Short.load(checkpoint).adapt(support(space, surface, 5))
    assert (adapted.log_steps[:, 0] == 0).all() and torch.isfinite(adapted.log_evidence).all()


def test_the_same_seed_gives_the_same_checkpoint(checkpoint, related, space, tmp_path):
    """Training is repeatable, and a checkpoint comes back from its file as it was."""
    again = Short.meta_train(HistoryDistribution(tuple(related)), setting(space))
    assert again.checkpoint_id == checkpoint.checkpoint_id
    stored = load(save(again, tmp_path))
    assert all(torch.equal(stored.tensors[name], value) for name, value in checkpoint.tensors.items())


def test_training_goes_on(checkpoint, related, space):
    """A later training starts from the networks of a checkpoint and names it as its parent."""
    later = Short.meta_train(HistoryDistribution(tuple(related)), setting(space), start_from=checkpoint)
    assert later.meta.parent == checkpoint.checkpoint_id and later.checkpoint_id != checkpoint.checkpoint_id


def test_too_little_experience_is_refused(related, space):
    """Neither nothing nor a single task can be learned from."""
    with pytest.raises(ConfigurationError, match="something to learn from"):
        Short.meta_train(None, setting(space))
    with pytest.raises(NotEnoughDataError, match="2 earlier tasks"):
        Short.meta_train(HistoryDistribution(tuple(related[:1])), setting(space))


def test_wild_steps_stay_within_reach():
    """Whatever steps on few rows lead to, what is said is finite and not far out; what is near stays as it is."""
    wild = Told(torch.tensor([1e30, -torch.inf, torch.nan, 1.0]), torch.tensor([[1e12], [0.5], [0.0], [-3.0]]))
    told = bounded(wild)
    assert torch.isfinite(told.mean).all() and told.mean.abs().max() <= 20 and told.features.abs().max() <= 20
    assert float(told.mean[3]) == pytest.approx(1.0, abs=2e-3)


def test_a_support_of_nothing_moves_nothing():
    """One padded row is no measurement."""
    network, generator = MamlNetwork(), torch.Generator().manual_seed(0)
    weights = network.initial(3, generator)
    state = network.read(weights, Context(torch.zeros(1, 3), torch.zeros(1), torch.zeros(1)))
    assert all(torch.equal(state[name], weights[name]) for name in state)
