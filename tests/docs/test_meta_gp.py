"""docs/meta-gp.md is true: its constants are those of the code, and so are the figures in its sentences."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from discovery.belief.weights import FIXED_SHARE, FLOOR
from discovery.meta.train import AUTO_WEIGHTS, LEAST_TRUST, RANKS_FOR_TRUST

TEXT = (Path(__file__).parents[2] / "docs" / "meta-gp.md").read_text(encoding="utf-8")
CONSTANTS = re.findall(r"^\| [^|]+ \| ([^|]+) \| `(discovery\.[\w.]+)\.(\w+)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("value", "module", "name"), CONSTANTS, ids=[name for _, _, name in CONSTANTS])
def test_constants_are_those_of_the_code(value, module, name):
    """A constant in the table has the value that the module has."""
    assert ast.literal_eval(value) == getattr(importlib.import_module(module), name)


def test_the_table_is_read():
    """The table has the rows that this file thinks it has."""
    assert len(CONSTANTS) >= 24


def test_formulas_hold_the_same_constants():
    """Trust, shares, floor and prior weights in the text are those of the code."""
    low, high = RANKS_FOR_TRUST
    assert f"clip((r - e - {low}) / ({high} - {low}), {LEAST_TRUST}, 1)" in TEXT
    assert f"v_h = {1 - FIXED_SHARE} w_h + {FIXED_SHARE} pi_h" in TEXT
    assert f"w_no_transfer >= {FLOOR}" in TEXT
    weights = [AUTO_WEIGHTS[name] for name in ("no_transfer", "history", "simulator:")]
    assert re.findall(r"(0\.\d) for `no_transfer`, (0\.\d) times trust for `history` and (0\.\d) shared", TEXT) == [
        tuple(map(str, weights))
    ]


def test_every_room_module_that_is_named_exists():
    """Dotted names in the text lead somewhere."""
    for module, name in set(re.findall(r"`(discovery(?:\.[a-z_]+)+)\.(\w+)`", TEXT)):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
