"""Where a campaign stands: `status`, and which command comes next."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.cli.options import JsonFlag, OptionalFile, StoreOption
from discovery.cli.output import plain, print_json, print_table, records, say
from discovery.cli.store import find_store
from discovery.errors import counted

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.session import Campaign
    from discovery.store import Store


def status(file: OptionalFile = None, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Say where a campaign stands.

    Without a file, list the campaigns of the store.
    """
    if file is None:
        _list_campaigns(find_store(None, store), as_json)
        return
    from discovery.campaign import load_spec
    from discovery.session import Campaign
    from discovery.store import Store

    spec = load_spec(file)
    chosen = Store.of(spec) if store is None else Store(store)
    is_new = not chosen.path.is_file()
    facts = _nothing_yet(spec) if is_new else _facts(Campaign.open(spec, store=chosen))
    if as_json:
        print_json({**{name: fact for name, fact in facts.items() if name != "standing_lines"}, "store": chosen.path})
        return
    for line in _status_lines(facts, file):
        say(line)


def _list_campaigns(store: Store, as_json: bool) -> None:
    rows = records(store.campaigns())
    if as_json:
        print_json(rows)
        return
    shown = [(r["campaign"], r["status"], r["goal"], r["objective"], r["n_measurements"], r["reason"]) for r in rows]
    columns = ("campaign", "status", "goal", "outcome", "measured", "why")
    print_table(f"Campaigns in {store.path}", columns, shown, n_text=4)


def _facts(campaign: Campaign) -> dict[str, Any]:
    """Collect what `status` says."""
    from discovery.review.experience import experience_sentences
    from discovery.session.compromises import standing_lines
    from discovery.session.doubts import doubts
    from discovery.session.ledgers import experience_fits, task_groups
    from discovery.session.proposals import today_of
    from discovery.session.replicates import replicate_spread
    from discovery.session.stopping import amount, read_gains

    spread = replicate_spread(campaign.measurements(), campaign.spec.objective.name)
    progress, evidence = campaign.progress(), campaign.store.evidence(campaign.name)
    last = evidence[evidence["cycle"] == evidence["cycle"].max()]
    fits, gains = experience_fits(campaign.store, campaign.spec), read_gains(campaign.store.metrics(campaign.name))
    named = fits if len(campaign.spec.believed) > 1 else dict.fromkeys([""], fits.get(campaign.spec.objective.name))
    return {
        **{name: plain(value) for name, value in asdict(progress).items()},
        "standing_lines": list(standing_lines(campaign.spec, progress.standing)),
        "status": campaign.store.campaign(campaign.name).status,
        "is_manual": _is_manual(campaign, progress.n_running),
        "outcome": campaign.spec.objective.name,
        "unit": campaign.spec.outcome(campaign.spec.objective.name).unit or "",
        "weights": {str(r.hypothesis): float(r.weight) for r in last.itertuples(index=False)},
        "groups": task_groups(campaign.store, campaign.name, campaign.spec.objective.name),
        "e_value": float(last["e_value"].max()) if len(last) else None,
        "n_weighed": int(last["n_measurements"].max()) if len(last) else 0,
        "experience": [line for name, fit in named.items() if fit for line in experience_sentences(fit, name)],
        "further_outcomes": {name: _weighed(campaign, name) for name in campaign.spec.believed[1:]},
        "expected_gain": gains[-1].per_experiment if gains else None,
        "expected_gain_text": amount(gains[-1].per_experiment, campaign.spec) if gains else "",
        "min_gain": campaign.spec.stop.min_gain,
        "n_corrections": len(campaign.corrections()),
        "doubtful": [asdict(doubt) for doubt in doubts(campaign.store, campaign.spec)],
        "replicates": None if spread is None else asdict(spread),
        "today": today_of(campaign.store.metrics(campaign.name), progress.cycle).sentence(campaign.spec),
        "context": campaign.spec.context_names,
    }


def _nothing_yet(spec: CampaignSpec) -> dict[str, Any]:
    """Return what `status` says before anything is stored; a store is not made for that."""
    return {
        "campaign": spec.name,
        "cycle": 0,
        "n_measurements": 0,
        "n_budget": spec.budget.experiments,
        "n_open": 0,
        "n_waiting": 0,
        "n_running": 0,
        "best": None,
        "is_finished": False,
        "reason": f"Nothing is stored yet; {counted(spec.budget.experiments, 'experiment')} may be made.",
        "status": "NEW",
        "is_manual": spec.experiment is None,
        "outcome": spec.objective.name,
        "unit": spec.outcome(spec.objective.name).unit or "",
        "weights": {},
        "groups": {},
        "e_value": None,
        "n_weighed": 0,
        "experience": [],
        "further_outcomes": {},
        "expected_gain": None,
        "expected_gain_text": "",
        "ended_by": "",
        "min_gain": spec.stop.min_gain,
        "n_corrections": 0,
        "doubtful": [],
        "replicates": None,
        "standing": {},
        "standing_lines": [],
        "today": "",
        "context": spec.context_names,
    }


def _status_lines(facts: dict[str, Any], file: Path) -> list[str]:
    """Write what `status` says as text."""
    from discovery.report.style import number
    from discovery.session.doubts import Doubt
    from discovery.session.ledgers import group_sentences
    from discovery.session.replicates import ReplicateSpread

    unit = f" {facts['unit']}" if facts["unit"] else ""
    lines = [f"{facts['campaign']}: {facts['status']} after {counted(facts['cycle'], 'cycle')}. {facts['reason']}"]
    if facts["best"]:
        best = {name: value for name, value in facts["best"].items() if name not in ("measurement_id", "position")}
        y, side = best.pop(facts["outcome"]), best.pop(f"{facts['outcome']}_limit", "")
        where = ", ".join(f"{name} {number(value)}" for name, value in best.items())
        lines.append(
            f"Best {facts['outcome']}: {f'{side} ' if side else ''}{number(y)}{unit}, at experiment "
            f"{facts['best']['position']} ({where})."
        )
    lines += facts["standing_lines"]
    if facts["today"]:
        lines.append(f"The last proposals: {facts['today']}")
    if facts["weights"]:
        lines.append(_weights_line(facts, f" about {facts['outcome']}" if facts["further_outcomes"] else ""))
    lines += group_sentences(facts["groups"])
    for name, one in facts["further_outcomes"].items():
        if one["weights"]:
            lines.append(_weights_line(facts | one, f" about {name}"))
        lines += group_sentences(one["groups"], f" in {name}")
    if facts["n_corrections"]:
        lines.append(f"{counted(facts['n_corrections'], 'correction')} of measurements: discovery changes {file}")
    if facts["replicates"]:
        lines.append(ReplicateSpread(**facts["replicates"]).sentence(facts["outcome"], unit))
    lines += [line for doubt in facts["doubtful"] for line in Doubt(**doubt).sentences(file)]
    lines += facts["experience"]
    if facts["min_gain"] is not None and facts["expected_gain"] is not None and not facts["ended_by"]:
        lines.append(
            f"The last proposals were expected to gain {facts['expected_gain_text']} per experiment; "
            f"{facts['min_gain']:g} are asked for (stop.min_gain)."
        )
    if facts["ended_by"] == "gain":
        lines.append(f"To go on all the same: discovery propose {file} --continue, or ask for less (stop.min_gain).")
    if facts["n_waiting"]:
        lines.append(f"{counted(facts['n_waiting'], 'proposal')} to be decided: discovery review {file}")
    elif not facts["is_finished"]:
        flags = "" if facts["n_open"] else "".join(f" --given {name}=VALUE" for name in facts["context"])
        lines.append(f"Go on: {go_on(file, facts['is_manual'], facts['n_open'])}{flags}")
    return lines


def _weighed(campaign: Campaign, outcome: str) -> dict[str, Any]:
    """Return where the belief in a further outcome stood when it was last asked."""
    from discovery.session.ledgers import ledger_about, task_groups

    ledger = ledger_about(campaign.store, campaign.spec, outcome)
    last = ledger[ledger["cycle"] == ledger["cycle"].max()]
    return {
        "groups": task_groups(campaign.store, campaign.name, outcome),
        "weights": {str(name): float(w) for name, w in zip(last["hypothesis"], last["weight"], strict=True)},
        "e_value": float(last["e_value"].max()) if len(last) else None,
        "n_weighed": int(last["n_measurements"].max()) if len(last) else 0,
        "n_measurements": int(campaign.measurements()[outcome].notna().sum()),
    }


def _weights_line(facts: dict[str, Any], about: str = "") -> str:
    """Write the hypotheses' weights, and of which measurements they are where more have come since."""
    ranked = sorted(facts["weights"].items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} {weight:.2f}" for name, weight in ranked)
    n, n_now = facts["n_weighed"], facts["n_measurements"]
    more = "" if facts["is_finished"] else "; the next `propose` takes in the others"
    later = f" (after {n} of {n_now} measurements{more})" if n < n_now else ""
    return f"Hypotheses{about}: {said}{later}."


def _is_manual(campaign: Campaign, n_running: int) -> bool:
    """Return whether people owe the next results: the file names no experiment, or their sheets are out."""
    experiment = campaign.spec.experiment
    return experiment is None or (experiment.type == "manual" and n_running > 0)


def go_on(file: Path, is_manual: bool, n_open: int) -> str:
    """Name the command that comes next when nothing waits for a decision.

    Args:
        file: The campaign file.
        is_manual: Whether people make the experiments (the file names none).
        n_open: Proposals without a result.
    """
    if not is_manual:
        return f"discovery run {file}"
    return f"discovery ingest {file} RESULTS.csv" if n_open else f"discovery propose {file}"
