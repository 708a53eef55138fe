"""What every baseline promises, checked on all of them; those with packages of their own in the slow tier."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, NotEnoughDataError
from discovery.evaluation.context import open_campaign
from discovery.evaluation.method_table import METHODS, PREDICTORS
from discovery.evaluation.methods import (
    BacktestContext,
    Method,
    Predictor,
    Seen,
    load_method,
    load_predictor,
)

OPTIONAL = ("baybe", "baybe_transfer", "ax")
OWN = ("rgpe", "random_forest", "tanimoto_gp", "knn")
SEARCHES = (
    "rgpe",
    "tanimoto_gp",
    "knn",
    *(pytest.param(n, marks=pytest.mark.slow) for n in ("random_forest", "baybe", "ax")),
)
ALL = (*OWN, *(pytest.param(name, marks=pytest.mark.slow) for name in OPTIONAL))
Opened = tuple[BacktestContext, np.ndarray]


@pytest.fixture
def opened(spec: CampaignSpec) -> Opened:
    """Return the campaign, opened."""
    return open_campaign(spec, 24, "cpu")


def prepared(name: str, context: BacktestContext) -> Method:
    """Return a method as a worker process gets it."""
    method = load_method(name)
    method.prepare(context)
    return pickle.loads(pickle.dumps(method))


def seen_first(opened: Opened, n: int) -> Seen:
    """Return the first candidates as measured."""
    return Seen(tuple(range(n)), tuple(float(y) for y in opened[1][:n]))


def test_the_tables_name_every_baseline() -> None:
    """Methods of this room are exactly the ones that are tested here, and predictors are among them."""
    room = {name for name, entry in METHODS.items() if ".baselines." in entry}
    assert room == {*OWN, *OPTIONAL}
    assert {name for name, entry in PREDICTORS.items() if ".baselines." in entry} == set(OWN)


@pytest.mark.parametrize("name", ALL)
def test_choices_are_new_distinct_pure_and_leave_the_global_generators_alone(name: str, opened: Opened) -> None:
    """From nothing to nearly all measured: as many new candidates as asked for, the same ones when asked again."""
    context = opened[0]
    method = prepared(name, context)
    for n_seen, n in ((0, 2), (1, 1), (2, 2), (6, 3), (22, 2)):
        seen = seen_first(opened, n_seen)
        before = torch.get_rng_state(), np.random.get_state()[1]
        chosen = method.choose(context, seen, n, 3).indices
        assert len(set(chosen) | set(seen.indices)) == n_seen + n
        assert set(chosen) <= set(range(24))
        assert method.choose(context, seen, n, 3).indices == chosen
        assert torch.equal(before[0], torch.get_rng_state())
        assert (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("name", ALL)
def test_equal_outcomes_are_no_trouble(name: str, opened: Opened) -> None:
    """Outcomes without any spread cannot be standardized, and still there is a next candidate."""
    choice = prepared(name, opened[0]).choose(opened[0], Seen((0, 1, 2, 3), (5.0,) * 4), 1, 0)
    assert choice.indices[0] > 3


@pytest.mark.parametrize("name", [name for name in OWN if name != "rgpe"])
def test_minimizing_mirrored_outcomes_chooses_the_same(name: str, opened: Opened) -> None:
    """To minimize -y is to maximize y; history is not mirrored, so the ensemble is left out."""
    context, seen = opened[0], seen_first(opened, 8)
    mirrored = Seen(seen.indices, tuple(-y for y in seen.outcomes))
    down = replace(context, goal="minimize")
    assert prepared(name, down).choose(down, mirrored, 1, 0) == prepared(name, context).choose(context, seen, 1, 0)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_beats_chance(name: str, opened: Opened) -> None:
    """From the same four random starts, six choices leave fewer better candidates unfound than six random ones."""
    context, y = opened
    left = {}
    for method in (prepared(name, context), load_method("random")):
        better = []
        for seed in range(4):
            taken = [int(i) for i in np.random.default_rng(seed).permutation(24)[:4]]
            for _ in range(6):
                taken += method.choose(context, Seen(tuple(taken), tuple(float(y[i]) for i in taken)), 1, seed).indices
                better.append(int((y > y[taken].max()).sum()))
        left[method.name] = np.mean(better)
    assert left[name] < left["random"]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_predictions_are_in_raw_units_whatever_the_goal(name: str, goal: str, opened: Opened) -> None:
    """Predicted outcomes correlate with the measured ones, and intervals hold about what they say."""
    context, y = replace(opened[0], goal=goal), opened[1]
    predictor: Predictor = load_predictor(name)
    predictor.prepare(context)
    order = np.random.default_rng(0).permutation(24)
    support = Seen(tuple(int(i) for i in order[:16]), tuple(float(v) for v in y[order[:16]]))
    prediction = predictor.predict(context, support, order[16:], 0)
    assert prediction.mean.shape == prediction.sd.shape == (8,)
    assert np.corrcoef(prediction.mean, y[order[16:]])[0, 1] > 0.4
    assert (np.abs(prediction.mean - y[order[16:]]) < 3 * prediction.sd).mean() > 0.7


@pytest.mark.parametrize("name", OWN)
def test_prediction_from_one_point_asks_to_wait(name: str, opened: Opened) -> None:
    """One measurement is not enough to predict from."""
    predictor = load_predictor(name)
    predictor.prepare(opened[0])
    with pytest.raises(NotEnoughDataError, match="two measurements"):
        predictor.predict(opened[0], seen_first(opened, 1), np.arange(4), 0)


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("baybe", "baybe", "baybe"),
        ("baybe_transfer", "baybe", "baybe"),
        ("ax", "ax", "ax-platform"),
        ("random_forest", "sklearn.ensemble", "scikit-learn"),
    ],
)
def test_a_missing_package_is_named_with_the_way_to_install_it(
    name: str, module: str, package: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is replayed, one sentence says which package is missing and what to type."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"{name} needs the package {package}") as caught:
        load_method(name).prepare(opened[0])
    assert "pip install 'discovery-pipeline[bench]'" in caught.value.hint
