"""The campaign itself: `init`, `validate`, `status` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import FileArgument, JsonFlag, OptionalFile, StoreOption
from discovery.cli.output import note, plain, print_json, print_table, records, say
from discovery.cli.store import find_store

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.ingest import RejectedRow
    from discovery.report.campaign import CampaignFrames
    from discovery.session import Campaign
    from discovery.space import SearchSpace
    from discovery.store import Store


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the campaign.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the files go.")] = Path("."),
    as_json: JsonFlag = False,
) -> None:
    """Start a campaign from a commented template.

    Writes a campaign file and a small table of candidates.
    """
    from discovery.campaign import write_template

    files = write_template(name, folder)
    if as_json:
        print_json({"files": files})
        return
    say(f"Wrote {' and '.join(map(str, files))}.")
    say(f"Edit them, then: discovery validate {files[0]}")


def validate(file: FileArgument, as_json: JsonFlag = False) -> None:
    """Check a campaign file and the tables it names.

    Nothing is stored.
    """
    from discovery.campaign import load_spec
    from discovery.space import CandidatePool, SearchSpace

    spec = load_spec(file)
    space = SearchSpace.from_spec(spec)
    pool = CandidatePool.from_spec(spec, space)
    _check_makers(spec, space)
    left_out = _check_history(spec, space)
    n_left_out = {name: len({cell.row_number for cell in cells}) for name, cells in left_out.items()}
    facts = {
        "campaign": spec.name,
        "parameters": spec.parameter_names,
        "n_dims": space.n_dims,
        "objective": f"{spec.objective.goal} {spec.objective.name}",
        "n_candidates": None if pool is None else len(pool.keys),
        "simulators": [item.name for item in spec.experience.simulators],
        "n_history": len(spec.experience.history),
        "n_history_rows_left_out": n_left_out,
        "budget": spec.budget.experiments,
    }
    if as_json:
        print_json({"is_valid": True, **facts})
        return
    candidates = "a free space" if pool is None else f"{len(pool.keys)} candidates"
    say(
        f"{file} is valid: {facts['objective']} over {len(spec.parameters)} parameters ({candidates}) in "
        f"{spec.budget.experiments} experiments, with {facts['n_history']} earlier tasks and "
        f"{len(spec.experience.simulators)} simulators as experience."
    )
    for name, cells in left_out.items():
        first = cells[0]
        note(
            f"Warning: {n_left_out[name]} rows of {name} are left out. The first: data row "
            f"{first.row_number}, {first.column}: {first.reason}; got {first.value!r}."
        )


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
        print_json({**facts, "store": chosen.path})
        return
    for line in _status_lines(facts, file):
        say(line)


def report(
    file: FileArgument,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots.")] = None,
    store: StoreOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Report what was found and what explains it.

    Best conditions, weights of the hypotheses, and how good the predictions were that were stored beforehand.
    """
    from discovery.campaign import load_spec
    from discovery.report.campaign import campaign_headline

    spec = load_spec(file)
    kept = find_store(file, store)
    kept.campaign(spec.name)  # says so where the store does not know the campaign
    frames = campaign_frames(spec, kept)
    if html is not None:
        from discovery.report.html import campaign_html

        note(f"Wrote {campaign_html(frames, html)}.")
    if as_json:
        print_json(
            {
                "campaign": spec.name,
                "headline": campaign_headline(frames),
                "measurements": records(frames.measurements),
                "proposals": records(frames.proposals),
                "evidence": records(frames.evidence),
            }
        )
        return
    from discovery.report.terminal import print_campaign

    print_campaign(frames)


def campaign_frames(spec: CampaignSpec, store: Store) -> CampaignFrames:
    """Collect what the report of a campaign is made of."""
    from discovery.report.campaign import CampaignFrames

    return CampaignFrames(
        spec=spec,
        measurements=store.measurements(spec.name),
        proposals=store.proposals(spec.name),
        evidence=store.evidence(spec.name),
        calibration=store.view("v_calibration_inputs", spec.name),
    )


def _check_makers(spec: CampaignSpec, space: SearchSpace) -> None:
    """Make the simulators and the laboratory that are named, which refuses a name or a setting that is not known."""
    if spec.experience.simulators:
        from discovery.registry import bound_simulators  # their packages load torch

        bound_simulators(spec, space)
    if spec.experiment is not None:
        from discovery.experiments import adapter_for

        adapter_for(spec, space)


def _check_history(spec: CampaignSpec, space: SearchSpace) -> dict[str, tuple[RejectedRow, ...]]:
    """Read the tables of the history, and return what is left out of them; campaigns are read when they are used."""
    files = [entry for entry in spec.experience.history if isinstance(entry, str)]
    if not files:
        return {}
    from discovery.tasks.history import read_history  # loads torch

    return read_history(files, spec, space).dropped


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
    progress, evidence = campaign.progress(), campaign.store.evidence(campaign.name)
    last = evidence[evidence["cycle"] == evidence["cycle"].max()]
    return {
        **{name: plain(value) for name, value in vars(progress).items()},
        "status": campaign.store.campaign(campaign.name).status,
        "is_manual": campaign.spec.experiment is None,
        "outcome": campaign.spec.objective.name,
        "unit": campaign.spec.outcome(campaign.spec.objective.name).unit or "",
        "weights": {str(r.hypothesis): float(r.weight) for r in last.itertuples(index=False)},
        "e_value": float(last["e_value"].max()) if len(last) else None,
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
        "best": None,
        "is_finished": False,
        "reason": "Nothing is stored yet.",
        "status": "NEW",
        "is_manual": spec.experiment is None,
        "outcome": spec.objective.name,
        "unit": spec.outcome(spec.objective.name).unit or "",
        "weights": {},
        "e_value": None,
    }


def _status_lines(facts: dict[str, Any], file: Path) -> list[str]:
    """Write what `status` says as text."""
    from discovery.report.style import number

    unit = f" {facts['unit']}" if facts["unit"] else ""
    lines = [
        f"{facts['campaign']}: {facts['status']}, {facts['n_measurements']} of {facts['n_budget']} experiments, "
        f"{facts['cycle']} cycles. {facts['reason']}"
    ]
    if facts["best"]:
        best = {name: value for name, value in facts["best"].items() if name not in ("measurement_id", "position")}
        y = best.pop(facts["outcome"])
        where = ", ".join(f"{name} {number(value)}" for name, value in best.items())
        lines.append(
            f"Best {facts['outcome']}: {number(y)}{unit}, at experiment {facts['best']['position']} ({where})."
        )
    if facts["weights"]:
        ranked = sorted(facts["weights"].items(), key=lambda item: -item[1])
        lines.append("Hypotheses: " + ", ".join(f"{name} {weight:.2f}" for name, weight in ranked) + ".")
    if facts["n_waiting"]:
        lines.append(f"{facts['n_waiting']} proposals wait for a decision: discovery review {file}")
    elif not facts["is_finished"]:
        lines.append(f"Go on: {go_on(file, facts['is_manual'], facts['n_open'])}")
    return lines


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
