"""`meta-train` and `models`: checkpoints are made once, listed, shown and promoted."""

from __future__ import annotations

import numpy as np
import pandas as pd


def test_meta_train_takes_what_is_there(cli, file):
    """A second meta-training uses the registered checkpoint again."""
    first, second = (cli("meta-train", file, "--json").json for _ in range(2))
    assert first == second
    assert [(row["hypothesis"], row["prior_weight"]) for row in first] == [("no_transfer", 1.0)]
    assert "no_transfer" in cli("meta-train", file).out


def test_models_are_listed_and_shown(cli, file):
    """`models list` says which version is in use, `models show` where it comes from."""
    version = cli("meta-train", file, "--json").json[0]["checkpoint"]
    rows = cli("models", "list", "--json").json
    assert [(row["version_id"], row["status"]) for row in rows] == [(version, "PROMOTED")]
    assert version in cli("models", "list").out
    shown = cli("models", "show", version, "--json").json
    assert (shown["hypothesis"], shown["learner"]) == ("no_transfer", "meta_gp")
    assert "no_transfer" in cli("models", "show", version).out


def test_a_version_in_use_cannot_be_promoted(cli, file):
    """Promoting what is promoted is refused by the status table, and an unknown version by name."""
    version = cli("meta-train", file, "--json").json[0]["checkpoint"]
    again, unknown = cli("models", "promote", version), cli("models", "promote", "nosuch")
    assert again.code == unknown.code == 1
    assert "PROMOTED" in again.err and "nosuch" in unknown.err


def test_an_earlier_version_can_be_put_back_to_use(cli, write):
    """After another version was promoted, `models promote` brings the earlier one back."""
    first = cli("meta-train", write(), "--json").json[0]["checkpoint"]
    second = cli("meta-train", write(outcomes=[{"name": "yield", "range": [0, 200]}]), "--json").json[0]["checkpoint"]
    assert first != second
    assert cli("models", "promote", first, "--json").json["status"] == "PROMOTED"
    found = {row["version_id"]: row["status"] for row in cli("models", "list", "--json").json}
    assert found == {first: "PROMOTED", second: "ARCHIVED"}


def test_a_multi_task_version_shows_how_alike_its_tasks_are(cli, write, folder):
    """Each task is printed with those most like it; JSON has all correlations; other learners have none."""
    rows = pd.read_csv(folder / "table.csv")
    for i, shift in enumerate((0, 5, -30)):
        rows.assign(**{"yield": (rows["yield"] + shift * (rows["temperature"] > 60)).clip(0, 100)}).to_csv(
            folder / f"earlier_{i}.csv", index=False
        )
    hypotheses = [{"name": "no_transfer", "weight": 0.5}, {"name": "relatives", "learner": "multi_task", "weight": 0.5}]
    history = [f"earlier_{i}.csv" for i in range(3)]
    trained = cli("meta-train", write(hypotheses=hypotheses, experience={"history": history}), "--json").json
    without, version = (row["checkpoint"] for row in trained)
    found = np.array(cli("models", "show", version, "--json").json["task_correlation"])
    assert found.shape == (3, 3) and (found > 0).all() and (found == found.T).all()
    assert found[0, 1] > found[0, 2]
    out = cli("models", "show", version).out
    assert "How alike the tasks are" in out and f"{found[0, 1]:.2f}" in out
    assert cli("models", "show", without, "--json").json["task_correlation"] is None
    hypotheses[1]["learner"] = "hierarchical"
    trained = cli("meta-train", write(hypotheses=hypotheses, experience={"history": history}), "--force", "--json").json
    grouped = np.array(cli("models", "show", trained[1]["checkpoint"], "--json").json["task_groups"])
    assert len(grouped) == 3 and np.allclose(grouped.sum(1), 1, atol=1e-3)
    assert "Where the tasks belong" in cli("models", "show", trained[1]["checkpoint"]).out
    assert "alike" not in cli("models", "show", without).out
