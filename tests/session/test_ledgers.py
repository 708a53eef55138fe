"""What is kept about outcomes beyond the first: weights, alarms, doubts, and predictions beside what was measured."""

import json

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.evaluation.calibration import BELIEF, read_predictions
from discovery.report.campaign import CampaignFrames
from discovery.report.html import campaign_html
from discovery.report.terminal import print_campaign
from discovery.session import Campaign
from discovery.session.doubts import doubts
from discovery.session.ledgers import experience_fits, ledger_about
from flows.pages import calibration_page, hypotheses_page
from tests.session.free_campaign import FREE

SCALES = {"outcomes": [{"name": "yield", "range": [0, 100]}, {"name": "waste", "range": [0, 10]}]}
TWO = {"objectives": [{"name": "yield"}, {"name": "waste", "goal": "minimize"}], **SCALES}
MORE = {"budget": {"experiments": 30}}
HEAT = np.linspace(2.0, 98.0, 14)
N_TOLD = 8


def table(heat=HEAT, shift=0.0, misled=False):
    """Measurements of a smooth reaction; where experience misleads, waste is the ligand's alone."""
    bend = np.sin(heat / 18 + shift)
    ligand = np.array(["A", "B", "C"])[np.arange(len(heat)) % 3]
    waste = np.where(ligand == "B", 9.0, 1.0) if misled else 5 + 4 * bend
    return pd.DataFrame({"heat": heat, "ligand": ligand, "yield": 50 + 40 * bend, "waste": waste})


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A campaign whose history fits its first outcome and misleads about the second; its last result is a bound."""
    folder = tmp_path_factory.mktemp("lab")
    for i in range(2):
        table(shift=0.05 * i).to_csv(folder / f"old_{i}.csv", index=False)
    experience = {"history": ["old_0.csv", "old_1.csv"]}
    spec = CampaignSpec.from_mapping({**FREE, **TWO, "experience": experience, **MORE}, folder)
    campaign = Campaign.open(spec, store=folder / "lab.duckdb", device="cpu")
    campaign.tell(table(shift=0.025, misled=True).head(N_TOLD))
    asked = campaign.ask(2)
    bend, waste = np.sin(asked["heat"] / 18 + 0.025), np.where(asked["ligand"] == "B", 9.0, 1.0)
    found = asked[["proposal_id", "heat", "ligand"]].assign(**{"yield": 50 + 40 * bend, "waste": [waste[0], ">0.5"]})
    campaign.tell(found)
    campaign.adapt()
    return campaign


def test_every_outcome_has_a_ledger(lab):
    """The ledger of a further outcome has the columns of the first one's, weights that sum to one, and checkpoints."""
    first, second = (ledger_about(lab.store, lab.spec, name) for name in ("yield", "waste"))
    assert list(second.columns) == list(first.columns)
    assert second["cycle"].tolist() == first["cycle"].tolist()
    assert second.groupby("cycle")["weight"].sum().tolist() == pytest.approx([1.0] * second["cycle"].nunique())
    used = {hypothesis.name: hypothesis.checkpoint_id for hypothesis in lab.hypotheses("waste")}
    assert dict(zip(second["hypothesis"], second["checkpoint_id"], strict=True)) == used
    assert second["n_measurements"].max() == 10


def test_a_cycle_that_is_run_again_is_told_once(lab):
    """Adapting once more replaces what the cycle said of a further outcome, as it does of the first."""
    before = len(ledger_about(lab.store, lab.spec, "waste"))
    lab.adapt()
    assert len(ledger_about(lab.store, lab.spec, "waste")) == before


def test_experience_may_fit_one_outcome_and_not_another(lab):
    """The alarm is raised for the outcome that the history misleads about, once per cycle, and for no other."""
    fits = experience_fits(lab.store, lab.spec)
    assert fits["waste"].is_alarm and not fits["yield"].is_alarm
    assert fits["waste"].misfits == ("history",)
    raised = lab.store.metrics(lab.name).query("name == 'e_value_alarm'")
    assert {json.loads(text)["outcome"] for text in raised["detail"]} == {"waste"}
    assert not raised["cycle"].duplicated().any()
    events = lab.store.unsent_events().query("name == 'discovery.transfer.harmful'")
    assert [json.loads(text)["outcome"] for text in events["payload"]] == ["waste"]


def test_predictions_of_every_outcome_are_scored(lab):
    """What was foretold of a further outcome stands beside what was measured there; a bound is left out."""
    said = {"waste": read_predictions(lab.store.calibration_inputs(lab.name, "waste"))[BELIEF]}
    frames = CampaignFrames.read(lab.spec, lab.store)
    (waste,) = frames.further
    measured = lab.measurements().iloc[N_TOLD:]
    assert said["waste"].outcome.tolist() == measured["waste"].tolist()[:1] == waste.stored[BELIEF].outcome.tolist()
    assert frames.stored[BELIEF].outcome.tolist() == measured["yield"].tolist()
    proposal = lab.store.proposal(said["waste"].proposal_ids[0])
    mean = sum(one.weight * one.mean for one in proposal.others["waste"])
    assert said["waste"].mean[0] == pytest.approx(mean)
    assert [about for about, _ in frames.each] == ["yield: ", "waste: "]


def test_reports_are_about_every_outcome(lab, tmp_path, capsys):
    """Text, page and the parts of the Prefect pages name every outcome's weights, calibration and alarm."""
    frames = CampaignFrames.read(lab.spec, lab.store)
    print_campaign(frames)
    said = capsys.readouterr().out
    assert "waste: What explains the measurements" in said and "yield: Predictions made before" in said
    assert "waste: The experience does not fit this task" in " ".join(said.split())
    page = campaign_html(frames, tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f"{name}: {part}" in page for name in ("yield", "waste") for part in ("Hypotheses", "Calibration"))
    for made in (hypotheses_page(frames), calibration_page(frames)):
        assert "## yield: " in made.text and "## waste: " in made.text


def test_a_wild_value_of_a_further_outcome_is_doubted(tmp_path):
    """A misprint in the second outcome alone is named with that outcome, and no longer after a correction."""
    lab = Campaign.open(
        CampaignSpec.from_mapping({**FREE, **TWO, **MORE}, tmp_path), store=tmp_path / "l.duckdb", device="cpu"
    )
    rows = table()
    rows.loc[6, "waste"] = 97.0
    lab.tell(rows)
    lab.adapt()
    (found,) = doubts(lab.store, lab.spec)
    assert (found.outcome, found.position, found.found) == ("waste", 7, "97")
    lab.correct(found.measurement_id, {"waste": 5.0}, reason="decimal point")
    lab.adapt()
    assert doubts(lab.store, lab.spec) == []
