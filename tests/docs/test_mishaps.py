"""docs/mishaps.md is true: its campaign is walked by its own commands, and says what the page says."""

from __future__ import annotations

import contextlib

import pytest

from discovery.store import Store


@pytest.fixture(scope="module")
def walked(tmp_path_factory, read_doc, walk_text):
    """The folder after all commands of the document, with their answers."""
    folder = tmp_path_factory.mktemp("mishaps")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("DISCOVERY_CACHE", str(folder / "cache"))
        for name in ("DISCOVERY_STORE", "DISCOVERY_DEBUG", "PREFECT_API_URL"):
            patch.delenv(name, raising=False)
        return folder, walk_text(read_doc("mishaps.md"), folder)


def test_the_commands_end_as_written(walked):
    """Every command of the document works, in its order."""
    _, answers = walked
    assert [(answer.command, answer.code, answer.err) for answer in answers if answer.code != answer.expected] == []
    assert len(answers) == 8


def test_the_doubtful_value_is_named_as_written(walked, read_doc):
    """`status` says the very words of the document, and no longer does after the correction."""
    first, last = [answer for answer in walked[1] if answer.command.startswith("discovery status")]
    said = [line for line in read_doc("mishaps.md").splitlines() if "assay-m0008" in line][:2]
    assert said[0].startswith("Doubtful:")
    assert all(line.strip() in " ".join(first.out.split("\n")) for line in said)
    assert "Doubtful" not in last.out


def test_bounds_and_failures_are_stored_as_written(walked):
    """Two rows are bounds, 3.1 is kept beside the limit, and the proposal is infeasible for good."""
    store = Store(walked[0] / "discovery.duckdb")
    measured = store.measurements("assay")
    assert measured["inhibition_limit"].tolist()[:3] == ["<", "<", ""]
    assert store.measurement("assay", "assay-m0002").extra["inhibition_reported"] == 3.1
    trials = store.trials("assay")
    assert trials[["status", "is_infeasible"]].values.tolist() == [["ABANDONED", True]]
