"""Proposals and what people decide about them: `propose`, `review` and `replay`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import (
    Device,
    DeviceOption,
    FileArgument,
    GivenOption,
    GoOn,
    JsonFlag,
    StoreOption,
    Verbose,
    WithoutOption,
    given_values,
    pairs,
)
from discovery.cli.output import note, of_steps, print_json, progress_bar, records, say
from discovery.cli.server import tell_server
from discovery.cli.sheets import check_sheet, write_proposals
from discovery.cli.status import go_on
from discovery.cli.store import find_store
from discovery.errors import counted
from discovery.settings import current_user

if TYPE_CHECKING:
    from discovery.errors import StopAdvisedError
    from discovery.session import Campaign, Decision

ALL = "all"
Words = Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="More ids, or edited values.")]


def propose(
    file: FileArgument,
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="How many; default the batch size.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--sheet", "--csv", metavar="FILE", help="Write a sheet to fill in: .csv or .xlsx.")
    ] = None,
    given: GivenOption = None,
    without: WithoutOption = None,
    carry_on: GoOn = False,
    device: DeviceOption = Device.AUTO,
    as_json: JsonFlag = False,
    verbose: Verbose = False,
) -> None:
    """Propose the next experiments and store them.

    Meta-trains first where that was not done yet. What holds today only is said with --given and --without.
    """
    is_given, is_out = given_values(given), pairs(without, "--without")
    from discovery.errors import StopAdvisedError
    from discovery.session import Campaign
    from discovery.session.leases import running

    campaign = Campaign.open(file, device=device)
    if csv is not None:
        check_sheet(campaign, csv)
    campaign.today(is_given, is_out)  # a fault is told before anything is trained
    try:
        with running(campaign.store, campaign.name):  # whoever is refused hears it before it has trained for minutes
            with progress_bar(verbose) as progress:
                campaign.meta_train(of_steps(progress))
            proposals = campaign.ask(n, go_on=carry_on, given=is_given, without=is_out)
    except StopAdvisedError as advice:
        _show_advice(advice, file, as_json)
        return
    approved = campaign.review_pending().approved
    tell_server(campaign.store)
    if csv is not None:
        write_proposals(campaign, proposals, csv)
    if as_json:
        ids = set(proposals["proposal_id"])
        now = campaign.proposals()
        print_json(records(now[now["proposal_id"].isin(ids)]))
        return
    _show_cards(campaign, proposals["proposal_id"].tolist())
    for sentence in _warnings(campaign):
        say(sentence)
    say(
        f"Nobody is asked: approved {counted(len(approved), 'proposal')}. "
        f"Go on: {go_on(file, campaign.spec.experiment is None, len(approved))}"
        if approved
        else f"Decide: discovery review {file} --approve ID"
    )


def _show_advice(advice: StopAdvisedError, file: Path, as_json: bool) -> None:
    """Say that nothing is proposed because it would gain too little: no fault, and no end that cannot be overruled."""
    if as_json:
        print_json([])
        note(str(advice))
        return
    say(advice.message)
    say(f"To go on all the same: discovery propose {file} --continue, or ask for less in the file (stop.min_gain).")


def _warnings(campaign: Campaign) -> tuple[str, ...]:
    """Say what the team should know about its experience before it decides; empty where nothing is wrong with it."""
    from discovery.review.experience import experience_sentences
    from discovery.session.ledgers import experience_fits

    fits, is_several = experience_fits(campaign.store, campaign.spec), len(campaign.spec.believed) > 1
    alarms = [(fit, name if is_several else "") for name, fit in fits.items() if fit.is_alarm]
    return tuple(line for fit, name in alarms for line in experience_sentences(fit, name))


def review(
    file: FileArgument,
    more: Words = None,
    approve: Annotated[list[str] | None, typer.Option("--approve", metavar="ID", help="Approve; ID or all.")] = None,
    reject: Annotated[list[str] | None, typer.Option("--reject", metavar="ID", help="Reject; needs --reason.")] = None,
    edit: Annotated[str | None, typer.Option("--edit", metavar="ID", help="Approve with other values.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    remark: Annotated[str, typer.Option("--note", help="A remark that is kept with the decision.")] = "",
    reviewer: Annotated[str, typer.Option("--reviewer", help="Who decides; default DISCOVERY_USER, else you.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Show proposals that wait and who decided about the others, or decide.

    Examples: `--approve ID ID`, `--approve all`, `--reject ID --reason "too hot"`, `--edit ID temperature=60`.
    """
    decisions = _decisions(more or [], approve or [], reject or [], edit, reason)
    from discovery.session import Campaign

    campaign = Campaign.open(file)
    waiting = campaign.waiting()
    if not decisions:
        _show_waiting(campaign, waiting, file, as_json)
        return
    who, why = reviewer.strip() or current_user(), "; ".join(filter(None, (reason.strip(), remark.strip())))
    named = [i for one in decisions for i in (waiting if one.proposal_id == ALL else [one.proposal_id])]
    with campaign.store.transaction():  # all decisions are made, or none
        for one in decisions:
            for proposal_id in waiting if one.proposal_id == ALL else [one.proposal_id]:
                campaign.decide(proposal_id, one.verb, who, why, dict(one.values) if one.values else None)
        decided = campaign.decisions(named)
    is_deployed = _tell_prefect(campaign)
    if as_json:
        print_json(_plain_decisions(campaign, decided))
    else:
        _show_decided(campaign, decided, file, is_deployed=is_deployed)


def _plain_decisions(campaign: Campaign, decided: Sequence[Decision]) -> list[dict[str, object]]:
    """Return decisions for scripts."""
    return [{**asdict(one), "status": str(campaign.store.proposal(one.proposal_id).status)} for one in decided]


def _show_decided(campaign: Campaign, decided: Sequence[Decision], file: Path, *, is_deployed: bool) -> None:
    """Say what was decided just now, and what comes next: a deployed campaign goes on by itself."""
    for one in decided:
        say(f"{one.proposal_id} is {campaign.store.proposal(one.proposal_id).status}.")
    left = len(campaign.waiting())
    if left:
        say(f"{counted(left, 'proposal')} to be decided.")
    else:
        progress, is_manual = campaign.progress(), campaign.spec.experiment is None
        go = f" Go on: {go_on(file, is_manual, progress.n_open)}"
        if is_deployed:
            needs_results = f" once results are there: {go_on(file, is_manual, progress.n_open)}"
            go = f" The deployment goes on by itself{needs_results if is_manual and progress.n_open else '.'}"
        say("No proposal waits." + (f" {progress.reason}" if progress.is_finished else go))


def _tell_prefect(campaign: Campaign) -> bool:
    """Tell a server what was decided, where one is named: open forms are closed, and a deployed campaign is woken.

    Returns:
        Whether the campaign is deployed there, so that nobody has to go on with it.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    from flows.runtime import prefect_runtime

    with prefect_runtime(campaign.store.path.parent):
        from flows.events import tell_events
        from flows.forms import close_forms
        from flows.wake import is_deployed

        tell_events(campaign.store)
        close_forms(campaign)
        return is_deployed(campaign.name)


def replay(
    proposal_id: Annotated[str, typer.Argument(metavar="PROPOSAL_ID", help="A stored proposal.")],
    store: StoreOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compute a stored proposal again.

    From what was known when it was made; ends with code 1 where it differs.
    """
    from discovery.campaign import CampaignSpec
    from discovery.session import Campaign

    kept = find_store(None, store)
    row = kept.campaign(kept.proposal(proposal_id).campaign)
    spec = CampaignSpec.from_json(row.spec_json, row.base_dir)
    result = Campaign.open(spec, store=kept).replay(proposal_id)
    if as_json:
        print_json({"proposal_id": proposal_id, "is_equal": result.is_equal, "differences": result.differences})
    else:
        said = "is the same when computed again" if result.is_equal else "differs: " + "; ".join(result.differences)
        say(f"{proposal_id} {said}.")
    if not result.is_equal:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Decision:
    """One decision as read from the command line."""

    proposal_id: str
    verb: str
    values: tuple[tuple[str, object], ...] = ()


def _decisions(
    more: list[str], approve: list[str], reject: list[str], edit: str | None, reason: str
) -> list[_Decision]:
    """Read what is decided about which proposal; ids behind the first belong to the option that stands alone.

    Raises:
        typer.BadParameter: If a rejection has no reason, or it is not clear what a word belongs to.
    """
    from discovery.review import parse_edit

    values, ids = [word for word in more if "=" in word], [word for word in more if "=" not in word]
    if ids and edit is not None and not (approve or reject):
        raise typer.BadParameter(f"{ids[0]!r} must be KEY=VALUE, such as temperature=60", param_hint="--edit")
    if ids and bool(approve) == bool(reject):
        raise typer.BadParameter(f"{ids[0]!r} must stand behind one of --approve and --reject", param_hint="ID")
    if bool(values) != (edit is not None):
        raise typer.BadParameter("an edit needs an id and KEY=VALUE words, and they need --edit", param_hint="--edit")
    if reject and not reason.strip():
        raise typer.BadParameter("a rejection must say why: add --reason TEXT", param_hint="--reject")
    approved = approve + (ids if approve else [])
    rejected = reject + (ids if reject else [])
    named = [*approved, *rejected, *([] if edit is None else [edit])]
    if len(set(named)) < len(named) or (ALL in named and len(named) > 1):
        raise typer.BadParameter("every proposal must be decided about once, and all stands alone", param_hint="ID")
    edited = [_Decision(edit, "edit", tuple(parse_edit(values).items()))] if edit is not None else []
    return [*(_Decision(i, "approve") for i in approved), *(_Decision(i, "reject") for i in rejected), *edited]


def _show_waiting(campaign: Campaign, waiting: Sequence[str], file: Path, as_json: bool) -> None:
    """Show cards of what waits, and who decided about the rest of the last cycle."""
    if as_json:
        print_json([asdict(campaign.card(proposal_id)) for proposal_id in waiting])
        return
    _show_cards(campaign, waiting)
    proposals = campaign.proposals()
    last = proposals.loc[proposals["cycle"] == proposals["cycle"].max(), "proposal_id"].tolist()
    for decision in campaign.decisions(last):
        say(f"{decision.line}.")
    until = campaign.deadline(waiting)
    if until is not None:
        note(f"Undecided proposals go stale on {until.astimezone(UTC):%Y-%m-%d at %H:%M} UTC.")
    note(
        f"{counted(len(waiting), 'proposal')} to be decided: discovery review {file} --approve ID"
        if waiting
        else "No proposal waits."
    )


def _show_cards(campaign: Campaign, ids: Sequence[str]) -> None:
    from discovery.review import render_text

    for proposal_id in ids:
        say(render_text(campaign.card(proposal_id)))
        say("")
