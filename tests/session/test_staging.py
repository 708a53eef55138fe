"""A campaign of two stages, from its file to its end: what needs what, what it costs, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec, check_supported
from discovery.errors import InputError, NotSupportedError
from discovery.experiments.sheets import make_sheet
from discovery.review.card_text import render_text
from discovery.session import Campaign
from discovery.session.compromises import standing_lines
from discovery.session.proposals import ProposalBook
from discovery.session.staging import check_needs, cost_left, link_by_stage, staged_cost

N = 8
STAGES = [
    {"name": "screen", "outcomes": ["signal"], "cost": 1},
    {"name": "assay", "outcomes": ["potency"], "cost": 5, "delay": 3, "needs": "screen"},
]
FILE = {
    "name": "staged",
    "parameters": [{"name": "x", "type": "continuous", "bounds": [0, 1]}],
    "outcomes": [{"name": "signal", "range": [-2, 2]}, {"name": "potency", "range": [-2, 2]}],
    "objectives": [{"name": "potency", "goal": "maximize"}],
    "candidates": "pool.csv",
    "stages": STAGES,
    "acquisition": {"batch_size": 3},
    "budget": {"experiments": 40, "initial": 3, "cost": 18},
    "experiment": {"type": "table", "path": "pool.csv"},
}
Make = Callable[..., Campaign]
Finished = tuple[Campaign, pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the candidates."""
    return write_pool(tmp_path)


def write_pool(folder: Path) -> Path:
    """Write eight candidates of which both outcomes are known into a folder, and return it."""
    x = np.linspace(0.0, 1.0, N)
    potency = np.sin(6 * x) + x
    table = pd.DataFrame({"x": x, "signal": 0.8 * potency + 0.1 * np.cos(40 * x), "potency": potency})
    table.to_csv(folder / "pool.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A campaign that has run to its end, with a new object for every cycle, and all that was asked, in order."""
    folder = write_pool(tmp_path_factory.mktemp("staged"))
    spec, asked = CampaignSpec.from_mapping(FILE, folder), []
    while not (campaign := Campaign.open(spec, store=folder / "lab.duckdb", device="cpu")).progress().is_finished:
        asked.append(run_cycle(campaign))
    return campaign, pd.concat(asked, ignore_index=True)


@pytest.fixture
def make(folder: Path) -> Make:
    """Return a function that opens the campaign in a store of the folder, with changes to its file."""

    def make(store: str = "lab.duckdb", **changes: object) -> Campaign:
        data = {name: value for name, value in (FILE | changes).items() if value is not None}
        return Campaign.open(CampaignSpec.from_mapping(data, folder), store=folder / store, device="cpu")

    return make


def run_cycle(campaign: Campaign) -> pd.DataFrame:
    """Ask, approve everything, carry it out and take in the results; return what was asked."""
    asked = campaign.ask()
    for proposal_id in asked["proposal_id"]:
        campaign.decide(proposal_id, "approve", "ann")
    campaign.experiment()
    campaign.ingest_results()
    return asked


def test_a_staged_campaign_runs_to_its_end(finished: Finished) -> None:
    """Starts are made at the first stage, every pair of configuration and stage once, and the cost is never passed."""
    campaign, asked = finished
    measured, progress = campaign.measurements(), campaign.progress()
    assert asked["stage"].tolist()[:3] == ["screen"] * 3
    assert not asked.duplicated(["key", "stage"]).any()
    assert set(asked["stage"]) == {"screen", "assay"}
    assert staged_cost(campaign.spec, measured) == progress.standing.cost <= 18
    assert measured["signal"].notna().sum() * 1 + measured["potency"].notna().sum() * 5 == progress.standing.cost
    assert progress.is_finished and progress.ended_by == "cost"
    assert len(measured) == len(asked)


def test_nothing_comes_to_a_stage_before_what_it_needs(finished: Finished) -> None:
    """When a configuration is proposed for the assay its screen was measured before."""
    _, asked = finished
    screened: set[str] = set()
    for _, batch in asked.groupby("cycle", sort=True):
        assert set(batch.loc[batch["stage"] == "assay", "key"]) <= screened
        screened |= set(batch.loc[batch["stage"] == "screen", "key"])


def test_an_experiment_reports_only_what_its_stage_measures(finished: Finished) -> None:
    """The table knows both outcomes and tells that of the stage, so that nothing is known for free."""
    campaign, asked = finished
    stages = asked.set_index("proposal_id")["stage"]
    measured = campaign.measurements().assign(stage=lambda rows: rows["proposal_id"].map(stages))
    assert (measured["signal"].notna() == (measured["stage"] == "screen")).all()
    assert (measured["potency"].notna() == (measured["stage"] == "assay")).all()


def test_a_restart_changes_nothing(finished: Finished, make: Make) -> None:
    """One object in another store proposes what new objects proposed that took over after every cycle."""
    _, asked = finished
    whole = make("whole.duckdb")
    again = pd.concat([run_cycle(whole) for _ in range(min(3, asked["cycle"].nunique()))], ignore_index=True)
    assert again[["key", "stage"]].equals(asked[["key", "stage"]].head(len(again)))


def test_proposals_can_be_replayed(finished: Finished) -> None:
    """The first start and the last proposal are the same when they are computed again at the end."""
    campaign, asked = finished
    assert all(campaign.replay(asked["proposal_id"].iloc[at]).is_equal for at in (0, -1))


def test_a_staged_proposal_is_explained(finished: Finished) -> None:
    """The belief of then, the one that follows the screen included, explains a proposal."""
    campaign, asked = finished
    found = campaign.explain(asked["proposal_id"].iloc[-1], lesson=False)
    assert {view.name for view in found.card.hypotheses} == {"no_transfer", "stage:screen"}


def test_results_may_be_told_for_one_stage_or_both(make: Make) -> None:
    """A table of one stage lands without the other's column; a row of both pays for both and opens the later stage."""
    campaign = make(experiment=None)
    assert campaign.tell(pd.DataFrame({"x": [0.0], "signal": [0.3]})).n_added == 1
    assert campaign.tell(pd.DataFrame({"x": [1.0], "signal": [0.5], "potency": [0.7]})).n_added == 1
    assert campaign.progress().standing.cost == 1 + 1 + 5
    assert campaign.progress().best is not None and campaign.progress().best["signal"] == 0.5
    with pytest.raises(InputError, match="must have the columns"):
        campaign.tell(pd.DataFrame({"x": [0.5]}))


def test_a_row_answers_the_proposal_of_its_stage(make: Make) -> None:
    """A row that names the assay but gives the screen answers no assay; the assay stays open."""
    campaign = make(experiment=None, stages=[{**STAGES[0]}, {**STAGES[1], "needs": None}])
    asked = campaign.ask()
    proposal = asked.iloc[0]
    raw = pd.DataFrame({"x": [proposal["x"]], "potency": [0.2], "proposal_id": [proposal["proposal_id"]]})
    assert campaign.tell(raw).n_added == 1
    assert campaign.measurements()["proposal_id"].isna().all()
    assert campaign.progress().n_open == len(asked)
    assert campaign.tell(pd.DataFrame({"x": [proposal["x"]], "signal": [0.1]})).n_added == 1
    assert campaign.measurements()["proposal_id"].tolist()[-1] == proposal["proposal_id"]


def test_an_edit_keeps_what_a_stage_needs(finished: Finished) -> None:
    """An assay may not be moved to a configuration that was not screened."""
    campaign, asked = finished
    assay = campaign.store.proposal(asked.loc[asked["stage"] == "assay", "proposal_id"].iloc[0])
    measured = campaign.measurements()
    check_needs(campaign.spec, assay, assay.key, measured)
    with pytest.raises(InputError, match="has been through screen"):
        check_needs(campaign.spec, assay, "x=0.123", measured)


def test_people_see_the_stage(make: Make) -> None:
    """Card, sheet and status name the stage, what it measures and what it has cost."""
    campaign = make(experiment=None)
    asked = campaign.ask()
    card = campaign.card(asked["proposal_id"].iloc[0])
    assert "stage: screen (measures signal; cost 1)" in render_text(card)
    sheet = make_sheet(campaign.spec, asked, "sheet").rows
    assert sheet["stage"].tolist() == asked["stage"].tolist()
    lines = standing_lines(campaign.spec, campaign.progress().standing)
    assert "Stage screen: 0 experiments measured, cost 0, 3 under way; gives signal." in lines
    assert cost_left(campaign.spec, campaign.measurements(), ProposalBook.read(campaign.store, campaign.name)) == 15


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"objectives": [{"name": "potency"}, {"name": "signal"}]}, "objectives"),
        ({"objectives": [{"name": "potency", "goal": "match", "target": 1.0}]}, "objectives[0].goal"),
        ({"outcome_constraints": ["signal >= 0"]}, "outcome_constraints"),
        ({"acquisition": {"discrimination": 0.5}}, "acquisition.discrimination"),
        ({"acquisition": {"allow_replicates": True}}, "acquisition.allow_replicates"),
        ({"stop": {"min_gain": 0.1}}, "stop.min_gain"),
        ({"candidates": None, "experiment": None}, "candidates"),
        ({"hypotheses": [{"name": "no_transfer", "learner": "meta_gp"}]}, "hypotheses[0].learner"),
    ],
)
def test_what_stages_cannot_do_is_refused(changes: dict[str, object], key: str, folder: Path) -> None:
    """Every combination that is not built is named by its key before anything is made."""
    data = {name: value for name, value in (FILE | changes).items() if value is not None}
    with pytest.raises(NotSupportedError, match="not supported yet") as found:
        check_supported(CampaignSpec.from_mapping(data, folder))
    assert str(found.value).startswith(f"{key}:")


def test_rows_are_linked_by_configuration_and_stage(make: Make) -> None:
    """Of two proposals of one configuration a row answers the one whose outcome it gives."""
    campaign = make(experiment=None)
    checked = campaign.check(_raw(pd.DataFrame({"x": [0.0, 0.0], "signal": [0.1, None], "potency": [None, 0.2]})))
    book = pd.DataFrame({"proposal_id": ["p1", "p2"], "stage": ["screen", "assay"], "key": [checked.keys[0]] * 2})
    assert link_by_stage(checked, book, campaign.spec).frame["proposal_id"].tolist() == ["p1", "p2"]


def _raw(frame: pd.DataFrame) -> object:
    from discovery.ingest import read_rows

    return read_rows(frame)
