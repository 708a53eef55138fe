"""Campaign files of measured tasks, made in memory; their tables lie in the cache, named by their content.

Everything that a method may know is decided here by the inputs alone: levels, bounds, scales. Outcomes give nothing
but the candidates' own column, which every method is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, check_supported
from discovery.evaluation.bench.datasets import SEVERAL, Column, FamilySource
from discovery.evaluation.bench.tables import TaskTable
from discovery.settings import cache_dir
from discovery.space.elements import element_pattern

SIMULATORS = {"reaction yield": ("reaction_kinetics", "gp_prior"), "bioactivity": (), SEVERAL: ()}
"""Simulators that campaigns learn from, by kind of family; the others have `gp_prior`. None knows molecules; several
objectives are compared with history alone."""
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
    is_alone = len(own.columns) == 1
    whole, others = _whole(own), sorted(_foreign_parts(source, own, kin))
    history = {name: rows.assign(**{part: 0.0 for part in others if part not in rows}) for name, rows in kin.items()}
    has_elements = bool(whole) and element_pattern(whole) is not None  # then other elements need not be named
    held = {} if has_elements or not others else {"held": dict.fromkeys(others, 0.0)}
    return {
        "name": f"{source.name}.{own.name}",
        "parameters": [_parameter(column, own.frame[column.name], is_alone) for column in own.columns],
        "constraints": [{"type": "simplex", "parameters": whole, "total": 1.0}] if whole else [],
        "outcomes": [_outcome(column) for column in own.outcomes],
        "objectives": [{"name": column.name, "goal": column.goal} for column in own.outcomes],
        "candidates": write_table(own.frame, folder, own.name),
        "experience": {
            "simulators": [{"name": name} for name in SIMULATORS.get(source.kind, ("gp_prior",))],
            "history": [write_table(rows, folder, name) for name, rows in history.items()],
            **held,
        },
    }


def _whole(own: TaskTable) -> list[str]:
    """Return the parts of a whole, where they add up to one in every row; empty where they do not."""
    parts = [name for name in own.names if name in own.fractions]
    return parts if len(parts) > 1 and np.allclose(own.frame[parts].sum(axis=1), 1.0, rtol=0, atol=1e-9) else []


def _foreign_parts(source: FamilySource, own: TaskTable, kin: Mapping[str, pd.DataFrame]) -> set[str]:
    """Return the parts of a whole that only the history has: this campaign uses none of them."""
    parts = {c.name for task in source.tasks for c in task.columns if c.role == "parameter" and c.is_part}
    return {str(name) for rows in kin.values() for name in rows} & parts - set(own.names)


def _parameter(column: Column, cells: pd.Series, is_alone: bool) -> dict[str, Any]:
    """Return a parameter of the campaign file.

    Numbers span what the authors state and what the candidates have. A molecule is one where it is all that varies;
    beside other parameters it is a category (polymers, reactions of the literature).
    """
    if column.kind == "smiles" and is_alone:
        return {"name": column.name, "type": "molecule"}
    if column.kind != "continuous":
        return {"name": column.name, "type": "categorical", "values": sorted(set(cells))}
    low = min([float(cells.min())] + ([] if column.low is None else [float(column.low)]))
    high = max([float(cells.max())] + ([] if column.high is None else [float(column.high)]))
    is_log = low > 0 and high / low >= LOG_RATIO
    scale = {"scale": "log"} if is_log else {}
    return {"name": column.name, "type": "continuous", "bounds": [low, high], "unit": column.unit, **scale}


def _outcome(column: Column) -> dict[str, Any]:
    """Return an outcome: its range where the authors state one, or where it is a yield in percent."""
    shown: dict[str, Any] = {"name": column.name, "unit": column.unit}
    if column.low is not None and column.high is not None:
        return shown | {"range": [float(column.low), float(column.high)]}
    is_yield = column.unit.startswith(("percent", "%")) and column.goal == "maximize"
    return shown | ({"range": [0.0, 100.0]} if is_yield else {})


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Write a table as CSV under a name that its content decides; return the file's name."""
    digest = hashlib.sha256(repr(list(frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    path = folder / f"{name}-{digest.hexdigest()[:12]}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        frame.to_csv(partial, index=False)
        os.replace(partial, path)
    return path.name
