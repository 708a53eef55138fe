"""`discovery bench meta`: one check of the families of meta-learning, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from discovery.cli.options import Device, words
from discovery.cli.output import note, of_steps, print_json, print_table, progress_bar, say, write_json
from discovery.evaluation.bench.meta.frame import CHECKS, CheckOptions, CheckResult, run_check


@dataclass(frozen=True)
class MetaChoice:
    """What the command line said.

    Attributes:
        learners: Names with commas between, or None for all that a check is for.
        seeds: Repetitions, or None for the check's own number.
        is_quick: Whether a small version is enough.
        device: Where networks live.
    """

    learners: str | None
    seeds: int | None
    is_quick: bool
    device: Device


def check_meta(check: str | None, choice: MetaChoice, out: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Run one check and say what it found.

    Args:
        check: Its name.
        choice: Learners, seeds, size and device.
        out: JSON file for the result.
        as_json: Whether JSON goes to standard output in place of the table.
        verbose: Whether progress is shown where no one watches.
    """
    if check is None:
        told = "; ".join(f"{name}: {what}" for name, (_, what) in CHECKS.items())
        raise typer.BadParameter(f"must name one of these. {told}.", param_hint="--check")
    from discovery import registry
    from discovery.settings import start_torch

    learners = tuple(words(choice.learners, "--methods")) if choice.learners else ()
    for name in learners:
        registry.entry("learner", name)
    device = str(start_torch(choice.device))
    seeds = CheckOptions.seeds if choice.seeds is None else choice.seeds
    with progress_bar(verbose) as progress:
        result = run_check(check, CheckOptions(seeds, choice.is_quick, learners, device, of_steps(progress)))
    if out is not None:
        write_json(result.to_json(), out)
        note(f"Wrote {out}.")
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)


def _print(result: CheckResult) -> None:
    columns = list(dict.fromkeys(column for row in result.rows for column in row))
    rows = [["" if row.get(column) is None else row[column] for column in columns] for row in result.rows]
    print_table(CHECKS[result.check][1].capitalize(), columns, rows, n_text=1)
    for sentence in result.notes:
        say(sentence)
