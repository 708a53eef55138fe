"""The demo's campaign file for any of the measured aryl halides: that halide is the new campaign, the others its past.

`data/campaigns/buchwald_hartwig.yaml` is what `buchwald_campaign()` returns. The library's own loader reads the text:
`discovery.campaign.load_spec`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import yaml

from data.families import slug
from discovery.errors import ConfigurationError

FOLDER = Path(__file__).with_name("campaigns")
TABLES = Path(__file__).with_name("buchwald_hartwig")

# The first file by name, a rule that was fixed before any result was seen. Every other task is `make demo TASK=...`.
DEFAULT_TASK = "1_bromo_4_ethylbenzene"

TEMPLATE = """\
# Buchwald-Hartwig couplings that a laboratory measured, {halide} as the new campaign: {n_rows} measured
# conditions are the candidates, the table plays the laboratory, and {n_history} other halides are the history.
# Written by data/campaigns.py; source, license and units stand in data/manifest.json.
name: buchwald_hartwig_{task}
parameters:
  - {{name: ligand, type: categorical, values: {ligands}}}
  - {{name: base, type: categorical, values: {bases}}}
  - name: additive
    type: categorical
    values:
{additives}
outcomes:
  - {{name: yield, unit: "%", range: [0, 100]}}
objectives:
  - {{name: yield, goal: maximize}}
candidates: {table}
experience:
  simulators: [{{name: reaction_kinetics}}, {{name: gp_prior}}]
  history:
{history}
hypotheses: auto
acquisition: {{name: log_ei, batch_size: 4}}
budget: {{experiments: 24, initial: 0}}
experiment: {{type: table, path: {table}}}
review: {{mode: auto}}
seed: 0
"""


def halides() -> pd.DataFrame:
    """Return the measured aryl halides in order of their task: task, aryl_halide, smiles, scaffold."""
    table = pd.read_csv(TABLES / "compounds" / "aryl_halides.csv", dtype=str)
    return table.sort_values("task").reset_index(drop=True)


def resolve_task(name: str) -> str:
    """Return the task that a file stem (`2_bromopyridine`) or a compound name (`2-bromopyridine`) means.

    Raises:
        ConfigurationError: If no such halide was measured; the message lists those that were.
    """
    known = halides()
    task = slug(name)
    if task not in set(known["task"]):
        raise ConfigurationError(
            f"TASK must be one of the {len(known)} measured aryl halides; got {name!r}.",
            f"Use one of: {', '.join(known['aryl_halide'])}.",
        )
    return task


def buchwald_campaign(task: str = DEFAULT_TASK, folder: Path = FOLDER, *, leave_scaffold_out: bool = False) -> str:
    """Return the campaign file for one aryl halide.

    Args:
        task: File stem or compound name of the halide that is new.
        folder: Where the file will stand; paths in it are relative to this folder.
        leave_scaffold_out: Leave halides with the same ring out of the history as well (chloride, bromide and iodide
            of one ring are much alike, so this is the stricter test of transfer).

    Returns:
        YAML text.

    Raises:
        ConfigurationError: If no such halide was measured.
    """
    stem, known = resolve_task(task), halides()
    mine = known.set_index("task").loc[stem]
    past = known[known["task"] != stem]
    if leave_scaffold_out:
        past = past[past["scaffold"] != mine["scaffold"]]
    return TEMPLATE.format(
        halide=mine["aryl_halide"],
        task=stem,
        n_rows=len(pd.read_csv(TABLES / f"{stem}.csv")),
        n_history=len(past),
        table=_scalar(_path(stem, folder)),
        ligands=f"[{', '.join(_levels('ligand'))}]",
        bases=f"[{', '.join(_levels('base'))}]",
        additives=_lines(_levels("additive"), indent=6),
        history=_lines([_scalar(_path(other, folder)) for other in past["task"]], indent=4),
    )


def write_buchwald_campaign(path: Path, task: str = DEFAULT_TASK) -> Path:
    """Write the campaign file for one aryl halide and return its path.

    Raises:
        ConfigurationError: If no such halide was measured.
    """
    text = buchwald_campaign(task, path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _path(stem: str, folder: Path) -> str:
    """Return the path of a task table as seen from a folder."""
    return Path(os.path.relpath(TABLES / f"{stem}.csv", folder)).as_posix()


def _levels(column: str) -> list[str]:
    """Return the categories of one parameter, written for YAML."""
    names = pd.read_csv(TABLES / "compounds" / f"{column}s.csv", dtype=str)[column]
    return [_scalar(name) for name in names]


def _scalar(text: str) -> str:
    """Return a text as YAML, with quotes where YAML needs them."""
    return yaml.safe_dump([text], default_flow_style=True, width=float("inf"), allow_unicode=True).strip()[1:-1]


def _lines(items: list[str], indent: int) -> str:
    """Return a YAML list with one item a line."""
    return "\n".join(f"{' ' * indent}- {item}" for item in items)
