"""docs/spaces.md is true: its example runs, its proposals meet the constraints, its constraints are read."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import yaml

from discovery.campaign import CampaignSpec
from discovery.campaign.expressions import FUNCTIONS

NUMBERS = ["temperature", "loading", "Fe", "Co", "Ni"]


def test_the_example_proposes_what_the_text_says(walk_text, read_doc, tmp_path, monkeypatch):
    """Both commands end well, and the proposals add up, leave a metal out and keep the other rules."""
    monkeypatch.chdir(tmp_path)
    answers = walk_text(read_doc("spaces.md"), tmp_path)
    assert [(answer.command, answer.code) for answer in answers if answer.code] == [] and len(answers) == 2
    sheet = pd.read_csv("proposals.csv")
    frame = sheet[sheet["status"] == "PROPOSED"]  # below the row of units
    numbers = ["Fe", "Co", "Ni", "Cu", "temperature", "hours"]
    frame = frame.assign(**{name: frame[name].astype(float) for name in numbers})
    metals = frame[["Fe", "Co", "Ni", "Cu"]]
    assert len(frame) == 3 and np.abs(metals.sum(axis=1) - 1).max() < 1e-9
    others = metals[["Co", "Ni", "Cu"]]
    assert ((others > 0).sum(axis=1) <= 2).all() and ((others == 0) | (others >= 0.05 - 1e-9)).all(axis=None)
    assert (frame["temperature"] * np.log10(1 + frame["hours"]) <= 1000 * (1 + 1e-9)).all()
    assert (frame["temperature"] % 25 == 0).all() and (
        frame["hours"] == frame["hours"].map("{:.6g}".format).astype(float)
    ).all()
    assert not (frame["temperature"].between(700, 800) & (frame["annealed"].astype(str).str.lower() == "true")).any()


def test_constraints_of_the_table_are_read(read_doc):
    """Every constraint of the table is one that the campaign file takes."""
    table = read_doc("spaces.md").split("## Kinds of constraints")[1]
    written = [yaml.safe_load(text) for text in re.findall(r"^\| `([\"{].*?)` \|", table, re.MULTILINE)]
    parameters = [{"name": name, "type": "continuous", "bounds": [0, 120]} for name in NUMBERS]
    parameters.append({"name": "base", "type": "categorical", "values": ["KOH", "NaOH", "none"]})
    for constraint in written:
        data = {"name": "c", "parameters": parameters, "constraints": [constraint], "objectives": [{"name": "y"}]}
        assert len(CampaignSpec.from_mapping(data).constraints) == 1
    assert len(written) == 5


def test_functions_are_named(read_doc):
    """The text names every function that a formula may hold, and no other."""
    (named,) = re.findall(r"`\+ - \* / \*\*` and `([a-z0-9 ]+)`", read_doc("spaces.md"))
    assert sorted(named.split()) == sorted(FUNCTIONS)
