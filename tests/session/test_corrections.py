"""Wrong measurements are put right or taken out, and the campaign goes on by what counts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from discovery.errors import InputError
from discovery.session import Campaign

Make = Callable[..., Campaign]


@pytest.fixture
def measured(make_campaign: Make, table: pd.DataFrame) -> Campaign:
    """The campaign with four measurements."""
    campaign = make_campaign()
    campaign.tell(table.head(4))
    return campaign


def test_a_correction_reaches_the_belief(measured: Campaign) -> None:
    """The next adapt has the right value, evidence is another, and the row keeps its place."""
    before = measured.adapt()
    done = measured.correct("case-4-m0002", {"yield": "81.5"}, "transposed digits", by="Ada")
    assert (done.measurement_id, done.corrected_id, done.by) == ("case-4-m0002-r1", "case-4-m0002", "Ada")
    assert list(done.changes) == ["yield"] and done.changes["yield"][1] == 81.5
    assert measured.observations().y[1] == 81.5
    assert measured.adapt().log_evidence != before.log_evidence
    assert len(measured.corrections()) == 1


def test_parameters_and_noise_can_be_corrected(measured: Campaign) -> None:
    """A temperature that was written down wrongly moves the measurement; a standard error becomes known."""
    was = measured.store.measurement("case-4", "case-4-m0001")
    done = measured.correct("case-4-m0001", {"temperature": 44, "yield_sem": 1.5}, "thermometer")
    now = measured.store.measurement("case-4", done.measurement_id)
    assert done.changes == {"temperature": (was.configuration["temperature"], 44.0), "yield_sem": (None, 1.5)}
    assert now.configuration == was.configuration | {"temperature": 44.0}
    assert (now.outcomes, now.sems, now.extra) == (was.outcomes, {"yield": 1.5}, was.extra)
    assert now.key != was.key
    assert measured.observations().yvar[0] == 2.25


@pytest.mark.parametrize(
    ("measurement_id", "values", "reason", "said"),
    [
        ("case-4-m0022", {"yield": 1}, "x", "Did you mean case-4-m0002"),
        ("case-4-m0001", {"yeild": 1}, "x", "got 'yeild'. Did you mean 'yield'"),
        ("case-4-m0001", {"temperature": 500}, "x", "temperature must be between 30 and 110"),
        ("case-4-m0001", {"yield": "high"}, "x", "yield must be a number"),
        ("case-4-m0001", {"yield": ""}, "x", "every outcome must be given. To take it out"),
        ("case-4-m0001", {"yield": 1}, " ", "must say why"),
        ("case-4-m0001", {}, "x", "must change something"),
    ],
)
def test_what_is_no_correction_is_refused(
    measured: Campaign, measurement_id: str, values: dict, reason: str, said: str
) -> None:
    """An unknown id or name, a value that does not fit, no change or no reason: one sentence, and nothing is stored."""
    with pytest.raises(InputError) as refused:
        measured.correct(measurement_id, values, reason)
    assert said in str(refused.value)
    assert measured.corrections().empty


def test_a_retraction_frees_its_place(make_campaign: Make, table: pd.DataFrame) -> None:
    """A campaign that has used its budget goes on; what was retracted may be proposed and measured again."""
    campaign = make_campaign(budget={"experiments": 4})
    campaign.tell(table.head(4))
    assert campaign.finish().ended_by == "budget"
    done = campaign.retract("case-4-m0003", "wrong vial")
    assert (done.is_retracted, done.progress) == (True, "3 of 4 experiments measured, 0 open proposals.")
    assert campaign.store.campaign("case-4").status == "ACTIVE"
    assert campaign.measurements()["position"].tolist() == [1, 2, 4]
    assert campaign.tell(table.head(4)).n_added == 0
    campaign.tell(table.iloc[[2]].assign(note="again"))
    assert campaign.finish().ended_by == "budget"


def test_a_wrong_best_is_no_end(make_campaign: Make, table: pd.DataFrame) -> None:
    """A target that only a typing error has reached opens the campaign again, and one that is reached ends it."""
    campaign = make_campaign(stop={"target": 101})
    campaign.tell(table.head(3).assign(**{"yield": [10.0, 815.0, 20.0]}))
    assert campaign.finish().ended_by == "target"
    campaign.correct("case-4-m0002", {"yield": 81.5}, "decimal point")
    assert campaign.store.campaign("case-4").status == "ACTIVE"
    campaign.correct("case-4-m0002-r1", {"yield": 102}, "calibrated anew")
    assert campaign.store.campaign("case-4").status == "FINISHED"


def test_a_proposal_with_a_retracted_answer_is_closed(make_campaign: Make, run_cycle: Callable) -> None:
    """It was carried out once and is not carried out again; a new proposal may ask for the same."""
    campaign = make_campaign()
    run_cycle(campaign)
    campaign.retract("case-4-m0001", "wrong vial")
    assert campaign.progress().n_open == 0
    assert campaign.experiment() == []
    assert len(campaign.ask()) == 2


def test_a_correction_is_an_event(measured: Campaign) -> None:
    """Whoever listens is told which measurement, what it was and is, why and by whom; once for each."""
    measured.correct("case-4-m0002", {"yield": 81.5}, "transposed", by="Ada")
    measured.retract("case-4-m0001", "spilled", by="Bea")
    events = measured.store.unsent_events().query("name == 'discovery.measurement.corrected'")
    first, second = (json.loads(text) for text in events["payload"])
    assert (first["measurement_id"], first["correction_id"]) == ("case-4-m0002", "case-4-m0002-r1")
    assert (first["changes"]["yield"][1], first["reason"], first["by"]) == (81.5, "transposed", "Ada")
    assert (second["measurement_id"], second["is_retracted"]) == ("case-4-m0001", True)


def test_a_measurement_without_a_later_parameter_can_be_corrected(make_campaign: Make, make_spec: Callable) -> None:
    """A correction of a row from before a parameter was added has its held value."""
    free = {"candidates": None, "experiment": None}
    campaign = make_campaign(**free)
    row = {"catalyst": "P1-L1", "residence_time": 60, "temperature": 40, "catalyst_loading": 1.0, "yield": 3.0}
    campaign.tell(pd.DataFrame([row]))
    salt = {"name": "salt", "type": "categorical", "values": ["none", "LiCl"], "held": "none"}
    parameters = [p.model_dump(exclude_none=True) for p in make_spec(**free).parameters]
    later = make_campaign(**free, parameters=[*parameters, salt])
    done = later.correct("case-4-m0001", {"yield": 4.0}, "x")
    assert later.store.measurement("case-4", done.measurement_id).configuration["salt"] == "none"
