"""The inbox: a folder that a laboratory drops its tables into; each is taken in once and moved out of the way.

What is taken lies in `done/`, what cannot be read as results of this campaign in `refused/` with the reason beside it.
A process may be killed between taking a file in and moving it: the file comes again and adds nothing, because rows are
known by their content. Next in the tour: `discovery.session.laboratory`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from discovery.errors import ConfigurationError, InputError, LeaseError, counted
from discovery.ingest import read_rows
from discovery.ingest.arrivals import Settling
from discovery.lifecycle import CampaignStatus
from discovery.session.leases import held, inbox_lease_name

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.ingest import CheckedRows, RawRows
    from discovery.session.campaign import Campaign
    from discovery.store import CampaignRow, IngestReport, Store

DONE, REFUSED = "done", "refused"
"""Folders inside an inbox, by what became of a file."""


@dataclass(frozen=True)
class TakenFile:
    """What became of one file of an inbox.

    Attributes:
        campaign: Whose inbox it was in.
        file: Its name.
        verdict: `accepted`, `refused`, or `left` where it is.
        text: What came of it, in a sentence.
        moved_to: Where it is now; empty where it was left.
        n_added: Measurements that landed.
        n_rejected: Rows that were refused.
    """

    campaign: str
    file: str
    verdict: str
    text: str
    moved_to: str = ""
    n_added: int = 0
    n_rejected: int = 0


def inbox_of(spec: CampaignSpec) -> Path | None:
    """Return the folder of a campaign's inbox, or None where its file names none."""
    return None if spec.inbox is None else spec.resolve(spec.inbox).resolve()


def make_inbox(spec: CampaignSpec) -> Path:
    """Return the folder of a campaign's inbox; it is made where the folder above it is there.

    Raises:
        ConfigurationError: If the file names none, or it cannot be made: a share that is not mounted, for example.
    """
    folder = inbox_of(spec)
    if folder is None:
        raise ConfigurationError(
            f"Campaign {spec.name} must name an `inbox`; it has none.", "Write for example inbox: inbox."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"inbox must be a folder, or one that can be made; got {folder}: {error.strerror}.",
            "Mount it, or make the folder above it.",
        ) from None
    return folder


def check_alone(spec: CampaignSpec, store: Store) -> None:
    """Check that no other campaign of the store takes the same inbox; one that has finished makes way.

    Raises:
        ConfigurationError: If another one does: nobody could say whose results a file holds.
    """
    folder = inbox_of(spec)
    if folder is None:
        return
    with store.transaction():
        rows = [store.campaign(name) for name in store.campaigns()["campaign"] if name != spec.name]
    for row in rows:
        if row.status == CampaignStatus.ACTIVE and _named_inbox(row) == folder:
            raise ConfigurationError(
                f"inbox must belong to one campaign; got {folder} in {spec.name} and in {row.campaign}.",
                "Give each a folder of its own.",
            )


def take_inbox(campaign: Campaign, settling: Settling | None = None) -> list[TakenFile]:
    """Take in every table of a campaign's inbox that has been written to its end, and move it out of the way.

    Args:
        campaign: The campaign.
        settling: What is remembered of earlier looks; without it every table gets the time to settle now.

    Returns:
        What became of each; empty where there is nothing, or another process takes the inbox in at this moment.

    Raises:
        ConfigurationError: If another campaign of the store takes the same inbox.
        StoreError: If the store cannot be used; then the files stay where they are.
    """
    folder = inbox_of(campaign.spec)
    if folder is None or not folder.is_dir():
        return []
    if settling is None:
        settling = Settling()
        settling.wait([folder])
    ready = settling.settled(folder)
    if not ready:
        return []
    check_alone(campaign.spec, campaign.store)
    try:
        with held(campaign.store, inbox_lease_name(campaign.name)):
            return [taken for path in ready for taken in _take(campaign, path)]
    except LeaseError:
        return []


def _take(campaign: Campaign, path: Path) -> Iterator[TakenFile]:
    """Take in one file; nothing comes of one that somebody else has moved meanwhile."""
    if not path.is_file():
        return
    try:
        raw = read_rows(path)
        checked = campaign.check(raw)
        _check_proposals(checked, campaign)
    except InputError as error:
        if path.is_file():
            yield _refuse(campaign, path, str(error))
        return
    except ConfigurationError as error:  # something is missing here, such as a reader: no fault of the file
        yield _left(campaign, path, str(error))
        return
    report = campaign.land(checked, path.name)
    if report.n_added:
        campaign.finish()
    if checked.rejected and not len(checked.frame) and not checked.n_pending:
        yield _refuse(campaign, path, "No row of this file can be used.\n" + "\n".join(_reasons(checked)), report)
        return
    yield _accept(campaign, path, raw, checked, report)


def _check_proposals(checked: CheckedRows, campaign: Campaign) -> None:
    """Check that a file answers no proposal of another campaign.

    Raises:
        InputError: If it does: then it lies in the wrong inbox.
    """
    if "proposal_id" not in checked.frame:
        return
    named = checked.frame["proposal_id"].dropna()
    owners = campaign.store.campaigns_of(named)
    for index, proposal_id in named.items():
        owner = owners.get(str(proposal_id), campaign.name)
        if owner != campaign.name:
            raise InputError(
                f"Results in the inbox of {campaign.name} must be its own; got {proposal_id} of campaign {owner} in "
                f"data row {checked.row_numbers[int(str(index))]}.",
                f"Put the file into the inbox of {owner}.",
            )


def _accept(campaign: Campaign, path: Path, raw: RawRows, checked: CheckedRows, report: IngestReport) -> TakenFile:
    """Move a file that was taken in, with its refused rows in a table beside it."""
    text = (
        f"{counted(report.n_added, 'measurement')} added, {report.n_duplicates} known already, "
        f"{counted(report.n_rejected, 'row')} rejected, {report.n_pending} not measured yet."
    )
    try:
        target = _free_name(path, DONE)
        if checked.rejected:
            rejected = target.with_name(f"{target.name}.rejected.csv")
            rejected_table(raw, checked).to_csv(rejected, index=False)
            text += f" Correct {rejected.name} in {DONE}/ and put it into the inbox."
        path.rename(target)
    except OSError as error:
        return _left(campaign, path, f"{text} It could not be moved: {error.strerror}.", report)
    return TakenFile(campaign.name, path.name, "accepted", text, str(target), report.n_added, report.n_rejected)


def _refuse(campaign: Campaign, path: Path, why: str, report: IngestReport | None = None) -> TakenFile:
    """Move a file that is refused whole, with the reason beside it."""
    n_rejected = 0 if report is None else report.n_rejected
    text = why.replace(f"{path.parent}/", "").splitlines()
    try:
        target = _free_name(path, REFUSED)
        target.with_name(f"{target.name}.why.txt").write_text(
            "\n".join([*text, "Nothing was taken from it. Correct it and put it into the inbox again.", ""]),
            encoding="utf-8",
        )
        path.rename(target)
    except OSError as error:
        return _left(campaign, path, f"{text[0]} It could not be moved: {error.strerror}.", report)
    return TakenFile(campaign.name, path.name, "refused", text[0], str(target), n_rejected=n_rejected)


def _left(campaign: Campaign, path: Path, text: str, report: IngestReport | None = None) -> TakenFile:
    """Say of a file that it is where it was."""
    n_added, n_rejected = (0, 0) if report is None else (report.n_added, report.n_rejected)
    return TakenFile(campaign.name, path.name, "left", text, n_added=n_added, n_rejected=n_rejected)


def rejected_table(raw: RawRows, checked: CheckedRows) -> pd.DataFrame:
    """Return the refused rows as they came, with their number and what is wrong in front; ready to be corrected."""
    import pandas as pd

    rows = []
    for number, cells in groupby(checked.rejected, lambda cell: cell.row_number):
        faults = list(cells)
        why = "; ".join(f"{cell.column} {cell.reason}, got {cell.value}".strip() for cell in faults)
        row = raw.frame.loc[number].to_dict() if number in raw.frame.index else {}
        rows.append({"row": number, "why_rejected": why, **row})
    return pd.DataFrame(rows, columns=list(dict.fromkeys(["row", "why_rejected", *raw.frame.columns])))


def _reasons(checked: CheckedRows) -> Iterator[str]:
    for cell in checked.rejected:
        yield f"Data row {cell.row_number}, {cell.column}: {cell.reason}; got {cell.value!r}."


def _free_name(path: Path, folder: str) -> Path:
    """Return where a file goes: its own name, with a number where a file of that name lies there already."""
    target = path.parent / folder / path.name
    target.parent.mkdir(exist_ok=True)
    n = 1
    while target.exists():
        n += 1
        target = target.with_name(f"{path.stem}-{n}{path.suffix}")
    return target


def _named_inbox(row: CampaignRow) -> Path | None:
    """Read which inbox a stored campaign names."""
    named = json.loads(row.spec_json).get("inbox")
    return None if named is None else (Path(row.base_dir) / Path(named).expanduser()).resolve()
