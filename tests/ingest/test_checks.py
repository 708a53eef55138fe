"""Every bad cell is found and named, good rows pass unchanged, and waiting rows wait."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import InputError
from discovery.ingest import check_rows, read_rows
from discovery.space import SearchSpace

SPEC = CampaignSpec.from_mapping(
    {
        "name": "lab",
        "parameters": [
            {"name": "temperature", "type": "continuous", "bounds": [0, 100]},
            {"name": "equivalents", "type": "discrete", "values": [1, 1.5, 2]},
            {"name": "ligand", "type": "categorical", "values": ["A", "B"]},
        ],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
    }
)
SPACE = SearchSpace.from_spec(SPEC)
GOOD = {"temperature": 30, "equivalents": "1.0", "ligand": "A", "yield": "44.5"}


def _check(*rows, **columns):
    return check_rows(
        read_rows(pd.DataFrame([{**GOOD, **row} for row in rows] or [GOOD]).assign(**columns)), SPEC, SPACE
    )


def test_good_rows_come_typed_with_their_keys():
    """Numbers written as text are numbers, and equal configurations have equal keys."""
    checked = _check({}, {"temperature": "30.0", "equivalents": 1, "yield": 12})
    assert checked.frame.to_dict("list") == {
        "temperature": [30.0, 30.0],
        "equivalents": [1.0, 1.0],
        "ligand": ["A", "A"],
        "yield": [44.5, 12.0],
    }
    assert checked.keys[0] == checked.keys[1] == SPACE.keys(checked.frame)[0]
    assert (checked.row_numbers, checked.rejected, checked.n_pending) == ((1, 2), (), 0)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("temperature", "warm", "must be a number"),
        ("temperature", "nan", "must be a number"),
        ("temperature", None, "must be given"),
        ("temperature", 101, "must be between 0 and 100"),
        ("temperature", "inf", "must be a finite number"),
        ("equivalents", 1.2, "must be one of 1, 1.5, 2"),
        ("ligand", "C", "must be one of A, B"),
        ("ligand", "", "must be given"),
        ("yield", "NaN", "must be a number"),
        ("yield", "n.d.", "must be a number"),
        ("yield", "81,5", "must be a number with a decimal point, not a comma"),
        ("temperature", " -1,25e1 ", "must be a number with a decimal point, not a comma"),
        ("yield", "1,2,3", "must be a number"),
        ("yield", "-inf", "must be a finite number"),
        ("yield_sem", "-1", "must be above 0, or blank where it is not known"),
        ("yield_sem", "0", "must be above 0, or blank where it is not known"),
        ("yield_sem", "?", "must be a number"),
    ],
)
def test_a_bad_cell_keeps_its_row_out_and_says_why(column, value, reason):
    """The rejection has row, column, value and rule; the rows beside it land."""
    checked = _check({}, {column: value}, {})
    assert checked.row_numbers == (1, 3)
    assert [(cell.row_number, cell.column, cell.value, cell.reason) for cell in checked.rejected] == [
        (2, column, "" if value is None else str(value), reason)
    ]
    assert checked.n_rejected == 1


def test_every_bad_cell_of_a_row_is_named():
    """Nobody has to ingest three times to find three faults."""
    checked = _check({"temperature": "x", "ligand": "C", "yield": "?"}, {"yield": 1})
    assert [cell.column for cell in checked.rejected] == ["temperature", "ligand", "yield"]
    assert (checked.n_rejected, checked.row_numbers) == (1, (2,))


@pytest.mark.parametrize("blank", ["", "  ", None, float("nan"), "PENDING", " pending "])
def test_a_row_that_is_not_measured_yet_waits(blank):
    """It neither lands nor is refused, whatever stands in its other cells."""
    checked = _check({"yield": blank, "ligand": "C"}, {})
    assert (checked.n_pending, checked.rejected, checked.row_numbers) == (1, (), (2,))


@pytest.mark.parametrize(("word", "meant"), [("Fail", "failed"), ("infeasable", "infeasible"), ("faield", "failed")])
def test_a_status_that_is_nearly_a_failure_is_refused(word, meant):
    """A misspelled failure is named with what was meant; it would wait for a result for ever."""
    checked = _check({"yield": "", "status": word}, {"status": "done"})
    (cell,) = checked.rejected
    assert (cell.row_number, cell.column, cell.value) == (1, "status", word) and meant in cell.reason
    assert checked.row_numbers == (2,)


@pytest.mark.parametrize("word", ["", "running", "feasible", "ok", None])
def test_other_words_of_status_mean_nothing(word):
    """What a laboratory notes about an experiment that goes on is its own affair."""
    checked = _check({"yield": "", "status": word}, {})
    assert (checked.rejected, checked.n_pending) == ((), 1)


@pytest.mark.parametrize("column", ["temperature", "ligand", "yield"])
def test_a_missing_column_refuses_the_whole_table(column):
    """A table without a parameter or outcome says nothing about the campaign."""
    frame = pd.DataFrame([GOOD]).rename(columns={column: f"{column}s"})
    with pytest.raises(InputError, match=f"must have the columns '{column}'.*Rename '{column}s' to '{column}'"):
        check_rows(read_rows(frame), SPEC, SPACE)


def test_ids_errors_of_means_and_other_columns_have_their_places():
    """Ids link the row, standard errors are numbers, everything else is provenance."""
    checked = _check(
        {"yield_sem": "1.5", "proposal_id": " p-1 ", "trial_id": None, "operator": "Ada"},
        {"yield_sem": "", "proposal_id": "", "trial_id": "t-2", "operator": None},
    )
    assert checked.frame["yield_sem"].tolist()[0] == 1.5
    assert checked.frame["yield_sem"].isna().tolist() == [False, True]
    assert checked.frame["proposal_id"].tolist()[0] == "p-1"
    assert checked.frame["proposal_id"].isna().tolist() == [False, True]
    assert checked.frame["trial_id"].tolist()[1] == "t-2"
    assert checked.extra.to_dict("list")["operator"][0] == "Ada"
    assert checked.extra.columns.tolist() == ["operator"]


def test_an_outcome_outside_its_range_lands_and_is_counted():
    """A yield of 104 % was measured; it is kept, and someone should look."""
    checked = _check({"yield": 104}, {"yield": -0.5}, {"yield": 100})
    assert (checked.n_out_of_range, len(checked.frame), checked.rejected) == (2, 3, ())


def test_a_table_of_waiting_or_bad_rows_lands_nothing():
    """Empty results have the columns of full ones."""
    for checked in (_check({"yield": None}), _check({"ligand": "C"})):
        assert checked.frame.columns.tolist() == ["temperature", "equivalents", "ligand", "yield"]
        assert (len(checked.frame), checked.keys, checked.row_numbers) == (0, (), ())


CELL = st.one_of(st.none(), st.text(max_size=5), st.floats(), st.sampled_from(["A", "1.5", "44", "PENDING", "<3", 50]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=6))
def test_whatever_stands_in_a_table_no_row_is_lost(rows):
    """Each row lands, waits or is refused, exactly one of the three, and what lands is valid."""
    raw = read_rows(pd.DataFrame(rows, columns=list(GOOD)))
    checked = check_rows(raw, SPEC, SPACE)
    refused = {cell.row_number for cell in checked.rejected}
    assert len(checked.frame) + checked.n_pending + len(refused) == len(raw.frame)
    assert refused.isdisjoint(checked.row_numbers)
    assert SPACE.check(checked.frame) == []
