"""The registry of checkpoints: `models list`, `models show` and `models promote`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from discovery.cli.options import JsonFlag, StoreOption
from discovery.cli.output import print_json, print_table, records, say
from discovery.cli.store import find_store

app = typer.Typer(help="The registered checkpoints.", no_args_is_help=True, rich_markup_mode=None)
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Id of the version.")]


@app.command("list")
def list_models(store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """List the versions, and which are in use."""
    rows = records(find_store(None, store).models(), json_columns=("task_sources", "scores"))
    if as_json:
        print_json(rows)
        return
    shown = [
        (row["version_id"], row["hypothesis"], row["status"], row["parent"] or "", len(row["task_sources"]))
        for row in rows
    ]
    print_table("Model versions", ("version", "hypothesis", "status", "refined from", "tasks"), shown, n_text=4)


@app.command("show")
def show_model(version: VersionArgument, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Show where a version comes from, its scores and, where it learned that, how alike or grouped its tasks are."""
    opened = find_store(None, store)
    found = asdict(opened.model(version))
    path = opened.path.parent / found["path"]
    likeness, groups = _likeness(path, found["learner"]), _groups(path, found["learner"])
    if as_json:
        print_json(found | {"task_correlation": likeness, "task_groups": groups})
        return
    scores = "; ".join(f"{name} {value:.4g}" for name, value in found.pop("scores").items())
    tasks = found.pop("task_sources")
    sources = "\n  ".join(tasks)
    for name, value in {**found, "scores": scores}.items():
        say(f"{name + ':':<14}{value or '-'}")
    say(f"tasks:\n  {sources or '-'}")
    if likeness is not None and len(tasks) > 1:
        columns = ("task", *("most alike", "next", "next")[: len(tasks) - 1])
        print_table("How alike the tasks are: correlation, 0 to 1", columns, _nearest(tasks, likeness), n_text=4)
    if groups is not None:
        n = len(groups[0]) - 1
        columns = ("task", *(f"group {i + 1}" for i in range(n)), "none of them")
        rows = [(task, *(f"{share:.2f}" for share in row)) for task, row in zip(tasks, groups, strict=True)]
        print_table("Where the tasks belong: probability", columns, rows, n_text=1)


def _likeness(path: Path, learner: str) -> list[list[float]] | None:
    """Return the learned correlation of the tasks, in their order; None for learners that learn none."""
    if learner != "multi_task":
        return None
    from discovery.meta.checkpoint import load
    from discovery.meta.multi_task import MultiTask

    return [[round(float(value), 4) for value in row] for row in MultiTask.load(load(path)).task_correlation]


def _groups(path: Path, learner: str) -> list[list[float]] | None:
    """Return the probability that each task belongs to each group, and to none; None for learners that find none."""
    if learner != "hierarchical":
        return None
    from discovery.meta.checkpoint import load
    from discovery.meta.hierarchical import Hierarchical

    return [[round(float(value), 4) for value in row] for row in Hierarchical.load(load(path)).responsibility]


def _nearest(tasks: Sequence[str], likeness: list[list[float]]) -> list[tuple[str, ...]]:
    """Return each task with the three that are most like it."""
    rows = []
    for i, task in enumerate(tasks):
        others = sorted((j for j in range(len(tasks)) if j != i), key=lambda j: -likeness[i][j])
        rows.append((task, *(f"{tasks[j]} {likeness[i][j]:.2f}" for j in others[:3])))
    return rows


@app.command("promote")
def promote_model(version: VersionArgument, store: StoreOption = None, as_json: JsonFlag = False) -> None:
    """Put a version to use.

    For campaigns that start from now on; the one in use before is archived.
    """
    promoted = find_store(None, store).promote(version)
    if as_json:
        print_json(asdict(promoted))
    else:
        say(f"{promoted.version_id} is in use for {promoted.hypothesis}.")
