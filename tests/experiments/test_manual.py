"""The manual adapter: one sheet per batch, written once; results come back through ingestion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.experiments import Order, Pending, TrialContext, adapter_for
from discovery.experiments.manual import ManualAdapter, file_stem, read_places, sheet_folder
from discovery.space import SearchSpace

MakeSpec = Callable[..., CampaignSpec]
PLATE = {"wells": 6, "order": "row", "controls": [{"name": "blank", "wells": ["A2"]}]}


def make_adapter(make_spec: MakeSpec, **experiment: object) -> ManualAdapter:
    spec = make_spec(experiment={"type": "manual", **experiment})
    return adapter_for(spec, SearchSpace.from_spec(spec))


def orders(*numbers: int, cycle: int = 1, said: dict[str, str] | None = None) -> list[Order]:
    """Return orders that remember what the laboratory calls them in `said`."""
    kept: dict[str, str] = {} if said is None else said
    made = []
    for number in numbers:
        name = f"lab-c{cycle:03d}-{number:02d}"
        context = TrialContext(
            f"{name}-t1",
            name,
            name,
            name,
            kept.get(name, ""),
            remember=lambda text, name=name: kept.update({name: text}),
        )
        made.append(Order({"ligand": "A", "temperature": 30.0 + number}, context))
    return made


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_batch_becomes_one_sheet(make_spec, tmp_path, kind):
    """The sheet lies in the folder beside the campaign file, and every trial remembers its name."""
    said: dict[str, str] = {}
    adapter = make_adapter(make_spec, format=kind)
    adapter.hand_over(orders(0, 1, said=said))
    assert [path.name for path in (tmp_path / "lab-sheets").iterdir()] == [f"lab-c001.{kind}"]
    assert said == dict.fromkeys(["lab-c001-00", "lab-c001-01"], f"lab-c001.{kind}")
    (order,) = orders(0, said=said)
    answer = adapter.run(order.configuration, order.context)
    assert isinstance(answer, Pending) and answer.external_id == f"lab-c001.{kind}"
    assert str(tmp_path / "lab-sheets" / f"lab-c001.{kind}") in answer.detail


@pytest.mark.parametrize("is_remembered", [True, False])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_sheet_is_written_once(make_spec, tmp_path, kind, is_remembered):
    """Handed over again, also after a crash before anything was remembered, nothing in the folder changes."""
    said: dict[str, str] = {}
    make_adapter(make_spec, format=kind).hand_over(orders(0, 1, said=said))
    path = tmp_path / "lab-sheets" / f"lab-c001.{kind}"
    before = path.read_bytes()
    again = dict(said) if is_remembered else {}
    make_adapter(make_spec, format=kind).hand_over(orders(0, 1, said=again))
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
    assert again == said


def test_later_approvals_get_a_sheet_of_their_own(make_spec, tmp_path):
    """What is new stands on a new sheet, whatever people did with the old one; plates are never named twice."""
    adapter, said = make_adapter(make_spec, plate=PLATE), {}
    adapter.hand_over(orders(0, 1, said=said))
    first = tmp_path / "lab-sheets" / "lab-c001.csv"
    first.write_text(first.read_text().replace("30", "31"))
    kept = first.read_bytes()
    adapter.hand_over([*orders(0, 1, 2, said=said), *orders(0, cycle=2, said=said)])
    adapter.hand_over(orders(3, said=said))
    assert first.read_bytes() == kept
    places = read_places(first.parent)
    rows = places.dropna(subset="proposal_id").set_index("proposal_id")["sheet"].to_dict()
    assert (
        rows
        == said
        == {
            "lab-c001-00": "lab-c001.csv",
            "lab-c001-01": "lab-c001.csv",
            "lab-c001-02": "lab-c002.csv",
            "lab-c002-00": "lab-c002.csv",
            "lab-c001-03": "lab-c001-2.csv",
        }
    )
    assert places["plate"].unique().tolist() == ["c001-2-P1", "c001-P1", "c002-P1"]
    assert not places.duplicated(["plate", "well"]).any()


def test_a_sheet_that_was_taken_away_is_not_written_again(make_spec, tmp_path):
    """A person who moved the sheet has it; the trial still waits for its result."""
    adapter, said = make_adapter(make_spec), {}
    adapter.hand_over(orders(0, said=said))
    (tmp_path / "lab-sheets" / "lab-c001.csv").unlink()
    adapter.hand_over(orders(0, said=said))
    assert list((tmp_path / "lab-sheets").iterdir()) == []


def test_files_that_are_no_sheets_do_not_disturb(make_spec, tmp_path):
    """Lock files of spreadsheet programs, damaged files and notes may lie in the folder."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name in ("~$lab-c001.xlsx", "broken.xlsx", ".hidden.csv", "notes.txt"):
        (folder / name).write_bytes(b"\x00")
    (folder / "other.csv").write_text("a,b\n1,2\n")
    adapter = make_adapter(make_spec, folder="given")
    adapter.hand_over(orders(0))
    assert (folder / "lab-c001.csv").is_file()


def test_a_trial_without_a_sheet_gets_one(make_spec, tmp_path):
    """Carried out alone, a trial is a batch of one."""
    adapter = make_adapter(make_spec)
    (order,) = orders(4)
    assert adapter.run(order.configuration, order.context).external_id == "lab-c001.csv"
    frame = pd.read_csv(tmp_path / "lab-sheets" / "lab-c001.csv", skiprows=[1])
    assert frame[["proposal_id", "temperature"]].values.tolist() == [["lab-c001-04", 34]]


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        ({"plate": {"wells": 6, "skip": ["edge"]}}, "must leave a well for proposals"),
        ({"type": "simulator", "name": "gp_prior"}, "experiment.type must be manual"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_run(make_spec, experiment, message):
    """A plate without a free well and another experiment are faults of the file."""
    spec = make_spec(experiment={"type": "manual"} | experiment)
    with pytest.raises(ConfigurationError, match=message):
        ManualAdapter.from_spec(spec, SearchSpace.from_spec(spec))


def test_names_of_campaigns_become_names_of_files(make_spec, tmp_path: Path):
    """Whatever a campaign is called, its folder is one folder beside the file."""
    assert sheet_folder(make_spec(name="a/b: c", experiment={"type": "manual"})) == tmp_path / "a-b-c-sheets"
    assert (file_stem("../.."), file_stem("Kupplung-µ")) == ("sheet", "Kupplung-µ")
