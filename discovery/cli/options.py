"""What several commands share: their arguments and options, and how words on the command line are read.

Nothing heavy is imported here: `discovery --help` loads this module.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from discovery.evaluation.method_table import METHODS, PREDICTORS, named


class Device(StrEnum):
    """Where models live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class EngineName(StrEnum):
    """What spreads pieces of work."""

    PROCESSES = "processes"
    DASK = "dask"
    RAY = "ray"


FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Campaign file (YAML, TOML or JSON).")]
OptionalFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="Campaign file; without it, the store is meant.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show progress and logs, also where no one watches.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where models live.")]
GoOn = Annotated[bool, typer.Option("--continue", help="Go on although stop.min_gain advises to stop.")]
GivenOption = Annotated[
    list[str] | None,
    typer.Option("--given", metavar="NAME=VALUE", help="A value that is given today, and not chosen; repeat it."),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="NAME=VALUE", help="What is not to be had today, also 90..110; repeat it."),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="FILE", help="The DuckDB file; default DISCOVERY_STORE, else discovery.duckdb here."
    ),
]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the result as JSON to this file.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a report with plots.")]
OverHistoryFlag = Annotated[
    bool, typer.Option("--over-history", help="Each source of experience.history in turn is the new campaign.")
]
METHODS_HELP = f"Methods, with commas between, of {named(METHODS)}"
MethodsOption = Annotated[str, typer.Option("--methods", metavar="NAMES", help=f"{METHODS_HELP}.")]
PredictorsOption = Annotated[
    str,
    typer.Option("--methods", metavar="NAMES", help=f"Methods, with commas between, of {named(PREDICTORS)}."),
]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Number of seeds; one run per seed.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of processes; default the number of cores.")
]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="What spreads the work: processes of this machine, or dask or ray.")
]


def words(text: str, option: str) -> list[str]:
    """Cut `a,b,c` into its words.

    Raises:
        typer.BadParameter: If there is none, or one stands twice.
    """
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found or len(set(found)) < len(found):
        raise typer.BadParameter(f"must name at least one, each once; got {text!r}", param_hint=option)
    return found


def pairs(items: Collection[str] | None, option: str) -> dict[str, list[str]]:
    """Read `name=value` of an option that may be repeated: the values by name.

    Raises:
        typer.BadParameter: If one is not of that form.
    """
    found: dict[str, list[str]] = {}
    for item in items or ():
        name, _, value = item.partition("=")
        if not name.strip() or not value.strip():
            raise typer.BadParameter(f"must be NAME=VALUE; got {item!r}", param_hint=option)
        found.setdefault(name.strip(), []).append(value.strip())
    return found


def given_values(items: Collection[str] | None) -> dict[str, str]:
    """Read `--given name=value`: one value by name.

    Raises:
        typer.BadParameter: If one is not of that form, or a name is given twice.
    """
    found = pairs(items, "--given")
    for name, values in found.items():
        if len(values) > 1:
            raise typer.BadParameter(f"{name} must be given once; got {' and '.join(values)}", param_hint="--given")
    return {name: values[0] for name, values in found.items()}


def method_names(text: str, known: Collection[str]) -> list[str]:
    """Cut `a,b,c` into names of methods; what stands before a colon is looked up.

    Raises:
        typer.BadParameter: If there is none, one is unknown, or named twice.
    """
    names = words(text, "--methods")
    unknown = [name for name in names if name not in known and name.partition(":")[0] not in known]
    if unknown:
        close = get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise typer.BadParameter(f"{unknown[0]!r} is none of {named(known)}{hint}", param_hint="--methods")
    return names


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """Cut `5,10,20` into its numbers.

    Raises:
        typer.BadParameter: If one is no whole number of at least 0.
    """
    found = words(text, option)
    if not all(word.isdecimal() for word in found):
        raise typer.BadParameter(f"must be whole numbers with commas between; got {text!r}", param_hint=option)
    return tuple(int(word) for word in found)
