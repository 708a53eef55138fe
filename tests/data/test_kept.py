"""Tables that no package publishes are what the manifest says, and their campaign proposes at the temperature given."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data.campaigns import FOLDER
from data.kept import KEPT
from data.make import check, make
from discovery.campaign import load_spec
from discovery.errors import InputError
from discovery.session import Campaign
from discovery.store import Store

DATA = FOLDER.parent


def test_kept_tables_are_described_and_compared(tmp_path: Path) -> None:
    """The manifest is what making writes; a changed cell is told, and a folder that is missing is named."""
    shutil.copytree(DATA / "electrolytes", tmp_path / "electrolytes")
    made = make(tmp_path, tmp_path, [], KEPT)
    assert made["electrolytes"] == json.loads((DATA / "manifest.json").read_text(encoding="utf-8"))["electrolytes"]
    check(tmp_path, tmp_path, [], KEPT)
    table = tmp_path / "electrolytes" / "libf4_pc.csv"
    table.write_text(table.read_text().replace("5.58546", "5.6"))
    with pytest.raises(InputError, match="must describe the tables of electrolytes"):
        check(tmp_path, tmp_path, [], KEPT)
    with pytest.raises(InputError, match="nowhere"):
        make(tmp_path, tmp_path, [], [replace(KEPT[0], name="nowhere")])


def test_the_electrolyte_is_proposed_at_the_temperature_given(tmp_path: Path) -> None:
    """Formulas, two solvents that add up to one, and today's temperature: candidates of the table, all at once."""
    spec = load_spec(FOLDER / "electrolyte.yaml")
    campaign = Campaign(spec, Store(tmp_path / "lab.duckdb"))
    asked = campaign.ask(3, given={"temperature": 292.65})
    assert set(asked["temperature"]) == {292.65}
    assert set(asked["salt"]) <= {"LiPF6", "LiBF4"}
    assert (asked["EC"] + asked["PC"]).tolist() == pytest.approx([1.0] * 3)
    assert not asked[list(spec.parameter_names)].duplicated().any()
