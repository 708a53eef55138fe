"""One contract for every kind of space, wish and batch: proposals are valid, distinct, repeatable, and all there."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.session import Campaign
from discovery.store import Store

PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "continuous": [
        {"name": "a", "type": "continuous", "bounds": [0, 1]},
        {"name": "b", "type": "continuous", "bounds": [0, 1]},
        {"name": "c", "type": "continuous", "bounds": [0, 1]},
    ],
    "log": [
        {"name": "a", "type": "continuous", "bounds": [0.001, 1], "scale": "log"},
        {"name": "b", "type": "continuous", "bounds": [0, 1]},
        {"name": "c", "type": "discrete", "values": [0, 0.25, 0.5, 1]},
    ],
    "stepped": [
        {"name": "a", "type": "continuous", "bounds": [0, 1], "step": 0.05},
        {"name": "b", "type": "continuous", "bounds": [0, 1], "step": 0.1},
        {"name": "c", "type": "continuous", "bounds": [0, 1]},
    ],
    "mixed": [
        {"name": "a", "type": "continuous", "bounds": [0, 1]},
        {"name": "b", "type": "discrete", "values": [0, 0.1, 0.4, 0.8]},
        {"name": "c", "type": "continuous", "bounds": [0, 1]},
        {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3"]},
        {"name": "stirred", "type": "boolean"},
    ],
    "product": [
        {"name": "a", "type": "discrete", "values": [0, 0.1, 0.2, 0.5, 0.8, 1]},
        {"name": "b", "type": "discrete", "values": [0, 0.1, 0.4, 0.8]},
        {"name": "c", "type": "discrete", "values": [0, 0.3, 0.6]},
        {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3"]},
    ],
}
CONSTRAINTS: dict[str, list[Any]] = {
    "none": [],
    "linear": ["a + 2*b <= 1.5"],
    "nonlinear": ["a * b + c**2 <= 0.8"],
    "cardinality": [{"type": "cardinality", "parameters": ["b", "c"], "max": 1}],
    "batch": [{"type": "batch", "parameters": ["b"]}],
}
WISHES: dict[str, dict[str, Any]] = {
    "maximize": {"objectives": [{"name": "y"}]},
    "match": {"objectives": [{"name": "y", "goal": "match", "target": 40}]},
    "hits": {"objectives": [{"name": "y", "goal": "hits", "threshold": 55}]},
    "pareto": {"objectives": [{"name": "y"}, {"name": "z", "goal": "minimize"}]},
    "constrained": {"objectives": [{"name": "y"}], "outcome_constraints": ["z <= 40"]},
}
MEASURED = 6


def is_met(constraint: str, rows: pd.DataFrame) -> bool:
    """Check a constraint by arithmetic of its own."""
    a, b, c = (rows[name].to_numpy(dtype=float) for name in "abc")
    return bool(
        {
            "none": np.True_,
            "linear": (a + 2 * b <= 1.5 + 1e-9).all(),
            "nonlinear": (a * b + c**2 <= 0.8 + 1e-9).all(),
            "cardinality": (((b != 0).astype(int) + (c != 0)) <= 1).all(),
            "batch": len(np.unique(b)) == 1,
        }[constraint]
    )


def can_be_set(kind: str, rows: pd.DataFrame) -> bool:
    """Check steps and digits by arithmetic of its own."""
    values = rows[list("abc")].to_numpy(dtype=float)
    ticks = np.array([0.05, 0.1, 0.001]) if kind == "stepped" else np.full(3, 1e-6)
    return bool(np.allclose(values / ticks, np.round(values / ticks), rtol=0, atol=1e-7))


def asked(kind: str, constraint: str, wish: str, n: int, folder: Any) -> pd.DataFrame:
    """Return the proposals of a campaign with a few measurements."""
    spec = CampaignSpec.from_mapping(
        {
            "name": "contract",
            "parameters": PARAMETERS[kind],
            "constraints": CONSTRAINTS[constraint],
            "outcomes": [{"name": "y", "range": [0, 100]}, {"name": "z", "range": [0, 100]}],
            "hypotheses": [{"name": "no_transfer"}],
            "budget": {"experiments": 100},
            "seed": 3,
            **WISHES[wish],
        },
        folder,
    )
    campaign = Campaign.open(spec, store=Store(folder / "s.duckdb"), device="cpu")
    rows = campaign.space.decode(campaign.space.sample(MEASURED, np.random.default_rng(1)))
    a, b, c = (rows[name].astype(float) for name in "abc")
    rows["y"], rows["z"] = 30 + 40 * a - 20 * (b - 0.3) ** 2, 20 + 50 * c
    campaign.tell(rows[[*spec.parameter_names, *spec.outcome_names]])
    return campaign.ask(n)


QUICK = [
    ("log", "linear", "hits", 1),
    ("stepped", "linear", "maximize", 2),
    ("product", "nonlinear", "pareto", 2),
    ("product", "cardinality", "constrained", 3),
]
PAIRS = [
    *((kind, constraint, "maximize", 3) for kind, constraint in product(PARAMETERS, CONSTRAINTS)),
    *((kind, "linear", wish, 2) for kind, wish in product(PARAMETERS, list(WISHES)[1:])),
    *(("mixed", constraint, wish, 1) for constraint, wish in product(CONSTRAINTS, list(WISHES)[1:])),
    *((kind, "none", "pareto", 2) for kind in PARAMETERS),
    *(("product", "batch", wish, 8) for wish in list(WISHES)[1:]),
]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in PAIRS)]


@pytest.mark.parametrize(("kind", "constraint", "wish", "n"), CASES)
def test_every_proposal_is_valid_distinct_and_repeatable(kind, constraint, wish, n, tmp_path):
    """Whatever is combined: n proposals that keep the constraints, differ, and come again from the same seed."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (asked(kind, constraint, wish, n, folder) for folder in folders)
    names = [parameter["name"] for parameter in PARAMETERS[kind]]
    assert len(one) == n and is_met(constraint, one) and can_be_set(kind, one)
    assert not one.duplicated(names).any()
    pd.testing.assert_frame_equal(one[names], other[names])
