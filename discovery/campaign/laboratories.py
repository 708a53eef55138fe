"""The `experiment` section of a campaign file: how a trial gets to the laboratory and its result back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from discovery import registry
from discovery.campaign.parts import Count, Part, Text, fault
from discovery.campaign.sections import duration_s

PLATES = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}
"""Rows and columns of a plate by its number of wells (ANSI/SLAS formats)."""
PLUG_IN = "<plug-in>"
"""Tag of laboratories that plug-ins bring."""


class Elsewhere(Part):
    """What every laboratory that needs no people may say.

    Attributes:
        pool: Prefect work pool whose workers carry trials out, on another machine; None for this one.
    """

    pool: Text | None = None


class TableExperiment(Elsewhere):
    """Trials are looked up in a table of measured configurations."""

    type: Literal["table"]
    path: Text


class SimulatorExperiment(Elsewhere):
    """Trials are run by a simulator: a dry run; further keys override its settings.

    Attributes:
        name: The simulator.
        outcomes: By outcome of the campaign, which of the simulator's it is; needed where there are several.
        seed: Which task is drawn, and its noise.
    """

    model_config = ConfigDict(extra="allow")

    type: Literal["simulator"]
    name: Text
    outcomes: Annotated[dict[Text, Text], Field(min_length=1)] | None = None
    seed: Count = 0

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that differ from the simulator's own."""
        return dict(self.model_extra or {})


class Control(Part):
    """Wells whose content is not proposed but known, to judge a plate by.

    Attributes:
        name: What the control is, such as `blank` or `reference`.
        wells: Where it stands, such as `A1`.
        values: What is in it, by parameter; for people.
    """

    name: Text
    wells: Annotated[tuple[Text, ...], Field(min_length=1)]
    values: dict[Text, str | float] = Field(default_factory=dict)


class Plate(Part):
    """How proposals are laid out on plates.

    Attributes:
        wells: Number of wells of a plate.
        order: How wells are filled: `row` (A1, A2, ...), `column` (A1, B1, ...) or `random` (from the campaign's seed).
        controls: Wells that hold controls, on every plate.
        skip: Wells that stay empty, on every plate; `edge` among them means the outermost ones.
    """

    wells: Literal[6, 12, 24, 48, 96, 384, 1536] = 96
    order: Literal["row", "column", "random"] = "row"
    controls: tuple[Control, ...] = ()
    skip: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _check_wells(self) -> Plate:
        check_wells(self)
        return self


class ManualExperiment(Part):
    """Trials are made by people who fill in a table.

    Attributes:
        folder: Where the tables to fill in go; default `<campaign>-sheets` beside the campaign file.
        format: Of the tables: `csv` or `xlsx`.
        plate: How proposals are laid out on plates; None for a plain list.
    """

    type: Literal["manual"]
    folder: Text | None = None
    format: Literal["csv", "xlsx"] = "csv"
    plate: Plate | None = None


class CommandExperiment(Elsewhere):
    """Trials are made by a program: words of the command line, no shell.

    Attributes:
        command: The program and its arguments; `{input}` and `{output}` stand for the two JSON files, and are added at
            the end where neither stands.
        timeout: How long one trial may take, such as `30m`; None for as long as it takes.
        parallel: How many may run at once.
    """

    type: Literal["command"]
    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    timeout: Text | None = None
    parallel: Annotated[int, Field(strict=True, ge=1)] = 1

    @model_validator(mode="after")
    def _check_durations(self) -> CommandExperiment:
        _check_durations(self, "timeout")
        return self


class HttpExperiment(Elsewhere):
    """Trials are made by a laboratory behind a web address.

    Attributes:
        url: Where experiments are submitted (`POST`); one is asked after at `<url>/<id>`.
        token: Where the secret is that goes into the header `Authorization: Bearer`: `env:NAME` for a variable of the
            environment, `block:NAME` for a Prefect Secret block. Never the secret itself.
        poll: How long to wait between two questions about a running experiment.
        wait: How long one run waits for results before it leaves them to the next one.
        timeout: How long an experiment may take before it counts as failed; None for as long as it takes.
    """

    type: Literal["http"]
    url: Text
    token: Text | None = None
    poll: Text = "10s"
    wait: Text = "10m"
    timeout: Text | None = None

    @model_validator(mode="after")
    def _check_durations(self) -> HttpExperiment:
        _check_durations(self, "poll", "wait", "timeout")
        return self

    @model_validator(mode="after")
    def _check_secrets(self) -> HttpExperiment:
        """Refuse what may be a secret without repeating it: messages end up in logs, and files in the store."""
        if not re.fullmatch(r"https?://[^\s?#@]+", self.url):
            text = "must be an address such as https://lab.example/experiments, without user, password, ? and #"
            raise fault("url", text, "A secret goes under token, as env:NAME or block:NAME.")
        if self.token is not None and not re.fullmatch(r"(env|block):\S+", self.token):
            text = "must say where the secret is, as env:NAME or block:NAME, and never be the secret itself"
            raise fault("token", text, "Put the secret into a variable of the environment or a Prefect Secret block.")
        return self


class PluginExperiment(Elsewhere):
    """Trials are made by the adapter of an installed plug-in; further keys are its settings.

    Attributes:
        type: Name of the adapter.
    """

    model_config = ConfigDict(extra="allow")

    type: Text

    @property
    def settings(self) -> dict[str, Any]:
        """What the campaign file says beside `type` and `pool`."""
        return dict(self.model_extra or {})


def _kind(value: Any) -> Any:
    name = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    is_added = isinstance(name, str) and name not in registry.ADAPTERS and name in registry.table("adapter")
    return PLUG_IN if is_added else name


Experiment = Annotated[
    Annotated[TableExperiment, Tag("table")]
    | Annotated[SimulatorExperiment, Tag("simulator")]
    | Annotated[ManualExperiment, Tag("manual")]
    | Annotated[CommandExperiment, Tag("command")]
    | Annotated[HttpExperiment, Tag("http")]
    | Annotated[PluginExperiment, Tag(PLUG_IN)],
    Discriminator(_kind),
]


def _check_durations(part: Part, *keys: str) -> None:
    for key in keys:
        text = getattr(part, key)
        if text is not None:
            duration_s(text, key)


def check_wells(plate: Plate) -> None:
    """Check that wells named in a layout exist on its plate and are named once.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    rows, columns = PLATES[plate.wells]
    named = [(f"controls[{i}].wells", well) for i, control in enumerate(plate.controls) for well in control.wells]
    named += [("skip", well) for well in plate.skip if well != "edge"]
    seen: set[str] = set()
    for key, well in named:
        row, column = row_number(well), well.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if not (column.isdecimal() and 0 <= row < rows and 1 <= int(column) <= columns):
            raise fault(key, f"must be wells of a plate of {plate.wells}, such as A1; got {well!r}")
        if well in seen:
            raise fault(key, f"must name each well once; got {well!r} twice")
        seen.add(well)


def row_number(well: str) -> int:
    """Return the row of a well from 0: A is 0, Z is 25, AA is 26; -1 where it has no letters.

    Example:
        >>> row_number("B12"), row_number("AF1")
        (1, 31)
    """
    letters = well.rstrip("0123456789")
    if not letters or not letters.isascii() or not letters.isalpha() or letters != letters.upper():
        return -1
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
