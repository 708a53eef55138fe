"""The decisions keep their form, and what they say of the code and of other libraries still holds."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
HEADINGS = ["Context", "Alternatives", "Decision", "Consequences"]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_numbers_have_no_gap():
    """Pages are numbered 1, 2, 3, and the list in README.md names each with its title."""
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))
    listed = re.findall(r"^\| \[(\d+)\]\((.+?)\) \| (.+) \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    titles = [page.read_text("utf-8").partition("\n")[0].removeprefix("# ") for page in PAGES]
    assert [f"{number}. {title}" for number, _, title in listed] == titles
    assert [name for _, name, _ in listed] == [page.name for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_four_parts(page):
    """A decision is one page: context, alternatives, decision, consequences."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 110


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_on_a_page_can_be_run(page):
    """Code on a page parses, and everything that it imports exists."""
    for language, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                assert [a.name for a in node.names if not hasattr(module, a.name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_places_on_a_page_exist(page):
    """Dotted names of the library that a page mentions lead somewhere."""
    for place in set(re.findall(r"`(discovery(?:\.\w+)+)`", page.read_text(encoding="utf-8"))):
        module, _, name = place.rpartition(".")
        try:
            importlib.import_module(place)
        except ModuleNotFoundError:
            if place != "discovery.simulators":  # the group of entry points
                assert hasattr(importlib.import_module(module), name), place


def test_duckdb_refuses_what_the_page_says():
    """The reason against foreign keys still holds: the page's code prints what the page says."""
    (_, code), (_, printed) = BLOCK.findall((FOLDER / "0002-no-declared-foreign-keys.md").read_text("utf-8"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "0002", "exec"), {})
    assert out.getvalue() == printed


def test_pins_are_those_of_the_project():
    """Every dependency with an upper bound is in the table of pins with that bound, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pinned = {}
    for requirement in every:
        name, bounds = re.fullmatch(r"([\w-]+)(?:\[\w+\])?(.*)", requirement.partition(";")[0]).groups()
        if "<" in bounds or "==" in bounds:
            pinned[name] = bounds
    page = (FOLDER / "0008-what-is-pinned-and-why.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| ([\w-]+) \| `(.+?)` \|", page, re.MULTILINE)) == pinned
