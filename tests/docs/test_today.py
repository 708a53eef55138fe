"""docs/today.md is true: its commands end as written, and its keys do what the text says."""

from __future__ import annotations

import contextlib
import runpy

import pytest
import yaml

from discovery.campaign import CampaignSpec
from discovery.session import Campaign


@pytest.fixture(scope="module")
def walked(tmp_path_factory, read_doc, walk_text):
    """The folder after all commands of the document and its Python, with the answers."""
    folder = tmp_path_factory.mktemp("today")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("DISCOVERY_CACHE", str(folder / "cache"))
        for name in ("DISCOVERY_STORE", "DISCOVERY_DEBUG", "PREFECT_API_URL"):
            patch.delenv(name, raising=False)
        answers = walk_text(read_doc("today.md"), folder)
        runpy.run_path("ask.py")
        return folder, answers


def test_the_commands_end_as_written(walked):
    """Every command works, and the one without the value of the context names its flag."""
    _, answers = walked
    assert [(answer.command, answer.code, answer.err) for answer in answers if answer.code != answer.expected] == []
    assert len(answers) == 5
    assert "--given temperature=VALUE" in answers[0].err
    assert "The last proposals: Given: temperature 23.5 degC." in answers[2].out


def test_all_proposals_keep_to_the_day(walked):
    """Whichever way it was said: the value given, nothing that was out, and each cycle its own day."""
    folder, _ = walked
    proposals = Campaign.open(folder / "day.yaml").proposals()
    assert proposals.groupby("cycle")["temperature"].unique().map(list).tolist() == [[23.5], [23.5], [24.0]]
    later = proposals[proposals["cycle"] > 1]
    assert set(later["catalyst"]) <= {"Pd-XPhos", "Ni-dppf"}
    assert (later["time"] <= 45).all()


def test_the_keys_of_the_text_are_valid(walked, doc_blocks):
    """The constraint and the cost of the text can stand in the file, where temperature is chosen."""
    folder, _ = walked
    day = yaml.safe_load((folder / "day.yaml").read_text())
    day["parameters"][2].pop("context")
    blocks = [yaml.safe_load(block) for block in doc_blocks("today.md", "yaml")[1:]]
    spec = CampaignSpec.from_mapping(day | blocks[0] | blocks[1])
    assert (spec.shared_names, spec.acquisition.changeover) == (["temperature"], {"temperature": 5.0})
