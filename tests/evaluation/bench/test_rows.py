"""The growing file: nothing that was finished is lost, whatever moment a run ends at."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.errors import InputError
from discovery.evaluation.bench.rows import ResultsFile, key_of


def row(i, settings="a"):
    return {"key": f"k{i}", "settings_hash": settings, "value": float(i), "regret": [0.5, 0.1 * i]}


@pytest.fixture
def results(tmp_path):
    return ResultsFile(tmp_path / "bench.parquet")


def test_pieces_are_there_before_and_after_compaction(results):
    """Pieces are read from the folder as they are from the file, lists included."""
    assert results.read().empty
    results.add([row(1), row(2)])
    before = results.read()
    results.compact()
    assert results.path.is_file() and not results.parts.exists()
    pd.testing.assert_frame_equal(results.read(), before)
    assert list(results.read()["regret"][1]) == [0.5, 0.2]


def test_a_piece_that_is_made_again_replaces_the_old_one(results):
    """The last row of a key counts, and the others stay."""
    results.add([row(1), row(2)])
    results.compact()
    results.add([row(1, settings="b")])
    rows = results.compact().set_index("key")["settings_hash"]
    assert rows.to_dict() == {"k1": "b", "k2": "a"}


def test_a_write_that_was_cut_off_is_passed_over(results):
    """What a killed process left half written is no piece."""
    results.add([row(1)])
    (results.parts / "k2.123.partial").write_bytes(b"PAR1 half")
    assert list(results.compact()["key"]) == ["k1"]


@pytest.mark.parametrize("content", [b"no parquet", None])
def test_other_files_are_refused(results, content):
    """A file that holds something else is refused and not overwritten."""
    if content is None:
        pd.DataFrame({"a": [1]}).to_parquet(results.path)
    else:
        results.path.write_bytes(content)
    before = results.path.read_bytes()
    with pytest.raises(InputError, match="bench"):
        results.compact()
    assert results.path.read_bytes() == before


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text(), min_size=2), st.randoms())
def test_a_key_is_the_content(identity, random):
    """The order of an identity's entries does not matter, its content does."""
    entries = list(identity.items())
    random.shuffle(entries)
    assert key_of(dict(entries)) == key_of(identity)
    assert key_of(dict(entries[1:])) != key_of(identity)
