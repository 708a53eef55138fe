"""A published family as the folder of `DISCOVERY_DATASETS` holds them: alloys in four tables, with every trap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PARTS = ["Fe_part", "Co_part", "Ni_part", "Cu_part"]


def alloys(seed: int, parts: list[str]) -> pd.DataFrame:
    """Return 36 ternary alloys at two temperatures, some of them measured twice, with a smooth strength."""
    rng = np.random.default_rng(seed)
    steps = [(a / 8, b / 8, (8 - a - b) / 8) for a in range(9) for b in range(9 - a)][:36]
    frame = pd.DataFrame(steps, columns=parts)
    frame["furnace"] = np.where(np.arange(len(frame)) % 3 == 0, "", "arc")
    frame = pd.concat([frame.assign(kelvin=300.4), frame.head(12).assign(kelvin=900.0)], ignore_index=True)
    level = 50 + 30 * frame[parts[0]] - 60 * (frame[parts[1]] - 0.4) ** 2 - 0.02 * frame["kelvin"]
    return frame.assign(strength=(level + rng.normal(0, 1, len(frame))).round(3), remark="as cast")


def describe(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write tables and their `dataset.json`."""
    folder.mkdir(parents=True)
    columns = [
        *({"name": p, "role": "parameter", "type": "continuous", "unit": "atomic fraction"} for p in PARTS),
        {"name": "furnace", "role": "parameter", "type": "categorical"},
        {"name": "kelvin", "role": "parameter", "type": "continuous", "unit": "K"},
        {"name": "strength", "role": "target", "type": "continuous", "unit": "MPa", "goal": "maximise"},
        {"name": "remark", "role": "descriptor", "type": "categorical"},
    ]
    tasks = []
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        tasks.append({"task": name, "file": f"{name}.csv", "columns": list(table.columns)})
    text = {"title": "Alloys", "kind": "composition", "columns": columns, "tasks": tasks}
    (folder / "dataset.json").write_text(json.dumps(text))


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with the family `mpea_mechanical`, whose context is the temperature here too."""
    monkeypatch.setattr("discovery.evaluation.bench.families.CONTEXT", {"mpea_mechanical": "kelvin"})
    tables = {"one": alloys(0, PARTS[:3]), "two": alloys(1, PARTS[:3]), "other": alloys(2, PARTS[1:])}
    tables["few"] = alloys(3, PARTS[:3]).head(15)
    tables["two"].loc[0, "strength"] = np.nan
    describe(tmp_path / "datasets" / "mpea_mechanical", tables)
    monkeypatch.setenv("DISCOVERY_DATASETS", str(tmp_path / "datasets"))
    return tmp_path / "datasets"
