"""Sheets: what is written is what is read back, in CSV and in Excel, whatever the cells hold; results are not lost."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.experiments.plates import lay_out
from discovery.experiments.sheets import (
    FORMATS,
    Sheet,
    make_sheet,
    place_batch,
    plate_of,
    sheet_bytes,
    sheet_columns,
    write_sheet,
)
from discovery.ingest import check_rows, read_rows
from discovery.space import SearchSpace

LIGANDS = ["A", "=O", "2-3", "1", "true", "C, N; O", "µ-oxo", '"x"', "+5", "007"]
PLATE = {
    "wells": 12,
    "order": "random",
    "controls": [{"name": "blank", "wells": ["A1"], "values": {"temperature": 60, "dye": "none"}}],
}


def make_spec(**changes: object) -> CampaignSpec:
    data = {
        "name": "lab",
        "parameters": [
            {"name": "ligand", "type": "categorical", "values": LIGANDS},
            {"name": "temperature", "type": "continuous", "bounds": [-1e6, 1e6], "unit": "°C"},
            {"name": "equivalents", "type": "discrete", "values": [1, 1.5, 2]},
        ],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}, {"name": "ee"}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
        "experiment": {"type": "manual", "plate": PLATE},
    }
    return CampaignSpec.from_mapping(data | changes)


SPEC = make_spec()
SPACE = SearchSpace.from_spec(make_spec(experiment=None))


def proposals(rows: list[tuple]) -> pd.DataFrame:
    ids = [f"lab-c001-{i:02d}" for i in range(len(rows))]
    return pd.DataFrame(rows, columns=SPEC.parameter_names).assign(proposal_id=ids)


def plated(frame: pd.DataFrame, spec: CampaignSpec = SPEC) -> Sheet:
    places = place_batch(lay_out(plate_of(spec), len(frame), 5), frame["proposal_id"].tolist(), "c001")
    return make_sheet(spec, frame, "lab-c001", places)


ROWS = [("A", 60.0, 1.0), ("=O", 20.25, 1.5), ("2-3", 1 / 3, 2.0)]
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
NUMBER = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("is_plated", [True, False])
@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LIGANDS), NUMBER, st.sampled_from([1.0, 1.5, 2.0])), min_size=1, max_size=14))
def test_a_sheet_that_is_filled_in_comes_back(tmp_path_factory, suffix, is_plated, rows):
    """Every proposal returns with its values to the last bit and its results; controls and units are no results."""
    frame = proposals(rows)
    sheet = plated(frame) if is_plated else make_sheet(SPEC, frame, "lab-c001")
    is_control = sheet.rows.get("control", pd.Series(None, index=sheet.rows.index)).notna()
    results = [i / 7 for i in range(len(sheet.rows))]
    filled = Sheet(sheet.name, sheet.columns, sheet.rows.assign(**{"yield": results, "ee": 1.0}), sheet.plate)
    path = write_sheet(filled, tmp_path_factory.mktemp("sheets") / f"s{suffix}")
    checked = check_rows(read_rows(path), SPEC, SPACE)
    assert checked.rejected == ()
    assert checked.n_controls == int(is_control.sum()) == (0 if not is_plated else math.ceil(len(rows) / 11))
    back = checked.frame.sort_values("proposal_id").reset_index(drop=True)
    assert (
        back[["proposal_id", *SPEC.parameter_names]].values.tolist()
        == frame[["proposal_id", *SPEC.parameter_names]].sort_values("proposal_id").values.tolist()
    )
    wanted = dict(zip(sheet.rows["proposal_id"], results, strict=True))
    assert back["yield"].tolist() == [wanted[proposal_id] for proposal_id in back["proposal_id"]]
    assert set(checked.extra) == {"run_order", "status", "note"} | (
        {"plate", "well", "control"} if is_plated else set()
    )


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=12, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6))
def test_any_text_comes_back_as_it_was(tmp_path_factory, suffix, notes):
    """Names that look like formulas, numbers or markup are text before and after."""
    frame = proposals([("A", 1.0, 1.0)] * len(notes))
    sheet = make_sheet(SPEC, frame, "s")
    noted = Sheet("s", sheet.columns, sheet.rows.assign(note=notes))
    path = write_sheet(noted, tmp_path_factory.mktemp("sheets") / f"s{suffix}")
    read = read_rows(path).frame
    assert read["note"].tolist() == notes


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_sheet_that_nobody_filled_in_waits(tmp_path, suffix):
    """Read back untouched, every proposal waits and nothing else is there."""
    path = write_sheet(plated(proposals(ROWS)), tmp_path / f"s{suffix}")
    checked = check_rows(read_rows(path), SPEC, SPACE)
    assert (checked.n_pending, checked.n_controls, len(checked.frame), checked.rejected) == (3, 0, 0, ())


def test_the_columns_are_those_of_the_campaign_and_of_the_plate():
    """Names are exactly those of parameters and outcomes; without a plate nothing speaks of wells."""
    sheet = plated(proposals(ROWS))
    middle = ["ligand", "temperature", "equivalents", "yield", "ee"]
    assert list(sheet.rows) == ["proposal_id", "run_order", "plate", "well", "control", *middle, "status", "note"]
    assert list(make_sheet(SPEC, proposals(ROWS), "s").rows) == ["proposal_id", "run_order", *middle, "status", "note"]
    assert sheet.rows[["yield", "ee"]].isna().all(axis=None)
    assert [column.unit for column in sheet.columns if column.unit] == ["°C", "%"]


def test_a_control_says_what_is_in_it():
    """Values of parameters stand in their columns, others in the note; it names no proposal."""
    row = next(r for r in plated(proposals(ROWS)).rows.to_dict("records") if r["control"])
    assert (row["control"], row["well"], row["plate"], row["temperature"], row["note"]) == (
        ("blank", "A1", "c001-P1", 60, "dye none")
    )
    assert (row["proposal_id"], row["ligand"], row["yield"]) == (None, None, None)


def test_a_csv_is_plain_where_there_is_nothing_to_say():
    """Without units there is one row of column names; whole numbers have no fraction; ASCII has no mark."""
    spec = make_spec(parameters=[{"name": "t", "type": "continuous", "bounds": [0, 9]}], outcomes=[], experiment=None)
    frame = pd.DataFrame({"proposal_id": ["lab-c001-00"], "t": [5.0]})
    assert sheet_bytes(make_sheet(spec, frame, "s"), ".csv") == (
        b"proposal_id,run_order,t,yield,status,note\nlab-c001-00,1,5,,,\n"
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_a_person_wrote_is_not_replaced(tmp_path, suffix):
    """An empty sheet may be written anew; one with a result, or a file that is no sheet, may not."""
    path, sheet = tmp_path / f"s{suffix}", plated(proposals(ROWS))
    write_sheet(sheet, path)
    write_sheet(sheet, path)
    for content in (sheet_bytes(Sheet("s", sheet.columns, sheet.rows.assign(ee=1), None), suffix), b"\x00\xff"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="must not replace a file that somebody may have filled in"):
            write_sheet(sheet, path)
        assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_formats_are_refused(tmp_path: Path):
    """A sheet is CSV or Excel, and the sentence says so."""
    with pytest.raises(ConfigurationError, match=r"must be one of \.csv, \.xlsx; got .*s\.ods"):
        write_sheet(plated(proposals(ROWS)), tmp_path / "s.ods")


def test_columns_of_plates_are_not_names_of_parameters():
    """A parameter called `well` is refused where there are plates, and takes its place where there are none."""
    parameters = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("well", "note")]
    spec = make_spec(parameters=parameters)
    with pytest.raises(ConfigurationError, match=r"experiment\.plate needs the column 'well'"):
        sheet_columns(spec, is_plated=True)
    names = [column.name for column in sheet_columns(spec)]
    assert names == ["proposal_id", "run_order", "well", "note", "yield", "ee", "status"]
