"""The contract of every learner in the table: what `belief` relies on, whatever the family."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery import registry
from discovery.errors import CheckpointError
from discovery.meta.checkpoint import Checkpoint, CheckpointMeta
from discovery.meta.learner import Setting, Support
from discovery.meta.network_learner import NetworkLearner
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution

# molecule_gp needs molecules (test_molecules.py); policy and rl2 predict nothing (test_policy.py, test_rl2.py)
LEARNERS = sorted(set(registry.LEARNERS) - {"molecule_gp", "policy", "rl2"})
# networks read the support, so that their evidence is a sum of steps, in the order of the measurements
READING = set(LEARNERS) - {"meta_gp", "deep_kernel", "multi_task", "hierarchical", "pseudo_tasks"}
EXACT = sorted(set(LEARNERS) - READING)
SETTING = {"hypothesis": "history", "scale": OutcomeScale(50.0, 25.0, "range")}


@pytest.fixture(scope="module", params=LEARNERS)
def trained(request, related, space):
    family = registry.load("learner", request.param)
    if issubclass(family, NetworkLearner):
        family = type(family.__name__, (family,), {"recipe": replace(family.recipe, steps=40)})
    return family, family.meta_train(HistoryDistribution(tuple(related)), Setting(space=space, **SETTING))


def support(space, surface, n):
    X = space.sample(n, np.random.default_rng(n))
    return Support.of(X, surface(X), None, "cpu")


@pytest.mark.parametrize("n", [0, 1, 20])
def test_adapting_gives_a_model_with_evidence(trained, space, surface, n):
    """From no measurement up: a BoTorch model of batch shape `[h]`, a normalized prior, finite one-step densities."""
    family, checkpoint = trained
    adapted = family.load(checkpoint).adapt(support(space, surface, n))
    h = len(adapted.log_prior)
    assert adapted.model.batch_shape == (h,)
    assert float(adapted.log_prior.exp().sum()) == pytest.approx(1.0)
    assert adapted.log_steps.shape == (h, n)
    assert torch.isfinite(adapted.log_evidence).all()
    posterior = adapted.model.posterior(torch.rand(4, 1, 2, space.n_dims, dtype=torch.float64))
    assert posterior.mean.shape == (4, h, 2, 1)


def test_permuting_the_support_changes_nothing(trained, space, surface):
    """The posterior, and exact evidence, do not depend on the order of measurements."""
    family, checkpoint = trained
    learner, whole = family.load(checkpoint), support(space, surface, 12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    one, other = learner.adapt(whole), learner.adapt(Support(whole.X[order], whole.y[order]))
    if checkpoint.meta.learner in EXACT:
        torch.testing.assert_close(one.log_evidence, other.log_evidence)
    x = torch.rand(3, space.n_dims, dtype=torch.float64)
    near = {} if checkpoint.meta.learner in EXACT else {"rtol": 1e-3, "atol": 1e-2}  # networks compute in float32
    torch.testing.assert_close(one.model.posterior(x).mean, other.model.posterior(x).mean, **near)


def test_a_checkpoint_of_another_family_is_refused(trained):
    """One sentence names both families."""
    family, _ = trained
    other = Checkpoint(CheckpointMeta("somebody_elses", "history", space_hash="0", seed=0), {})
    with pytest.raises(CheckpointError, match="somebody_elses"):
        family.load(other)
