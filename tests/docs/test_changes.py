"""docs/changes.md is true: its commands are carried out in its order and say what it says."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from discovery.campaign.sections import Share


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, read_doc: Callable, walk_text: Callable) -> list:
    """What every command of the document answered."""
    folder = tmp_path_factory.mktemp("changes")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("DISCOVERY_USER", "ada")
        patch.delenv("DISCOVERY_STORE", raising=False)
        return walk_text(read_doc("changes.md"), Path(folder))


def test_the_commands_end_as_written(answers: list) -> None:
    """Every command ends with the code that the document names."""
    assert [(answer.command, answer.code, answer.err) for answer in answers if answer.code != answer.expected] == []
    assert len(answers) == 10


def test_validate_says_what_is_written(answers: list, read_doc: Callable) -> None:
    """The sentences shown are those that come."""
    said = next(answer.out for answer in answers if answer.command.startswith("discovery validate"))
    assert re.findall(r"```text\n(.*?)```", read_doc("changes.md"), re.DOTALL) == [
        "\n".join(said.splitlines()[1:]) + "\n"
    ]


def test_the_story_is_told(answers: list) -> None:
    """Versions and corrections are told in order with who and why, and the files that come again change nothing."""
    story = [answer.out for answer in answers if answer.command.startswith("discovery changes")][-1]
    parts = [
        "ada: registered.",
        "ada: version 2.",
        "yield 18.5 -> 81.5 (digits transposed)",
        "bea: lab-m0004 retracted",
    ]
    assert [story.index(part) for part in parts] == sorted(story.index(part) for part in parts)
    unknown = next(answer for answer in answers if "no such id" in answer.command)
    assert "Did you mean lab-m0002?" in unknown.err
    assert answers[-1].out.startswith("0 measurements added, 5 known already")


def test_every_share_is_explained(read_doc: Callable) -> None:
    """The table of shares has each that the campaign file knows."""
    table = read_doc("changes.md").partition("## Who may learn")[2]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE)[1:] == list(get_args(Share))
