"""Campaign files of measured tasks, made in memory; their tables lie in the cache, named by their content.

Everything that a method may know is decided here by the inputs alone: levels, bounds, scales. Outcomes give nothing
but the candidates' own column, which every method is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from discovery.campaign import CampaignSpec, check_supported
from discovery.evaluation.bench.datasets import Column, FamilySource
from discovery.evaluation.bench.tables import TaskTable
from discovery.settings import cache_dir

LOG_RATIO = 10.0  # a positive parameter that spans a factor of ten or more is encoded by its logarithm


def campaign_spec(source: FamilySource, own: TaskTable, history: Mapping[str, pd.DataFrame]) -> CampaignSpec:
    """Make the campaign of a task and write its tables to the cache.

    Args:
        source: The family.
        own: The task's table, only parameters that vary.
        history: Rows of other tasks in the columns of the campaign, by task.

    Raises:
        NotSupportedError: If a parameter cannot be encoded yet.
    """
    folder = cache_dir() / "bench" / "tables" / source.name
    spec = CampaignSpec.from_mapping(_mapping(source, own, history, folder), base_dir=folder)
    check_supported(spec)
    return spec


def _mapping(source: FamilySource, own: TaskTable, kin: Mapping[str, pd.DataFrame], folder: Path) -> dict[str, Any]:
    """Return the campaign file of a task."""
    cells = {name: [own.frame[name], *(rows[name] for rows in kin.values())] for name in own.names}
    simulators = ["reaction_kinetics", "gp_prior"] if source.kind == "reaction yield" else ["gp_prior"]
    return {
        "name": f"{source.name}.{own.name}",
        "parameters": [_parameter(column, cells[column.name], len(own.columns) == 1) for column in own.columns],
        "outcomes": [_outcome(own)],
        "objectives": [{"name": own.outcome.name, "goal": own.outcome.goal}],
        "candidates": write_table(own.frame, folder, own.name),
        "experience": {
            "simulators": [{"name": name} for name in simulators],
            "history": [write_table(rows, folder, name) for name, rows in kin.items()],
        },
    }


def _parameter(column: Column, cells: Sequence[pd.Series], is_alone: bool) -> dict[str, Any]:
    """Return a parameter of the campaign file.

    Numbers span what the authors state and all inputs of task and history. A molecule is one where it is all that
    varies; beside other parameters it is a category (polymers, literature reactions).
    """
    if column.kind == "smiles" and is_alone:
        return {"name": column.name, "type": "molecule"}
    if column.kind != "continuous":
        return {"name": column.name, "type": "categorical", "values": sorted(set(cells[0]))}
    seen = pd.concat(list(cells))
    low = min([float(seen.min())] + ([] if column.low is None else [float(column.low)]))
    high = max([float(seen.max())] + ([] if column.high is None else [float(column.high)]))
    is_log = low > 0 and high / low >= LOG_RATIO
    scale = {"scale": "log"} if is_log else {}
    return {"name": column.name, "type": "continuous", "bounds": [low, high], "unit": column.unit, **scale}


def _outcome(own: TaskTable) -> dict[str, Any]:
    """Return the outcome: its range where the authors state one, or where it is a yield in percent."""
    column = own.outcome
    shown: dict[str, Any] = {"name": column.name, "unit": column.unit}
    if column.low is not None and column.high is not None:
        return shown | {"range": [float(column.low), float(column.high)]}
    is_yield = column.unit.startswith(("percent", "%")) and column.goal == "maximize"
    return shown | ({"range": [0.0, 100.0]} if is_yield else {})


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Write a table as CSV under a name that its content decides; return the file's name."""
    text = frame.to_csv(index=False)
    path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    return path.name
