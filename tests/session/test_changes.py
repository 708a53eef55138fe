"""A campaign changes while it runs: measurements stay, what follows is said, and it goes on with the new file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError, StatusError
from discovery.session import Campaign, models
from discovery.session.changes import foresee
from discovery.store import Store
from tests.session.free_campaign import FREE, HEAT, LIGAND, ROWS, SALT

Open = Callable[..., Campaign]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory in which the campaign has four measurements and two proposals that wait."""
    laboratory = tmp_path_factory.mktemp("begun")
    campaign = Campaign.open(CampaignSpec.from_mapping(FREE, laboratory), store=laboratory / "lab.duckdb")
    campaign.tell(ROWS)
    campaign.ask()
    return laboratory


@pytest.fixture
def edit(tmp_path: Path) -> Open:
    """Return a function that opens the campaign with changes to its file, on one store."""

    def opened(**changes: object) -> Campaign:
        return Campaign.open(CampaignSpec.from_mapping(FREE | changes, tmp_path), store=tmp_path / "lab.duckdb")

    return opened


@pytest.fixture
def running(begun: Path, edit: Open, tmp_path: Path) -> Campaign:
    """The campaign with four measurements and two proposals that wait."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return edit()


def effects(campaign: Campaign) -> str:
    """Return what follows from the last change, as one text."""
    return " ".join(change.effect for change in campaign.store.versions("free")[-1].changes)


@pytest.fixture
def place(running: Campaign) -> Callable[..., None]:
    """Return a function that gives the open proposals these configurations, as if they had been proposed."""

    def put(*configurations: dict[str, object]) -> None:
        with running.store.database.opened() as connection:
            ids = connection.execute("SELECT proposal_id FROM proposals ORDER BY position").fetchall()
            for (proposal_id,), values in zip(ids, configurations, strict=True):
                key = running.space.keys(pd.DataFrame([values]))[0]
                text = pd.Series(values).to_json()
                connection.execute(
                    "UPDATE proposals SET configuration = ?, key = ? WHERE proposal_id = ?", [text, key, proposal_id]
                )

    return put


def test_wider_bounds_keep_all_and_train_anew(running: Campaign, edit: Open) -> None:
    """What was measured teaches in the wider space, open proposals stay, and the next ones may lie outside the old."""
    before = {h.checkpoint_id for h in running.hypotheses()}
    wider = edit(parameters=[HEAT | {"bounds": [0, 150]}, LIGAND])
    assert len(wider.observations().y) == 4
    assert wider.progress().n_open == 2
    assert before.isdisjoint(h.checkpoint_id for h in wider.hypotheses())
    assert "The hypotheses are trained again." in effects(wider)


def test_narrower_bounds_leave_out_what_lies_outside(running: Campaign, edit: Open, place: Callable) -> None:
    """Rows outside teach no longer and are not the best; proposals outside go stale; widening brings the rows back."""
    place({"heat": 90.0, "ligand": "A"}, {"heat": 30.0, "ligand": "A"})
    first, second = running.proposals()["proposal_id"]
    narrow = edit(parameters=[HEAT | {"bounds": [0, 80]}, LIGAND], stop={"target": 90})
    assert narrow.observations().y.tolist() == [20.0, 60.0, 50.0]
    assert narrow.progress().best["yield"] == 60.0
    assert not narrow.progress().is_finished  # the target was reached only where nobody wants to be any more
    assert narrow.waiting() == (second,)
    assert "1 of 4 measurements lies outside and no longer teaches." in effects(narrow)
    assert "1 open proposal no longer fits and goes stale." in effects(narrow)
    with pytest.raises(StatusError, match=r"went stale .* must be a configuration of the space: heat"):
        narrow.decide(first, "approve", "ann")
    assert len(narrow.measurements()) == 4
    assert len(edit().observations().y) == 4


def test_an_approved_proposal_that_no_longer_fits_is_not_run(running: Campaign, edit: Open, place: Callable) -> None:
    """It goes stale and its review stays; one that a laboratory works on is left to it."""
    place({"heat": 90.0, "ligand": "A"}, {"heat": 95.0, "ligand": "A"})
    first, second = running.proposals()["proposal_id"]
    for proposal_id in (first, second):
        running.decide(proposal_id, "approve", "ann")
    running.store.start_trial(second, "manual", "elsewhere:1")
    narrow = edit(parameters=[HEAT | {"bounds": [0, 80]}, LIGAND])
    assert narrow.proposals()["status"].tolist() == ["STALE", "APPROVED"]
    assert [one.decision for one in narrow.decisions()] == ["approve", "approve"]
    assert narrow.progress().n_open == 1


def test_a_ligand_comes_and_another_goes(running: Campaign, edit: Open) -> None:
    """A new value is proposed from then on; rows with a value that has gone count in the budget and teach no longer."""
    changed = edit(parameters=[HEAT, LIGAND | {"values": ["A", "B", "D"]}], budget={"experiments": 12})
    assert changed.observations().y.tolist() == [20.0, 60.0, 50.0]
    assert changed.progress().n_measurements == 4
    said = [str(change) for change in changed.store.versions("free")[-1].changes]
    assert said == ["parameters[ligand].values: with D; without C", "budget.experiments: 6 -> 12"]
    assert set(changed.ask(2)["ligand"]) <= {"A", "B", "D"}


def test_a_new_parameter_needs_to_know_what_it_was(running: Campaign, edit: Open) -> None:
    """Without a held value earlier rows do not teach; with one they do, also where it is said only later."""
    bare = edit(parameters=[HEAT, LIGAND, SALT])
    assert len(bare.observations().y) == 0
    assert "4 of 4 measurements lack it and do not teach; to count what was before" in effects(bare)
    assert "2 open proposals no longer fit and go stale." in effects(bare)
    held = edit(parameters=[HEAT, LIGAND, SALT | {"held": "none"}])
    assert held.observations().y.tolist() == ROWS["yield"].tolist()
    assert set(held.measurements()["salt"]) == {"none"}
    assert held.observations().keys == tuple(held.measurements()["key"])
    held.tell(ROWS.assign(salt="LiCl").head(1))
    assert held.measurements()["salt"].tolist() == ["none"] * 4 + ["LiCl"]


def test_a_held_number_is_held_as_a_number(running: Campaign, edit: Open) -> None:
    """Numbers are held like names, and a report says how many count."""
    held = edit(parameters=[HEAT, LIGAND, {"name": "dose", "type": "continuous", "bounds": [0, 2], "held": 0.5}])
    assert held.measurements()["dose"].tolist() == [0.5] * 4
    assert "What was measured before counts at its held value (4 of 4 measurements)." in effects(held)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": [HEAT]}, r"parameters must keep 'ligand': campaign free has measured at 3 values of it"),
        (
            {"parameters": [HEAT | {"type": "categorical", "values": ["1"], "bounds": None}, LIGAND]},
            r"parameters\[0\].type must stay continuous for 'heat'",
        ),
        ({"objectives": [{"name": "purity"}], "outcomes": []}, "got 'purity', which 4 of 4 measurements of free lack"),
    ],
    ids=["removed", "another type", "another outcome"],
)
def test_what_measurements_do_not_allow_is_refused(running: Campaign, edit: Open, changes: dict, said: str) -> None:
    """The file is refused with key and advice, and the campaign stays as it was."""
    for parameter in changes.get("parameters", []):
        if parameter.get("bounds", 0) is None:
            del parameter["bounds"]
    with pytest.raises(ConfigurationError, match=said) as refused:
        edit(**changes)
    assert refused.value.hint
    assert running.store.campaign("free").version == 1
    assert len(edit().observations().y) == 4


def test_a_type_is_remembered_over_versions(edit: Open) -> None:
    """A parameter that was left out and comes back as something else is refused like one that changes at once."""
    campaign = edit()
    campaign.tell(ROWS.head(1))
    edit(parameters=[HEAT])
    with pytest.raises(ConfigurationError, match="must stay categorical for 'ligand'"):
        edit(parameters=[HEAT, {"name": "ligand", "type": "discrete", "values": [1, 2]}])


def test_a_parameter_that_never_varied_may_go(edit: Open) -> None:
    """Where every measurement has the same value of it, nothing is lost."""
    edit().tell(ROWS.assign(ligand="B"))
    assert edit(parameters=[HEAT]).observations().y.tolist() == ROWS["yield"].tolist()
    assert "It was B in every measurement" in effects(edit(parameters=[HEAT]))


def test_more_budget_opens_a_finished_campaign(running: Campaign, edit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with the same checkpoints, nothing is trained, and the change says who and what."""
    before = [h.checkpoint_id for h in running.hypotheses()]
    running.tell(ROWS.assign(heat=ROWS["heat"] + 1))
    assert running.finish().ended_by == "budget"
    really, known = models.meta_train_hypotheses, []
    monkeypatch.setattr(
        models, "meta_train_hypotheses", lambda *a, **k: known.append(set(k["known"])) or really(*a, **k)
    )
    monkeypatch.setenv("DISCOVERY_USER", "Ada")
    more = edit(budget={"experiments": 20})
    assert more.store.campaign("free").status == "ACTIVE"
    assert not more.progress().is_finished
    assert [h.checkpoint_id for h in more.hypotheses()] == before
    assert known == [{h.name for h in more.hypotheses()}]
    version = more.store.versions("free")[-1]
    assert version.changed_by == "Ada"
    assert [str(change) for change in version.changes] == ["budget.experiments: 6 -> 20"]
    assert version.changes[0].effect == "The finished campaign is open again."


def test_another_goal_turns_the_best_around(running: Campaign, edit: Open) -> None:
    """Measurements, predictions and ledger stay; the best is another."""
    running.adapt()
    stored = running.store.proposals("free"), running.store.evidence("free")
    turned = edit(objectives=[{"name": "yield", "goal": "minimize"}])
    assert (running.progress().best["yield"], turned.progress().best["yield"]) == (90.0, 20.0)
    for was, now in zip(stored, (turned.store.proposals("free"), turned.store.evidence("free")), strict=True):
        pd.testing.assert_frame_equal(was, now)
    assert "Another end is best now" in effects(turned)


def test_a_target_that_is_reached_already_ends_it(running: Campaign, edit: Open) -> None:
    """The change says so beforehand."""
    assert "The campaign ends. The target is reached: yield 90" in effects(edit(stop={"target": 85}))


def test_an_outcome_that_comes_later(running: Campaign, edit: Open) -> None:
    """Rows from before do not have it and may be given it; from then on it must be measured."""
    more = edit(outcomes=[{"name": "yield", "range": [0, 100]}, {"name": "purity"}])
    assert "4 of 4 measurements lack it." in effects(more)
    with pytest.raises(InputError, match="purity"):
        more.tell(ROWS)
    report = more.tell(ROWS.assign(purity=99.0).head(1))
    assert (report.n_added, report.n_completed, len(more.observations().y)) == (0, 1, 4)
    assert more.measurements()["purity"].tolist()[0] == 99.0
    more.tell(ROWS.assign(purity=98.0).tail(1).assign(**{"yield": 91.0}))
    assert len(more.observations().y) == 5


def test_candidates_that_change_under_their_name(edit: Open, tmp_path: Path) -> None:
    """A shorter list is a new version; what it no longer has is neither proposed nor run."""
    listed = pd.DataFrame({"heat": [10.0, 20.0, 30.0, 40.0], "ligand": "A"})
    listed.to_csv(tmp_path / "list.csv", index=False)
    first = edit(candidates="list.csv").ask(1).iloc[0]
    listed[listed["heat"] != first["heat"]].to_csv(tmp_path / "list.csv", index=False)
    shorter = edit(candidates="list.csv")
    assert shorter.store.campaign("free").version == 2
    assert shorter.proposals()["status"].tolist() == ["STALE"]
    assert "1 open proposal no longer fits" in effects(shorter)
    assert set(shorter.ask(3)["heat"]) == set(listed["heat"]) - {first["heat"]}


def test_what_would_change_is_said_without_changing(running: Campaign, tmp_path: Path) -> None:
    """`foresee` says what registering would store, and stores nothing."""
    spec = CampaignSpec.from_mapping(FREE | {"budget": {"experiments": 4}}, tmp_path)
    outlook = foresee(Store(tmp_path / "lab.duckdb"), spec, running.space, None)
    assert (outlook.version, [str(change) for change in outlook.changes]) == (1, ["budget.experiments: 6 -> 4"])
    assert "The budget is used: 4 of 4" in outlook.changes[0].effect
    assert running.store.campaign("free").version == 1
    assert foresee(running.store, running.spec, running.space, None).changes == ()


def test_a_replay_says_what_has_changed(running: Campaign, edit: Open) -> None:
    """A proposal of another space cannot be computed again, with the change that did it; one of the same space can."""
    proposal_id = running.proposals()["proposal_id"].iloc[0]
    assert edit(budget={"experiments": 9}).replay(proposal_id).is_equal
    wider = edit(parameters=[HEAT | {"bounds": [0, 150]}, LIGAND])
    with pytest.raises(InputError, match=r"has changed since .*heat\].bounds: \[0, 100\] -> \[0, 150\]"):
        wider.replay(proposal_id)
    turned = edit(objectives=[{"name": "yield", "goal": "minimize"}], acquisition={"batch_size": 1})
    assert turned.replay(proposal_id).is_equal  # its plan was stored with it


def test_a_replay_names_corrections(running: Campaign) -> None:
    """Where a measurement was corrected since, the difference has a reason."""
    proposal_id = running.proposals()["proposal_id"].iloc[0]
    running.correct("free-m0001", {"yield": 80.0}, "transposed")
    replay = running.replay(proposal_id)
    assert not replay.is_equal
    assert replay.differences[-1] == "1 correction of measurements since"
