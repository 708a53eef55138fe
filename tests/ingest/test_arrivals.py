"""Files in a folder: which are tables, and which have been written to their end."""

from __future__ import annotations

import os

import pytest

from discovery.ingest.arrivals import Settling, strangers_in, tables_in


def test_tables_are_told_from_what_else_lies_there(tmp_path):
    """Hidden files, files that are being written, lock files of spreadsheets and folders are no tables."""
    for name in ("a.csv", "b.PARQUET", "c.jsonl", ".d.csv", "e.csv.part", "f.tmp", "~$g.csv", "notes.txt"):
        (tmp_path / name).write_text("x\n1\n")
    (tmp_path / "done.csv").mkdir()
    assert [path.name for path in tables_in(tmp_path)] == ["a.csv", "b.PARQUET", "c.jsonl"]
    assert [path.name for path in strangers_in(tmp_path)] == ["notes.txt"]


def test_a_folder_that_is_away_is_empty(tmp_path):
    """A share that is not mounted for a moment gives no tables, and no error."""
    assert tables_in(tmp_path / "nosuch") == Settling(0.0).settled(tmp_path / "nosuch") == []


def test_a_file_that_grows_is_not_settled(tmp_path):
    """A table is taken only after it has kept size and time for a while; an empty one never."""
    settling, file = Settling(0.05), tmp_path / "a.csv"
    (tmp_path / "empty.csv").touch()
    file.write_text("x\n")
    assert settling.settled(tmp_path) == []
    for i in range(3):
        file.write_text("x\n" + "1\n" * (i + 1))
        assert settling.settled(tmp_path) == []
        settling.wait([tmp_path])
    assert settling.settled(tmp_path) == [file]


def test_a_file_of_another_clock_is_taken(tmp_path):
    """A share whose clock goes wrong makes no difference: only changes count."""
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    os.utime(file, (4e9, 4e9))
    settling = Settling(0.02)
    settling.wait([tmp_path])
    assert settling.settled(tmp_path) == [file]


@pytest.mark.parametrize("names", [("b.csv", "a.csv"), ("a.csv", "b.csv")])
def test_the_oldest_comes_first(tmp_path, names):
    """Files are taken in the order in which they were written."""
    for second, name in enumerate(names):
        (tmp_path / name).write_text("x\n1\n")
        os.utime(tmp_path / name, (1000 + second, 1000 + second))
    settling = Settling(0.0)
    assert [path.name for path in settling.settled(tmp_path)] == list(names)
