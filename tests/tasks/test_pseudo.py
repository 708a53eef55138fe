"""Tasks made up from candidates, and the learner that is trained on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.meta.learner import Setting
from discovery.meta.pseudo_tasks import PseudoTasksGP
from discovery.meta.scale import OutcomeScale
from discovery.meta.train import Experience, meta_train_hypotheses
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.pseudo import PseudoTasks

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="module")
def tasks(space):
    return PseudoTasks.of(space.sample(60, np.random.default_rng(0)))


def drawn(tasks, n=30, seed=0, **options):
    return tasks.sample(n, 20, torch.Generator().manual_seed(seed), **options)


def test_rows_are_candidates_and_outcomes_are_standardized(tasks):
    """Every row is one of the candidates; truths have mean zero and variance one; the seed decides everything."""
    batch = drawn(tasks)
    assert (torch.cdist(batch.X.reshape(-1, batch.X.shape[2]), tasks.X).min(1).values < 1e-6).all()
    truth = batch.truth["Y"][..., 0]
    torch.testing.assert_close(truth.mean(1), torch.zeros(30, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(truth.square().mean(1), torch.ones(30, dtype=torch.float64))
    torch.testing.assert_close(batch.Y, drawn(tasks).Y)
    assert not torch.equal(batch.Y, drawn(tasks, seed=1).Y)


def test_tasks_can_share_points(tasks):
    """All tasks are seen at the same rows where these are given."""
    points = tasks.X[:20]
    batch = drawn(tasks, points=points)
    assert (points == batch.X).all() and batch.Y.shape == (30, 20, 1)


def test_what_is_near_behaves_alike(tasks):
    """Outcomes of near candidates differ less than those of far ones, for every kind of task."""
    truth = drawn(tasks, 300, points=tasks.X[:20]).truth["Y"][..., 0]
    apart = torch.cdist(tasks.X[:20], tasks.X[:20])
    pairs = torch.triu_indices(20, 20, 1)
    order = apart[pairs[0], pairs[1]].argsort()
    for kind in range(3):
        off = (truth[kind::3, pairs[0]] - truth[kind::3, pairs[1]]).square().mean(0)[order]
        assert off[:40].mean() < 0.8 * off[-40:].mean()


def test_too_few_candidates_are_refused(tasks):
    """Copies do not count; columns must be those of the space."""
    with pytest.raises(ConfigurationError, match="10 different candidates at least; got 2"):
        PseudoTasks.of(tasks.X[:2].repeat(9, 1))


def test_columns_must_be_those_of_the_space(space):
    """Candidates of another space are refused."""
    with pytest.raises(ConfigurationError, match="must have the space's"):
        PseudoTasks.of(torch.rand(20, 1)).bind(space)


def test_outcomes_of_a_history_are_not_looked_at(related, space):
    """Other outcomes at the same rows give the same checkpoint."""
    setting = Setting("made_up", space, SCALE)
    one = PseudoTasksGP.meta_train(HistoryDistribution(tuple(related)), setting)
    other = tuple(replace(task, Y=task.Y[::-1].copy()) for task in related)
    same = PseudoTasksGP.meta_train(HistoryDistribution(other), setting)
    assert all(torch.equal(value, same.tensors[name]) for name, value in one.tensors.items() if "scale" not in name)


def test_a_campaign_without_any_experience_can_have_it():
    """A hypothesis of this learner needs neither history nor simulator: the campaign's configurations are enough."""
    spec = CampaignSpec.from_mapping(
        {
            "name": "made_up",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C"]},
                {"name": "temperature", "type": "continuous", "bounds": [20, 100]},
            ],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "hypotheses": [{"name": "no_transfer"}, {"name": "made_up", "learner": "pseudo_tasks"}],
        }
    )
    trained = meta_train_hypotheses(spec, SearchSpace.from_spec(spec), Experience())
    assert [item.checkpoint.meta.learner for item in trained] == ["meta_gp", "pseudo_tasks"]
