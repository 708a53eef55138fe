"""docs/deep-kernel.md and docs/history.md are true where they name the code."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from discovery.meta.deep_kernel import VARIATIONS
from discovery.meta.deep_network import MAX_SUPPORT, POINTS_PER_STEP, TASKS_PER_STEP
from discovery.space.elements import PROPERTIES

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "deep-kernel.md").read_text(encoding="utf-8")
CONSTANTS = re.findall(r"^\| [^|]+ \| ([^|]+) \| `(discovery\.[\w.]+)\.(\w+)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("value", "module", "name"), CONSTANTS, ids=[name for _, _, name in CONSTANTS])
def test_constants_are_those_of_the_code(value, module, name):
    """A constant in the table has the value that the module has."""
    assert ast.literal_eval(value) == getattr(importlib.import_module(module), name)


def test_figures_in_sentences_are_those_of_the_code():
    """What the text says of a training step and of the bank holds."""
    flat = " ".join(TEXT.split())
    assert len(CONSTANTS) == 6
    assert f"up to {TASKS_PER_STEP} tasks and {POINTS_PER_STEP} rows" in flat
    assert f"support of random size up to {MAX_SUPPORT}" in flat
    assert len(VARIATIONS) == 4 and "every network with four variations" in flat


def test_the_properties_of_elements_are_named():
    """`docs/history.md` names the properties that compositions are compared by."""
    flat = " ".join((DOCS / "history.md").read_text(encoding="utf-8").split())
    named = ", ".join(name.removesuffix("_pm").removesuffix("_ev").replace("_", " ") for name in PROPERTIES)
    assert f"six properties: {named}" in flat
