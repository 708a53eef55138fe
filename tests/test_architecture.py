"""The shape of the house: sizes, docstrings, imports, names and rooms, as the design says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ("discovery", "flows", "simulators")
ROOMS = (*LIBRARY, "data")
MAX_LINES, MAX_FUNCTION, MAX_ARGUMENTS = 300, 80, 7
FORBIDDEN_ROOMS = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
HEAVY = ("torch", "prefect", "pandas")


def _modules(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_there_is_something_to_look_at():
    """The rooms are where this file looks for them."""
    assert {room: len(_modules(room)) > 3 for room in ROOMS} == dict.fromkeys(ROOMS, True)


def test_modules_are_short():
    """No module has more than 300 lines, tests included."""
    counts = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _modules(*ROOMS, "tests")}
    assert {name: n for name, n in counts.items() if n > MAX_LINES} == {}


def test_functions_are_short():
    """No function has more than 80 lines, its docstring included."""
    lengths = {
        f"{_name(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in _modules(*ROOMS)
        for function in _functions(path)
    }
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION} == {}


def test_functions_take_few_arguments():
    """A function takes at most seven arguments, then a frozen record; commands take one per option of theirs."""
    counts = {
        f"{_name(path)}:{function.name}": len(_arguments(function))
        for path in _modules("discovery", "simulators", "flows")
        if path.parent.name != "cli"
        for function in _functions(path)
    }
    assert {name: n for name, n in counts.items() if n > MAX_ARGUMENTS} == {}


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument.arg for argument in given if argument.arg not in ("self", "cls")]


def test_every_module_says_what_it_is():
    """Every module begins with a docstring."""
    silent = [_name(path) for path in _modules(*ROOMS) if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_every_test_says_what_is_promised():
    """Every test has a docstring: one sentence on what is promised."""
    silent = [
        f"{_name(path)}:{function.name}"
        for path in _modules("tests")
        for function in _functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("words", "absent"),
    [(["-c", "import discovery"], HEAVY), (["-m", "discovery.cli.main", "--help"], ("torch", "prefect"))],
    ids=["import", "help"],
)
def test_little_is_loaded(words, absent):
    """`import discovery` loads neither torch nor Prefect nor pandas; `discovery --help` none of the first two."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "discovery" in loaded
    assert loaded & set(absent) == set()


def test_tests_are_no_packages():
    """A package under tests would shadow the room that it mirrors."""
    assert [_name(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_tests_mirror_the_rooms():
    """A folder of tests is named like a room of the library, or like a folder of the checkout."""
    rooms = {path.name for path in (ROOT / "discovery").iterdir() if path.is_dir()}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    found = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found - rooms - folders == set()


def test_no_room_is_a_drawer():
    """No module or package is called utils, helpers, common, core or misc: a helper lives with the noun it serves."""
    parts = {part for path in _modules(*ROOMS, "tests") for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & FORBIDDEN_ROOMS == set()


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError"])
def test_nothing_is_left_for_later(word):
    """What is not built is refused with a sentence; no module holds a reminder or a stub."""
    holding = [_name(path) for path in _modules(*LIBRARY) if word in path.read_text(encoding="utf-8")]
    assert holding == []


def test_import_contracts_hold():
    """The contracts of pyproject.toml hold: imports point up the list of rooms, third parties live in one room each."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]
    kept = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert kept is not None and int(kept[1]) >= 6


def test_every_command_is_documented():
    """`docs/cli.md` names every command."""
    from discovery.cli.main import COMMANDS, app

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    groups = {
        f"{group.name} {command.name}"
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    }
    missing = [name for name in (*COMMANDS, *groups) if not re.search(rf"\b{name}\b", text)]
    assert missing == []
