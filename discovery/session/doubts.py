"""Doubtful measurements: what was foretold otherwise, or what everything else measured speaks against.

A measurement is doubtful where the prediction that was stored with its proposal gave hardly any probability to an
outcome so far out, or where the belief's robust members take it for a wild value. It counts all the same, for less in
the second case; a person corrects or retracts it, or measures again. Next in the tour: `discovery.session.corrections`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.space.censored import shown

if TYPE_CHECKING:
    from discovery.belief.records import BeliefSummary
    from discovery.campaign import CampaignSpec
    from discovery.evaluation.calibration import StoredPredictions
    from discovery.review import ProposalCard
    from discovery.store import Store

DOUBTFUL = "doubtful"
"""Name of the metric that says which measurements the belief took for wild values."""
SURPRISING = 1e-3  # probability of an outcome as far out as this, below which a measurement is doubtful


@dataclass(frozen=True)
class Doubt:
    """One doubtful measurement.

    Attributes:
        measurement_id: Which.
        position: Its place in the campaign, from 1.
        outcome: The outcome that is doubtful.
        found: What was measured, as people read it.
        foretold: What had been foretold, or empty where nobody proposed it.
        probability: Weight of the members that take it for a wild value; 0 where none was asked yet.
    """

    measurement_id: str
    position: int
    outcome: str
    found: str
    foretold: str
    probability: float = 0.0

    def sentences(self, file: Path) -> list[str]:
        """Say what is doubtful, and what to do about it."""
        weight = f" (a wild value with probability {self.probability:.2f})" if self.probability else ""
        said = f" where {self.foretold} was foretold" if self.foretold else " speaks against all others"
        return [
            f"Doubtful: {self.measurement_id}, {self.outcome} {self.found}{said}{weight}.",
            f"  If it is wrong: discovery correct {file} {self.measurement_id} {self.outcome}=VALUE --reason TEXT, or "
            f"discovery retract {file} {self.measurement_id} --reason TEXT",
        ]


def note_doubts(
    store: Store, campaign: str, cycle: int, summary: BeliefSummary, positions: tuple[int, ...], outcome: str = ""
) -> None:
    """Keep which measurements the belief took for wild values.

    Args:
        store: Where.
        campaign: Whose.
        cycle: The cycle.
        summary: Where the belief stands.
        positions: Position of every measurement that it is conditioned on, in its order.
        outcome: The outcome that it is about where that is not the first objective's.
    """
    about = {"outcome": outcome} if outcome else {}
    with store.transaction():
        ids = store.measurements(campaign).set_index("position")["measurement_id"]
        found = [str(ids[positions[i]]) for i in summary.doubtful if i < len(positions)]
        if found or _last_found(store.metrics(campaign), outcome):
            store.add_metric(campaign, cycle, DOUBTFUL, summary.doubt, {"measurement_ids": found, **about})


def doubts(store: Store, spec: CampaignSpec) -> list[Doubt]:
    """Return the doubtful measurements of a campaign that count, outcome by outcome; none where the file says `off`."""
    names = [name for name in spec.believed if spec.outcome(name).outliers != "off"]
    return [doubt for name in names for doubt in _doubts_about(store, spec, name)]


def _doubts_about(store: Store, spec: CampaignSpec, name: str) -> list[Doubt]:
    """Return the measurements whose outcome `name` is doubtful, in their order."""
    from discovery.evaluation.calibration import BELIEF, read_predictions

    is_first = name == spec.objective.name
    with store.transaction():
        measured, metrics = store.measurements(spec.name, spec), store.metrics(spec.name)
        view = store.view("v_calibration_inputs", spec.name) if is_first else None
        inputs = store.calibration_inputs(spec.name, name) if view is None else view
    measured = measured[measured[name].notna()]
    by_id = _last_found(metrics, "" if is_first else name)
    is_wild = measured["measurement_id"].isin(by_id)
    wild = {int(row["position"]): by_id[row["measurement_id"]] for row in measured[is_wild].to_dict("records")}
    said = read_predictions(inputs).get(BELIEF)
    foretold = {} if said is None else _surprises(said, set(wild))
    unit = f" {spec.outcome(name).unit}" if spec.outcome(name).unit else ""
    rows = measured[measured["position"].isin({*wild, *foretold})]
    return [
        Doubt(
            measurement_id=str(row["measurement_id"]),
            position=int(row["position"]),
            outcome=name,
            found=f"{shown(float(row[name]), row.get(f'{name}_limit'), '.4g')}{unit}",
            foretold=foretold.get(int(row["position"]), ""),
            probability=wild.get(int(row["position"]), 0.0),
        )
        for row in rows.to_dict("records")
    ]


def with_doubts(card: ProposalCard, store: Store, spec: CampaignSpec) -> ProposalCard:
    """Return a card whose nearest experiments say which of them are doubtful."""
    doubtful = {doubt.measurement_id for doubt in doubts(store, spec)} if card.neighbors else set()
    near = tuple(replace(one, is_doubtful=one.measurement_id in doubtful) for one in card.neighbors)
    return replace(card, neighbors=near)


def _last_found(metrics: pd.DataFrame, outcome: str) -> dict[str, float]:
    """Return the measurements that the belief doubted when it was last asked, with the weight of the doubt."""
    noted = metrics[metrics["name"] == DOUBTFUL]
    is_about = [json.loads(detail).get("outcome", "") == outcome for detail in noted["detail"]]
    last = noted[np.array(is_about, dtype=bool)].tail(1)
    return {
        str(measurement_id): float(value)
        for detail, value in zip(last["detail"], last["value"], strict=True)
        for measurement_id in json.loads(detail)["measurement_ids"]
    }


def _surprises(said: StoredPredictions, also: set[int]) -> dict[int, str]:
    """Return what had been foretold where an outcome is further out than that allows, and at other positions."""
    pit, (low, high) = said.pit, said.interval()
    return {
        int(position): f"{a:.3g} to {b:.3g}"
        for position, p, a, b in zip(said.position, pit, low, high, strict=True)
        if 2 * min(p, 1 - p) < SURPRISING or int(position) in also
    }
