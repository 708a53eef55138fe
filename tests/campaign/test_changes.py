"""What differs between two versions of a campaign file is said by key, in words, with what follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.campaign import CampaignSpec
from discovery.campaign.changes import TRAINED, differences, file_contents
from discovery.errors import ConfigurationError

LIGANDS = {"name": "ligand", "type": "categorical", "values": ["A", "B", "C"]}
HEAT = {"name": "heat", "type": "continuous", "bounds": [0, 100], "unit": "degC"}
CAMPAIGN = {
    "name": "lab",
    "parameters": [HEAT, LIGANDS],
    "outcomes": [{"name": "yield", "range": [0, 100]}],
    "objectives": [{"name": "yield"}],
    "constraints": ["heat <= 90"],
}
Make = Callable[..., CampaignSpec]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes the campaign's spec, with changes."""
    return lambda **changes: CampaignSpec.from_mapping(CAMPAIGN | changes, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"parameters": [HEAT | {"bounds": [0, 120]}, LIGANDS]}, ["parameters[heat].bounds: [0, 100] -> [0, 120]"]),
        (
            {"parameters": [HEAT, LIGANDS | {"values": ["A", "C", "D", "E"]}]},
            ["parameters[ligand].values: with D, E; without B"],
        ),
        ({"parameters": [LIGANDS, HEAT]}, ['parameters: ["heat", "ligand"] -> ["ligand", "heat"]']),
        (
            {"parameters": [HEAT]},
            ['parameters[ligand]: {"type": "categorical", "name": "ligand", "values": ["A", "B", "C"]} -> none'],
        ),
        ({"budget": {"experiments": 60}}, ["budget.experiments: 40 -> 60"]),
        ({"stop": {"target": 95}}, ["stop.target: none -> 95"]),
        ({"constraints": ["heat <= 80"]}, ['constraints: ["1 * heat <= 90"] -> ["1 * heat <= 80"]']),
        ({"objectives": [{"name": "yield", "goal": "minimize"}]}, ["objectives[yield].goal: maximize -> minimize"]),
        ({"review": {"mode": "required"}, "seed": 3}, ["review.mode: auto -> required", "seed: 0 -> 3"]),
    ],
)
def test_differences_are_said_by_key(make: Make, changes: dict, said: list[str]) -> None:
    """Each key that differs is one sentence; lists say what came and went; what is the same is not named."""
    assert [str(change) for change in differences(make(), make(**changes))] == said


def test_the_way_back_is_the_reverse(make: Make) -> None:
    """Swapping the versions swaps before and after, for keys that were not there as well."""
    other = make(budget={"experiments": 9}, parameters=[HEAT], stop={"target": 90})
    forth, back = differences(make(), other), differences(other, make())
    assert {(c.path, str(c.before), str(c.after)) for c in forth} == {
        (c.path, str(c.after), str(c.before)) for c in back
    }


@pytest.mark.parametrize(
    ("changes", "is_trained"),
    [
        ({"parameters": [HEAT | {"bounds": [0, 120]}, LIGANDS]}, True),
        ({"parameters": [HEAT | {"unit": "K"}, LIGANDS]}, False),
        ({"outcomes": [{"name": "yield", "range": [0, 99]}]}, True),
        ({"outcomes": [{"name": "yield", "range": [0, 100], "unit": "%"}]}, False),
        ({"experience": {"simulators": [{"name": "gp_prior"}]}}, True),
        ({"budget": {"experiments": 9}}, False),
        ({"objectives": [{"name": "yield", "goal": "minimize"}]}, False),
    ],
)
def test_what_is_trained_again_is_said(make: Make, changes: dict, is_trained: bool) -> None:
    """Only what meta-training depends on says that hypotheses are trained again."""
    assert any(TRAINED in change.effect for change in differences(make(), make(**changes))) == is_trained


def test_tables_are_compared_by_their_content(make: Make, tmp_path: Path) -> None:
    """A list of candidates that was edited under the same name is a change; the same content is none."""
    (tmp_path / "list.csv").write_text("heat,ligand\n10,A\n")
    spec = make(candidates="list.csv")
    before = file_contents(spec)
    assert differences(spec, spec, before) == ()
    (tmp_path / "list.csv").write_text("heat,ligand\n10,B\n")
    (change,) = differences(spec, spec, before)
    assert change.path == "candidates"
    assert change.before == before["candidates"] != change.after == file_contents(spec)["candidates"]
    (tmp_path / "list.csv").unlink()
    assert file_contents(spec) == {}


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (HEAT | {"held": 120}, r"parameters\[0\].held must be within the bounds \[0, 100\]; got 120"),
        (LIGANDS | {"held": "Z"}, r"parameters\[0\].held must be one of the values; got 'Z'"),
        ({"name": "eq", "type": "discrete", "values": [1, 2], "held": 3}, "held must be one of the values; got 3"),
    ],
)
def test_a_held_value_is_one_of_the_parameters(make: Make, parameter: dict, said: str) -> None:
    """What a parameter was before it was varied must be a value that it can have."""
    with pytest.raises(ConfigurationError, match=said):
        make(parameters=[parameter], constraints=())
