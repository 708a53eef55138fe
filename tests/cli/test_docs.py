"""docs/cli.md says what the commands say: every command, every option, an example that the command understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from discovery.cli.main import COMMANDS, app
from discovery.evaluation.method_table import METHODS, PREDICTORS

EVERY = [[name] for name in COMMANDS] + [
    [str(group.name), str(command.name)]
    for group in app.registered_groups
    for command in group.typer_instance.registered_commands
]
TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## discovery ([a-z -]+)\n(.*?)(?=^## |\Z)", TEXT, flags=re.M | re.S))
EVERYWHERE = {"--help", "--json"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def test_every_command_is_documented_and_no_other():
    """The sections are the commands."""
    assert set(SECTIONS) == {" ".join(command) for command in EVERY}


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_the_options_are_those_of_the_help(command, cli):
    """The table of a command has the options that its help has."""
    shown = cli(*command, "--help").out.partition("Options:")[2]
    heads = [line[:26] for line in shown.splitlines() if re.match(r"\s{2,6}-", line)]
    offered = {option for head in heads for option in OPTION.findall(head)}
    table = "\n".join(line.split("|")[1] for line in SECTIONS[" ".join(command)].splitlines() if line.startswith("| `"))
    assert set(OPTION.findall(table)) == offered - EVERYWHERE


@pytest.mark.parametrize(("command", "known"), [("backtest", METHODS), ("evaluate", PREDICTORS), ("bench", METHODS)])
def test_the_help_names_every_method(command, known, cli):
    """`--methods` says what may stand there: all that the table of methods has, and no other."""
    shown = " ".join(cli(command, "--help").out.split())
    listed = shown.partition("with commas between, of ")[2].partition(". ")[0].partition("; ")[0].partition(" [")[0]
    assert listed.rstrip(".").replace(":NAME", "").split(", ") == list(known)


def test_every_method_is_described():
    """A method is a row of the table in docs/benchmarks.md, or a hypothesis that docs/cli.md names."""
    compared = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    table = compared.partition("## What it is compared with")[2].partition("##")[0]
    rows = dict(re.findall(r"^\| `([a-z_]+)`( \*)? \|", table, flags=re.M))
    hypotheses = set(re.findall(r"`([a-z_]+)(?::NAME)?`", SECTIONS["backtest"]))
    assert set(METHODS) <= set(rows) | hypotheses
    assert {name for name, star in rows.items() if star} == set(rows) & set(PREDICTORS)


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_the_examples_are_understood(command, cli, folder):
    """Every example parses: on an empty folder it works or finds a fault in the files, but is no wrong usage."""
    blocks = re.findall(r"```\n(.*?)```", SECTIONS[" ".join(command)], flags=re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines and all(line.startswith(f"discovery {' '.join(command)}") for line in lines)
    for line in lines:
        assert cli(*shlex.split(line)[1:]).code in (0, 1), line
