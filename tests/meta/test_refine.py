"""Refinement continues training with one more task, and a worse version is never promoted."""

import numpy as np
import pytest

from discovery.errors import NotEnoughDataError
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.meta.refine import held_out_nlpd, refine
from discovery.meta.scale import OutcomeScale
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="module")
def setting(space):
    return Setting("history", space, SCALE)


@pytest.fixture(scope="module")
def parent(related, setting):
    return MetaGP.meta_train(HistoryDistribution(tuple(related[:4])), setting)


def test_a_related_task_is_taken_in(parent, related, setting):
    """The new version knows its parent and its sources, and does not lose on held-out tasks."""
    result = refine(parent, related[:4], related[4], setting)
    assert result.is_promoted
    assert result.checkpoint.meta.parent == parent.checkpoint_id
    assert result.checkpoint.meta.task_sources[-1] == "task_4.csv"
    assert result.checkpoint.meta.scores["held_out_nlpd"] == pytest.approx(result.score_after)


def test_a_version_that_loses_is_not_promoted(parent, related, setting):
    """A task of huge nonsense outcomes makes held-out predictions worse; the parent stays."""
    g = np.random.default_rng(0)
    nonsense = Task("nonsense", related[0].X, 50 + 4000 * g.standard_normal((40, 1)), source="nonsense.csv")
    result = refine(parent, related[:4], nonsense, setting)
    assert result.score_after > result.score_before
    assert not result.is_promoted


def test_the_gate_goes_by_the_score_it_is_given(parent, related, setting):
    """The judge is a callable: a judge that prefers the parent keeps it."""
    verdicts = iter([1.0, 1.5])
    result = refine(parent, related[:4], related[4], setting, score=lambda checkpoint, tasks: next(verdicts))
    assert not result.is_promoted


def test_held_out_score_does_not_use_the_task_itself(parent, related):
    """Predicting a source without its own feature is harder than with it would be; the score is finite and sane."""
    score = held_out_nlpd(parent, related[:4])
    assert 1.0 < score < 5.0  # yields in percent with a noise of one: nats per measurement


def test_fewer_than_two_old_tasks_cannot_judge(parent, related, setting):
    """Without held-out tasks there is no gate."""
    with pytest.raises(NotEnoughDataError, match="at least two; got 1"):
        refine(parent, related[:1], related[4], setting)
