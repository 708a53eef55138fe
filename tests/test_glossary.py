"""The glossary is true: its places exist, and the words it bans name nothing that is public."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
WORDS = [row for row in ROWS if len(row) == 4 and row[0] != "word"]
FOUR = [row for row in ROWS if len(row) == 5 and row[0] != "thing"]
PLACES = sorted(
    {place for row in (*WORDS, *FOUR) for place in re.findall(r"`((?:discovery|flows)\.[\w.]+)`", row[-2] + row[-1])}
)
BANNED = sorted({word for row in WORDS for word in re.findall(r"`(\w+)`", row[3])})


def test_the_tables_are_read():
    """Both tables have the rows that this file thinks they have."""
    assert len(WORDS) >= 40
    assert [row[0] for row in FOUR] == ["evidence", "search weights", "ledger", "scale"]
    assert {"study", "suggestion", "expert"} <= set(BANNED)


def test_words_are_defined_once():
    """No word has two meanings, and every word has one place at least."""
    words = [row[0] for row in WORDS]
    assert len(set(words)) == len(words)
    assert [row[0] for row in (*WORDS, *FOUR) if "`" not in row[-2] + row[-1]] == []


@pytest.mark.parametrize("place", PLACES)
def test_places_exist(place):
    """Every place in the code that the glossary names is there."""
    if place.startswith("flows."):
        assert _is_defined(place)
    else:
        assert _resolve(place) is not None


def _resolve(place: str) -> object:
    """Import what a dotted path names, a module or something in one."""
    parts = place.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[n:]:
            found = getattr(found, attribute)
        return found
    raise AssertionError(f"{place} is nowhere")


def _is_defined(place: str) -> bool:
    """Find a module of the flows, or a function in one, without importing Prefect."""
    room, module, *names = place.split(".")
    path = ROOT / room / f"{module}.py"
    return path.is_file() and set(names) <= {name for name, _ in _public(path)}


def _public(path: Path) -> list[tuple[str, int]]:
    """Return the public classes, functions, methods, fields and constants of a module, with their lines."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((node.name, node.lineno))
            arguments = [] if isinstance(node, ast.ClassDef) else [*node.args.args, *node.args.kwonlyargs]
            found += [(argument.arg, node.lineno) for argument in arguments]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append((node.target.id, node.lineno))
    return [(name, line) for name, line in found if not name.startswith("_")]


def _words(name: str) -> set[str]:
    """Cut an identifier into words in lower case, singular."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_banned_words_name_nothing():
    """No public class, function, argument or field uses a word that the glossary bans."""
    used = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for room in ("discovery", "flows", "simulators")
        for path in sorted((ROOT / room).rglob("*.py"))
        for name, line in _public(path)
        if _words(name) & set(BANNED)
    ]
    assert used == []


def test_the_ban_can_bite():
    """The words of an identifier are found whatever its case, and parts of longer words are left alone."""
    assert _words("SuggestionRow") & {"suggestion"}
    assert _words("n_arms") & {"arm"}
    assert not _words("harmonic_warm") & {"arm"}
