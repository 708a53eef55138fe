"""Histories that mislead: other outcomes on the same inputs, the same every time."""

import numpy as np
import pytest

from discovery.errors import ConfigurationError
from discovery.evaluation.bench.families import load_families
from discovery.evaluation.bench.sources import SOURCES, with_source
from discovery.metrics import spearman
from discovery.space.descriptors import read_table


@pytest.fixture(scope="module")
def _module_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def task(monkeypatch, _module_cache):
    monkeypatch.delenv("DISCOVERY_DATASETS", raising=False)
    monkeypatch.setenv("DISCOVERY_CACHE", str(_module_cache))
    return load_families(["suzuki_reizman"])[0].tasks[0]


def tables(task):
    return [read_table(task.spec.resolve(ref)) for ref in task.spec.experience.history]


def outcomes(task):
    return [table["yield"].astype(float).to_numpy() for table in tables(task)]


@pytest.mark.parametrize("source", list(SOURCES))
def test_only_outcomes_change(task, source):
    """Inputs, their order and everything else about the campaign stay as they are; outcomes do not."""
    changed = with_source(task, source)
    assert changed.spec.model_copy(update={"experience": task.spec.experience}) == task.spec
    for real, other in zip(tables(task), tables(changed), strict=True):
        assert other.drop(columns="yield").equals(real.drop(columns="yield"))
        assert not other["yield"].equals(real["yield"])


@pytest.mark.parametrize("source", ["shuffled", "unrelated"])
def test_levels_are_kept(task, source):
    """Shuffled and unrelated outcomes are the real ones in another order."""
    for real, other in zip(outcomes(task), outcomes(with_source(task, source)), strict=True):
        np.testing.assert_allclose(np.sort(other), np.sort(real))
        assert abs(spearman(real, other)) < 0.6


def test_inverted_ranks_are_reversed(task):
    """Upside down, what was best is worst, within the same range."""
    for real, other in zip(outcomes(task), outcomes(with_source(task, "inverted")), strict=True):
        assert spearman(real, other) == pytest.approx(-1.0)
        assert (other.min(), other.max()) == pytest.approx((real.min(), real.max()))


def test_unrelated_tables_agree_with_each_other(task):
    """On inputs that two unrelated tables share, they rank alike; shuffled ones do not."""

    def agreement(source):
        first, second = (t.assign(y=t["yield"].astype(float)) for t in tables(with_source(task, source))[1:3])
        means = [t.assign(warm=t["temperature"].astype(float).round(-1)) for t in (first, second)]
        one, two = (m.groupby(["catalyst", "warm"])["y"].mean() for m in means)
        both = one.index.intersection(two.index)
        return spearman(one[both].to_numpy(), two[both].to_numpy())

    assert agreement("unrelated") > 0.5
    assert agreement("unrelated") > agreement("shuffled")


def test_the_same_every_time(task):
    """The same task and source give the same files."""
    assert with_source(task, "unrelated").spec == with_source(task, "unrelated").spec


def test_none_has_no_history_and_related_is_the_task(task):
    """`none` leaves the simulators and takes the history; `related` is the task itself; others are refused."""
    without = with_source(task, "none")
    assert without.history == () and without.spec.experience.history == ()
    assert without.spec.experience.simulators == task.spec.experience.simulators
    assert with_source(task, "related") is task
    with pytest.raises(ConfigurationError, match="shuffled"):
        with_source(task, "wrong")
