"""Controls come back with the results and are kept aside: never measurements, never lost."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.ingest import check_rows, read_rows
from discovery.space import SearchSpace

PARAMETERS = [{"name": "temperature", "type": "continuous", "bounds": [0, 100], "unit": "degC"}]
DATA = {"name": "lab", "parameters": PARAMETERS, "objectives": [{"name": "yield", "goal": "maximize"}]}
ROW = {"proposal_id": None, "plate": "c001-P1", "well": "B2", "control": None, "temperature": 30, "yield": 44}


def check(*rows: dict, **changes: object):
    spec = CampaignSpec.from_mapping({**DATA, **changes})
    return check_rows(read_rows(pd.DataFrame([{**ROW, **row} for row in rows])), spec, SearchSpace.from_spec(spec))


def test_a_control_is_kept_aside_with_where_it_stood():
    """Its reading has name, outcome, value, plate and well; it is no measurement and does not wait."""
    checked = check({}, {"control": " blank ", "well": "A1", "temperature": None, "yield": "1.5"})
    assert (checked.row_numbers, checked.n_pending, checked.n_controls, checked.rejected) == ((1,), 0, 1, ())
    (reading,) = checked.controls
    assert (reading.row_number, reading.name, reading.outcome, reading.value) == (2, "blank", "yield", 1.5)
    assert reading.cells == {"plate": "c001-P1", "well": "A1"}


@pytest.mark.parametrize("blank", [None, "", " ", "PENDING", "pending"])
def test_a_control_that_was_not_read_counts_nowhere(blank):
    """A blank control is neither a reading nor a row that waits."""
    checked = check({}, {"control": "blank", "yield": blank})
    assert (checked.n_controls, checked.n_pending, checked.rejected, checked.row_numbers) == (0, 0, (), (1,))


def test_a_reading_that_is_no_number_is_refused():
    """A word in place of a control's number is named like any bad cell."""
    checked = check({"control": "blank", "yield": "n.d."}, {})
    assert [(r.row_number, r.column, r.value) for r in checked.rejected] == [(1, "yield", "n.d.")]


def test_a_row_that_names_a_proposal_is_no_control():
    """A word in the wrong column does not make a result disappear: the row is refused."""
    checked = check({"control": "looked odd", "proposal_id": "lab-c001-00"})
    assert [(r.column, r.value) for r in checked.rejected] == [("control", "looked odd")]
    assert (checked.n_controls, len(checked.frame)) == (0, 0)


def test_what_an_adapter_reports_is_no_control():
    """A laboratory may say `control: passed` of a trial; its result lands."""
    checked = check({"control": "passed", "trial_id": "lab-c001-00-t1", "proposal_id": "lab-c001-00"})
    assert (len(checked.frame), checked.n_controls, checked.rejected) == (1, 0, ())


@pytest.mark.parametrize("word", ["no", "No", "-", "false", "0", 0, 12.5, False, None, "  "])
def test_words_for_no_and_numbers_name_no_control(word):
    """A column that was called `control` for other reasons is provenance, as before."""
    checked = check({"control": word})
    assert (len(checked.frame), checked.n_controls) == (1, 0)


def test_a_parameter_may_be_called_control():
    """Then its column holds values and nothing is kept aside."""
    parameters = [*PARAMETERS, {"name": "control", "type": "categorical", "values": ["blank", "x"]}]
    checked = check({"control": "blank"}, parameters=parameters)
    assert (checked.frame["control"].tolist(), checked.n_controls) == (["blank"], 0)


def test_every_outcome_of_a_control_is_a_reading():
    """With two outcomes, a control has two readings and is one row."""
    checked = check({"control": "ref", "ee": 7}, {"control": "ref", "ee": None}, outcomes=[{"name": "ee"}])
    assert [(r.row_number, r.outcome, r.value) for r in checked.controls] == [
        (1, "ee", 7.0),
        (1, "yield", 44.0),
        (2, "yield", 44.0),
    ]
    assert (checked.n_controls, checked.n_pending) == (2, 0)


def test_the_row_of_units_is_no_data():
    """A second row of column names with units is passed over wherever it was sorted to, and keeps its place."""
    frame = pd.DataFrame([ROW, {"proposal_id": "(units)", "temperature": "degC", "yield": "%"}, ROW])
    raw = read_rows(frame)
    assert raw.frame.index.tolist() == [1, 3]
