"""A wrong measurement is superseded by a right one or by none; files that come again change nothing about it."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.errors import InputError

ROWS = {"temperature": [10.0, 10.0, 30.5], "ligand": ["A", "A", "B"], "yield": [50.0, 50.0, 61.25]}


def _one(check, value, temperature=10.0):
    return check({"temperature": [temperature], "ligand": ["A"], "yield": [value]})


def _csv(path, *lines):
    path.write_text("\n".join(["temperature,ligand,yield", *lines]) + "\n")
    return path


def test_a_correction_says_who_and_why(store, check, monkeypatch):
    """Both rows are kept; the table of corrections has what was before and after, by whom, and the reason."""
    monkeypatch.setenv("DISCOVERY_USER", "Ada")
    store.add_measurements("lab", check(ROWS))
    first = store.supersede("lab-m0001", _one(check, 5.5), "decimal point")
    second = store.supersede(first, _one(check, 5.6), "  again ", by="Bea")
    third = store.retract("lab-m0003", "wrong vial")
    rows = store.corrections("lab")
    assert rows["measurement_id"].tolist() == [first, second, third] == ["lab-m0001-r1", "lab-m0001-r2", "lab-m0003-r1"]
    assert rows["corrected_id"].tolist() == ["lab-m0001", "lab-m0001-r1", "lab-m0003"]
    assert rows["corrected_by"].tolist() == ["Ada", "Bea", "Ada"]
    assert rows["reason"].tolist() == ["decimal point", "again", "wrong vial"]
    assert rows["is_retracted"].tolist() == [False, False, True]
    assert rows["outcomes_before"].tolist()[:2] == ['{"yield": 50.0}', '{"yield": 5.5}']
    assert store.measurements("lab")["yield"].tolist() == [5.6, 50.0]


def test_a_retraction_can_be_taken_back(store, check):
    """Correcting the retraction brings the measurement back to its place."""
    store.add_measurements("lab", check(ROWS))
    gone = store.retract("lab-m0001", "mistaken")
    with pytest.raises(InputError, match="is a retraction itself"):
        store.retract(gone, "twice")
    assert store.supersede(gone, _one(check, 50.0), "it was right") == "lab-m0001-r2"
    assert store.measurements("lab")["position"].tolist() == [1, 2, 3]


def test_what_was_corrected_is_corrected_once(store, check):
    """Of two people who correct the same row the second is told which row took its place."""
    store.add_measurements("lab", check(ROWS))
    store.supersede("lab-m0001", _one(check, 5.5), "x")
    with pytest.raises(InputError, match=r"Name what took its place: lab-m0001-r1\."):
        store.supersede("lab-m0001", _one(check, 5.6), "x")
    with pytest.raises(InputError, match="must say why"):
        store.retract("lab-m0002", " ")
    assert len(store.corrections("lab")) == 1


def test_a_retraction_says_how_it_is_undone(store, check):
    """Who retracts twice is not told of a row that took the place: there is none."""
    store.add_measurements("lab", check(ROWS))
    store.retract("lab-m0001", "x")
    with pytest.raises(InputError, match=r"It was retracted; `discovery correct` of lab-m0001-r1 brings it back\."):
        store.retract("lab-m0001", "x")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("lab-m001", r"Did you mean lab-m0001"),
        ("3", r"Did you mean lab-m0003\?"),
        ("nonsense", r"It has 3 rows, lab-m0001 to lab-m0003\."),
    ],
)
def test_an_unknown_id_names_those_that_come_near(store, check, asked, hint):
    """A typing error is answered with what was meant."""
    store.add_measurements("lab", check(ROWS))
    with pytest.raises(InputError, match=hint):
        store.measurement("lab", asked)


def test_a_measurement_is_read_as_it_is_stored(store, check):
    """Configuration, outcomes and other columns come back, of rows that no longer count as well."""
    store.add_measurements("lab", check({**ROWS, "operator": ["Ada", None, None]}))
    store.retract("lab-m0001", "x")
    row = store.measurement("lab", "lab-m0001")
    assert (row.configuration, row.outcomes) == ({"temperature": 10.0, "ligand": "A"}, {"yield": 50.0})
    assert (row.extra, row.is_retracted) == ({"operator": "Ada"}, False)
    assert store.measurement("lab", "lab-m0001-r1").is_retracted


def test_the_wrong_file_brings_no_wrong_value_back(store, check, tmp_path):
    """The file as it was, and as it grows, adds nothing of what was corrected or retracted."""
    path = tmp_path / "results.csv"
    store.add_measurements("lab", check(_csv(path, "10,A,18", "20,B,7")))
    store.supersede("lab-m0001", _one(check, 81.0), "transposed")
    store.retract("lab-m0002", "spilled")
    assert store.add_measurements("lab", check(path)).n_added == 0
    assert store.add_measurements("lab", check(_csv(path, "10,A,18", "20,B,7", "30,A,9"))).n_added == 1
    assert store.measurements("lab")["yield"].tolist() == [81.0, 9.0]


def test_the_corrected_file_lands_nothing_twice(store, check, tmp_path):
    """Once the laboratory has put its file right too, only what is new in it lands; replicates are new."""
    path = tmp_path / "results.csv"
    store.add_measurements("lab", check(_csv(path, "10,A,18", "10,A,50")))
    store.supersede("lab-m0001", _one(check, 81.0), "transposed")
    for lines, n_added in (
        (["10,A,81", "10,A,50"], 0),
        (["10,A,50", "10,A,81"], 0),
        (["10,A,81", "10,A,50", "10,A,81"], 1),
        (["10,A,81", "10,A,50", "10,A,81"], 0),
        (["10,A,81", "10,A,50", "10,A,81", "10,A,81"], 1),
    ):
        assert store.add_measurements("lab", check(_csv(path, *lines))).n_added == n_added, lines
    assert store.measurements("lab")["yield"].tolist() == [81.0, 50.0, 81.0, 81.0]


def test_another_file_with_the_corrected_value_is_a_replicate(store, check, tmp_path):
    """What another day gave counts, also where it equals what an earlier row was corrected to."""
    store.add_measurements("lab", check(_csv(tmp_path / "monday.csv", "10,A,18")))
    store.supersede("lab-m0001", _one(check, 81.0), "transposed")
    assert store.add_measurements("lab", check(_csv(tmp_path / "tuesday.csv", "11,A,5", "10,A,81"))).n_added == 2


def test_a_retracted_answer_may_be_given_again(store, check):
    """A proposal whose result was retracted takes a new one, and the same one not again."""
    answer = {"temperature": [10.0], "ligand": ["A"], "yield": [50.0], "proposal_id": ["p-1"]}
    store.add_measurements("lab", check(answer))
    store.retract("lab-m0001", "wrong vial")
    assert store.add_measurements("lab", check(answer)).n_added == 0
    twice = {name: cells * 2 for name, cells in answer.items()}  # a replicate beside the one that was retracted
    assert store.add_measurements("lab", check(twice)).n_added == 1
    assert store.add_measurements("lab", check({**answer, "note": ["second try"]})).n_added == 1
    assert store.add_measurements("lab", check({**answer, "yield": [51.0]})).n_added == 1
    assert len(store.measurements("lab")) == 3


def test_views_count_what_counts(store, check):
    """The best so far is of corrected values, without retracted ones."""
    store.add_measurements("lab", check(ROWS))
    store.supersede("lab-m0002", _one(check, 55.0), "x")
    store.retract("lab-m0003", "x")
    best = store.view("v_best_so_far", "lab")
    assert best["best_so_far"].tolist() == [50.0, 55.0]
    assert isinstance(best, pd.DataFrame)
