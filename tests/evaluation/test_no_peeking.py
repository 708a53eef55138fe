"""No method sees an outcome before it has chosen the row, whatever it reads on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.evaluation.method_table import METHODS
from discovery.meta.deep_kernel import FEWEST_TASKS
from discovery.space import MeasuredPool, SearchSpace

SIMULATED = "simulator:gp_prior"  # stands for the methods that are looked up by what stands before the colon
SLOW = ("simulator", "baybe", "baybe_transfer", "ax", "random_forest")
NAMES = [
    pytest.param(SIMULATED if name == "simulator" else name, marks=pytest.mark.slow) if name in SLOW else name
    for name in METHODS
    if name != "cold_nehvi"  # it takes several objectives, whose replays are held by `test_aimed_backtest`
]


@pytest.mark.parametrize("name", NAMES)
def test_outcomes_of_rows_not_chosen_yet_change_no_choice(name: str, make_spec: Callable[..., CampaignSpec]) -> None:
    """Where outcomes of rows outside the first k are randomized in the file, the first k + 1 choices stay.

    The method learns anew from what it is allowed to see, so that learning cannot peek either.
    """
    simulators = [{"name": "gp_prior"}] if name == SIMULATED else []
    tables = [f"earlier{i}.csv" for i in ("", *range(1, FEWEST_TASKS))] if name == "deep_kernel" else ["earlier.csv"]
    spec, k = make_spec(experience={"history": tables, "simulators": simulators}), 3
    for table in tables[1:]:
        shutil.copy(spec.resolve(tables[0]), spec.resolve(table))
    options = BacktestOptions(n_experiments=k + 1, seeds=(0,), n_workers=1, use_cache=False)
    before = backtest(spec, [name], options).methods[name].runs[0]
    _randomize_all_but(spec, before.chosen[:k])
    after = backtest(spec, [name], options).methods[name].runs[0]
    assert after.chosen[: k + 1] == before.chosen[: k + 1]
    assert after.outcomes[:k] == before.outcomes[:k]
    assert after.outcomes[k] != before.outcomes[k]  # the file did change


def _randomize_all_but(spec: CampaignSpec, rows: tuple[int, ...]) -> None:
    """Overwrite the outcomes of the candidates file, except for the configurations in some rows."""
    path = spec.resolve(str(spec.candidates))
    frame = pd.read_csv(path)
    names = list(SearchSpace.from_spec(spec).names)
    keep = frame.merge(frame.loc[list(rows), names].drop_duplicates(), on=names, how="left", indicator=True)
    is_kept = (keep["_merge"] == "both").to_numpy()
    random = np.random.default_rng(7).uniform(0, 100, len(frame)).round(2)
    frame["yield"] = np.where(is_kept, frame["yield"], random)
    frame.to_csv(path, index=False)


def test_a_context_holds_no_outcomes(spec: CampaignSpec) -> None:
    """What methods are handed has neither the outcome column nor a pool with outcomes."""
    from discovery.evaluation.context import open_campaign

    context, outcomes = open_campaign(spec, 5, "cpu")
    assert "yield" not in context.pool.frame
    assert not isinstance(context.pool, MeasuredPool)
    assert len(outcomes) == len(context.pool.keys) == 24
