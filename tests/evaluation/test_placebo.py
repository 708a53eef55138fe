"""The placebo: history whose outcomes are shuffled must cost next to nothing. On real couplings, against no history."""

import numpy as np
import pandas as pd
import pytest
import yaml

from data.campaigns import FOLDER, buchwald_campaign, halides
from discovery.campaign import CampaignSpec
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.meta.train import Experience, meta_train_hypotheses
from discovery.space import SearchSpace
from discovery.tasks.history import read_history

TASKS = list(halides()["task"])


def campaign(task, folder, history):
    """A halide's campaign with its `real` history, a `shuffled` one, or `none`; no simulators."""
    data = yaml.safe_load(buchwald_campaign(task))
    files = data["experience"]["history"]
    if history == "shuffled":
        files = [shuffled(FOLDER / file, folder / f"{i}.csv", i) for i, file in enumerate(files)]
    data["experience"] = {} if history == "none" else {"history": files}
    return CampaignSpec.from_mapping(data, base_dir=FOLDER)


def shuffled(source, target, seed):
    table = pd.read_csv(source)
    table["yield"] = np.random.default_rng(seed).permutation(table["yield"].to_numpy())
    table.to_csv(target, index=False)
    return str(target)


@pytest.mark.parametrize(("history", "low", "high"), [("real", 0.7, 0.8), ("shuffled", 0.0, 0.01)])
def test_prior_weight_follows_cross_fitting(tmp_path, history, low, high):
    """Real history gets its full prior weight, shuffled history next to none, before any measurement."""
    spec = campaign(TASKS[0], tmp_path, history)
    space = SearchSpace.from_spec(spec)
    tasks = read_history(spec.experience.history[:6], spec, space).tasks
    trained = meta_train_hypotheses(spec, space, Experience(tasks))
    weights = {item.name: item.prior_weight for item in trained}
    assert low <= weights["history"] <= high


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_shuffled_history_costs_at_most_a_tenth(tmp_path):
    """Same three random starts, eight halides, six seeds: mean experiments to within 5 % of the best."""
    options = BacktestOptions(n_experiments=50, n_initial=3, seeds=tuple(range(6)), n_workers=2)
    needed = {"shuffled": [], "none": []}
    for task in TASKS[::2]:
        for history, counts in needed.items():
            result = backtest(campaign(task, tmp_path, history), ["belief"], options).to_json()
            counts.append(result["summary"]["belief"]["experiments_to_5pct_regret"])
    print({name: float(np.mean(counts)) for name, counts in needed.items()})
    assert np.mean(needed["shuffled"]) <= 1.1 * np.mean(needed["none"])
