"""`propose`, `review` and `replay`: proposals are shown, decided about once, and can be computed again."""

from __future__ import annotations

import pandas as pd
import pytest

from discovery.cli.proposals import _show_decided
from discovery.session import Campaign
from discovery.store import Store


@pytest.fixture
def ids(cli, file) -> list[str]:
    """Two proposals that wait for a decision."""
    return [row["proposal_id"] for row in cli("propose", file, "--json").json]


def statuses(folder) -> dict[str, str]:
    """Return what the store says about every proposal."""
    return Store(folder / "discovery.duckdb").proposals("lab").set_index("proposal_id")["status"].to_dict()


def test_propose_stores_as_many_as_the_batch(cli, file, ids):
    """`propose` stores one batch with predictions, and shows a card for each proposal."""
    assert ids == ["lab-c001-00", "lab-c001-01"]
    rows = cli("propose", file, "--n", "1", "--json").json
    assert [row["proposal_id"] for row in rows] == ["lab-c002-00"]
    assert {"catalyst", "temperature", "yield_pred", "yield_sd", "status"} <= set(rows[0])
    shown = cli("review", file)
    assert all(i in shown.out for i in ids) and "90 % probability" in shown.out
    assert [card["proposal_id"] for card in cli("review", file, "--json").json] == [*ids, "lab-c002-00"]


def test_propose_approves_where_nobody_is_asked(cli, write):
    """With `review: {mode: auto}` proposals are approved at once."""
    rows = cli("propose", write(review={"mode": "auto"}), "--json").json
    assert [row["status"] for row in rows] == ["APPROVED", "APPROVED"]


def test_the_budget_is_kept(cli, write):
    """No more proposals are made than the budget allows, and asking for more says so."""
    file = write(budget={"experiments": 1})
    assert len(cli("propose", file, "--json").json) == 1
    answer = cli("propose", file)
    assert answer.code == 1 and "budget" in answer.err


def test_several_ids_may_stand_behind_approve(cli, file, ids, folder):
    """`--approve ID ID` approves both."""
    assert cli("review", file, "--approve", *ids).code == 0
    assert statuses(folder) == dict.fromkeys(ids, "APPROVED")


def test_one_wrong_id_decides_nothing(cli, file, ids, folder):
    """Of several decisions in one command all are made, or none: a typing error leaves no half-made review."""
    answer = cli("review", file, "--approve", ids[0], "lab-c009-00")
    assert answer.code == 1 and "lab-c009-00" in answer.err
    for words in (["--approve", ids[0], "--reject", ids[0], "--reason", "x"], ["--approve", "all", ids[0]]):
        assert cli("review", file, *words).code == 2
    assert statuses(folder) == dict.fromkeys(ids, "PROPOSED")


def test_an_edit_without_a_value_says_what_is_missing(cli, file, ids):
    """`--edit ID temperature` is told to give a value, not to approve."""
    answer = cli("review", file, "--edit", ids[0], "temperature")
    assert answer.code == 2 and "'temperature' must be KEY=VALUE" in answer.err


def test_all_may_be_approved(cli, file, ids, folder):
    """`--approve all` approves everything that waits, and names the reviewer."""
    answer = cli("review", file, "--approve", "all", "--reviewer", "Ada", "--json")
    assert [row["reviewer"] for row in answer.json] == ["Ada", "Ada"]
    assert statuses(folder) == dict.fromkeys(ids, "APPROVED")


@pytest.mark.parametrize(
    ("experiment", "said"),
    [
        ({}, "The deployment goes on by itself."),
        ({"experiment": None}, "The deployment goes on by itself once results are there: discovery ingest"),
    ],
)
def test_a_deployed_campaign_goes_on_by_itself(cli, write, capsys, experiment, said):
    """After the last decision nobody is sent to `discovery run` where a deployment has been woken."""
    file = write(**experiment)
    cli("propose", file)
    cli("review", file, "--approve", "all")
    _show_decided(Campaign.open(file), (), file, is_deployed=True)
    out = capsys.readouterr().out
    assert said in out and "discovery run" not in out


def test_a_rejection_keeps_its_reason(cli, file, ids, folder):
    """`--reject ID --reason TEXT` rejects with the reason, and the configuration does not come again."""
    assert cli("review", file, "--reject", ids[0], "--reason", "too hot").code == 0
    store = Store(folder / "discovery.duckdb")
    assert store.reviews("lab")["reason"].tolist() == ["too hot"]
    rejected = store.proposal(ids[0]).key
    again = [store.proposal(row["proposal_id"]).key for row in cli("propose", file, "--n", "4", "--json").json]
    assert rejected not in again


def test_an_edit_is_checked_and_kept(cli, file, ids, folder):
    """`--edit ID key=value` approves with other values; a value that cannot be is refused and changes nothing."""
    refused = cli("review", file, "--edit", ids[0], "temperature=999")
    assert refused.code == 1 and "temperature" in refused.err
    assert statuses(folder)[ids[0]] == "PROPOSED"
    taken = {(r.catalyst, r.temperature) for r in Store(folder / "discovery.duckdb").proposals("lab").itertuples()}
    free = next(t for t in (40, 60, 80, 100) if ("BrettPhos", t) not in taken)
    assert cli("review", file, "--edit", ids[0], "catalyst=BrettPhos", f"temperature={free}").code == 0
    assert Store(folder / "discovery.duckdb").proposal(ids[0]).configuration["catalyst"] == "BrettPhos"


def test_nobody_decides_twice(cli, file, ids):
    """A second decision about the same proposal is refused in one sentence that names who made the first."""
    cli("review", file, "--approve", ids[0], "--reviewer", "Ada")
    answer = cli("review", file, "--reject", ids[0], "--reason", "late")
    assert answer.code == 1 and "approved by Ada" in answer.err and answer.err.count("\n") == 1


def test_who_decided_before_is_shown(cli, file, ids):
    """`review` names who decided about the others of the cycle, with reason and note; a script gets it all as JSON."""
    words = ("--reject", ids[0], "--reason", "too hot", "--note", "ask Bo", "--reviewer", "Ada", "--json")
    (decided,) = cli("review", file, *words).json
    assert decided.pop("decided_at").startswith("20")
    assert decided == {
        "proposal_id": ids[0],
        "status": "REJECTED",
        "decision": "reject",
        "reviewer": "Ada",
        "reason": "too hot; ask Bo",
        "values": {},
    }
    shown = cli("review", file)
    assert f"{ids[0]} was rejected by Ada on " in shown.out and "(too hot; ask Bo)." in shown.out
    assert ids[1] in shown.out and "1 proposal to be decided" in shown.err


def test_who_reviews_is_named_by_the_environment(cli, file, ids, monkeypatch):
    """`DISCOVERY_USER` says who decides where `--reviewer` does not."""
    monkeypatch.setenv("DISCOVERY_USER", "Bo")
    assert cli("review", file, "--approve", ids[0], "--json").json[0]["reviewer"] == "Bo"


def test_the_deadline_is_shown(cli, write):
    """With a time-out `review` says until when people may decide."""
    file = write(review={"mode": "required", "timeout": "7d"})
    cli("propose", file)
    assert "Undecided proposals go stale on " in cli("review", file).err


def test_a_proposal_can_be_computed_again(cli, file, ids):
    """`replay` gives the stored proposal again, also after later measurements."""
    cli("review", file, "--approve", "all")
    cli("ingest", file, "table.csv")
    answer = cli("replay", ids[1], "--json")
    assert answer.code == 0
    assert answer.json == {"proposal_id": ids[1], "is_equal": True, "differences": []}


def test_a_proposal_that_is_not_there_cannot_be_replayed(cli, file, ids):
    """An unknown id is named."""
    answer = cli("replay", "lab-c999-00")
    assert answer.code == 1 and "lab-c999-00" in answer.err


def test_a_sheet_goes_out_and_comes_back(cli, write, folder):
    """`propose --sheet` writes a table with blank outcomes; filled in, `ingest` lands it on the proposals it names."""
    file, sheet = write(review={"mode": "auto"}), folder / "sheet.csv"
    written = cli("propose", file, "--sheet", sheet)
    assert "fill in yield" in written.err
    rows = pd.read_csv(sheet, skiprows=[1])  # the units
    assert list(rows.columns) == ["proposal_id", "run_order", "catalyst", "temperature", "yield", "status", "note"]
    assert rows["yield"].isna().all()
    assert cli("ingest", file, sheet, "--json").json["n_pending"] == 2
    rows.assign(**{"yield": [50.0, 60.0]}).to_csv(sheet, index=False)
    assert cli("ingest", file, sheet, "--json").json["n_added"] == 2
    measured = Store(folder / "discovery.duckdb").measurements("lab")
    assert sorted(measured["proposal_id"]) == ["lab-c001-00", "lab-c001-01"]


def test_people_who_make_the_experiments_are_sent_to_ingest(cli, write):
    """Without an `experiment` in the file, the next command after a review is `ingest`, and then `propose`."""
    file = write(experiment=None, review={"mode": "required"})
    cli("propose", file)
    assert "discovery ingest" in cli("review", file, "--approve", "all").out
    assert "discovery ingest" in cli("status", file).out


def test_a_finished_campaign_sends_nobody_to_propose(cli, write):
    """Where the budget is used, `review` says so and names no command that would be refused."""
    file = write(experiment=None)
    cli("ingest", file, "table.csv")
    answer = cli("review", file, "--approve", "all")
    assert answer.code == 0
    assert "budget is used" in answer.out and "propose" not in answer.out


def test_the_prior_that_ships_joins_where_it_is_named(cli, write):
    """A file that names `pretrained` is valid, and the hypothesis predicts, with the weight that the file gives it."""
    file = write(hypotheses=[{"name": "no_transfer", "weight": 0.8}, {"name": "pretrained", "weight": 0.2}])
    assert cli("validate", file).code == 0
    answer = cli("propose", file, "--n", "1")
    assert answer.code == 0, answer.err
    assert "pretrained (it behaves like" in answer.out and "weight 20 %" in answer.out
