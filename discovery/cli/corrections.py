"""What was changed while a campaign runs: `changes`, and measurements put right: `correct` and `retract`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import FileArgument, JsonFlag, StoreOption
from discovery.cli.output import note, print_json, records, say
from discovery.cli.server import tell_server
from discovery.cli.store import find_store

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.campaign.changes import SpecChange
    from discovery.session.changes import Outlook
    from discovery.session.corrections import Correction
    from discovery.store import CampaignRow

Measurement = Annotated[str, typer.Argument(metavar="MEASUREMENT", help="Its id, such as suzuki-m0007.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; required.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who; default DISCOVERY_USER, else the account.")]


def correct(
    file: FileArgument,
    measurement: Measurement,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="What it should have been.")],
    reason: Reason,
    by: By = "",
    as_json: JsonFlag = False,
) -> None:
    """Put a measurement right.

    Parameters, outcomes or `<outcome>_sem`. The wrong row is kept and counts no longer.
    """
    from discovery.review import parse_edit
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    done = campaign.correct(measurement, parse_edit(values), reason, by or None)
    tell_server(campaign.store)
    _answer(done, as_json)
    for name in campaign.spec.outcome_names:
        low, high = campaign.spec.outcome(name).range or (float("-inf"), float("inf"))
        value = done.changes.get(name, (None, None))[1]
        if value is not None and not low <= value <= high:
            note(f"Warning: {name}: {value:g} is outside its range, {low:g} to {high:g}; it counts.")


def retract(
    file: FileArgument, measurement: Measurement, reason: Reason, by: By = "", as_json: JsonFlag = False
) -> None:
    """Let a measurement count no longer.

    It is kept, and its place in the budget is free again.
    """
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    done = campaign.retract(measurement, reason, by or None)
    tell_server(campaign.store)
    _answer(done, as_json)


def changes(file: FileArgument, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Say what was changed while the campaign runs.

    Every version of its file, and every correction of a measurement: when, by whom, what and why.
    """
    from discovery.campaign import load_spec
    from discovery.report.corrections import correction_sentence
    from discovery.store.campaigns import is_same

    spec = load_spec(file)
    kept = find_store(file, store)
    with kept.transaction():
        versions, corrections = kept.versions(spec.name), kept.corrections(spec.name)
    if as_json:
        parts = ("configuration", "outcomes", "sems", "limits")
        json_columns = [f"{part}{suffix}" for part in parts for suffix in ("", "_before")]
        print_json(
            {
                "campaign": spec.name,
                "versions": [_version_json(row) for row in versions],
                "corrections": records(corrections, json_columns),
                "is_current": is_same(versions[-1], spec),
            }
        )
        return
    told = [(row.created_at, _version_text(row)) for row in versions]
    told += [
        (row["corrected_at"], f"{_when(row['corrected_at'], row['corrected_by'])}: {correction_sentence(row)}.")
        for row in corrections.to_dict("records")
    ]
    for _, text in sorted(told, key=lambda item: item[0]):
        say(text)
    if not is_same(versions[-1], spec):
        note(f"The file has changed since: discovery validate {file} says what that means.")


def would_change(spec: CampaignSpec, outlook: Outlook) -> list[str]:
    """Write what a campaign file would change, for `validate`; nothing where it changes nothing."""
    if not outlook.changes:
        return []
    head = f"It would be version {outlook.version + 1} of {spec.name}, which is in the store at {outlook.version}:"
    return [head, *_change_lines(outlook.changes)]


def _answer(done: Correction, as_json: bool) -> None:
    """Say what became of a measurement."""
    if as_json:
        print_json(asdict(done))
        return
    if done.is_retracted:
        say(f"{done.corrected_id} is retracted. {done.progress}")
        return
    said = ", ".join(f"{name} {_number(was)} -> {_number(now)}" for name, (was, now) in done.changes.items())
    say(f"{done.corrected_id} is corrected to {done.measurement_id}: {said or 'it counts again'}. {done.progress}")


def _number(value: object) -> str:
    from discovery.report.style import number

    return "none" if value is None else number(value)


def _version_json(row: CampaignRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "created_at": row.created_at,
        "changed_by": row.changed_by,
        "spec_hash": row.spec_hash,
        "changes": [asdict(change) for change in row.changes],
    }


def _version_text(row: CampaignRow) -> str:
    first = "registered" if row.version == 1 else f"version {row.version}"
    return "\n".join([f"{_when(row.created_at, row.changed_by)}: {first}.", *_change_lines(row.changes)])


def _change_lines(found: Sequence[SpecChange]) -> list[str]:
    """Write changes with what follows from them, training once."""
    from discovery.campaign.changes import TRAINED

    first = next((i for i, change in enumerate(found) if TRAINED in change.effect), None)
    effects = [change.effect if i == first else change.effect.replace(TRAINED, "") for i, change in enumerate(found)]
    return [f"  {change}. {effect.strip()}".rstrip() for change, effect in zip(found, effects, strict=True)]


def _when(moment: Any, who: str) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC, {who or 'unknown'}"
