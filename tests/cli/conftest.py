"""A small measured campaign as files, and the real entry point of the command line, called in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from discovery.cli.main import main

CATALYSTS, TEMPERATURES = ["XPhos", "SPhos", "BrettPhos"], [40, 60, 80, 100]


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call `discovery` with some words, as a shell would."""

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["discovery", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return call


def table() -> pd.DataFrame:
    """Return 12 configurations with a yield; the best is 90 at SPhos and 80."""
    grid = pd.MultiIndex.from_product([CATALYSTS, TEMPERATURES], names=["catalyst", "temperature"]).to_frame(
        index=False
    )
    level = grid["catalyst"].map({"XPhos": 40.0, "SPhos": 90.0, "BrettPhos": 20.0})
    return grid.assign(**{"yield": level - 0.01 * (grid["temperature"] - 80) ** 2})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the table of measurements; no store or server of the user is seen."""
    for name in ("DISCOVERY_STORE", "DISCOVERY_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    table().to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Write a campaign file, with changes to its keys; a key that is None is left out."""

    def write_file(name: str = "lab.yaml", **changes: object) -> Path:
        data = {
            "name": "lab",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": CATALYSTS},
                {"name": "temperature", "type": "discrete", "values": TEMPERATURES, "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "candidates": "table.csv",
            "acquisition": {"batch_size": 2},
            "budget": {"experiments": 6},
            "experiment": {"type": "table", "path": "table.csv"},
            "review": {"mode": "required"},
            **changes,
        }
        path = folder / name
        path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
        return path

    return write_file


@pytest.fixture
def file(write: Callable[..., Path]) -> Path:
    """The campaign file: 12 candidates, nothing known from before, people review."""
    return write()
