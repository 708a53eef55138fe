"""The demo's surroundings; the demo itself is run as a whole by the continuous integration."""

from __future__ import annotations

from data.demo import FOLDER, LEFT_BEHIND, clean, main


def test_the_demo_starts_over_and_removes_only_its_own(tmp_path):
    """What an earlier demo left is removed, and nothing else."""
    for name in (*LEFT_BEHIND, "mine.txt"):
        (tmp_path / name).write_text("old")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "old.json").write_text("old")
    clean(tmp_path)
    clean(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_task_is_named(tmp_path, capsys):
    """A halide that was not measured is refused in one sentence with those that were; the last demo stays."""
    (tmp_path / "report.html").write_text("old")
    assert main(["--task", "table salt", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: TASK must be one of") and said.count("\n") == 1
    assert (tmp_path / "report.html").is_file()


def test_the_demo_goes_to_the_checkout():
    """Without a folder the demo writes to demo/ beside the packages."""
    assert FOLDER.name == "demo" and (FOLDER.parent / "data" / "demo.py").is_file()
