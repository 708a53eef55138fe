"""Commands on campaigns with several outcomes: status, report and backtest say what they have come to."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

UNIT = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("a", "b")]


@pytest.fixture
def file(tmp_path):
    """A campaign with two objectives over twelve measured rows."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.uniform(size=12).round(3), "b": rng.uniform(size=12).round(3)})
    table.assign(y=10 * table["a"], z=5 * table["b"]).to_csv(tmp_path / "rows.csv", index=False)
    spec = {
        "name": "both",
        "parameters": UNIT,
        "outcomes": [{"name": "y", "range": [0, 10]}, {"name": "z", "range": [0, 5]}],
        "objectives": [{"name": "y"}, {"name": "z"}],
        "candidates": "rows.csv",
        "store": "lab.duckdb",
    }
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(spec))
    return tmp_path / "both.yaml"


def test_status_and_report_show_the_compromises(cli, file):
    """After results came in, in part, both commands name the front and its hypervolume."""
    table = pd.read_csv(file.parent / "rows.csv").head(4).assign(z=[1.0, 2.0, 3.0, None])
    table.to_csv(file.parent / "results.csv", index=False)
    assert cli("ingest", file, file.parent / "results.csv").code == 0
    pd.read_csv(file.parent / "rows.csv").iloc[3:4].assign(y="PENDING").to_csv(file.parent / "rest.csv", index=False)
    assert "0 measurements added, 1 completed, 0 known already" in cli("ingest", file, file.parent / "rest.csv").out
    said = cli("status", file)
    assert said.code == 0 and "hypervolume" in said.out and "best compromise" in said.out
    standing = json.loads(cli("status", file, "--json").out)["standing"]
    assert standing["hypervolume"] > 0 and {"y", "z", "a", "position"} <= set(standing["front"][0])
    assert cli("propose", file).code == 0
    status = cli("status", file)
    assert "Hypotheses about y: no_transfer 1.00." in status.out and "Hypotheses about z: no_transfer" in status.out
    found = json.loads(cli("status", file, "--json").out)["further_outcomes"]
    assert found == {
        "z": {"groups": {}, "weights": {"no_transfer": 1.0}, "e_value": 1.0, "n_weighed": 4, "n_measurements": 4}
    }
    report = cli("report", file, "--html", file.parent / "page.html")
    assert report.code == 0 and "Best compromises found" in report.out and "z: What explains" in report.out
    (further,) = json.loads(cli("report", file, "--json").out)["further_outcomes"].values()
    assert [row["n_measurements"] for row in further["evidence"]] == [4] and further["calibration"] == {}
    assert "Hypervolume" in (file.parent / "page.html").read_text()


def test_backtest_compares_by_hypervolume(cli, file):
    """The replay of two objectives has hypervolumes in its JSON, and refuses what cannot be compared in a sentence."""
    words = ("backtest", file, "--experiments", 4, "--initial", 2, "--seeds", 1, "--workers", 1, "--methods")
    answer = cli(*words, "random,cold_nehvi", "--json")
    assert answer.code == 0
    summary = json.loads(answer.out)["summary"]
    assert set(summary) == {"random", "cold_nehvi"}
    assert 0 < summary["random"]["hypervolume_auc"] <= 1
    refused = cli(*words, "cold_gp")
    assert refused.code == 1 and "cold_gp must have one score" in refused.err
    assert cli("backtest", file, "--over-history").code == 1


@pytest.mark.parametrize(("cost", "said"), [("price", "must use known names; got 'price'"), ("a - 2", "above 0")])
def test_validate_refuses_costs_that_are_none(cli, file, cost, said):
    """A column that the candidates lack, and a formula that gives no price, are refused before anything is proposed."""
    spec = yaml.safe_load(file.read_text()) | {"cost": cost}
    file.write_text(yaml.safe_dump(spec))
    answer = cli("validate", file)
    assert answer.code == 1 and said in answer.err
