"""The table of methods and the random baseline."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.evaluation.context import open_campaign
from discovery.evaluation.method_table import METHODS, PREDICTORS
from discovery.evaluation.methods import (
    Prediction,
    RandomMethod,
    Seen,
    load_method,
    load_predictor,
    random_indices,
)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_table_loads_under_its_name_and_pickles(name: str) -> None:
    """A method has the name it was asked for and travels to a worker process."""
    method = pickle.loads(pickle.dumps(load_method(name)))
    assert method.name == name
    assert isinstance(method.is_deterministic, bool)


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_predictor_of_the_table_loads_under_its_name(name: str) -> None:
    """A predictor has the name it was asked for."""
    assert load_predictor(name).name == name


@pytest.mark.parametrize("load", [load_method, load_predictor])
def test_an_unknown_method_is_refused_with_the_known_ones(load: object) -> None:
    """The message names what was asked for and what there is."""
    with pytest.raises(ConfigurationError, match=r"cold_gp.*got 'oracle'"):
        load("oracle")


def test_random_indices_are_new_and_larger_draws_continue_smaller_ones() -> None:
    """Nothing is drawn twice, the seed decides, and asking for more keeps the first."""
    taken = (3, 5)
    drawn = random_indices(10, taken, 4, seed=1)
    assert len(set(drawn) | set(taken)) == 6
    assert random_indices(10, taken, 6, seed=1)[:4] == drawn
    assert random_indices(10, taken, 4, seed=2) != drawn


def test_random_method_exhausts_the_pool(spec: CampaignSpec) -> None:
    """When fewer candidates are left than asked for, all of them are returned."""
    context, _ = open_campaign(spec, 10, "cpu")
    seen = Seen(tuple(range(22)), (0.0,) * 22)
    assert sorted(RandomMethod().choose(context, seen, 2, seed=0).indices) == [22, 23]


def test_context_hands_over_the_earlier_tasks_on_request(spec: CampaignSpec) -> None:
    """History is read in the campaign's space, and the hook travels to a worker process."""
    context = pickle.loads(pickle.dumps(open_campaign(spec, 10, "cpu")[0]))
    (task,) = context.load_history()
    assert task.X.shape == (24, context.space.n_dims)


def test_prediction_moments_are_those_of_the_mixture() -> None:
    """Mean and sd of a mixture with shared weights agree with the law of total variance."""
    prediction = Prediction(np.log([0.25, 0.75]), np.array([[0.0, 4.0]]), np.array([[1.0, 2.0]]))
    assert prediction.mean == pytest.approx([3.0])
    assert prediction.sd**2 == pytest.approx([0.25 * 1 + 0.75 * 4 + 0.25 * 9 + 0.75 * 1])


def test_the_spread_of_a_mixture_survives_a_far_mean() -> None:
    """Outcomes far from zero, such as temperatures in millikelvin, do not cost digits of the standard deviation."""
    far = Prediction(np.log([0.5, 0.5]), np.array([[1e9 - 1.0, 1e9 + 1.0]]), np.array([[1.0, 1.0]]))
    assert far.sd == pytest.approx([np.sqrt(2.0)])
