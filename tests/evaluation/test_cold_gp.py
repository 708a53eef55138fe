"""The baseline Gaussian process: honest defaults, deterministic, right about signs, ties and batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize

from discovery.campaign import CampaignSpec
from discovery.errors import NotEnoughDataError
from discovery.evaluation.cold_gp import ColdGPMethod, ColdGPPredictor, fit
from discovery.evaluation.context import open_campaign
from discovery.evaluation.methods import BacktestContext, Seen

Opened = tuple[BacktestContext, np.ndarray]


@pytest.fixture
def opened(spec: CampaignSpec) -> Opened:
    """Return the campaign, opened."""
    return open_campaign(spec, 24, "cpu")


def seen_first(opened: Opened, n: int) -> Seen:
    """Return the first candidates as measured."""
    return Seen(tuple(range(n)), tuple(float(y) for y in opened[1][:n]))


@pytest.mark.parametrize("n", [0, 1])
def test_below_two_measurements_it_proposes_at_random_from_the_seed(opened: Opened, n: int) -> None:
    """Nothing can be fitted to fewer than two points: the seed decides."""
    context, seen = opened[0], seen_first(opened, n)
    chosen = {ColdGPMethod().choose(context, seen, 1, seed).indices for seed in range(8)}
    assert len(chosen) > 1
    assert ColdGPMethod().choose(context, seen, 1, 3) == ColdGPMethod().choose(context, seen, 1, 3)


def test_it_takes_the_highest_log_ei_of_botorchs_default_model(opened: Opened) -> None:
    """The model is what `SingleTaskGP(X, Y)` gives, the choice its LogEI's argmax over what is left."""
    context, seen = opened[0], seen_first(opened, 6)
    model = fit(context, seen, 0)
    X, Y = torch.rand(6, context.space.n_dims, dtype=torch.float64), torch.rand(6, 1, dtype=torch.float64)
    assert str(model.covar_module) == str(SingleTaskGP(X, Y).covar_module)
    assert isinstance(model.outcome_transform, Standardize)
    value = LogExpectedImprovement(model, best_f=max(seen.outcomes))
    left = torch.as_tensor(context.pool.X[6:]).unsqueeze(1)
    with torch.no_grad():
        expected = 6 + int(value(left).argmax())
    assert ColdGPMethod().choose(context, seen, 1, 0).indices == (expected,)


def test_minimizing_mirrored_outcomes_chooses_the_same(opened: Opened) -> None:
    """To minimize -y is to maximize y."""
    context, seen = opened[0], seen_first(opened, 5)
    mirrored = Seen(seen.indices, tuple(-y for y in seen.outcomes))
    expected = ColdGPMethod().choose(context, seen, 1, 0)
    assert ColdGPMethod().choose(replace(context, goal="minimize"), mirrored, 1, 0) == expected


def test_a_batch_is_new_distinct_and_starts_with_the_single_choice(opened: Opened) -> None:
    """A batch holds different candidates, none measured before; its first is what one alone would be."""
    context, seen = opened[0], seen_first(opened, 5)
    batch = ColdGPMethod().choose(context, seen, 3, 0).indices
    assert len(set(batch) | set(seen.indices)) == 8
    assert batch[:1] == ColdGPMethod().choose(context, seen, 1, 0).indices


def test_equal_outcomes_are_no_trouble(opened: Opened) -> None:
    """Three equal outcomes cannot be standardized by their spread, and still there is a next candidate."""
    choice = ColdGPMethod().choose(opened[0], Seen((0, 1, 2), (5.0, 5.0, 5.0)), 1, 0)
    assert choice.indices[0] > 2


def test_the_global_generator_is_left_alone(opened: Opened) -> None:
    """Fitting draws from no stream that belongs to others."""
    before = torch.get_rng_state()
    ColdGPMethod().choose(opened[0], seen_first(opened, 3), 1, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_predictions_are_in_raw_units_also_where_less_is_better(opened: Opened) -> None:
    """Predicted outcomes correlate with the measured ones, not with what is maximized inside."""
    context, y = replace(opened[0], goal="minimize"), opened[1]
    prediction = ColdGPPredictor().predict(context, seen_first(opened, 16), np.arange(16, 24), 0)
    assert prediction.mean.shape == prediction.sd.shape == (8,)
    assert np.corrcoef(prediction.mean, y[16:])[0, 1] > 0.5
    assert (prediction.sd > 0).all()


def test_prediction_from_one_point_asks_to_wait(opened: Opened) -> None:
    """One measurement is not enough to predict from."""
    with pytest.raises(NotEnoughDataError, match="two measurements"):
        ColdGPPredictor().predict(opened[0], seen_first(opened, 1), np.arange(4), 0)
