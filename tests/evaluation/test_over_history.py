"""Each earlier campaign in turn: its rows are the candidates, the others its history, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError
from discovery.evaluation.backtest import BacktestOptions, BacktestResult, backtest
from discovery.evaluation.evaluate import EvaluateOptions, evaluate
from discovery.evaluation.over_history import history_campaigns, over_history
from discovery.space import MeasuredPool, SearchSpace
from discovery.store import Store


def rows(ligand: str, shift: float, n: int = 12) -> pd.DataFrame:
    """Return measurements of one earlier campaign; a ligand and temperatures of its own."""
    base = ["DBU", "MTBD"] * (n // 2)
    ligands = [ligand, "XPhos"] * (n // 2)
    temperature = [30.0 + 8 * i for i in range(n)]
    return pd.DataFrame({"ligand": ligands, "base": base, "temperature": temperature}).assign(
        **{"yield": lambda frame: 40 + shift - 0.01 * (frame["temperature"] - 80) ** 2}
    )


@pytest.fixture
def three(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> CampaignSpec:
    """A campaign with three earlier ones; one has another ligand and hotter rows, one too few rows to count."""
    rows("SPhos", 0.0).to_csv(tmp_path / "spring.csv", index=False)
    rows("tBuXPhos", 5.0, n=14).to_csv(tmp_path / "summer.csv", index=False)
    rows("SPhos", 2.0, n=4).assign(note="short").to_csv(tmp_path / "autumn.csv", index=False)
    return make_spec(experience={"history": ["spring.csv", "summer.csv", "autumn.csv"]}, candidates=None)


def test_every_source_becomes_a_campaign_of_its_own(three: CampaignSpec) -> None:
    """Candidates are its rows, levels and bounds are wide enough for them, history is the other sources."""
    spring, summer, autumn = history_campaigns(three)
    assert (spring.n_rows, summer.n_rows, autumn.n_rows) == (12, 14, 4)
    assert summer.spec.experience.history == ("spring.csv", "autumn.csv")
    ligand, _, temperature = summer.spec.parameters
    assert "tBuXPhos" in ligand.values and temperature.bounds == (20.0, 134.0)
    assert "tBuXPhos" not in spring.spec.parameters[0].values
    pool = MeasuredPool.from_spec(summer.spec, SearchSpace.from_spec(summer.spec))
    assert sorted(pool.outcomes["yield"]) == pytest.approx(sorted(rows("tBuXPhos", 5.0, n=14)["yield"]))
    assert summer.spec.outcome("yield").range == (0.0, 100.0) and summer.spec.objective.goal == "maximize"


def test_every_level_of_a_table_becomes_a_campaign(three: CampaignSpec, tmp_path: Path) -> None:
    """One table with a column of tasks, temperatures in kelvin, gives the campaigns that three tables would."""
    parts = [rows("SPhos", 0.0).assign(run="spring"), rows("tBuXPhos", 5.0, n=14).assign(run="summer")]
    table = pd.concat(parts)
    table["temperature"] += 273.15
    table.to_csv(tmp_path / "all.csv", index=False)
    data = json.loads(three.model_dump_json(exclude_unset=True))
    data["parameters"][2]["unit"] = "degC"  # of the temperature
    data["experience"] = {"history": [{"file": "all.csv", "task": "run", "units": {"temperature": "K"}}]}
    spring, summer = history_campaigns(CampaignSpec.from_mapping(data, tmp_path))
    assert (spring.source, summer.source) == ("all.csv [run=spring]", "all.csv [run=summer]")
    assert (spring.n_rows, summer.n_rows) == (12, 14)
    assert summer.spec.parameters[2].bounds == (20.0, 134.0)
    assert [ref.only for ref in summer.spec.experience.history] == [("spring",)]


def test_constraints_as_text_hold_for_earlier_campaigns_too(three: CampaignSpec, tmp_path: Path) -> None:
    """What the file says in words restricts every earlier campaign: rows that break it are left out."""
    data = json.loads(three.model_dump_json(exclude_unset=True)) | {"constraints": ["temperature <= 62"]}
    limited = history_campaigns(CampaignSpec.from_mapping(data, tmp_path))[0]
    assert limited.spec.constraints[0].coefficients == {"temperature": 1.0}
    assert (limited.n_rows, limited.n_left_out) == (5, 7)


def test_rows_that_cannot_be_used_are_counted(three: CampaignSpec, tmp_path: Path) -> None:
    """A cell that is no number keeps its row out; what is not measured yet is no row at all."""
    broken = rows("SPhos", 0.0).astype(object)
    broken.loc[0, "temperature"], broken.loc[1, "yield"] = "hot", "PENDING"
    broken.loc[2, "yield"] = None
    broken.to_csv(tmp_path / "spring.csv", index=False)
    spring = history_campaigns(three)[0]
    assert (spring.n_rows, spring.n_left_out) == (9, 2)  # the empty outcome is not counted


def test_the_others_are_all_that_a_method_learns_from(three: CampaignSpec) -> None:
    """A replay over history sees every usable source once, without its own rows in its history."""
    seen = []

    def run(spec: CampaignSpec, n_rows: int, progress: object) -> BacktestResult:
        seen.append((spec.candidates, spec.experience.history, n_rows))
        return backtest(spec, ["random"], BacktestOptions(n_experiments=5, seeds=(0,), n_workers=1))

    over = over_history(three, run)
    assert list(over.results) == ["spring.csv", "summer.csv"]
    assert over.skipped == {"autumn.csv": "4 configurations"}
    assert [history for _, history, _ in seen] == [("summer.csv", "autumn.csv"), ("spring.csv", "autumn.csv")]
    assert [n for _, _, n in seen] == [12, 14]
    assert set(json.loads(json.dumps(over.to_json()))["tasks"]) == {"spring.csv", "summer.csv"}


def test_an_evaluation_over_history_asks_each_what_it_can_answer(three: CampaignSpec) -> None:
    """Supports that leave too few rows of a small campaign to predict are left out for it."""
    options = EvaluateOptions(supports=(2, 9, 30), seeds=(0,), n_workers=1)
    told = []
    over = over_history(
        three,
        lambda spec, n, part: evaluate(spec, ["cold_gp"], options.within(n), progress=part),
        progress=lambda text, fraction: told.append((text, fraction)),
    )
    assert {source: result.supports for source, result in over.results.items()} == {
        "spring.csv": (2,),
        "summer.csv": (2, 9),
    }
    assert told[-1] == ("summer.csv: cold_gp, seed 0", 1.0)
    assert all(0 <= fraction <= 1 for _, fraction in told)


def test_a_campaign_of_the_store_is_a_source_like_any_other(three: CampaignSpec, tmp_path: Path) -> None:
    """Measurements of an earlier campaign in the store can be the new campaign too."""
    from discovery.session import Campaign

    store = Store(tmp_path / "lab.duckdb")
    data = json.loads(three.model_dump_json(exclude_unset=True))
    earlier = CampaignSpec.from_mapping(data | {"name": "winter", "experience": {}}, tmp_path)
    Campaign.open(earlier, store=store).tell(rows("SPhos", 1.0))
    mixed = CampaignSpec.from_mapping(
        data | {"experience": {"history": ["spring.csv", {"campaign": "winter"}]}}, tmp_path
    )
    spring, winter = history_campaigns(mixed, store)
    assert (winter.source, winter.n_rows) == ("campaign:winter", 12)
    assert [ref.campaign for ref in spring.spec.experience.history] == ["winter"]
    with pytest.raises(ConfigurationError, match="no store is given"):
        history_campaigns(mixed)


def test_one_source_is_not_enough(make_spec: Callable[..., CampaignSpec]) -> None:
    """With a single earlier campaign there is nothing that could be its history."""
    with pytest.raises(ConfigurationError, match="at least two sources"):
        over_history(make_spec(candidates=None), lambda spec, n, part: pytest.fail("nothing to run"))


def test_earlier_tables_of_compositions_become_campaigns(
    make_spec: Callable[..., CampaignSpec], tmp_path: Path
) -> None:
    """The rows of each table are the candidates, with the scale that they have, and others' elements stay readable."""
    alloys = {"one": ["Fe0.7Co0.3", "Fe0.3Co0.7", "Fe"], "two": ["Cu0.5Ni0.5", "Cu0.1Ni0.9", "Cu0.9Ni0.1", "Ni"]}
    for name, formulas in alloys.items():
        table = pd.DataFrame({"alloy": formulas, "yield": range(len(formulas))})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    parameters = [{"name": "alloy", "type": "composition"}]
    spec = make_spec(parameters=parameters, experience={"history": ["one.csv"]}, candidates="two.csv")
    (one,) = history_campaigns(spec)
    assert one.n_rows == 3
    assert SearchSpace.from_spec(one.spec).codecs[0].fractions.names == ("Co", "Fe")
