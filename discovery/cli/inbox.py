"""What comes in by itself: `watch` takes inboxes in as long as it runs, `sweep` takes up whatever was missed, once."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import JsonFlag
from discovery.cli.output import note, print_json, print_table, say
from discovery.errors import counted

if TYPE_CHECKING:
    from discovery.session import Campaign
    from discovery.session.inbox import TakenFile
    from discovery.store import Store

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Campaign files.")]
Settle = Annotated[
    str, typer.Option("--settle", metavar="TIME", help="How long a file must not change to count as written.")
]
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def watch(
    files: Files,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="Time between two looks.")] = "5s",
    settle: Settle = "5s",
    once: Annotated[bool, typer.Option("--once", help="Take in what is there, and leave.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take in what laboratories drop into the inboxes.

    Goes on until Ctrl-C. What is taken moves to done/, what cannot be used to refused/ with the reason beside it. With
    PREFECT_API_URL the deployed campaigns are woken. --json prints one object per line for each look that found
    something.
    """
    from discovery.session import Campaign

    every_s, settle_s = _seconds(every, "--every"), _seconds(settle, "--settle")
    watcher = _Watcher([(file, Campaign.open(file)) for file in files], settle_s, as_json)
    if once:
        watcher.look_once()
        return
    with _until_told() as stop:
        while not stop.is_set():
            watcher.look()
            stop.wait(every_s)
    note("Stopped. What was taken in stays.")


def sweep(files: Files, settle: Settle = "5s", as_json: JsonFlag = False) -> None:
    """Take up what was missed: inboxes, results, decisions, runs that were cut off.

    With PREFECT_API_URL it also ends runs that nobody runs any more and wakes deployed campaigns; without, it says
    which command goes on. May be run at any time. Ends with code 1 where something is wrong.
    """
    from discovery.session.sweeping import PROBLEM, sweep_alone

    settle_s = _seconds(settle, "--settle")
    if os.environ.get("PREFECT_API_URL"):
        from flows.runtime import prefect_runtime

        with prefect_runtime(files[0].resolve().parent):
            from flows.sweep import sweep_once

            deeds = sweep_once([str(file.resolve()) for file in files], settle_s)
    else:
        deeds = sweep_alone([str(file) for file in files], settle_s)
    if as_json:
        print_json([asdict(deed) for deed in deeds])
    elif deeds:
        rows = [(deed.campaign, deed.what, deed.text) for deed in deeds]
        print_table("Sweep", ("campaign", "what", "what came of it"), rows, n_text=3)
    else:
        say("There was nothing to do.")
    if any(deed.what == PROBLEM for deed in deeds):
        raise typer.Exit(1)


class _Watcher:
    """Looks at inboxes again and again, and says each thing once.

    Args:
        watched: Campaigns with their files as they were given.
        settle_s: How long a file must stay the same to count as written.
        as_json: Whether to print JSON.

    Raises:
        ConfigurationError: If a campaign has no inbox of its own, or it cannot be made.
    """

    def __init__(self, watched: Sequence[tuple[Path, Campaign]], settle_s: float, as_json: bool) -> None:
        from discovery.ingest.arrivals import Settling
        from discovery.session.inbox import check_alone, make_inbox

        self.watched, self.settling, self.as_json = watched, Settling(settle_s), as_json
        self.folders = [make_inbox(campaign.spec) for _, campaign in watched]
        self.said: set[str] = set()
        for (_, campaign), folder in zip(watched, self.folders, strict=True):
            check_alone(campaign.spec, campaign.store)
            note(f"Watching {folder} for {campaign.name}.")

    def look_once(self) -> None:
        """Give files the time to settle and take them in; says so where there is nothing."""
        self.settling.wait(self.folders)
        if not self.look() and self.as_json:
            self._print([], 0)
        elif not self.said:
            note("Nothing new.")

    def look(self) -> bool:
        """Take in what has settled; say whether there was anything."""
        from discovery.errors import DiscoveryError
        from discovery.session.inbox import take_inbox

        found: list[tuple[Path, Campaign, TakenFile]] = []
        for (file, campaign), folder in zip(self.watched, self.folders, strict=True):
            try:
                found += [(file, campaign, taken) for taken in take_inbox(campaign, self.settling)]
            except DiscoveryError as error:
                self._say_once(f"Error: {campaign.name}: {error}")
            self._name_strangers(folder)
        if found:
            n_told = self._tell({campaign.store.path: campaign.store for _, campaign, _ in found}.values())
            if self.as_json:
                self._print([taken for _, _, taken in found], n_told)
            else:
                self._report(found, n_told)
        return bool(found)

    def _report(self, found: Sequence[tuple[Path, Campaign, TakenFile]], n_told: int) -> None:
        for _, campaign, taken in found:
            say(f"{campaign.name}: {taken.file} was {taken.verdict}. {taken.text}")
        for file, campaign in {file: campaign for file, campaign, taken in found if taken.n_added}.items():
            progress = campaign.progress()
            is_next = not (progress.is_finished or n_told)
            say(f"{campaign.name}: {progress.reason}" + (f" Go on: discovery run {file}" if is_next else ""))
        if n_told:
            say(f"{counted(n_told, 'event')} told to Prefect.")

    def _print(self, taken: Sequence[TakenFile], n_told: int) -> None:
        said = {"files": [asdict(one) for one in taken], "n_events_told": n_told}
        print(json.dumps(said, ensure_ascii=False), flush=True)

    def _tell(self, stores: Iterable[Store]) -> int:
        """Tell Prefect what happened, which wakes the campaigns; a server that is away hears it from the next sweep."""
        if not os.environ.get("PREFECT_API_URL"):
            return 0
        from flows.runtime import configure

        configure(self.watched[0][1].store.path.parent / ".prefect")
        from flows.events import tell_events

        return sum(tell_events(store) for store in stores)

    def _name_strangers(self, folder: Path) -> None:
        from discovery.ingest.arrivals import strangers_in
        from discovery.ingest.readers import READERS

        for path in strangers_in(folder):
            self._say_once(f"Warning: {path} stays where it is: it is none of {', '.join(READERS)}.")

    def _say_once(self, text: str) -> None:
        if text not in self.said:
            self.said.add(text)
            note(text)


def _seconds(text: str, option: str) -> float:
    """Read a time such as `5s` or `2m`.

    Raises:
        typer.BadParameter: If it is none.
    """
    from pydantic_core import PydanticCustomError

    from discovery.campaign.sections import duration_s

    try:
        return duration_s(text, option)
    except PydanticCustomError:
        raise typer.BadParameter(f"must be a time such as 5s or 2m; got {text!r}", param_hint=option) from None


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets; a second one ends the process at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        restore()

    for number in SIGNALS:
        signal.signal(number, told)
    try:
        yield stop
    finally:
        restore()
