"""The example campaigns load, fit the tables they name, and never hold their own candidates as history."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.campaigns import DEFAULT_TASK, FOLDER, buchwald_campaign, halides, resolve_task, write_buchwald_campaign
from discovery.campaign import CampaignSpec, load_spec
from discovery.errors import ConfigurationError
from discovery.space import CandidatePool, MeasuredPool, SearchSpace
from discovery.tasks.history import read_history

CAMPAIGNS = sorted(FOLDER.glob("*.yaml"))
ALL_TASKS = halides()["task"].tolist()


@pytest.fixture(params=CAMPAIGNS, ids=lambda path: path.stem)
def spec(request) -> CampaignSpec:
    """Each example campaign as the library reads it."""
    return load_spec(request.param)


def test_a_campaign_fits_its_tables(spec):
    """Every candidate is a valid configuration with a measured outcome, and every row of the history fits the space."""
    space = SearchSpace.from_spec(spec)
    pool = CandidatePool.from_spec(spec, space)
    if spec.candidates is not None:
        measured = MeasuredPool.from_spec(spec, space)
        assert len(measured.outcomes[spec.objective.name]) == len(pool.X)
    history = read_history(spec.experience.history, spec, space)
    assert len(history.tasks) == len(spec.experience.history)
    assert not any(history.dropped.values())


def test_a_campaign_is_not_its_own_history(spec):
    """The table of the candidates, which is that of the experiment, is not among the history."""
    if spec.candidates is None:
        assert spec.experiment.type == "simulator"
        return
    assert spec.experiment.path == spec.candidates
    assert spec.resolve(spec.candidates) not in {spec.resolve(path) for path in spec.experience.history}


def test_the_default_is_chosen_by_rule():
    """The default task is the first by name, and the committed file is what the default writes."""
    assert min(ALL_TASKS) == DEFAULT_TASK
    assert (FOLDER / "buchwald_hartwig.yaml").read_text(encoding="utf-8") == buchwald_campaign()


@pytest.mark.parametrize("task", ALL_TASKS)
def test_every_halide_has_a_campaign(task, tmp_path):
    """Written to any folder, the file loads, finds its tables and has the fourteen others as history."""
    spec = load_spec(write_buchwald_campaign(tmp_path / "some where" / "campaign.yaml", task))
    paths = [spec.resolve(path) for path in (spec.candidates, *spec.experience.history)]
    assert sorted(path.stem for path in paths) == ALL_TASKS and paths[0].stem == task
    assert all(path.is_file() for path in paths)
    assert spec.budget.experiments == 24 and spec.acquisition.batch_size == 4


@pytest.mark.parametrize("row", list(halides().itertuples(index=False)), ids=lambda row: row.task)
def test_a_task_goes_by_file_stem_and_by_compound_name(row):
    """The stem of the file and the name of the compound mean the same task."""
    assert resolve_task(row.task) == resolve_task(row.aryl_halide) == row.task


@pytest.mark.parametrize("name", ["bromobenzene", "", "../2_bromopyridine.csv"])
def test_an_unknown_halide_is_refused(name):
    """Anything else is refused with what came and all fifteen names."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_task(name)
    assert repr(name) in caught.value.message
    assert all(halide in caught.value.hint for halide in halides()["aryl_halide"])


def test_a_scaffold_can_be_left_out():
    """The stricter history holds twelve halides, none with the ring of the new one."""
    text = buchwald_campaign("2-bromopyridine", leave_scaffold_out=True)
    assert text.count("../buchwald_hartwig/") == 12 + 2
    assert "2_chloropyridine" not in text and "2_iodopyridine" not in text


def test_campaign_names_differ():
    """No two example campaigns share a name, so that one store can hold them all."""
    names = [load_spec(path).name for path in CAMPAIGNS]
    assert len(set(names)) == len(names) == len(CAMPAIGNS) == len({Path(path).stem for path in CAMPAIGNS})


@pytest.mark.parametrize("case", [1, 2, 3, 4])
def test_turnover_is_the_yield_over_the_loading(case):
    """The tables of the campaign with two objectives are those of the couplings, with turnover beside the yield."""
    plain = pd.read_csv(FOLDER.parent / "suzuki_reizman" / f"case_{case}.csv")
    both = pd.read_csv(FOLDER / "suzuki_turnover" / f"case_{case}.csv")
    pd.testing.assert_frame_equal(both.drop(columns="turnover"), plain)
    np.testing.assert_allclose(both["turnover"], plain["yield"] / plain["catalyst_loading"], atol=0.0051)
