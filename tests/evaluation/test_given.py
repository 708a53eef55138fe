"""Replays under a context: only candidates with the value take part, for every method alike."""

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError, NotSupportedError
from discovery.evaluation.backtest import BacktestOptions, backtest

ROWS = pd.DataFrame(
    {
        "cat": ["A", "B", "C"] * 4,
        "room": [20.0] * 6 + [25.0] * 6,
        "x": [0.1, 0.2, 0.3, 0.5, 0.7, 0.9] * 2,
        "yield": [float(i) for i in range(12)],
    }
)


@pytest.fixture
def make_spec(tmp_path):
    ROWS.to_csv(tmp_path / "rows.csv", index=False)

    def make(**changes):
        data = {
            "name": "rooms",
            "parameters": [
                {"name": "cat", "type": "categorical", "values": ["A", "B", "C"]},
                {"name": "room", "type": "continuous", "bounds": [15, 30], "context": True},
                {"name": "x", "type": "continuous", "bounds": [0, 1]},
            ],
            "outcomes": [{"name": "yield", "range": [0, 20]}],
            "objectives": [{"name": "yield"}],
            "candidates": "rows.csv",
        }
        return CampaignSpec.from_mapping(data | changes, tmp_path)

    return make


def replayed(spec, methods=("random",), **options):
    return backtest(spec, methods, BacktestOptions(n_experiments=20, seeds=(0,), n_workers=1, **options))


def test_only_rows_with_the_value_take_part(make_spec):
    """Every method chooses among the six rows of the room, and the best of those is the best there is."""
    result = replayed(make_spec(), ("random", "belief"), given={"room": "25"})
    assert {row for method in result.methods.values() for run in method.runs for row in run.chosen} == set(range(6, 12))
    assert result.pool_outcomes.tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]


def test_a_context_must_be_given(make_spec):
    """Without the value nothing is replayed: no method could be told where it is."""
    with pytest.raises(InputError, match="room must be given"):
        replayed(make_spec())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"constraints": [{"type": "batch", "parameters": ["cat"]}]}, "one value of cat cannot be replayed"),
        ({"acquisition": {"changeover": {"cat": 1.0}}}, "acquisition.changeover cannot be replayed"),
    ],
)
def test_what_replays_do_not_know_is_refused(make_spec, changes, said):
    """Rules between the experiments of a batch are refused and not ignored."""
    with pytest.raises(NotSupportedError, match=said):
        replayed(make_spec(**changes), given={"room": 25}, batch_size=2)
