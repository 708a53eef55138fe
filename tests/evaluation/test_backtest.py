"""Replays: the JSON contract, random starts, batches, caching, processes and faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, DiscoveryError
from discovery.evaluation.backtest import BacktestOptions, backtest
from discovery.evaluation.method_table import METHODS
from discovery.evaluation.methods import BacktestContext, Choice, Progress, Seen
from discovery.evaluation.results import BacktestResult

FAST = BacktestOptions(n_experiments=6, seeds=(0, 1), n_workers=1, use_cache=False)
NAMES = ["ligand", "base", "temperature"]


@dataclass
class InOrder:
    """A deterministic method with hypotheses: candidates from first to last."""

    name: str = "in_order"
    is_deterministic: bool = True

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Count the earlier tasks."""
        self.n_tasks = len(context.load_history())

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the first candidates that are left."""
        left = [i for i in range(context.n_candidates) if i not in seen.indices]
        weight = 1 / (1 + seen.n)
        return Choice(tuple(left[:n]), {"no_transfer": weight, "history": 1 - weight})


class Stubborn(InOrder):
    """A faulty method: always the same candidate."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the first candidate again and again."""
        return Choice((0,) * n)


class Broken(InOrder):
    """A faulty method: it raises."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Fail."""
        raise ZeroDivisionError("division by zero\nand more")


@pytest.fixture(autouse=True)
def _more_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("InOrder", "Stubborn", "Broken"):
        monkeypatch.setitem(METHODS, name, f"{__name__}:{name}")


def test_json_has_the_keys_of_the_contract(make_spec: Callable[..., CampaignSpec]) -> None:
    """Keys, nesting and plain numbers are those of the command line's contract."""
    result = backtest(make_spec(experience={}), ["InOrder", "random"], FAST)
    shown = json.loads(json.dumps(result.to_json(), allow_nan=False))
    contract = {"campaign", "n_candidates", "outcome", "goal", "n_initial", "batch_size", "methods", "summary"}
    assert set(shown) - {"versions"} == contract
    assert (shown["campaign"], shown["n_candidates"], shown["outcome"], shown["goal"]) == (
        "couplings",
        24,
        "yield",
        "maximize",
    )
    assert {"meta_train_s", "seconds_per_proposal", "runs"} <= set(shown["methods"]["InOrder"])
    run = shown["methods"]["InOrder"]["runs"][0]
    assert set(run) == {"seed", "chosen", "outcomes", "weights"}
    assert [len(run["weights"][h]) for h in ("no_transfer", "history")] == [6, 6]
    assert set(shown["methods"]["random"]["runs"][0]) == {"seed", "chosen", "outcomes"}
    assert set(shown["summary"]["random"]) == {
        "experiments_to_best",
        "experiments_to_top1pct",
        "experiments_to_top5pct",
        "experiments_to_5pct_regret",
        "experiments_to_10pct_regret",
        "regret_auc",
    }


def test_chosen_are_first_rows_of_distinct_configurations_with_averaged_outcomes(spec: CampaignSpec) -> None:
    """Row positions refer to the file as it is, replicates are averaged, nothing is chosen twice."""
    result = backtest(spec, ["random"], replace(FAST, n_experiments=50))
    frame = pd.read_csv(spec.resolve("candidates.csv"))
    for run in result.methods["random"].runs:
        assert len(run.chosen) == len(set(run.chosen)) == 24  # min(experiments, n_candidates)
        assert not frame.duplicated(NAMES)[list(run.chosen)].any()
        means = frame.groupby(NAMES)["yield"].mean()
        expected = [means[tuple(frame.loc[row, NAMES])] for row in run.chosen]
        np.testing.assert_allclose(run.outcomes, expected)


def test_random_starts_are_the_same_for_all_methods_at_a_seed(make_spec: Callable[..., CampaignSpec]) -> None:
    """`n_initial` starts depend on the seed and on nothing else; the weights before them are the prior ones."""
    result = backtest(make_spec(experience={}), ["random", "InOrder"], replace(FAST, n_initial=3))
    ours, theirs = result.methods["random"].runs, result.methods["InOrder"].runs
    assert [run.chosen[:3] for run in ours] == [run.chosen[:3] for run in theirs]
    assert ours[0].chosen[:3] != ours[1].chosen[:3]
    assert theirs[0].weights is not None
    assert theirs[0].weights["no_transfer"] == (1.0, 1.0, 1.0, 1 / 4, 1 / 5, 1 / 6)


def test_a_deterministic_method_runs_once_and_says_so(make_spec: Callable[..., CampaignSpec]) -> None:
    """Without random starts one run stands for all seeds; with them every seed is run."""
    spec = make_spec(experience={})
    once = backtest(spec, ["InOrder", "random"], FAST).methods
    assert (len(once["InOrder"].runs), once["InOrder"].is_deterministic) == (1, True)
    assert (len(once["random"].runs), once["random"].is_deterministic) == (2, False)
    each = backtest(spec, ["InOrder"], replace(FAST, n_initial=1)).methods["InOrder"]
    assert (len(each.runs), each.is_deterministic) == (2, False)


def test_outcomes_of_a_batch_are_revealed_together(make_spec: Callable[..., CampaignSpec]) -> None:
    """Within a batch nothing new is known: weights change only between batches, and the last batch may be smaller."""
    run = backtest(make_spec(experience={}), ["InOrder"], replace(FAST, batch_size=4)).methods["InOrder"].runs[0]
    assert run.weights is not None
    assert run.weights["no_transfer"] == (1.0, 1.0, 1.0, 1.0, 1 / 5, 1 / 5)


def test_same_seed_same_choices(spec: CampaignSpec) -> None:
    """A backtest can be repeated."""
    first, second = (backtest(spec, ["random", "cold_gp"], replace(FAST, n_experiments=4)) for _ in range(2))
    assert _choices(first) == _choices(second)


def test_processes_give_what_one_process_gives(spec: CampaignSpec) -> None:
    """Where a run is made changes no choice, and every run is told of."""
    told: list[tuple[str, float]] = []
    parallel = backtest(
        spec, ["random"], replace(FAST, n_workers=2), progress=lambda text, fraction: told.append((text, fraction))
    )
    assert _choices(parallel) == _choices(backtest(spec, ["random"], FAST))
    assert sorted(fraction for _, fraction in told) == [0.5, 1.0]
    assert all(text.startswith("random, seed") and "after 6 experiments" in text for text, _ in told)


def test_finished_baseline_runs_are_used_again(spec: CampaignSpec, tmp_path: Path) -> None:
    """A run is read from its file, made again where the file is damaged or the data differ, and ignored on request."""
    options = replace(FAST, seeds=(0,), use_cache=True)
    first = backtest(spec, ["random"], options)
    (path,) = (tmp_path / "cache").rglob("random-*.json")
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"outcomes": [1.0] * 6}))
    assert backtest(spec, ["random"], options).methods["random"].runs[0].outcomes == (1.0,) * 6
    assert _choices(backtest(spec, ["random"], replace(options, use_cache=False))) == _choices(first)
    path.write_text("{")
    assert _choices(backtest(spec, ["random"], options)) == _choices(first)
    frame = pd.read_csv(spec.resolve("candidates.csv"))
    frame.assign(**{"yield": frame["yield"] + 1}).to_csv(spec.resolve("candidates.csv"), index=False)
    assert backtest(spec, ["random"], options).methods["random"].runs[0].outcomes != (1.0,) * 6


def test_runs_of_methods_that_learn_are_not_kept(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """Only baselines are cached."""
    backtest(make_spec(experience={}), ["InOrder"], replace(FAST, use_cache=True))
    assert not list((tmp_path / "cache").rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("Stubborn", r"Stubborn must choose 1 new candidates .* after 1 experiments; got \(0,\)"),
        ("Broken", r"^The replay by Broken at seed 0 must finish; got ZeroDivisionError: division by zero\.$"),
    ],
)
def test_a_faulty_method_ends_in_one_sentence(name: str, match: str, make_spec: Callable[..., CampaignSpec]) -> None:
    """The message names method, seed and what went wrong."""
    with pytest.raises(DiscoveryError, match=match) as caught:
        backtest(make_spec(experience={}), [name], FAST)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("methods", [[], ["random", "random"]])
def test_no_method_or_one_twice_is_refused(methods: list[str], spec: CampaignSpec) -> None:
    """Each method is named once."""
    with pytest.raises(ConfigurationError, match="each once"):
        backtest(spec, methods, FAST)


@pytest.mark.parametrize(
    "options", [{"n_experiments": 0}, {"n_initial": -1}, {"batch_size": 0}, {"seeds": ()}, {"seeds": (1, 1)}]
)
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    """Counts below their least and repeated seeds are refused before anything is read."""
    with pytest.raises(ConfigurationError, match="must be at least"):
        BacktestOptions(**options)


def test_history_that_holds_the_answers_is_refused(make_spec: Callable[..., CampaignSpec]) -> None:
    """A copy of the replayed file under another name is no experience."""
    spec = make_spec(experience={"history": ["earlier.csv", "copy.csv"]})
    spec.resolve("copy.csv").write_bytes(spec.resolve("candidates.csv").read_bytes())
    with pytest.raises(ConfigurationError, match=r"outcomes that are replayed; got a copy, copy\.csv"):
        backtest(spec, ["random"], FAST)


def test_minimizing_finds_the_lowest(make_spec: Callable[..., CampaignSpec]) -> None:
    """The summary counts towards the lowest outcome where less is better."""
    spec = make_spec(objectives=[{"name": "yield", "goal": "minimize"}])
    result = backtest(spec, ["random"], replace(FAST, n_experiments=24, seeds=(0,)))
    outcomes = np.array(result.methods["random"].runs[0].outcomes)
    assert result.summary()["random"]["experiments_to_best"] == int(outcomes.argmin()) + 1


def _choices(result: BacktestResult) -> list[tuple[int, ...]]:
    """Return what was chosen by every run."""
    return [run.chosen for method in result.methods.values() for run in method.runs]


@pytest.mark.parametrize(("min_gain", "stop_after"), [(1000.0, 5), (1e-9, None), (None, None)])
def test_where_expected_gain_would_have_ended_is_recorded(
    make_spec: Callable[..., CampaignSpec], min_gain: float | None, stop_after: int | None
) -> None:
    """A replay goes on to the contract's length, and says where `stop.min_gain` would have ended it."""
    spec = make_spec(experience={}, stop={"min_gain": min_gain} if min_gain else {})
    options = BacktestOptions(n_experiments=8, seeds=(0,), n_workers=1, use_cache=False)
    runs = {name: m.runs[0] for name, m in backtest(spec, ["no_transfer", "random"], options).methods.items()}
    assert runs["no_transfer"].stop_after == stop_after and runs["random"].stop_after is None
    assert len(runs["no_transfer"].chosen) == 8
    assert runs["no_transfer"].to_json().get("stop_after") == stop_after
