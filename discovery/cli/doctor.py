"""Is this installation sound, and is there something wrong in the store? `doctor` looks and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from discovery.cli.options import JsonFlag, OptionalFile, StoreOption
from discovery.cli.output import print_json, say
from discovery.cli.store import find_store
from discovery.errors import counted

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from discovery.store import Store

PACKAGE, DEVELOPMENT = "discovery-pipeline", "dev"  # and the extra that is no user's


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        is_fine: Whether it is as it should be.
        text: What was found, and what to do.
    """

    check: str
    is_fine: bool
    text: str


def doctor(file: OptionalFile = None, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Check versions, store, trials and checkpoints.

    Ends with code 1 where something is wrong.
    """
    from discovery.errors import ConfigurationError, DiscoveryError

    findings = list(check_versions())
    try:
        kept = find_store(file, store)
        findings += [finding for check in STORE_CHECKS for finding in check(kept)]
    except ConfigurationError as error:
        findings.append(Finding("campaign file", False, str(error)))
    except DiscoveryError as error:
        is_asked = file is not None or store is not None
        findings.append(Finding("store", not is_asked, str(error)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok   ' if finding.is_fine else 'WRONG'}  {finding.check}: {finding.text}")
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)


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


def check_store(store: Store) -> Iterator[Finding]:
    """Open the store: a file that is locked, corrupt or too new says so here."""
    yield Finding("store", True, f"{store.path} opens, {counted(len(store.campaigns()), 'campaign')}.")


def check_leases(store: Store) -> Iterator[Finding]:
    """Say which campaigns are run by someone at this moment; the lease of a process that is gone is given back."""
    from discovery.errors import LeaseError
    from discovery.session.leases import lease_name

    for campaign in store.campaigns()["campaign"]:
        try:
            with store.lease(lease_name(campaign), seconds=1.0):
                pass
        except LeaseError as error:
            yield Finding("lease", True, error.message)


def check_trials(store: Store) -> Iterator[Finding]:
    """Find trials that run although nobody holds them any more."""
    import pandas as pd

    from discovery.store.leases import is_gone

    for campaign in store.campaigns()["campaign"]:
        trials = store.trials(campaign, ["RUNNING"])
        is_reported = trials["reported_at"].notna()
        is_left = (trials["lease_expires_at"] <= pd.Timestamp.now("UTC")) | trials["owner"].map(is_gone).astype(bool)
        if is_reported.any():
            yield Finding(
                "trials", True, f"{is_reported.sum()} of {campaign} have reported; the next run ingests them."
            )
        if (is_left & ~is_reported).any():
            said = (
                f"{(is_left & ~is_reported).sum()} of {campaign} were left alone; `discovery run` takes them up again."
            )
            yield Finding("trials", False, said)


def check_checkpoints(store: Store) -> Iterator[Finding]:
    """Find registered versions whose files are missing."""
    models = store.models()
    folder = store.path.parent
    missing = [str(row.version_id) for row in models.itertuples() if not (folder / Path(str(row.path))).is_file()]
    yield Finding(
        "checkpoints",
        not missing,
        f"{len(models)} registered, all present."
        if not missing
        else f"{', '.join(missing)} missing; run `discovery meta-train` again or restore models/.",
    )


STORE_CHECKS: tuple[Callable[[Store], Iterator[Finding]], ...] = (
    check_store,
    check_leases,
    check_trials,
    check_checkpoints,
)
