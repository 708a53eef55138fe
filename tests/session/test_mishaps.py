"""Mishaps have rules: bounds, failures, wild values, blocks, and results that come otherwise than asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import InputError, StatusError
from discovery.report.campaign import CampaignFrames, conditions_grid
from discovery.report.corrections import doubts_grid
from discovery.report.html import campaign_html
from discovery.review.neighbors import Neighbor
from discovery.session import Campaign
from discovery.session.doubts import doubts, with_doubts
from discovery.session.failures import success_observations
from tests.session.free_campaign import FREE, LIGAND, ROWS

Open = Callable[..., Campaign]
HEAT = {"name": "heat", "type": "discrete", "values": list(range(0, 101, 5))}
POOLED = FREE | {"parameters": [HEAT, LIGAND], "budget": {"experiments": 40}}


@pytest.fixture
def open_free(tmp_path: Path) -> Open:
    """Return a function that opens the free campaign, with changes to its file."""

    def make(**changes: object) -> Campaign:
        spec = CampaignSpec.from_mapping(POOLED | changes, tmp_path)
        return Campaign.open(spec, store=tmp_path / "lab.duckdb", device="cpu")

    return make


def asked(campaign: Campaign, n: int = 2) -> pd.DataFrame:
    """Return `n` approved proposals with blank outcomes, as a laboratory gets them."""
    proposals = campaign.ask(n)
    for proposal_id in proposals["proposal_id"]:
        campaign.decide(proposal_id, "approve", "Ada")
    return proposals[["proposal_id", *campaign.spec.parameter_names]].assign(**{"yield": None})


def test_bounds_are_kept_as_bounds_and_come_back_as_such(open_free: Open, tmp_path: Path) -> None:
    """`<5` in a cell is stored with its side, learned from, written out and read in again without becoming a value."""
    campaign = open_free()
    campaign.tell(ROWS.astype({"yield": object}).assign(**{"yield": [20.0, "<5", ">= 90", 50.0]}))
    measured = campaign.measurements()
    assert measured["yield"].tolist() == [20.0, 5.0, 90.0, 50.0]
    assert measured["yield_limit"].tolist() == ["", "<", ">", ""]
    observed = campaign.observations()
    assert observed.limits is not None
    assert observed.limits.tolist() == [0, -1, 1, 0]
    assert np.isfinite(list(campaign.adapt().log_evidence.values())).all()
    measured[["heat", "ligand", "yield", "yield_limit"]].to_csv(tmp_path / "out.csv", index=False)
    other = Campaign.open(campaign.spec, store=tmp_path / "other.duckdb", device="cpu")
    other.tell(tmp_path / "out.csv")
    assert other.measurements()["yield_limit"].tolist() == ["", "<", ">", ""]


def test_a_detection_limit_of_the_file_makes_bounds_of_numbers(open_free: Open) -> None:
    """A number at or beyond what can be detected is read as a bound; what the table said is kept beside it."""
    campaign = open_free(outcomes=[{"name": "yield", "range": [0, 100], "limits": [25, None]}])
    campaign.tell(ROWS)
    measured = campaign.measurements()
    assert measured["yield"].tolist() == [25.0, 60.0, 50.0, 90.0]
    assert measured["yield_limit"].tolist() == ["<", "", "", ""]
    assert campaign.store.measurement("free", "free-m0001").extra == {"yield_reported": 20.0}


def test_the_same_bound_comes_once_and_is_not_the_same_as_the_value(open_free: Open, tmp_path: Path) -> None:
    """A file with a bound adds nothing the second time; the number without its sign is another measurement."""
    campaign = open_free()
    row = asked(campaign, 1)
    for name, cell, n_added in (("a.csv", "<5", 1), ("b.csv", "<5", 0), ("c.csv", "5.0", 1)):
        row.assign(**{"yield": cell}).to_csv(tmp_path / name, index=False)
        assert campaign.tell(tmp_path / name).n_added == n_added


def test_a_bound_is_corrected_to_a_value_and_back(open_free: Open) -> None:
    """A correction may say that it was measured after all, or that it was only a bound."""
    campaign = open_free()
    campaign.tell(ROWS.astype({"yield": object}).assign(**{"yield": [20.0, "<5", 30.0, 50.0]}))
    done = campaign.correct("free-m0002", {"yield": "5"}, "it was 5")
    assert done.changes == {"yield_limit": ("<", None)}
    assert campaign.observations().limits is None
    campaign.correct(done.measurement_id, {"yield": "<7"}, "blank was 7")
    assert campaign.measurements().loc[1, ["yield", "yield_limit"]].tolist() == [7.0, "<"]


@pytest.mark.parametrize(("cell", "mark"), [("<x", None), ("5", "up"), ("<5", ">")])
def test_a_bound_that_cannot_be_read_keeps_its_row_out(open_free: Open, cell: str, mark: str | None) -> None:
    """Neither a sign before a word, nor a word for a side, nor two signs at odds become a measurement."""
    report = open_free().tell(ROWS[:1].astype({"yield": object}).assign(**{"yield": cell, "yield_limit": mark}))
    assert (report.n_added, report.n_rejected) == (0, 1)


def test_infeasible_experiments_teach_where_others_fail(open_free: Open) -> None:
    """An infeasible experiment is given up, never proposed again, and is a 0 beside the 1 of every measured one."""
    campaign = open_free()
    campaign.tell(ROWS)
    assert success_observations(campaign) is None
    rows = asked(campaign)
    trial = campaign.fail(rows["proposal_id"][0], "it does not dissolve", infeasible=True)
    assert (trial.status, trial.is_infeasible, trial.error) == ("ABANDONED", True, "it does not dissolve")
    observed = success_observations(campaign)
    assert observed is not None
    assert observed.y.tolist() == [1, 1, 1, 1, 0]
    assert observed.keys[-1] in campaign.space.keys(rows)
    assert campaign.progress().n_open == 1
    assert success_observations(open_free(infeasible="ignore")) is None
    with pytest.raises(StatusError, match="must not be carried out again"):
        campaign.fail(rows["proposal_id"][0], "again", infeasible=True)


def test_what_failed_may_be_tried_again_and_teaches_nothing(open_free: Open) -> None:
    """A failed trial leaves its proposal open; the next attempt is a new trial, whose result counts."""
    campaign = open_free()
    rows = asked(campaign, 1)
    assert campaign.fail(rows["proposal_id"][0], "needle blocked").status == "FAILED"
    assert success_observations(campaign) is None
    assert campaign.progress().n_open == 1
    assert campaign.tell(rows.assign(**{"yield": 44.0})).n_added == 1
    with pytest.raises(InputError, match="must say why"):
        campaign.fail(rows["proposal_id"][0], " ")


def test_sheets_say_what_failed(open_free: Open, tmp_path: Path) -> None:
    """A cell `status` ends a trial once, however often the sheet comes; the other rows land."""
    campaign = open_free()
    rows = asked(campaign, 3)
    rows["yield"] = [None, None, 12.0]
    sheet = rows.assign(status=["infeasible", "failed", None], note=["precipitates", "spilled", None])
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    report = campaign.tell(tmp_path / "sheet.csv")
    assert (report.n_added, report.n_failed, report.n_pending, report.n_rejected) == (1, 2, 0, 0)
    trials = campaign.store.trials("free").set_index("proposal_id")
    assert trials.loc[rows["proposal_id"][:2], "status"].tolist() == ["ABANDONED", "FAILED"]
    assert trials.loc[rows["proposal_id"][:2], "error"].tolist() == ["precipitates", "spilled"]
    assert campaign.tell(tmp_path / "sheet.csv").n_failed == 0
    assert len(campaign.store.trials("free")) == 2


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"yield": 3.0}, "must not be infeasible where yield is given"),
        ({"proposal_id": "free-c009-00"}, "must belong to an approved proposal"),
        ({"proposal_id": None, "heat": 5}, "must belong to an approved proposal"),
        ({"proposal_id": None, "heat": "warm"}, "must stand beside a proposal_id or a configuration"),
    ],
)
def test_a_failure_of_nothing_is_refused(open_free: Open, cells: dict[str, object], reason: str) -> None:
    """A row that says infeasible and gives a result, or belongs to no approved proposal, is refused with the reason."""
    campaign = open_free()
    rows = asked(campaign, 1).astype(object).assign(status="infeasible", **cells)
    report = campaign.tell(rows)
    assert (report.n_failed, report.n_rejected) == (0, 1)
    assert reason in campaign.store.rejected_rows("free")["reason"][0]


def wild_rows() -> pd.DataFrame:
    """Return twelve measurements of a smooth function, one of them with a decimal point too many to the right."""
    heat = np.array([0, 10, 20, 30, 40, 45, 50, 60, 70, 80, 90, 100])
    found = 20 + 0.4 * heat
    found[7] = 4.4
    return pd.DataFrame({"heat": heat, "ligand": "A", "yield": found})


def test_a_wild_value_is_named_and_counts_for_less(open_free: Open) -> None:
    """The belief doubts the one measurement that all others speak against, says so, and foretells well without it."""
    campaign = open_free()
    campaign.tell(wild_rows())
    assert doubts(campaign.store, campaign.spec) == []
    summary = campaign.adapt()
    assert summary.doubtful == (7,)
    assert summary.doubt > 0.9
    (doubt,) = doubts(campaign.store, campaign.spec)
    assert (doubt.measurement_id, doubt.found) == ("free-m0008", "4.4")
    assert "discovery retract lab.yaml free-m0008" in doubt.sentences(Path("lab.yaml"))[1]
    card = campaign.card(campaign.ask(1)["proposal_id"].iloc[0])
    near = tuple(Neighbor(f"free-m000{i}", 4.4, 0.1, {}) for i in (8, 7))
    marked = with_doubts(replace(card, neighbors=near), campaign.store, campaign.spec)
    assert [neighbor.is_doubtful for neighbor in marked.neighbors] == [True, False]
    campaign.correct("free-m0008", {"yield": 44.0}, "decimal point")
    assert campaign.adapt().doubtful == ()
    assert doubts(campaign.store, campaign.spec) == []


def test_outliers_off_takes_every_value_at_its_word(open_free: Open) -> None:
    """With `outliers: off` nothing is doubted, however wild."""
    campaign = open_free(outcomes=[{"name": "yield", "range": [0, 100], "outliers": "off"}])
    campaign.tell(wild_rows())
    assert campaign.adapt().doubtful == ()
    assert doubts(campaign.store, campaign.spec) == []


def test_blocks_are_read_from_results(open_free: Open) -> None:
    """Levels of block columns come along with the measurements; one without a level shares its block with none."""
    campaign = open_free(blocks=["plate", "day"])
    campaign.tell(ROWS.assign(plate=["P1", "P2", None, "P1"]))
    assert campaign.measurements()["plate"].tolist() == ["P1", "P2", "", "P1"]
    plate, day = campaign.observations().blocks
    assert (plate[0] == plate[3], len(set(plate)), len(set(day))) == (True, 3, 4)
    assert np.isfinite(list(campaign.adapt().log_evidence.values())).all()


def test_results_land_whatever_became_of_the_proposal(open_free: Open) -> None:
    """A rejected proposal's result, one with other values, one out of order and one of nobody's all land, once each."""
    campaign = open_free()
    proposals = campaign.ask(3)
    ids = proposals["proposal_id"].tolist()
    for proposal_id, decision in zip(ids, ("reject", "approve", "approve"), strict=True):
        campaign.decide(proposal_id, decision, "Ada", "too hot")
    rows = proposals[["proposal_id", "heat", "ligand"]].assign(**{"yield": [10.0, 20.0, 30.0]})
    other = 35.0 if rows["heat"][1] != 35 else 65.0
    rows.loc[1, "heat"] = other  # carried out with another value than proposed
    nobodys = pd.DataFrame({"heat": [50.0], "ligand": ["B"], "yield": [40.0], "proposal_id": [None]})
    late = pd.concat([rows.iloc[::-1], nobodys], ignore_index=True)
    assert campaign.tell(late).n_added == 4
    assert campaign.tell(late).n_added == 0
    measured = campaign.measurements().set_index("proposal_id")
    assert measured.loc[ids[1], "heat"] == other
    assert campaign.store.proposal(ids[1]).proposed["heat"] == proposals["heat"][1]
    assert campaign.store.proposal(ids[0]).status == "REJECTED"
    assert measured.loc[ids[0], "yield"] == 10.0
    assert campaign.progress().n_open == 0


def test_a_bound_is_shown_as_one_and_reaches_no_target(open_free: Open) -> None:
    """At most 95 is not 95: it neither ends the campaign nor is its best; at least 60 is, and says so."""
    campaign = open_free(stop={"target": 90})
    campaign.tell(ROWS.astype({"yield": object}).assign(**{"yield": [20.0, ">60", 50.0, "<95"]}))
    progress = campaign.finish()
    assert not progress.is_finished
    assert progress.best is not None
    assert (progress.best["yield"], progress.best["yield_limit"]) == (60.0, ">")
    grid = conditions_grid(CampaignFrames.read(campaign.spec, campaign.store))
    assert "> 60" in {cell for row in grid.rows for cell in row}


def test_the_report_names_what_is_doubtful(open_free: Open, tmp_path: Path) -> None:
    """A report has a table of doubtful measurements where there are any, and none where there are not."""
    campaign = open_free()
    campaign.tell(wild_rows())
    assert CampaignFrames.read(campaign.spec, campaign.store).doubts == ()
    campaign.adapt()
    frames = CampaignFrames.read(campaign.spec, campaign.store)
    (row,) = doubts_grid(frames.doubts).rows
    assert row[:2] == ("free-m0008", "yield 4.4")
    page = campaign_html(frames, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Doubtful measurements" in page
