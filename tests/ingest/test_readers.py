"""Files and frames are read as they stand; what is no row is set aside, what is no table is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from discovery.errors import InputError
from discovery.ingest import read_rows

COLUMNS = ["temperature", "ligand", "yield"]
CELLS = [["10", "A", "50.5"], ["20", "B", None]]


def _written(path, kind):
    frame = pd.DataFrame({"temperature": [10, 20], "ligand": ["A", "B"], "yield": [50.5, None]})
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep={"csv": ",", "tsv": "\t"}[kind])
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl"])
def test_every_type_of_file_gives_the_same_rows(tmp_path, kind):
    """It does not matter how the laboratory saves its table."""
    path = _written(tmp_path / f"results.{kind}", kind)
    raw = read_rows(path)
    assert raw.frame.columns.tolist() == COLUMNS
    assert raw.frame.index.tolist() == [1, 2]
    assert raw.frame.map(str).values.tolist() == [["10", "A", "50.5"], ["20", "B", "None"]]
    assert (raw.source, raw.file, raw.malformed) == (str(path), str(path), ())
    assert raw.content_hash == read_rows(str(path)).content_hash


def test_a_frame_is_read_like_a_file():
    """What a notebook hands over has the same form; its index does not matter."""
    frame = pd.DataFrame({"temperature": [10.0, 20.0], " ligand ": ["A", "B"], "yield": [50.5, np.nan]}, index=[7, 7])
    raw = read_rows(frame)
    assert raw.frame.columns.tolist() == COLUMNS
    assert raw.frame.loc[2].tolist() == [20.0, "B", None]
    assert (raw.source, raw.file) == ("DataFrame", "")
    assert raw.content_hash == read_rows(frame.reset_index(drop=True)).content_hash
    assert raw.content_hash != read_rows(frame.iloc[:1]).content_hash


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_of_all_countries_are_read(tmp_path, delimiter):
    """Semicolons, a byte-order mark, Windows line ends and quoted texts are what real exports have."""
    lines = [delimiter.join(cells) for cells in (COLUMNS, ["10", f'"A{delimiter} B"', "50.5"])]
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    raw = read_rows(tmp_path / "r.csv")
    assert raw.frame.columns.tolist() == COLUMNS
    assert raw.frame.values.tolist() == [["10", f"A{delimiter} B", "50.5"]]


def test_empty_rows_are_no_rows_and_keep_their_place(tmp_path):
    """Row numbers are those that the spreadsheet shows below its header."""
    (tmp_path / "r.csv").write_text("temperature,ligand,yield\n10,A,50.5\n\n,,\n20,B,,,\n\n")
    raw = read_rows(tmp_path / "r.csv")
    assert raw.frame.index.tolist() == [1, 4]
    assert raw.frame.values.tolist() == CELLS
    assert raw.malformed == ()


def test_rows_of_another_length_are_set_aside(tmp_path):
    """A row with a cell too many or too few cannot be read safely, and says so."""
    (tmp_path / "r.csv").write_text("temperature,ligand,yield\n10,A\n20,B,7,8\n30,B,9\n")
    raw = read_rows(tmp_path / "r.csv")
    assert raw.frame.index.tolist() == [3]
    assert [(row.row_number, row.value, row.reason) for row in raw.malformed] == [
        (1, "10,A", "must have 3 cells; got 2"),
        (2, "20,B,7,8", "must have 3 cells; got 4"),
    ]


def test_json_lines_keep_good_objects_and_set_the_others_aside(tmp_path):
    """A line that is no object is one rejected row; NaN stays a word, so that it is refused as a number."""
    lines = [json.dumps({"temperature": 1, "yield": 2.5}), "{broken", "[1]", '{"temperature": NaN, "ligand": "A"}', ""]
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    raw = read_rows(tmp_path / "r.jsonl")
    assert [(row.row_number, row.value) for row in raw.malformed] == [(2, "{broken"), (3, "[1]")]
    assert raw.frame.index.tolist() == [1, 4]
    assert raw.frame.loc[4, ["temperature", "ligand", "yield"]].tolist() == ["NaN", "A", None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.xls", b"x", "must be one of .csv"),
        ("r.xlsx", b"x", "must be an Excel workbook"),
        ("r.csv", b"", "must begin with a row of column names"),
        ("r.csv", b"\n1,2\n", "must begin with a row of column names"),
        ("r.csv", b"a,b,a\n1,2,3\n", "must have different names; got a twice"),
        ("r.csv", b'a,b\n"1,2\n', "must be a CSV table"),
        ("r.csv", b"a,b\n\xff\xfe,2\n", "must be UTF-8 text; got byte 0xff"),
        ("r.parquet", b"PAR1 nonsense", "must be a Parquet file"),
        ("r.jsonl", b"not json\n", "must hold one JSON object per line"),
    ],
)
def test_what_is_no_table_is_refused_whole(tmp_path, name, content, message):
    """One sentence says which file, what it must be and what came."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_rows(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """A typing error in a path is reported with the path."""
    with pytest.raises(InputError, match=r"got .*nowhere\.csv: No such file"):
        read_rows(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("results", [7, None, [{"yield": 5}]])
def test_what_is_neither_file_nor_frame_is_refused_in_a_sentence(results):
    """A number or a list handed over by mistake is an input error that says what to hand over."""
    with pytest.raises(InputError, match=r"must be a file or a DataFrame.*pandas\.DataFrame"):
        read_rows(results)
