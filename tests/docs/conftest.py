"""Documents as data: their fenced blocks, and the commands in them carried out in a folder of their own."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from discovery.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BY_HAND_ENDS = "## 7."
"""Where the walk of own-campaign.md begins to need Prefect and minutes."""


@dataclass(frozen=True)
class Answer:
    """What a command of a document answered.

    Attributes:
        command: The line of the document.
        code: Exit code.
        expected: The code that the document names, else 0.
        out: What it printed.
        err: What it noted.
    """

    command: str
    code: int
    expected: int
    out: str
    err: str


def _call(line: str) -> Answer:
    """Call the command line in this process, as a shell would."""
    promised = re.search(r"# ends with code (\d)", line)
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = shlex.split(line, comments=True)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    code = ended.value.code
    return Answer(line, int(code or 0), int(promised[1]) if promised else 0, out.getvalue(), err.getvalue())


def _walk(text: str, folder: Path) -> list[Answer]:
    """Write the files and carry out the commands of a document, in its order, in a folder."""
    answers = []
    for language, title, body in FENCE.findall(text):
        if title:
            (folder / title).write_text(body, encoding="utf-8")
        elif language == "sh":
            answers += [_call(line) for line in body.splitlines() if line.startswith("discovery ")]
    return answers


@pytest.fixture(scope="session")
def read_doc() -> Callable[[str], str]:
    """Read a document by its name."""
    return lambda name: (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def doc_blocks(read_doc: Callable[[str], str]) -> Callable[[str, str], list[str]]:
    """Return the fenced blocks of one language of a document."""
    return lambda name, language: [body for kind, _, body in FENCE.findall(read_doc(name)) if kind == language]


@pytest.fixture(scope="session")
def walk_text() -> Callable[[str, Path], list[Answer]]:
    """Write the files and carry out the commands of a text in a folder, which must be the working one."""
    return _walk


@pytest.fixture(scope="session")
def walk_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which own-campaign.md is walked; nothing of the user's is seen."""
    folder = tmp_path_factory.mktemp("own-campaign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISCOVERY_CACHE", str(folder / "cache"))
        for name in ("DISCOVERY_STORE", "DISCOVERY_DEBUG", "PREFECT_API_URL"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture(scope="session")
def walk(walk_folder: Path, read_doc: Callable[[str], str]) -> list[Answer]:
    """The campaign of own-campaign.md by hand: every command up to `discovery run`, with its answer."""
    with contextlib.chdir(walk_folder):
        return _walk(read_doc("own-campaign.md").partition(BY_HAND_ENDS)[0], walk_folder)


@pytest.fixture(scope="session")
def long_walk(walk: list[Answer], walk_folder: Path, read_doc: Callable[[str], str]) -> list[Answer]:
    """The rest of own-campaign.md: a run as Prefect flows and replays, which take minutes."""
    with contextlib.chdir(walk_folder):
        return _walk(read_doc("own-campaign.md").partition(BY_HAND_ENDS)[2], walk_folder)
