"""A small measured campaign with replicates, shuffled rows and one earlier task, as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec

LIGANDS, BASES = ["XPhos", "SPhos", "BrettPhos"], ["DBU", "MTBD"]


def table(seed: int, n_replicates: int) -> pd.DataFrame:
    """Return 24 configurations with a smooth yield, the first few measured twice, in random order."""
    rng = np.random.default_rng(seed)
    grid = pd.MultiIndex.from_product([LIGANDS, BASES, [30.0, 60.0, 90.0, 110.0]]).to_frame(index=False)
    frame = grid.set_axis(["ligand", "base", "temperature"], axis=1)
    level = frame["ligand"].map({"XPhos": 30.0, "SPhos": 55.0, "BrettPhos": 10.0})
    smooth = level + 15 * (frame["base"] == "DBU") - 0.01 * (frame["temperature"] - 80) ** 2
    frame["yield"] = np.clip(smooth + rng.normal(0, 3, len(frame)), 0, 100).round(2)
    twice = frame.head(n_replicates).assign(**{"yield": frame["yield"].head(n_replicates) + 4.0})
    return pd.concat([frame, twice]).sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.fixture
def make_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CampaignSpec]:
    """Write the campaign's files and return a function that makes its spec, with changes; the cache is its own."""
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))
    table(0, 5).to_csv(tmp_path / "candidates.csv", index=False)
    table(1, 0).to_csv(tmp_path / "earlier.csv", index=False)

    def make(**changes: object) -> CampaignSpec:
        data = {
            "name": "couplings",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": LIGANDS},
                {"name": "base", "type": "categorical", "values": BASES},
                {"name": "temperature", "type": "continuous", "bounds": [20, 120], "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
            "candidates": "candidates.csv",
            "experience": {"history": ["earlier.csv"]},
        }
        return CampaignSpec.from_mapping(data | changes, tmp_path)

    return make


@pytest.fixture
def spec(make_spec: Callable[..., CampaignSpec]) -> CampaignSpec:
    """Return the campaign: 24 distinct candidates in 29 rows, yield to be maximized."""
    return make_spec()
