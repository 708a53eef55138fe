"""A campaign's forecast: from its store, at any time, and kept."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from discovery.errors import InputError, NotEnoughDataError, NotSupportedError
from discovery.session import Campaign, forecasting

Make = Callable[..., Campaign]
PARAMETERS = [{"name": "temperature", "type": "continuous", "bounds": [30, 110]}]


def test_forecasts_are_kept_and_change_with_measurements(make_campaign: Make, table: pd.DataFrame) -> None:
    """Before the first measurement and after some: each forecast conditions on what is measured, and stays stored."""
    campaign = make_campaign(stop={"target": 60.0})
    first = campaign.forecast(n_draws=16)
    campaign.tell(table.head(5))
    second = campaign.forecast(n_draws=16)
    assert (first.n_measured, first.n_experiments, first.target) == (0, 8, 60.0)
    assert (second.n_measured, second.n_experiments) == (5, 3)
    assert second.best == table["yield"].head(5).max()
    assert campaign.forecasts() == [first, second]
    assert campaign.forecast(n_draws=16, keep=False) == second
    assert len(campaign.forecasts()) == 2


def test_what_runs_already_is_measured_first(make_campaign: Make, table: pd.DataFrame) -> None:
    """Open proposals lead every world, then random starts that are still to come; measured rows do not come again."""
    campaign = make_campaign(budget={"experiments": 12, "initial": 4})
    campaign.tell(table.head(2))
    campaign.ask(1)
    book, observed = campaign._book(), campaign.observations()
    found = campaign._candidates(book, observed)
    assert campaign.pool.keys[found.first[0]] == book.open["key"].iloc[0]
    assert len(found.first) == 2  # one proposal under way and one random start: 2 + 1 + 1 = 4
    assert int((~found.is_free).sum()) == 2
    assert found.is_free[list(found.first)].all()


def test_a_free_space_is_sampled(make_campaign: Make) -> None:
    """Without a list of candidates a dense sample stands for the space, with what runs already in front."""
    campaign = make_campaign(parameters=PARAMETERS, candidates=None, experiment=None, budget={"experiments": 5})
    proposal = campaign.ask(1)
    campaign.tell(pd.DataFrame({"temperature": [40.0, 90.0], "yield": [20.0, 35.0]}))
    found = campaign._candidates(campaign._book(), campaign.observations())
    assert len(found.X) == 4097 and found.first == (0,)
    assert found.X[0] == pytest.approx(campaign.space.encode(proposal)[0])
    made = campaign.forecast(3, n_draws=8)
    assert made.best == 35.0 and np.isfinite(made.best_after["0.5"]).all()


def test_a_used_budget_needs_a_number(make_campaign: Make, table: pd.DataFrame) -> None:
    """Where the budget is used, the forecast asks how far to look; with a number it looks beyond the budget."""
    campaign = make_campaign()
    campaign.tell(table.head(8))
    with pytest.raises(InputError, match="budget of 8 is used"):
        campaign.forecast()
    assert campaign.forecast(4, n_draws=8).n_experiments == 4


def test_without_a_scale_there_is_nothing_to_forecast(make_campaign: Make, table: pd.DataFrame) -> None:
    """Neither range nor history nor a measurement: the error names what would help."""
    campaign = make_campaign(outcomes=None)
    with pytest.raises(NotEnoughDataError, match=r"outcomes\[\]\.range of yield"):
        campaign.forecast()
    campaign.tell(table.head(3))
    assert campaign.forecast(2, n_draws=8).n_measured == 3


def test_a_forecast_that_nobody_asked_for_is_cheap(
    make_campaign: Make, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick forecast comes with results while there are experiments left, and not soon after one that took long."""
    campaign = make_campaign()
    assert campaign.forecast_if_cheap() is None  # nothing is measured
    campaign.tell(table.head(3))
    found = campaign.forecast_if_cheap()
    assert found is not None and (found.n_measured, found.n_experiments) == (3, 5)
    monkeypatch.setattr(forecasting, "CHEAP_S", 0.0)
    assert campaign.forecast_if_cheap() is None
    monkeypatch.setattr(forecasting, "PAUSE", 1)
    campaign.tell(table.iloc[3:4])
    assert campaign.forecast_if_cheap() is not None
    assert [one.n_measured for one in campaign.forecasts()] == [3, 4]
    campaign.tell(table.iloc[4:8])
    monkeypatch.undo()
    assert campaign.forecast_if_cheap() is None  # the budget is used


BOTH = {"outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}, {"name": "turnover", "range": [0, 200]}]}
FRONT = {"objectives": [{"name": "yield"}, {"name": "turnover"}], **BOTH}
GOALS = [
    ({**FRONT}, None, "share", "hypervolume"),
    ({**FRONT, "combine": "desirability", "stop": {"target": 0.5}}, None, "desirability", "desirability 0.5"),
    (
        {"objectives": [{"name": "yield", "goal": "hits", "threshold": 30}], "stop": {"target": 3}},
        None,
        "hits",
        "3 hits",
    ),
    ({"objectives": [{"name": "yield", "goal": "match", "window": [20, 25]}]}, None, "distance", "within 20 to 25 %"),
    (
        {"objectives": [{"name": "yield"}], "outcome_constraints": ["turnover >= 10"], **BOTH},
        99.0,
        "best",
        "yield 99 %",
    ),
]


SLOW = {"one", "match", "limit"}
NAMED = zip(["front", "one", "hits", "match", "limit"], GOALS, strict=True)


@pytest.mark.parametrize(
    ("changes", "target", "measure", "said"),
    [pytest.param(*goal, id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name, goal in NAMED],
)
def test_every_goal_has_a_forecast(make_campaign: Make, table: pd.DataFrame, changes, target, measure, said) -> None:
    """Counted in the goal's own measure, the same again, kept with its sentence, and it begins with what is reached."""
    from discovery.report.forecast import forecast_grid, forecast_sentence

    campaign = make_campaign(**changes)
    first = campaign.forecast(3, n_draws=8, target=target)
    campaign.tell(table.head(4).assign(turnover=150 - table["temperature"]))
    found = campaign.forecast(n_draws=8, target=target)
    assert (first.measure, first.n_measured, found.n_measured, found.n_experiments) == (measure, 0, 4, 4)
    assert len(found.best_after["0.5"]) == 5 and found.best is not None
    assert found.best_after["0.1"][0] <= found.best <= found.best_after["0.9"][0] or measure == "share"
    kept = campaign.forecasts()
    assert [one.to_json() for one in kept] == [first.to_json(), found.to_json()]
    assert campaign.forecast(n_draws=8, target=target, keep=False).best_after == found.best_after
    assert said in forecast_sentence(found, campaign.spec)
    assert len(forecast_grid(found, campaign.spec).rows) == 4


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"cost": 2.0}, "what experiments cost"), ({"acquisition": {"discrimination": 0.5}}, "tell hypotheses apart")],
)
def test_what_worlds_do_not_have_is_refused(make_campaign: Make, changes: dict, what: str) -> None:
    """Costs and discrimination are no part of the simulated campaign: a sentence says so."""
    with pytest.raises(NotSupportedError, match=what):
        make_campaign(**changes).forecast()
