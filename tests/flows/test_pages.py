"""What the pages of a campaign say, word by word where a number is at stake."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.report.campaign import CampaignFrames
from flows.pages import (
    calibration_page,
    cost_rows,
    hypotheses_page,
    links,
    models_page,
    progress_page,
    proposal_rows,
    with_sd,
)

SMILES = ["C[C@H](N)C(=O)O", "CCO", "CCN"]


@pytest.fixture
def spec(tmp_path) -> CampaignSpec:
    """A campaign whose configurations have brackets in their names."""
    data = {
        "name": "lab_1",
        "parameters": [{"name": "amine", "type": "categorical", "values": SMILES}],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
        "budget": {"experiments": 10},
    }
    return CampaignSpec.from_mapping(data, tmp_path)


@pytest.fixture
def frames(spec) -> CampaignFrames:
    """Two measured proposals of two cycles, one that waits, and what was known in each cycle."""
    ids = ["lab_1-c001-00", "lab_1-c002-00", "lab_1-c002-01"]
    proposals = pd.DataFrame(
        {
            "proposal_id": ids,
            "cycle": [1, 2, 2],
            "position": [0, 0, 1],
            "status": ["APPROVED", "APPROVED", "PROPOSED"],
            "amine": SMILES,
            "is_measured": [True, True, False],
            "mean": [50.0, 61.234, 70.0],
            "sd": [20.0, 3.12, 0.0],
            "argued_by": ["random", "no_transfer", "history"],
            "is_exploring": [True, False, False],
        }
    )
    measurements = pd.DataFrame({"amine": SMILES[:2], "yield": [40.0, 62.0], "proposal_id": ids[:2]})
    evidence = pd.DataFrame(
        {
            "cycle": [1, 1, 2, 2],
            "hypothesis": ["no_transfer", "history"] * 2,
            "n_measurements": [0, 0, 1, 1],
            "log_evidence": [0.0, 0.0, -3.0, -2.0],
            "weight": [0.2, 0.8, 0.004, 0.996],
            "e_value": [1.0, 1.0, 0.4, 0.4],
        }
    )
    calibration = pd.DataFrame(
        {
            "measurement_id": ["m1", "m2"],
            "position": [1, 2],
            "proposal_id": ids[:2],
            "hypothesis": "no_transfer",
            "weight": 1.0,
            "n_measurements": [0, 1],
            "log_weights": [[0.0], [0.0]],
            "means": [[50.0], [30.0]],
            "sds": [[20.0], [5.0]],
            "outcome": [40.0, 62.0],
        }
    )
    gain = {"per_experiment": 2.0, "n": 2, "n_measurements": 1, "is_stored": True}
    metrics = pd.DataFrame(
        {"cycle": [2, 2], "name": ["expected_gain", "adapt_propose_s"], "value": [2.0, 0.5], "detail": json.dumps(gain)}
    )
    return CampaignFrames(spec, measurements, proposals, evidence, calibration, metrics)


def empty(spec: CampaignSpec) -> CampaignFrames:
    """Return a campaign in which nothing has happened."""
    return CampaignFrames(
        spec,
        pd.DataFrame(columns=["amine", "yield", "proposal_id"]),
        pd.DataFrame(columns=["proposal_id", "cycle", "position", "status", "is_measured", "mean", "sd"]),
        pd.DataFrame(columns=["cycle", "hypothesis", "weight", "log_evidence", "e_value", "n_measurements"]),
        pd.DataFrame(columns=["measurement_id", "hypothesis", "outcome"]),
    )


def test_costs_add_up(frames):
    """Experiments made, under way and left make up the budget; the last expected gain is said with its unit."""
    rows = dict(cost_rows(frames))
    assert rows["experiments made"] == "2 of 10"
    assert (rows["proposed and not measured"], rows["left to propose"]) == ("1", "7")
    assert rows["expected gain of the last proposals"] == "2 % yield per experiment, after 1 measurements"
    assert rows["computing the last proposals"] == "500 ms"


def test_progress_shows_the_best(frames):
    """The page has a plot, the best conditions with their brackets as text, and its headline names the best."""
    page = progress_page(frames)
    assert page.topic == "progress" and "62 %, at experiment 2" in page.headline
    assert "![Measured yield and the best so far](data:image/svg+xml" in page.text
    assert r"| 2 | C\[C@H\](N)C(=O)O | 40 | 1 |" in page.text


def test_hypotheses_show_where_the_belief_stands(frames):
    """The headline has the weights that count, the page all of them over time."""
    page = hypotheses_page(frames)
    assert page.headline == "history 1.00"
    assert "| history | 0.996 | -2.00 |" in page.text and "Nothing speaks against the experience" in page.text
    assert page.text.count("data:image/svg+xml") == 1


def test_calibration_counts_outcomes_inside(frames):
    """One outcome lies half a standard deviation from its prediction, the other six: one of two is inside."""
    page = calibration_page(frames)
    assert page.headline == "1 of 2 outcomes lay in the 90 % intervals stated for them."
    assert "| 90 % | 50 % | 1 of 2 |" in page.text and "| 50 % | 50 % | 1 of 2 |" in page.text


def test_an_empty_campaign_has_pages(spec):
    """Before anything happened every page can be shown and says so."""
    frames = empty(spec)
    assert progress_page(frames).headline == "Nothing has been measured yet."
    assert hypotheses_page(frames).headline == "Nothing is known yet."
    assert "No prediction has been tested" in calibration_page(frames).text
    assert proposal_rows(frames) == []


def test_proposals_say_what_why_and_how_sure(frames):
    """The newest cycle comes first; predictions have their deviation, outcomes stand beside them."""
    first, second, third = proposal_rows(frames)
    assert first == {
        "proposal": "c002-00",
        "status": "measured",
        "predicted": "61.2 ± 3.1",
        "measured": "62",
        "argued by": "no_transfer",
        "chosen to": "improve",
        "amine": "CCO",
        "id": "lab_1-c002-00",
    }
    assert (second["status"], second["predicted"], second["measured"]) == ("proposed", "70", "")
    assert third["amine"] == r"C\[C@H\](N)C(=O)O" and third["chosen to"] == "learn"


@pytest.mark.parametrize(
    ("mean", "sd", "wanted"),
    [
        (81.234, 3.12, "81.2 ± 3.1"),
        (81.234, 12.3, "81 ± 12"),
        (0.012341, 0.00067, "0.01234 ± 0.00067"),
        (1234.5, 150.0, "1234 ± 150"),
        (81.234, 0.0, "81.23"),
        (1234567.0, 89000.0, "1.23e+06 ± 8.9e+04"),
        (5.0, float("nan"), "5"),
    ],
)
def test_a_prediction_has_the_digits_that_it_deserves(mean, sd, wanted):
    """Two digits of the deviation, and as many of the mean."""
    assert with_sd(mean, sd) == wanted


def test_a_model_card_says_what_a_model_is():
    """Sources without their hashes, date, parent, and scores in words; long lists are cut and counted."""
    row = {
        "version_id": "history-abc",
        "hypothesis": "history",
        "learner": "meta_gp",
        "created_at": pd.Timestamp("2026-11-23 17:00", tz="UTC"),
        "status": "PROMOTED",
        "task_sources": json.dumps([f"case_{i}.csv@123" for i in range(14)]),
        "parent": np.nan,
        "scores": json.dumps({"held_out_nlpd": 0.29834, "own": 1.0}),
    }
    page = models_page(pd.DataFrame([row, {**row, "hypothesis": "no_transfer", "task_sources": "[]", "parent": "v0"}]))
    assert page.headline == "2 models in use: history, no_transfer."
    history, cold = page.text.split("### no_transfer")
    assert "- **learned from:** 14 tasks: case_0.csv, " in history and "case_11.csv and 2 more" in history
    assert "- **trained:** 2026-11-23 17:00 UTC" in history and "- **refined from:** no earlier version" in history
    assert "- **negative log density on held-out tasks (less is better):** 0.298" in history
    assert "- **own:** 1" in history
    assert "- **learned from:** no task" in cold and "- **refined from:** v0" in cold


def test_links_are_one_line():
    """Names are shown, addresses are followed."""
    assert links([("Cycles", "/a"), ("This run", "/b")]) == "[Cycles](/a) · [This run](/b)"
