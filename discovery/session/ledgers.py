"""What is stored about every outcome: where the belief in it stood, what it had foretold, whether experience fits.

The first objective's outcome has the tables `evidence` and `v_calibration_inputs`; further ones have rows of the same
columns, made from what their cycles and proposals kept. Next in the tour: `discovery.report`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from discovery.review.experience import ExperienceFit, judge_experience

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.store import Store

OTHER_BELIEF = "other_belief"
"""Name of the metric whose detail says where the belief in a further outcome stands."""
TASK_GROUPS = "task_groups"
"""Name of the metric whose detail says how likely a campaign belongs to which group of earlier tasks, by hypothesis."""
COLUMNS = ("cycle", "hypothesis", "n_measurements", "log_evidence", "weight", "e_value", "checkpoint_id", "recorded_at")


def ledger_about(store: Store, spec: CampaignSpec, outcome: str) -> pd.DataFrame:
    """Return the ledger of one outcome: rows like those of `Store.evidence`, one per cycle and hypothesis.

    Args:
        store: Where it is kept.
        spec: The campaign.
        outcome: One of `spec.believed`.
    """
    if outcome == spec.objective.name:
        return store.evidence(spec.name)
    rows = store.metrics(spec.name)
    rows = rows[rows["name"] == OTHER_BELIEF]
    latest: dict[int, list[dict[str, Any]]] = {}  # a cycle that was run again replaces what it said
    for cycle, text, at in zip(rows["cycle"], rows["detail"], rows["recorded_at"], strict=True):
        detail = json.loads(text)
        if detail["outcome"] == outcome:
            latest[int(cycle)] = [{"cycle": int(cycle), **row, "recorded_at": at} for row in _rows(detail)]
    found = [row for cycle in sorted(latest) for row in latest[cycle]]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _rows(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of one cycle, one for each hypothesis."""
    ids = detail.get("checkpoint_ids", {})
    return [
        {
            "hypothesis": name,
            "n_measurements": detail["n_measurements"],
            "log_evidence": detail["log_evidence"][name],
            "weight": weight,
            "e_value": detail["e_value"],
            "checkpoint_id": ids.get(name, ""),
        }
        for name, weight in sorted(detail["weights"].items())
    ]


def task_groups(store: Store, campaign: str, outcome: str) -> dict[str, dict[str, float]]:
    """Return the probability of each group of earlier tasks in the last cycle that was asked, by hypothesis.

    Empty where no hypothesis has groups.
    """
    rows = store.metrics(campaign)
    kept = [json.loads(text) for text in rows.loc[rows["name"] == TASK_GROUPS, "detail"]]
    found = [detail["groups"] for detail in kept if detail["outcome"] == outcome]
    return found[-1] if found else {}


def group_sentences(groups: dict[str, dict[str, float]], about: str = "") -> list[str]:
    """Say to which group of earlier tasks each hypothesis thinks that the campaign belongs, likeliest first."""
    lines = []
    for hypothesis, shares in groups.items():
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        said = ", ".join(f"{'all together' if name == 'all' else name} {share:.2f}" for name, share in ranked)
        lines.append(f"Earlier tasks that it is like{about}, by {hypothesis}: {said}.")
    return lines


def experience_fits(store: Store, spec: CampaignSpec) -> dict[str, ExperienceFit]:
    """Judge by outcome whether experience fits; outcomes of which nothing is known, or that have none, are left out."""
    found = {}
    for name in spec.believed:
        fit = judge_experience(ledger_about(store, spec, name), spec.for_outcome(name))
        if fit is not None:
            found[name] = fit
    return found
