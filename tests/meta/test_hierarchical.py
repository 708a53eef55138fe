"""Groups of tasks by evidence, and the priors that stand on them."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from discovery.belief.belief import Belief, Hypothesis
from discovery.errors import ConfigurationError
from discovery.evaluation.bench.meta.mixed_history import adjusted_rand, mixed_tasks
from discovery.meta.geometry import Geometry
from discovery.meta.hierarchical import FLAT, Hierarchical
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.meta.task_groups import _Evidence, find_groups, merged
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import TaskBatch

SCALE = OutcomeScale(0.0, 1.0, "range")


@pytest.fixture(scope="module")
def mixed(space):
    return mixed_tasks(space, 12, 25, 0)


def evidence(likeness=0.8):
    g = torch.Generator().manual_seed(0)
    mix = torch.randn(9, 9, generator=g, dtype=torch.float64)
    task = torch.arange(3).repeat_interleave(3)
    one = torch.tensor(1.0, dtype=torch.float64)
    return _Evidence(
        mix @ mix.T, torch.randn(9, generator=g, dtype=torch.float64), task, likeness, 0.3 * one, 0.1 * one
    )


def test_the_evidence_of_a_group_is_that_of_one_process():
    """Covariance within a task and between tasks, levels and noise, written out."""
    found = evidence()
    rows = np.isin(found.task.numpy(), [0, 2])
    same = (found.task[:, None] == found.task).numpy()
    K = found.K.numpy() * np.where(same, 1.0, 0.8) + 0.3 * same + (0.1 + 1e-6) * np.eye(9)
    expected = multivariate_normal(np.zeros(rows.sum()), K[rows][:, rows]).logpdf(found.residual.numpy()[rows])
    assert found((2, 0)) == pytest.approx(expected)


def test_merging_stops_where_evidence_does_not_gain():
    """Groups partition the tasks, and no pair of what is left would gain by merging."""
    found = evidence()
    groups = merged([(0,), (1,), (2,)], found)
    assert sorted(i for group in groups for i in group) == [0, 1, 2]
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)


def test_the_kinds_are_found(mixed, space):
    """Tasks of three kinds fall into three groups; responsibilities are probabilities and agree."""
    groups = find_groups(TaskBatch.from_tasks(mixed.tasks), Geometry.of(space))
    labels = groups.responsibility.argmax(1).numpy()
    assert len(groups.members) == 3 and adjusted_rand(mixed.kinds, labels) == pytest.approx(1.0)
    torch.testing.assert_close(groups.responsibility.sum(1), torch.ones(12, dtype=torch.float64))


def test_partitions_are_compared_by_pairs():
    """Renamed groups are the same ones; a known example of Hubert and Arabie's index."""
    one = np.array([0, 0, 0, 1, 1, 1])
    assert adjusted_rand(one, 1 - one) == 1.0
    assert adjusted_rand(one, np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(0.24242424)


def test_one_kind_is_one_prior(related, space):
    """A history of one kind gives the bank that it gives without groups."""
    history, setting = HistoryDistribution(tuple(related)), Setting("history", space, OutcomeScale(50.0, 25.0, "range"))
    one = Hierarchical.load(Hierarchical.meta_train(history, setting))
    flat = MetaGP.load(MetaGP.meta_train(history, setting))
    if one.responsibility.shape[1] == 2:
        torch.testing.assert_close(one.members.signal, flat.members.signal)
    else:
        assert one.members.n_members > flat.members.n_members


def test_evidence_finds_the_group_of_a_campaign(mixed, space):
    """After ten measurements most weight lies with the bank of the campaign's kind; before with the prior shares."""
    history, own = HistoryDistribution(mixed.tasks[:-1]), mixed.tasks[-1]
    learner = Hierarchical.load(Hierarchical.meta_train(history, Setting("history", space, SCALE)))
    n = learner.members.n_members // 4
    prior = learner.members.log_prior.exp().reshape(4, n).sum(1)
    assert float(prior[0]) == pytest.approx(FLAT)
    support = Support.of(own.X[:10], own.Y[:10, 0], None, "cpu")
    adapted = learner.adapt(support)
    weight = torch.softmax(adapted.log_prior + adapted.log_evidence, 0).reshape(-1, 4, n).sum((0, 2))
    groups = learner.responsibility.argmax(1).numpy()
    right = int(groups[mixed.kinds[:-1] == mixed.kinds[-1]][0]) + 1
    assert int(weight[1:].argmax()) + 1 == right and float(weight[right]) > float(prior[right])


def test_simulators_are_refused(space):
    """Only a history has tasks to group."""
    with pytest.raises(ConfigurationError, match="hierarchical hypothesis must learn from a history"):
        Hierarchical.meta_train(None, Setting("history", space, SCALE))


def test_the_belief_says_which_group_a_campaign_is_like(mixed, space):
    """Groups are named by their tasks; shares sum to one with and without doubts, and most has the campaign's kind."""
    tasks, own = mixed.tasks[:-1], mixed.tasks[-1]
    sources = tuple(task.source for task in tasks)
    learner = Hierarchical.load(Hierarchical.meta_train(HistoryDistribution(tasks), Setting("history", space, SCALE)))
    support = Support.of(own.X[:10], own.Y[:10, 0], None, "cpu")
    summary = Belief.adapt([Hypothesis("history", 1.0, learner, "", sources)], support).summary()
    shares = summary.groups["history"]
    assert list(shares) == list(learner.group_names(sources)) and next(iter(shares)) == "all"
    assert len(shares) == 4 and sum(shares.values()) == pytest.approx(1.0)
    first = next(one.source for one, kind in zip(tasks, mixed.kinds, strict=False) if kind == mixed.kinds[-1])
    right = next(name for name in shares if re.search(rf"\({first}[,)]", name))
    assert max(shares, key=lambda name: shares[name] if name != "all" else 0.0) == right
    doubted = learner.adapt(replace(support, doubtful=torch.arange(10) == 3))
    assert float(learner.group_weights(doubted).sum()) == pytest.approx(1.0)
    alone = replace(learner, trust=learner.trust | {"group": torch.zeros_like(learner.trust["group"])})
    assert alone.group_names(sources) == ()
