"""Replays of families with several objectives: the row of one replay, measured by the share of the hypervolume.

The plan is that of other replays (`discovery.evaluation.bench.campaigns`); what a method has come to is what
`discovery.evaluation.aimed_backtest` measures. Next in the tour: `discovery.evaluation.bench.front_statistics`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from discovery.evaluation.aimed_backtest import AimedRun, open_aimed, replay_aimed
from discovery.evaluation.aimed_methods import load_aimed
from discovery.evaluation.backtest import BacktestOptions
from discovery.evaluation.bench.campaigns import plan_of
from discovery.evaluation.bench.runner import Unit
from discovery.evaluation.methods import BacktestContext

REACHED = (50, 80)  # shares of the hypervolume, in percent, until which experiments are counted


def execute_fronts(unit: Unit, device: str) -> Iterator[dict[str, Any]]:
    """Replay a task by a method, run after run."""
    n_experiments = int(unit.pieces[0].identity["n_experiments"])
    context, outcomes = open_aimed(unit.task.spec, BacktestOptions(n_experiments=n_experiments, device=device))
    method = load_aimed(unit.method)
    method.prepare(context)
    for piece in unit.pieces:
        yield front_row(replay_aimed(method, context, outcomes, plan_of(piece, context)), context)


def front_row(run: AimedRun, context: BacktestContext) -> dict[str, Any]:
    """Return what is kept of a replay: the share of the hypervolume after every experiment, and what sums it up.

    Outcomes are JSON under a name of their own: rows of one outcome, which hold numbers, may be in the same file.
    """
    share = np.asarray(run.progress, dtype=float)
    return {
        "campaign": context.spec.name,
        "measure": "hypervolume",
        "n_candidates": context.n_candidates,
        "chosen": list(run.chosen),
        "outcomes_json": json.dumps({name: list(values) for name, values in run.outcomes.items()}),
        "share": share.tolist(),
        "hypervolume_auc": float(share.mean()),
        "hypervolume": float(share[-1]),
        **{f"experiments_to_{percent}pct": _first(share, percent / 100) for percent in REACHED},
        "seconds": float(sum(run.seconds)),
    }


def _first(share: np.ndarray, level: float) -> int:
    """Return the number of experiments until a share is reached; the budget plus one where it is not."""
    is_there = share >= level
    return int(is_there.argmax()) + 1 if is_there.any() else len(share) + 1
