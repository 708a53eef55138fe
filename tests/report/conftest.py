"""A backtest made by hand, and a campaign that a real store gave back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.belief.records import BeliefSummary, HypothesisPrediction
from discovery.campaign import CampaignSpec
from discovery.cycle import ProposalDraft
from discovery.evaluation.results import BacktestResult, MethodResult, Run
from discovery.ingest import check_rows, read_rows
from discovery.report.campaign import CampaignFrames
from discovery.space import SearchSpace
from discovery.store import Store

N = 40
MEASURED = {"temperature": [20.0, 60.0, 80.0], "ligand": ["A", "B", "A"], "yield": [31.0, 72.5, 55.0]}


def run(seed: int, outcomes: list[float], weights: dict[str, tuple[float, ...]] | None = None) -> Run:
    """Return a run over candidates whose outcome is their row."""
    rows = tuple(int(y) for y in outcomes)
    return Run(seed, rows, tuple(outcomes), (0.0,) + (0.2,) * (len(rows) - 1), weights)


@pytest.fixture
def result() -> BacktestResult:
    """Return a backtest on 40 candidates with outcomes 0 to 39, four experiments a run."""
    weights = {"no_transfer": (0.2, 0.3, 0.4, 0.5), "history": (0.8, 0.7, 0.6, 0.5)}
    return BacktestResult(
        campaign="coupling <b>of</b> [red]things[/red]</script>",
        outcome="yield",
        goal="maximize",
        n_initial=0,
        batch_size=1,
        methods={
            "cold_gp": MethodResult((run(0, [5, 38, 7, 1]), run(1, [2, 3, 4, 39]))),
            "belief": MethodResult((run(0, [20, 39, 3, 30], weights),), 12.5, is_deterministic=True),
            "random": MethodResult((run(0, [1, 2, 3, 4]), run(1, [9, 8, 38, 6]))),
        },
        pool=pd.DataFrame({"ligand": [f"L{i % 3} [x]" for i in range(N)], "temperature": np.linspace(20, 110, N)}),
        pool_rows=np.arange(N),
        pool_outcomes=np.arange(float(N)),
        unit="%",
        parameter_units={"temperature": "degC"},
    )


@pytest.fixture
def spec(tmp_path: Path) -> CampaignSpec:
    """Return the campaign `lab`."""
    data = {
        "name": "lab",
        "parameters": [
            {"name": "temperature", "type": "continuous", "bounds": [0, 100], "unit": "degC"},
            {"name": "ligand", "type": "categorical", "values": ["A", "B"]},
        ],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
        "budget": {"experiments": 12},
    }
    return CampaignSpec.from_mapping(data, tmp_path)


@pytest.fixture
def frames(spec: CampaignSpec, tmp_path: Path) -> CampaignFrames:
    """Return the tables of a stored campaign: three proposals, their predictions, their measurements."""
    store, space = Store(tmp_path / "lab.duckdb", wait_s=5.0), SearchSpace.from_spec(spec)
    store.register_campaign(spec)
    table = pd.DataFrame(MEASURED)
    keys, X = space.keys(table), space.encode(table)
    ids = []
    for i in range(len(table)):
        draft = _draft(table.iloc[i], str(keys[i]), tuple(float(x) for x in X[i]), n_measurements=i)
        ids += store.add_proposals(spec.name, i + 1, [draft], "APPROVED")
        weights = {"no_transfer": 0.2 + 0.1 * i, "history": 0.8 - 0.1 * i}
        summary = BeliefSummary(i, {"no_transfer": -4.0 * i, "history": -5.0 * i}, weights, 1.5)
        store.add_evidence(spec.name, i + 1, summary, dict.fromkeys(weights, "ckpt"))
    store.add_measurements(spec.name, check_rows(read_rows(table.assign(proposal_id=ids)), spec, space))
    return CampaignFrames(
        spec=spec,
        measurements=store.measurements(spec.name),
        proposals=store.proposals(spec.name),
        evidence=store.evidence(spec.name),
        calibration=store.view("v_calibration_inputs", spec.name),
    )


def _draft(row: pd.Series, key: str, X: tuple[float, ...], n_measurements: int) -> ProposalDraft:
    """Return a proposal predicted at 50 by one hypothesis and at 60 by another."""
    predictions = (
        HypothesisPrediction("no_transfer", 0.25, (0.0,), (50.0,), (10.0,), "ckpt", n_measurements),
        HypothesisPrediction("history", 0.75, (np.log(0.5), np.log(0.5)), (55.0, 65.0), (8.0, 8.0), "ckpt", 0),
    )
    return ProposalDraft(
        configuration={"temperature": float(row["temperature"]), "ligand": str(row["ligand"])},
        key=key,
        X=X,
        row=None,
        predictions=predictions,
        mean=57.5,
        sd=11.0,
        acqf_name="log_ei",
        acqf_value=-1.0,
        argued_by="history",
        argument={"history": 1.0},
        is_exploring=False,
        n_measurements=n_measurements,
        seed=0,
    )
