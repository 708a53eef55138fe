"""A campaign file that changes while the campaign runs: what cannot be, what follows, and the new version of it.

Measurements, decisions, predictions and the ledger stay as they are. What the present file has no room for no longer
teaches, and proposals that nobody has begun to carry out go stale. Next in the tour: `discovery.session.proposals`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from discovery.campaign.changes import SpecChange
from discovery.errors import ConfigurationError, counted
from discovery.lifecycle import CampaignStatus, ProposalStatus, TrialStatus
from discovery.review import find_misfit
from discovery.session.happenings import note_decided
from discovery.session.progress import measure_progress
from discovery.session.proposals import ProposalBook, is_representable
from discovery.session.stopping import read_gains
from discovery.store.campaigns import changes_since, is_same

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.session.base import CampaignPart
    from discovery.space import Pool, SearchSpace
    from discovery.store import CampaignRow, Store

CHANGED = "campaign"
"""The reviewer of proposals that no longer fit the campaign, because it has changed or they are measured."""
NUMBERS = ("continuous", "discrete")
ANEW = "Start a campaign of another name, and give this one as experience: history: [{{campaign: {name}}}]."


@dataclass(frozen=True)
class Outlook:
    """What a changed file means for a campaign.

    Attributes:
        version: The version in the store; 0 where there is none.
        changes: What differs from it, and what follows.
        stale: Open proposals that no longer fit, and why.
    """

    version: int
    changes: tuple[SpecChange, ...] = ()
    stale: Mapping[str, str] = field(default_factory=dict)


def register(one: CampaignPart) -> CampaignRow:
    """Store the campaign's file as a new version where it has changed, and let go of what no longer fits.

    Returns:
        The latest version.

    Raises:
        ConfigurationError: If the file has changed in a way that its measurements do not allow; nothing is stored.
    """
    with one.store.transaction():
        outlook = foresee(one.store, one.spec, one.space, one.pool)
        row = one.store.register_campaign(one.spec, outlook.changes)
        proposals = [one.store.proposal(proposal_id) for proposal_id in outlook.stale]
        for proposal in proposals:
            if proposal.status == ProposalStatus.PROPOSED:
                one.store.decide(proposal.proposal_id, "stale", CHANGED, outlook.stale[proposal.proposal_id])
            else:
                one.store.withdraw(proposal.proposal_id)
        for cycle in sorted({proposal.cycle for proposal in proposals}):
            note_decided(one, cycle, ProposalBook.read(one.store, one.name).waiting)
    return row


def foresee(store: Store, spec: CampaignSpec, space: SearchSpace, pool: Pool | None) -> Outlook:
    """Say what a campaign file would change, without storing anything.

    Args:
        store: Where the campaign is kept.
        spec: The file as it is now.
        space: Its space.
        pool: Its candidates, or None.

    Raises:
        ConfigurationError: If it changes what the measurements do not allow.
    """
    with store.transaction():
        row = store.latest_version(spec.name)
        if row is None or is_same(row, spec):
            return Outlook(0 if row is None else row.version)
        _check_types(store, spec)
        before, after = store.measurements(spec.name), store.measurements(spec.name, spec)
        _check_removed(spec, row, before)
        _check_objective(spec, after)
        stale = _find_stale(store, spec, space, pool)
        book, metrics = ProposalBook.read(store, spec.name), store.metrics(spec.name)
    changes = [_with_measurements(change, space, before, after) for change in changes_since(row, spec)]
    if stale and changes:
        at = next((i for i, c in enumerate(changes) if c.path.startswith(("param", "constr", "cand"))), 0)
        verb = "no longer fits and goes" if len(stale) == 1 else "no longer fit and go"
        changes[at] = changes[at].and_then(f"{counted(len(stale), 'open proposal')} {verb} stale.")
    gains = read_gains(metrics)
    fits = is_representable(space, after)
    progress = measure_progress(spec, pool, after, book, gains[-1] if gains else None, fits)
    was_finished = row.status == CampaignStatus.FINISHED
    if was_finished != progress.is_finished and changes:
        said = "The finished campaign is open again." if was_finished else f"The campaign ends. {progress.reason}"
        changes[-1] = changes[-1].and_then(said)
    return Outlook(row.version, tuple(changes), stale)


def changed_since(store: Store, campaign: str, when: datetime) -> tuple[str, ...]:
    """Say what has changed in a campaign since a moment: its file, and measurements that were corrected."""
    with store.transaction():
        versions, corrections = store.versions(campaign), store.corrections(campaign)
    changes = [str(change) for version in versions if version.created_at > when for change in version.changes]
    n = int((corrections["corrected_at"] > when).sum())
    said = (f"the campaign file has changed since ({'; '.join(changes)})",) if changes else ()
    return (*said, f"{counted(n, 'correction')} of measurements since") if n else said


def _check_types(store: Store, spec: CampaignSpec) -> None:
    """Refuse a parameter whose stored values are of another kind, in any version that was."""
    if store.measurements(spec.name).empty and store.proposals(spec.name).empty:
        return
    types = {p["name"]: p["type"] for row in store.versions(spec.name) for p in json.loads(row.spec_json)["parameters"]}
    for i, parameter in enumerate(spec.parameters):
        was = types.get(parameter.name, parameter.type)
        if was != parameter.type and not (was in NUMBERS and parameter.type in NUMBERS):
            raise ConfigurationError(
                f"parameters[{i}].type must stay {was} for {parameter.name!r}, as campaign {spec.name} has values of "
                f"it; got {parameter.type}.",
                f"Give the new parameter another name. {ANEW.format(name=spec.name)}",
            )


def _check_removed(spec: CampaignSpec, row: CampaignRow, before: pd.DataFrame) -> None:
    """Refuse to forget a parameter that measurements differ in: nothing would say which value holds from now on."""
    for name in [p["name"] for p in json.loads(row.spec_json)["parameters"]]:
        values = before[name].dropna().unique()
        if name not in spec.parameter_names and len(values) > 1:
            shown = ", ".join(map(str, values[:3])) + (", …" if len(values) > 3 else "")
            raise ConfigurationError(
                f"parameters must keep {name!r}: campaign {spec.name} has measured at {len(values)} values of it "
                f"({shown}).",
                f"To hold it from now on, leave it one value: values: [{values[0]}].",
            )


def _check_objective(spec: CampaignSpec, after: pd.DataFrame) -> None:
    """Refuse an objective that some measurement does not have."""
    name = spec.objective.name
    n_lacking = int(after[name].isna().sum())
    if spec.stages and after[list(spec.believed)].notna().any(axis=None):
        return  # no experiment has come to the last stage yet
    if n_lacking and (len(spec.believed) == 1 or n_lacking == len(after)):  # of several, one may come later
        raise ConfigurationError(
            f"objectives[0].name must be an outcome of every measurement; got {name!r}, which {n_lacking} of "
            f"{counted(len(after), 'measurement')} of {spec.name} lack.",
            f"Keep the name that it had. {ANEW.format(name=spec.name)}",
        )


def _find_stale(store: Store, spec: CampaignSpec, space: SearchSpace, pool: Pool | None) -> dict[str, str]:
    """Return open proposals that the present file has no room for, and why; those in the laboratory are left."""
    running = set(store.trials(spec.name, [TrialStatus.RUNNING])["proposal_id"])
    stale = {}
    for proposal_id in ProposalBook.read(store, spec.name).open["proposal_id"]:
        misfit = find_misfit(store.proposal(proposal_id).configuration, space, pool)
        if misfit is not None and proposal_id not in running:
            stale[str(proposal_id)] = f"it {misfit.rule}"
    return stale


def _with_measurements(change: SpecChange, space: SearchSpace, before: pd.DataFrame, after: pd.DataFrame) -> SpecChange:
    """Say of a changed parameter or outcome what becomes of the measurements."""
    if after.empty or "[" not in change.path:
        return change
    said = ""
    section, _, rest = change.path.partition("[")
    name = rest.partition("]")[0]
    if section == "outcomes" and change.before is None and name in after:
        n_lacking = int(after[name].isna().sum())
        said = f"{_of(n_lacking, after)} {'lacks' if n_lacking == 1 else 'lack'} it." if n_lacking else ""
    elif section == "parameters" and change.after is None:
        said = f"It was {before[name].dropna().iloc[0]} in every measurement, and is taken to stay so."
    elif section == "parameters":
        out = {fault.row for fault in space.check(after) if fault.column == name}
        if change.before is None:
            verbs = "lacks it and does not teach" if len(out) == 1 else "lack it and do not teach"
            said = f"{_of(len(out), after)} {verbs}; to count what was before, say what it was then (held)."
            said = said if out else f"What was measured before counts at its held value ({_of(len(after), after)})."
        elif out:
            verbs = "lies outside and no longer teaches" if len(out) == 1 else "lie outside and no longer teach"
            said = f"{_of(len(out), after)} {verbs}."
    return change.and_then(said)


def _of(n: int, rows: pd.DataFrame) -> str:
    return f"{n} of {counted(len(rows), 'measurement')}"
