"""Forecasts: what they say of a target, what they condition on, and whether they keep what they promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from discovery.belief.belief import Belief
from discovery.belief.hypotheses import load_hypotheses
from discovery.errors import ConfigurationError
from discovery.evaluation import forecast as module
from discovery.evaluation.forecast import Candidates, Forecast, ForecastRequest, forecast
from discovery.evaluation.worlds import JointBelief
from discovery.meta.learner import Support
from discovery.meta.train import Experience, meta_train_hypotheses
from discovery.seeds import torch_generator


@pytest.fixture(scope="module")
def hypotheses(small_spec, space, related):
    return load_hypotheses(meta_train_hypotheses(small_spec, space, Experience(tuple(related))))


@pytest.fixture(scope="module")
def pool(space):
    return space.sample(80, np.random.default_rng(1))


def belief_after(hypotheses, pool, surface, n):
    return Belief.adapt(hypotheses, Support.of(pool[:n], surface(pool[:n], 0.05), None, "cpu"))


def candidates(pool, n_measured, **more):
    return Candidates(pool, np.arange(len(pool)) >= n_measured, **more)


@pytest.mark.parametrize("n_measured", [0, 6])
def test_same_arguments_same_forecast_and_json_holds_it(hypotheses, pool, surface, n_measured):
    """A forecast repeats itself, and what is stored of it is all of it."""
    belief = belief_after(hypotheses, pool, surface, n_measured)
    request = ForecastRequest(12, 32, target=80.0, bounds=(0, 100))
    one, other = (forecast(belief, candidates(pool, n_measured), request) for _ in range(2))
    assert one == other
    again = Forecast.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))
    assert again == one
    assert (one.n_measured, one.n_experiments, one.n_draws, one.n_candidates) == (n_measured, 12, 32, 80)


def test_probability_and_needed_experiments_say_the_same(hypotheses, pool, surface):
    """The curve of probabilities is the distribution of the number of experiments needed."""
    found = forecast(belief_after(hypotheses, pool, surface, 0), candidates(pool, 0), ForecastRequest(20, 40, 82.0))
    assert list(found.probability) == sorted(found.probability)
    reached = [level for level in np.arange(0.05, 1.0, 0.05) if found.needed_at(level) is not None]
    assert reached
    for level in reached:
        n = found.needed_at(level)
        assert found.probability[n - 1] >= level - 1e-9
        assert n == 1 or found.probability[n - 2] < level
    assert found.needed_at(1.0) is None or found.probability[-1] == 1.0


def test_best_outcomes_never_get_worse_and_begin_with_what_is_known(hypotheses, pool, surface):
    """Quantiles of the best rise with every experiment, from the best that is measured already; for both goals."""
    belief = belief_after(hypotheses, pool, surface, 5)
    up = forecast(belief, candidates(pool, 5), ForecastRequest(8, 32))
    down = forecast(belief, candidates(pool, 5), ForecastRequest(8, 32, goal="minimize"))
    y = surface(pool[:5], 0.05)
    assert up.needed == () and up.probability == () and up.needed_at(0.5) is None
    for level, values in up.best_after.items():
        assert len(values) == 9 and values[0] == pytest.approx(y.max()) and list(values) == sorted(values), level
    for values in down.best_after.values():
        assert values[0] == pytest.approx(y.min()) and list(values) == sorted(values, reverse=True)


def test_a_target_that_is_reached_needs_nothing(hypotheses, pool, surface):
    """What is measured already counts; what no candidate can reach is never reached."""
    belief = belief_after(hypotheses, pool, surface, 5)
    reached = forecast(belief, candidates(pool, 5), ForecastRequest(5, 16, target=float(surface(pool[:5], 0.05).max())))
    assert reached.needed_at(0.9) == 0 and reached.probability == (1.0,) * 5
    hopeless = forecast(belief, candidates(pool, 5), ForecastRequest(5, 16, target=500.0))
    assert hopeless.needed_at(0.1) is None and hopeless.probability[-1] == 0.0 and hopeless.attainable == 0.0


def test_measurements_narrow_a_forecast(hypotheses, pool, surface):
    """What to expect at the end is less uncertain the more has been measured."""
    widths = []
    for n in (0, 20):
        found = forecast(belief_after(hypotheses, pool, surface, n), candidates(pool, n), ForecastRequest(6, 64))
        widths.append(found.best_after["0.9"][-1] - found.best_after["0.1"][-1])
    assert widths[1] < 0.5 * widths[0]


def test_experiments_end_with_the_candidates(hypotheses, pool, surface):
    """No world has more experiments than candidates; none left is an error in a sentence."""
    belief = belief_after(hypotheses, pool, surface, 77)
    assert forecast(belief, candidates(pool, 77), ForecastRequest(20, 8)).n_experiments == 3
    with pytest.raises(ConfigurationError, match="none is left"):
        forecast(belief, candidates(pool, 80), ForecastRequest(20, 8))


def test_of_many_candidates_the_promising_take_part(hypotheses, pool, surface, monkeypatch):
    """Where memory is short, what runs already and what promises most is kept, beside a sample of the others."""
    belief = belief_after(hypotheses, pool, surface, 6)
    n_members = sum(len(part.log_weight) for part in belief.kept)
    monkeypatch.setattr(module, "MAX_COVARIANCE", n_members * 30**2)
    everything = candidates(pool, 6, first=(50, 60))
    few = module._take_part(belief, everything, ForecastRequest(5))
    assert len(few.X) == 30
    assert np.array_equal(few.X[list(few.first)], pool[[50, 60]])
    mean, _, weight = belief.marginals(torch.as_tensor(pool[6:]))
    top = pool[6:][int((weight * mean).sum(-1).argmax())]
    assert (top == few.X).all(axis=1).any()
    assert forecast(belief, everything, ForecastRequest(5, 8)).n_candidates == 30


@pytest.mark.parametrize("wrong", [{"n_experiments": 0}, {"n_draws": 1}, {"batch_size": 0}])
def test_requests_are_checked(wrong):
    """Numbers that mean nothing are refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ForecastRequest(**{"n_experiments": 5} | wrong)


@pytest.mark.slow
def test_forecasts_keep_their_promise(small_spec, space, hypotheses, pool):
    """On worlds drawn from the belief, campaigns by `run_cycle` reach the target within the 80 % interval that the
    forecast before the first measurement gave in about 80 % of the worlds, and as often as it said."""
    from discovery.cycle import CycleRequest, Observations, run_cycle
    from discovery.space import CandidatePool

    frame = space.decode(pool)
    candidates_of = CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), np.arange(len(pool)))
    horizon, n_worlds, target = 15, 60, 75.0
    belief = Belief.adapt(hypotheses, Support.of(pool[:0], np.zeros(0), None, "cpu"))
    said = forecast(
        belief, Candidates(candidates_of.X, np.ones(len(pool), bool)), ForecastRequest(horizon, 256, target)
    )
    worlds = JointBelief.of(belief, torch.as_tensor(candidates_of.X)).draw(n_worlds, torch_generator(9, "truth"))
    noise = torch.randn(n_worlds, len(pool), generator=torch_generator(9, "noise"), dtype=torch.float64)
    Y = worlds.axes.raw(worlds.latent + worlds.noise_sd * noise).numpy()
    needed = []
    for y in Y:
        rows: list[int] = []
        while len(rows) < horizon and not (rows and y[rows].max() >= target):
            keys = tuple(candidates_of.keys[i] for i in rows)
            seen = Observations(candidates_of.X[rows], y[rows], None, keys)
            draft = run_cycle(space, candidates_of, hypotheses, seen, CycleRequest(n=1)).drafts[0]
            rows.append(draft.row)
        needed.append(len(rows) if y[rows].max() >= target else horizon + 1)
    low, high = said.needed_at(0.1), said.needed_at(0.9) or horizon + 1
    inside = np.mean([low <= n <= high for n in needed])
    assert inside >= 0.7  # 80 % and more, since counts are whole numbers; 60 worlds
    assert np.mean(np.array(needed) <= horizon) == pytest.approx(said.probability[-1], abs=0.15)
