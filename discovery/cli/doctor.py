"""Is this installation sound, and is something left behind? `doctor` looks, and repairs what is safe where asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.checks import REPAIR, Finding, check_everything, repair_everything
from discovery.cli.options import JsonFlag, OptionalFile, StoreOption
from discovery.cli.output import print_json, say
from discovery.cli.store import find_store

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE, DEVELOPMENT = "discovery-pipeline", "dev"  # and the extra that is no user's
MARKS = {(True, False): "ok   ", (False, False): "WRONG", (True, True): "FIXED"}
"""What stands in front of a finding: by whether it is fine, and whether it was repaired."""


def doctor(
    file: OptionalFile = None,
    store: StoreOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what is safe, and say what was done.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check the installation, and the store for what was left behind.

    Looks for leases of dead owners, trials that were cut off, flow runs that nobody runs any more (with
    PREFECT_API_URL), events not told, files in inboxes, stale proposals, and rows and checkpoints that lack something.
    Ends with code 1 where something is wrong.
    """
    findings = [*check_versions(), *_look(file, store, repair)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            command = f" Do: {finding.command}" if finding.command else ""
            say(f"{MARKS[finding.is_fine, finding.is_repaired]}  {finding.check}: {finding.text}{command}")
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)


def _look(file: Path | None, store: Path | None, repair: bool) -> list[Finding]:
    """Repair where that is asked for, then check a store."""
    from discovery.errors import ConfigurationError, DiscoveryError

    try:
        kept = find_store(file, store)
        done = repair_everything(kept) if repair else []
        words = [str(file)] if file is not None else ["--store", str(store)] if store is not None else []
        command = " ".join(["discovery", "doctor", *words, "--repair"])
        found = check_everything(kept, file)
        return [*done, *(replace(one, command=command) if one.command == REPAIR else one for one in found)]
    except ConfigurationError as error:
        return [Finding("campaign file", False, str(error))]
    except DiscoveryError as error:
        is_asked = file is not None or store is not None
        return [Finding("store", not is_asked, str(error))]


def check_versions() -> Iterator[Finding]:
    """Compare every dependency with what the project pins: some releases in between are broken.

    Packages that only an extra for users needs are compared where they are installed.
    """
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requires(PACKAGE) or []):
        is_needed = _is_for(requirement, "")
        if not is_needed and _is_for(requirement, DEVELOPMENT):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            if is_needed:
                yield Finding(requirement.name, False, f"not installed; install {requirement}.")
            continue
        is_fine = requirement.specifier.contains(found, prereleases=True)
        yield Finding(requirement.name, is_fine, found if is_fine else f"{found} found; install {requirement}.")


def _is_for(requirement: Requirement, extra: str) -> bool:
    """Return whether an installation with an extra (empty for none) needs a package."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
