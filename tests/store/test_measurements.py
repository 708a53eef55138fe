"""Measurements land once, keep what was measured, and are corrected only by another row."""

import pandas as pd
import pytest

from discovery.errors import InputError

ROWS = {"temperature": [10.0, 10.0, 30.5], "ligand": ["A", "A", "B"], "yield": [50.0, 50.0, 61.25]}


def _csv(path, lines):
    path.write_text("\n".join(["temperature,ligand,yield,yield_sem,operator", *lines]) + "\n")
    return path


def test_measurements_come_back_in_order_with_their_types(store, check):
    """What was ingested is what is read: order, values and dtypes; replicates stay apart."""
    report = store.add_measurements("lab", check(ROWS))
    table = store.measurements("lab")
    assert (report.n_added, report.measurement_ids) == (3, ("lab-m0001", "lab-m0002", "lab-m0003"))
    assert table["position"].tolist() == [1, 2, 3]
    assert table["temperature"].tolist() == ROWS["temperature"]
    assert table["ligand"].tolist() == ROWS["ligand"]
    assert table["yield"].tolist() == ROWS["yield"]
    assert table["key"][0] == table["key"][1] != table["key"][2]
    assert str(table["temperature"].dtype) == str(table["yield"].dtype) == "float64"
    assert str(table["ingested_at"].dt.tz) == "UTC"
    assert "yield_sem" not in table


def test_a_campaign_without_measurements_has_the_same_columns(store, check):
    """An empty table can be worked with like a full one."""
    empty = store.measurements("lab")
    store.add_measurements("lab", check(ROWS))
    full = store.measurements("lab")
    assert len(empty) == 0
    assert empty.dtypes.drop(["ligand"]).to_dict() == full.dtypes.drop(["ligand"]).to_dict()


def test_the_same_file_twice_adds_nothing(store, check, tmp_path):
    """Ingesting again, under the same name or another, is harmless."""
    path = _csv(tmp_path / "results.csv", ["10,A,50,,x", "10,A,50,,x", "20,B,abc,,x"])
    first = store.add_measurements("lab", check(path))
    again = store.add_measurements("lab", check(path))
    copied = store.add_measurements("lab", check(path.rename(tmp_path / "copy.csv")))
    assert (first.n_added, first.n_duplicates, first.n_rejected) == (2, 0, 1)
    assert (again.n_added, again.n_duplicates) == (copied.n_added, copied.n_duplicates) == (0, 2)
    assert len(store.measurements("lab")) == 2
    assert len(store.rejected_rows("lab")) == 1


def test_a_file_that_grows_adds_its_new_rows_only(store, check, tmp_path):
    """A laboratory may fill in and extend one file: each result lands once, replicates included."""
    path = tmp_path / "results.csv"
    counts = []
    for lines in (
        ["10,A,50,,x", "20,B,PENDING,,x"],
        ["10,A,50,,y", "20,B,70,1.5,x"],
        ["10,A,50,,y", "20,B,70,1.5,x", "10,A,50,,z"],
    ):
        report = store.add_measurements("lab", check(_csv(path, lines)))
        counts.append((report.n_added, report.n_duplicates, report.n_pending))
    assert counts == [(1, 0, 1), (1, 1, 0), (1, 2, 0)]
    assert store.measurements("lab")["temperature"].tolist() == [10.0, 20.0, 10.0]
    assert store.measurements("lab")["yield_sem"].tolist()[1] == 1.5


def test_the_same_row_in_another_file_is_a_replicate(store, check, tmp_path):
    """Two days may give the same number; both are measurements."""
    store.add_measurements("lab", check(_csv(tmp_path / "monday.csv", ["10,A,50,,x"])))
    report = store.add_measurements("lab", check(_csv(tmp_path / "tuesday.csv", ["10,A,50,,x", "11,A,50,,x"])))
    assert report.n_added == 2


def test_a_copy_of_a_file_adds_no_answer_twice(store, check, tmp_path):
    """Saved under another name, results of proposals are known; a replicate or another operator is a new row."""

    def land(name: str, *rows: str) -> tuple[int, int]:
        path = tmp_path / name
        path.write_text("\n".join(["proposal_id,temperature,ligand,yield,operator", *rows]) + "\n")
        report = store.add_measurements("lab", check(path))
        return report.n_added, report.n_duplicates

    assert land("results.csv", "p-1,10,A,50,Ada", "p-2,20,A,0,Ada") == (2, 0)
    assert land("results v2.csv", "p-1,10,A,50,Ada", "p-2,20,A,0,Ada", "p-3,30,A,7,Ada") == (1, 2)
    assert land("again.csv", "p-1,10,A,50,Ada", "p-1,10,A,50,Ada", "p-2,20,A,0,Bea") == (2, 1)
    assert len(store.measurements("lab")) == 5


def test_good_rows_land_and_bad_rows_are_kept_with_reasons(store, check, tmp_path):
    """One ingestion keeps both: the good as measurements, the bad with row, column, value and reason."""
    path = _csv(tmp_path / "results.csv", ["10,A,50,,x", "10,Q,NaN,,x", "500,A,<five,,x", "1,A"])
    report = store.add_measurements("lab", check(path))
    assert (report.n_added, report.n_rejected) == (1, 3)
    rejected = store.rejected_rows("lab")
    assert rejected[["row_number", "column", "value"]].values.tolist() == [
        [2, "ligand", "Q"],
        [2, "yield", "NaN"],
        [3, "temperature", "500"],
        [3, "yield", "<five"],
        [4, "", "1,A"],
    ]
    assert rejected["reason"].str.len().gt(5).all()


def test_other_columns_are_kept_as_provenance(store, check, tmp_path):
    """Whoever asks later who measured it finds the operator."""
    store.add_measurements("lab", check(_csv(tmp_path / "results.csv", ["10,A,50,,Ada", "11,A,50,,"])), source="eln")
    with store.database.opened() as connection:
        rows = connection.execute("SELECT extra, source, row_number FROM measurements ORDER BY position").fetchall()
    assert rows == [('{"operator": "Ada"}', "eln", 1), ("{}", "eln", 2)]


def test_an_unknown_campaign_takes_nothing(store, check):
    """Nothing lands where nobody would look for it."""
    with pytest.raises(InputError, match="got 'other'"):
        store.add_measurements("other", check(ROWS))
    assert store.measurements("lab").empty


def test_a_correction_takes_the_place_of_what_it_corrects(store, check):
    """The wrong number is kept and no longer counts; place, link and reason stay."""
    store.add_measurements("lab", check({**ROWS, "proposal_id": ["p-1", None, None]}))
    new_id = store.supersede(
        "lab-m0001", check({"temperature": [10.0], "ligand": ["A"], "yield": [5.5]}), "decimal point"
    )
    newer_id = store.supersede(new_id, check({"temperature": [10.0], "ligand": ["A"], "yield": [5.6]}), "again")
    table = store.measurements("lab")
    assert (
        table["measurement_id"].tolist()
        == ["lab-m0001-r2", "lab-m0002", "lab-m0003"]
        == [newer_id, *table["measurement_id"][1:]]
    )
    assert (new_id, table["yield"][0], table["position"].tolist()) == ("lab-m0001-r1", 5.6, [1, 2, 3])
    assert table["proposal_id"][0] == "p-1"
    with store.database.opened() as connection:
        assert connection.execute("SELECT count(*) FROM measurements").fetchone() == (5,)


def test_a_correction_that_makes_no_sense_is_refused(store, check):
    """One faultless row, one measurement that still counts, and a reason."""
    store.add_measurements("lab", check(ROWS))
    one = check({"temperature": [10.0], "ligand": ["A"], "yield": [5.5]})
    store.supersede("lab-m0001", one, "typing error")
    cases = [("lab-m0001", one, "x"), ("lab-m0009", one, "x"), ("lab-m0002", one, " "), ("lab-m0002", check(ROWS), "x")]
    for measurement_id, checked, reason in cases:
        with pytest.raises(InputError):
            store.supersede(measurement_id, checked, reason)
    assert len(store.measurements("lab")) == 3


@pytest.mark.parametrize(("goal", "expected"), [("maximize", [50, 50, 61.25]), ("minimize", [50, 50, 50])])
def test_the_best_so_far_follows_the_goal(store, spec, check, goal, expected):
    """The documented view is the curve that people plot."""
    wanted = {**spec.model_dump(exclude_none=True), "objectives": [{"name": "yield", "goal": goal}]}
    store.register_campaign(type(spec).from_mapping(wanted, spec.base_dir))
    store.add_measurements("lab", check(ROWS))
    assert store.view("v_best_so_far", "lab")["best_so_far"].tolist() == expected


def test_a_thousand_rows_land_in_one_statement(store, check):
    """Ingestion is batched: rows cost microseconds, not transactions."""
    n = 1000
    table = {"temperature": [i / n for i in range(n)], "ligand": ["A"] * n, "yield": [float(i % 90) for i in range(n)]}
    checked = check(table)
    begun = pd.Timestamp.now("UTC")
    assert store.add_measurements("lab", checked).n_added == n
    assert (pd.Timestamp.now("UTC") - begun).total_seconds() < 5
