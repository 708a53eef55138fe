import json
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import CheckpointError, InputError
from discovery.lifecycle import ModelStatus
from discovery.meta import meta_gp
from discovery.meta.checkpoint import Checkpoint, load
from discovery.session import Campaign

Make = Callable[..., Campaign]
HISTORY = {"history": ["case_1.csv", "case_2.csv"]}


def version_ids(campaign: Campaign) -> dict[str, str]:
    return {hypothesis.name: hypothesis.checkpoint_id for hypothesis in campaign.hypotheses()}


def test_meta_training_is_registered_promoted_and_loaded_again(make_campaign: Make) -> None:
    """What was trained lies beside the store, is promoted, and is what a new object works with."""
    campaign = make_campaign("empty.duckdb", experience=HISTORY)
    steps: list[tuple[str, int, int]] = []
    trained = campaign.meta_train(lambda name, step, n_steps: steps.append((name, step, n_steps)))
    assert [item.name for item in trained] == ["no_transfer", "history"]
    assert sum(item.prior_weight for item in trained) == pytest.approx(1.0)
    assert "history" in {name for name, _, _ in steps}
    models = campaign.store.models()
    assert models["status"].tolist() == ["PROMOTED"] * 2
    assert all((campaign.store.path.parent / path).exists() for path in models["path"])
    again = make_campaign("empty.duckdb", experience=HISTORY)
    assert version_ids(again) == version_ids(campaign) == models.set_index("hypothesis")["version_id"].to_dict()
    assert [h.prior_weight for h in again.hypotheses()] == [item.prior_weight for item in trained]


def test_training_is_used_again_where_it_fits(make_campaign: Make) -> None:
    """Another campaign of the same space, scale and history trains nothing; force trains the same again."""
    campaign = make_campaign(experience=HISTORY, budget={"experiments": 3}, seed=5)
    reports: list[str] = []
    campaign.meta_train(lambda name, step, n_steps: reports.append(name))
    assert reports == []
    assert set(version_ids(campaign).values()) == set(campaign.store.models()["version_id"])
    make_campaign(experience=HISTORY).meta_train(lambda name, step, n_steps: reports.append(name), force=True)
    assert "history" in reports
    assert len(campaign.store.models()) == 2


@pytest.mark.parametrize(
    ("change", "n_versions"),
    [
        ({"experience": {"history": ["case_1.csv"]}}, {"no_transfer": 1, "history": 2}),
        ({"experience": {"history": ["case_1.csv", "case_2.csv", "case_3.csv"]}}, {"no_transfer": 1, "history": 2}),
        ({"outcomes": [{"name": "yield", "range": [0, 50]}]}, {"no_transfer": 2, "history": 2}),
    ],
    ids=["fewer files", "more files", "another scale"],
)
def test_training_is_not_used_where_it_does_not_fit(
    make_campaign: Make, change: dict, n_versions: dict[str, int]
) -> None:
    """A campaign with other files of history, or another scale, never gets a checkpoint that has seen more or less."""
    other = make_campaign(**{"experience": HISTORY} | change)
    other.meta_train()
    assert other.store.models().groupby("hypothesis").size().to_dict() == n_versions


def test_simulators_with_other_settings_are_trained_again(make_campaign: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator's checkpoint serves a second campaign, and not one that overrides its settings."""
    monkeypatch.setattr(meta_gp, "N_SHARED_TASKS", 16)
    monkeypatch.setattr(meta_gp, "N_OWN_TASKS", 8)
    name, same = "simulator:gp_prior", {"simulators": [{"name": "gp_prior"}]}
    other = {"simulators": [{"name": "gp_prior", "p_irrelevant": 0.6}]}
    trained = version_ids(make_campaign(experience=same))[name]
    assert make_campaign(name="second", experience=same).shelf.find(name).checkpoint_id == trained
    assert make_campaign(name="third", experience=other).shelf.find(name) is None


def keep_with_sources(campaign: Campaign, sources: tuple[str, ...]) -> str:
    """Register the campaign's history checkpoint again, as one that has also seen other sources."""
    original = campaign.shelf.load(version_ids(campaign)["history"])
    meta = replace(original.meta, task_sources=(*original.meta.task_sources, *sources))
    return campaign.shelf.keep(Checkpoint(meta, original.tensors), ModelStatus.PROMOTED).version_id


def test_a_campaign_never_uses_what_has_seen_it(make_campaign: Make) -> None:
    """A promoted checkpoint with this campaign among its task sources is passed over by name, and refused by id."""
    campaign = make_campaign(experience=HISTORY)
    before = version_ids(campaign)
    taught = keep_with_sources(campaign, ("campaign:case-4",))
    assert campaign.store.promoted("history", campaign.space.schema_hash).version_id == taught
    with pytest.raises(CheckpointError, match="must not use a checkpoint that was trained on itself"):
        campaign.shelf.load(taught)
    campaign.meta_train()
    assert version_ids(campaign) == before
    other = make_campaign(name="other", experience=HISTORY)
    assert version_ids(other)["history"] == taught  # for every other campaign it is experience


def test_a_campaign_never_uses_what_has_seen_other_files(make_campaign: Make) -> None:
    """An extra file may hold this campaign's own answers under another name; only campaigns are known to be others."""
    campaign = make_campaign(experience=HISTORY)
    before = version_ids(campaign)
    taught = keep_with_sources(campaign, ("case_4.csv@0123456789ab",))
    campaign.meta_train()
    assert version_ids(campaign) == before
    assert version_ids(make_campaign(name="other", experience=HISTORY))["history"] != taught


def test_a_campaign_keeps_what_it_started_with(make_campaign: Make) -> None:
    """A version promoted meanwhile changes nothing until meta-train is run again."""
    campaign = make_campaign(experience=HISTORY)
    before = version_ids(campaign)
    newer = keep_with_sources(campaign, ("campaign:other",))
    assert version_ids(make_campaign(experience=HISTORY)) == before
    again = make_campaign(experience=HISTORY)
    again.meta_train()
    assert version_ids(again)["history"] == newer


def test_a_changed_budget_keeps_what_it_started_with(make_campaign: Make) -> None:
    """A change of the file that needs no training takes nothing that was promoted meanwhile either."""
    campaign = make_campaign(experience=HISTORY)
    before = version_ids(campaign)
    newer = keep_with_sources(campaign, ("campaign:other",))
    more = make_campaign(experience=HISTORY, budget={"experiments": 20})
    assert version_ids(more) == before
    again = make_campaign(experience=HISTORY, budget={"experiments": 20})
    assert version_ids(again) == before
    again.meta_train()
    assert version_ids(again)["history"] == newer


def test_a_checkpoint_of_another_space_is_refused(make_campaign: Make) -> None:
    """One sentence says that parameters have changed and what to do."""
    campaign = make_campaign()
    version_id = version_ids(campaign)["no_transfer"]
    wider = [{"name": "temperature", "type": "continuous", "bounds": [0, 200]}]
    changed = make_campaign(parameters=wider, candidates=None, experiment=None)
    with pytest.raises(CheckpointError, match="must be of the campaign's own space"):
        changed.shelf.load(version_id)
    assert version_ids(changed)["no_transfer"] != version_id  # a changed file is trained for anew


def test_a_damaged_checkpoint_is_one_sentence_and_heals(make_campaign: Make) -> None:
    """A damaged file is reported with the command that mends it, and that command does."""
    campaign = make_campaign()
    before = version_ids(campaign)
    path = campaign.store.path.parent / campaign.store.model(before["no_transfer"]).path
    path.with_suffix(".safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="discovery meta-train"):
        make_campaign().hypotheses()
    make_campaign().meta_train()
    assert version_ids(make_campaign()) == before
    assert load(path).checkpoint_id == before["no_transfer"]


def test_an_earlier_campaign_of_the_store_is_history(make_campaign: Make, table: pd.DataFrame) -> None:
    """`{campaign: name}` takes its measurements, and trains again when there are more of them."""
    earlier = make_campaign(name="earlier")
    earlier.tell(table.head(12))
    experience = {"history": ["case_1.csv", {"campaign": "earlier"}]}
    campaign = make_campaign(experience=experience)
    first = version_ids(campaign)["history"]
    sources = json.loads(campaign.store.models().set_index("version_id").loc[first, "task_sources"])
    assert sources[1] == "campaign:earlier"
    earlier.tell(table.tail(12))
    grown = make_campaign(name="grown", experience=experience)
    assert version_ids(grown)["history"] != first
    with pytest.raises(InputError, match="nowhere"):
        make_campaign(name="lost", experience={"history": [{"campaign": "nowhere"}]}).hypotheses()


def test_adapting_keeps_the_ledger(make_campaign: Make, table: pd.DataFrame) -> None:
    """Evidence and weights of every hypothesis are stored with their checkpoints, a second time instead of twice."""
    campaign = make_campaign(experience=HISTORY)
    campaign.tell(table.head(4))
    summary = campaign.adapt()
    campaign.adapt()
    ledger = campaign.store.evidence("case-4").set_index("hypothesis")
    assert ledger["weight"].to_dict() == pytest.approx(summary.weights)
    assert ledger["log_evidence"].to_dict() == pytest.approx(summary.log_evidence)
    assert ledger["checkpoint_id"].to_dict() == version_ids(campaign)
    assert set(ledger["n_measurements"]) == {4}


def test_experience_that_does_not_fit_raises_the_alarm(make_campaign: Make, table: pd.DataFrame) -> None:
    """Outcomes far from anything in the history bring the e-value above 20, and that is stored once per cycle."""
    campaign = make_campaign(experience=HISTORY)
    odd = table.head(12).assign(**{"yield": 100.0 - table["yield"].head(12)})
    campaign.tell(odd)
    summary = campaign.adapt()
    campaign.adapt()
    alarms = campaign.store.metrics("case-4").query("name == 'e_value_alarm'")
    assert summary.e_value >= 20
    assert alarms["value"].tolist() == [summary.e_value]


def test_one_categorical_parameter_learns_from_history(tmp_path):
    """A campaign that varies nothing but a ligand learns from earlier tables of the same ligands."""
    levels = [f"L{i}" for i in range(8)]
    for k in range(2):
        yields = [40 + 5 * i + (3 * i + k) % 4 for i in range(8)]
        pd.DataFrame({"ligand": levels, "yield": yields}).to_csv(tmp_path / f"old_{k}.csv", index=False)
    data = {
        "name": "ligands",
        "parameters": [{"name": "ligand", "type": "categorical", "values": levels}],
        "outcomes": [{"name": "yield", "range": [0, 100]}],
        "objectives": [{"name": "yield"}],
        "experience": {"history": ["old_0.csv", "old_1.csv"]},
    }
    campaign = Campaign.open(CampaignSpec.from_mapping(data, tmp_path), store=tmp_path / "lab.duckdb", device="cpu")
    assert campaign.ask(1)["ligand"].tolist() == ["L7"]
