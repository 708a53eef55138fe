"""The command as a whole: fast help, exit codes, one sentence per error, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

import discovery
from discovery.cli import main as module
from discovery.cli import run
from discovery.cli.main import COMMANDS, app
from discovery.errors import StoreLockedError

GROUPS = {"models": ("list", "show", "promote"), "simulators": ("list", "show")}
EVERY = [[name] for name in COMMANDS] + [[group, name] for group, names in GROUPS.items() for name in names]
HEAVY = ("torch", "botorch", "prefect", "duckdb", "pandas", "numpy", "rich.console", "pydantic")


def test_help_imports_nothing_heavy():
    """`discovery --help` loads neither torch nor Prefect nor tables, so that it answers at once."""
    code = f"""
import sys
sys.argv = ["discovery", "--help"]
from discovery.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "validate" in done.stdout


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_has_help_and_json(command, cli):
    """Every command explains itself, and can print its result as JSON."""
    answer = cli(*command, "--help")
    assert answer.code == 0
    assert "--json" in answer.out
    assert len(answer.out.splitlines()[2].strip()) > 20


def test_the_groups_are_complete():
    """Every command of the groups is in the tables that the tests run over."""
    found = {
        group.name: tuple(c.name for c in group.typer_instance.registered_commands) for group in app.registered_groups
    }
    assert found == GROUPS


@pytest.mark.parametrize(
    "words",
    [
        ["nosuch"],
        ["validate"],
        ["run", "lab.yaml", "--cycles", "0"],
        ["run", "lab.yaml", "--device", "abacus"],
        ["backtest", "lab.yaml", "--methods", "nosuch"],
        ["backtest", "lab.yaml", "--methods", "random,random"],
        ["evaluate", "lab.yaml", "--support", "a,b"],
        ["review", "lab.yaml", "--reject", "lab-c001-00"],
        ["review", "lab.yaml", "--edit", "lab-c001-00"],
        ["review", "lab.yaml", "temperature=60"],
        ["review", "lab.yaml", "lab-c001-00"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(words, cli, file):
    """What is wrong on the command line itself ends with code 2, says why on stderr, and stores nothing."""
    answer = cli(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "Error" in answer.err
    assert not list(file.parent.glob("*.duckdb"))


def test_version_is_printed(cli):
    """`--version` says which release this is."""
    assert cli("--version").out == f"discovery {discovery.__version__}\n"


@pytest.mark.parametrize("error", [StoreLockedError("The store is held.", "Wait."), ValueError("boom\nsecond line")])
def test_an_error_is_one_sentence(error, monkeypatch, capsys):
    """Whatever goes wrong ends with code 1 and one line on stderr."""
    monkeypatch.delenv("DISCOVERY_DEBUG", raising=False)
    monkeypatch.setattr(module, "app", _raiser(error))
    with pytest.raises(SystemExit) as ended:
        module.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("Error: ") and said.count("\n") == 1 and "Traceback" not in said


def test_debugging_shows_the_traceback(monkeypatch):
    """`DISCOVERY_DEBUG=1` lets the error through as it is."""
    monkeypatch.setenv("DISCOVERY_DEBUG", "1")
    monkeypatch.setattr(module, "app", _raiser(ValueError("boom")))
    with pytest.raises(ValueError, match="boom"):
        module.main()


def _raiser(error: Exception):
    def fail() -> None:
        raise error

    return fail


def test_an_interrupted_run_says_how_to_go_on(cli, file, monkeypatch):
    """Ctrl-C ends a run with the command that goes on, and with the code of an interrupt."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_run_flow", interrupt)
    answer = cli("run", file)
    assert answer.code == 130
    assert f"discovery run {file}" in answer.err and "Traceback" not in answer.err
