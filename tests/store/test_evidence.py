"""The ledger, the numbers over time and the documented views."""

import pytest

from discovery.belief.records import BeliefSummary
from discovery.errors import InputError
from discovery.store.schema import VIEWS


def _summary(weight, n=3):
    return BeliefSummary(n, {"history": -4.5, "no_transfer": -6.0}, {"history": weight, "no_transfer": 1 - weight}, 0.2)


def test_the_ledger_has_a_row_per_cycle_and_hypothesis(store):
    """Weights over cycles are what the team reads."""
    store.add_evidence("lab", 1, _summary(0.75), {"history": "ckpt-1"})
    store.add_evidence("lab", 2, _summary(0.9, n=4))
    ledger = store.evidence("lab")
    assert ledger[["cycle", "hypothesis", "weight"]].values.tolist() == [
        [1, "history", 0.75],
        [1, "no_transfer", 0.25],
        [2, "history", 0.9],
        [2, "no_transfer", pytest.approx(0.1)],
    ]
    assert ledger["checkpoint_id"].tolist() == ["ckpt-1", "", "", ""]
    assert ledger["n_measurements"].tolist() == [3, 3, 4, 4]
    assert set(ledger["e_value"]) == {0.2}


def test_a_cycle_that_is_run_again_replaces_what_it_said(store):
    """A restart leaves one row per hypothesis."""
    store.add_evidence("lab", 1, _summary(0.75))
    store.add_evidence("lab", 1, _summary(0.5))
    assert store.evidence("lab")["weight"].tolist() == [0.5, 0.5]


def test_metrics_come_back_in_order(store):
    """A number with its detail, per cycle."""
    store.add_metric("lab", 1, "propose_s", 0.2, {"n": 264})
    store.add_metric("lab", 2, "propose_s", float("nan"))
    table = store.metrics("lab")
    assert table["cycle"].tolist() == [1, 2]
    assert table["detail"].tolist() == ['{"n": 264}', "{}"]
    assert table["value"][0] == 0.2


@pytest.mark.parametrize("name", VIEWS)
def test_every_documented_view_can_be_read(store, name):
    """A view of an empty campaign is an empty table, not an error."""
    rows = store.view(name, "lab")
    assert "campaign" in rows
    assert len(rows) == (1 if name == "v_campaigns" else 0)


def test_only_documented_views_are_read(store):
    """A view's name is not a way to run other SQL."""
    with pytest.raises(InputError, match="View must be one of"):
        store.view("campaigns; DROP TABLE campaigns", "lab")
