"""The campaign itself: `init`, `validate` and `report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.corrections import would_change
from discovery.cli.options import FileArgument, JsonFlag, StoreOption
from discovery.cli.output import note, print_json, records, say
from discovery.cli.store import find_store
from discovery.errors import counted

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import Pool, SearchSpace
    from discovery.store import Store
    from discovery.tasks.history import HistoryTasks

SHOWN_COLUMNS = 8  # names of columns that a note lists


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

    Says what it would change where the store has the campaign already. Nothing is stored.
    """
    from discovery.campaign import load_spec
    from discovery.session.changes import Outlook, foresee
    from discovery.session.costing import check_costs

    spec = load_spec(file)
    space, pool, history = check_campaign(spec)
    check_costs(spec, pool)
    kept = _store_if_any(spec)
    outlook = Outlook(0) if kept is None else foresee(kept, spec, space, pool)
    n_left_out = {} if history is None else history.n_dropped
    facts = {
        "campaign": spec.name,
        "parameters": spec.parameter_names,
        "n_dims": space.n_dims,
        "objective": ", ".join(f"{objective.goal} {objective.name}" for objective in spec.objectives),
        "n_candidates": None if pool is None else len(pool.keys),
        "simulators": [item.name for item in spec.experience.simulators],
        "n_history": _n_earlier_tasks(spec),
        "n_history_rows_left_out": n_left_out,
        "n_history_bounds": {} if history is None else history.n_bounds,
        "history_differences": [] if history is None else history.differences,
        "history_columns_unused": [] if history is None else history.unused,
        "budget": spec.budget.experiments,
        "version": outlook.version,
        "changes": [asdict(change) for change in outlook.changes],
        "n_stale": len(outlook.stale),
    }
    if as_json:
        print_json({"is_valid": True, **facts})
        return
    candidates = "a free space" if pool is None else counted(len(pool.keys), "candidate")
    say(
        f"{file} is valid: {facts['objective']} over {counted(len(spec.parameters), 'parameter')} ({candidates}) in "
        f"{counted(spec.budget.experiments, 'experiment')}, with {counted(_n_earlier_tasks(spec), 'earlier task')} and "
        f"{counted(len(spec.experience.simulators), 'simulator')} as experience."
    )
    for line in would_change(spec, outlook):
        say(line)
    if history is not None:
        for line in _history_lines(history):
            note(line)


def check_campaign(spec: CampaignSpec) -> tuple[SearchSpace, Pool | None, HistoryTasks | None]:
    """Check the tables, simulators and the laboratory that a campaign names; return what was read.

    Raises:
        DiscoveryError: If one of them is missing or wrong.
    """
    from discovery.seeds import rng
    from discovery.space import CandidatePool, SearchSpace

    space = SearchSpace.from_spec(spec)
    pool = CandidatePool.from_spec(spec, space)
    if spec.stages:
        from discovery.session.staging import listed

        listed(pool)
    if pool is None and space.constraints:
        space.sample(1, rng(spec.seed, "validate"))  # refuses constraints that leave nothing to propose
    _check_makers(spec, space)
    _check_inbox(spec)
    return space, pool, _check_history(spec, space)


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
    from discovery.evaluation.calibration import BELIEF, drift
    from discovery.report.campaign import CampaignFrames, campaign_headline, experience_words

    spec = load_spec(file)
    kept = find_store(file, store)
    kept.campaign(spec.name)  # says so where the store does not know the campaign
    frames = CampaignFrames.read(spec, kept)
    if html is not None:
        from discovery.report.html import campaign_html

        note(f"Wrote {campaign_html(frames, html)}.")
    if as_json:
        stored = frames.stored
        print_json(
            {
                "campaign": spec.name,
                "headline": campaign_headline(frames),
                "experience": experience_words(frames),
                "calibration": {name: predictions.scores() for name, predictions in stored.items()},
                "drift": asdict(drift(stored[BELIEF])) if stored else None,
                "further_outcomes": {
                    one.outcome: {
                        "experience": experience_words(one),
                        "calibration": {name: predictions.scores() for name, predictions in one.stored.items()},
                        "drift": asdict(drift(one.stored[BELIEF])) if one.stored else None,
                        "evidence": records(one.evidence),
                    }
                    for one in frames.further
                },
                "ended": frames.ended,
                "forecasts": [found.to_json() for found in frames.forecasts],
                "expected_gains": [asdict(gain) for gain in frames.gains],
                "measurements": records(frames.measurements),
                "corrections": records(frames.corrections),
                "proposals": records(frames.proposals),
                "evidence": records(frames.evidence),
            }
        )
        return
    from discovery.report.terminal import print_campaign

    print_campaign(frames)


def _check_makers(spec: CampaignSpec, space: SearchSpace) -> None:
    """Make the simulators and the laboratory that are named, which refuses a name or a setting that is not known."""
    if spec.experience.simulators:
        from discovery.registry import bound_simulators  # their packages load torch

        for outcome in spec.believed:
            bound_simulators(spec.for_outcome(outcome), space)
    if spec.experiment is not None:
        from discovery.experiments import Forewarns, adapter_for

        adapter = adapter_for(spec, space)
        for line in adapter.warnings() if isinstance(adapter, Forewarns) else ():
            note(f"Warning: {line}")


def _check_inbox(spec: CampaignSpec) -> None:
    """Check that no other campaign of the store takes the same inbox; a store is not made for that."""
    from discovery.session.inbox import check_alone
    from discovery.store import Store

    store = Store.of(spec)
    if spec.inbox is not None and store.path.is_file():
        check_alone(spec, store)


def _n_earlier_tasks(spec: CampaignSpec) -> int:
    """Return how many earlier tasks are named; a table with a column of tasks names one per level."""
    if not spec.experience.history:
        return 0
    from discovery.tasks.history_files import by_task  # loads torch

    return len(by_task(spec.experience.history, spec))


def _check_history(spec: CampaignSpec, space: SearchSpace) -> HistoryTasks | None:
    """Read the tables and campaigns of the history; None where there are none."""
    from discovery.campaign import CampaignRef

    entries, kept = list(spec.experience.history), _store_if_any(spec)
    campaigns = {i: entry.campaign for i, entry in enumerate(entries) if isinstance(entry, CampaignRef)}
    if campaigns and kept is None:
        note(f"Warning: there is no store yet to look for the history in: {', '.join(campaigns.values())}.")
        entries = [entry for entry in entries if not isinstance(entry, CampaignRef)]
    elif kept is not None:
        _check_campaigns(campaigns, kept)
    if not entries:
        return None
    from discovery.tasks.history import read_history  # loads torch

    return read_history(entries, spec, space, kept)


def _check_campaigns(campaigns: dict[int, str], kept: Store) -> None:
    """Refuse campaigns of the history that the store does not have, by their place in it.

    Raises:
        ConfigurationError: If one is missing; says which come near.
    """
    if not campaigns:
        return
    from discovery.campaign.parts import nearest
    from discovery.errors import ConfigurationError

    known = kept.campaigns().set_index("campaign")["n_measurements"]
    for i, name in campaigns.items():
        if name not in known:
            raise ConfigurationError(
                f"experience.history[{i}].campaign must be a campaign of {kept.path}; got {name!r}.",
                nearest(name, known.index),
            )
        if not known[name]:
            note(f"Warning: campaign {name} of the history has no measurements yet.")


def _store_if_any(spec: CampaignSpec) -> Store | None:
    """Return a campaign's store where there is such a file; `validate` makes none."""
    from discovery.store import Store

    kept = Store.of(spec)
    return kept if kept.path.is_file() else None


def _history_lines(history: HistoryTasks) -> list[str]:
    """Write what is made of the history, and what is left out of it."""
    lines = [f"Note: {text}" for text in history.differences]
    for name, n in history.n_bounds.items():
        lines.append(f"Note: {counted(n, 'outcome')} of {name} are bounds (< or >) and learned from as such.")
    if history.unused:
        names = ", ".join(history.unused[:SHOWN_COLUMNS]) + (", …" if len(history.unused) > SHOWN_COLUMNS else "")
        lines.append(f"Note: nothing is learned from these columns of the history: {names}.")
    for name, cells in history.dropped.items():
        first = cells[0]
        lines.append(
            f"Warning: {counted(history.n_dropped[name], 'row')} of {name} cannot be used. The first: data row "
            f"{first.row_number}, {first.column}: {first.reason}; got {first.value!r}."
        )
    return lines
