"""Score the prior that ships: `python -m data.evaluate_prior [--families a,b] [--supports 5,10,20,40] [--seeds 10]`.

Outcomes of a campaign are standardized by the mean and spread of its whole pool, so that campaigns can be averaged; a
model is told that scale and sees measured outcomes only. Per seed one random order of the pool: the first are the
support, all others are predicted. Default are the twelve single campaigns (three of `pvlab_campaigns`, nine of
`olympus_flow_and_lab`), on which nothing was trained or chosen. With `--scale own` models know of the scale what a
campaign file says of it, a range or nothing; densities are then of raw outcomes, per standard deviation of the pool.
Needs `DISCOVERY_DATASETS`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from discovery import seeds
from discovery.belief.belief import Belief, Hypothesis
from discovery.evaluation.bench.families import BenchTask, load_families
from discovery.evaluation.evaluate import score
from discovery.evaluation.methods import Prediction
from discovery.meta.in_context import InContext
from discovery.meta.learner import Learner, Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale, outcome_scale
from discovery.settings import start_torch
from discovery.space import SearchSpace
from discovery.space.measured import MeasuredPool

SINGLES = ("pvlab_campaigns", "olympus_flow_and_lab")
BELIEFS = {
    "no_transfer": {"no_transfer": 1.0},
    "pretrained": {"pretrained": 1.0},
    "both": {"no_transfer": 0.5, "pretrained": 0.5},
}


@dataclass(frozen=True)
class Options:
    """What is scored: numbers of measurements, seeds, beliefs, whether scales are the campaign's own."""

    supports: tuple[int, ...]
    n_seeds: int
    beliefs: tuple[str, ...]
    is_own_scale: bool


def learners(space: SearchSpace, scale: OutcomeScale) -> dict[str, Learner]:
    """Return what is scored, by hypothesis."""
    made: dict[str, Learner] = {}
    for name, family in (("no_transfer", MetaGP), ("pretrained", InContext)):
        made[name] = family.load(family.meta_train(None, Setting(name, space, scale)))
    return made


def predict(hypotheses: Sequence[Hypothesis], support: Support, X: torch.Tensor) -> Prediction:
    """Predict the noisy outcomes at `X` (shape `r x d`) by a belief."""
    mean, sd, weight = Belief.adapt(hypotheses, support).marginals(X)
    log_weight = weight.log().expand(len(X), -1)
    return Prediction(log_weight.numpy(), mean.numpy(), sd.numpy())


@torch.no_grad()
def score_task(task: BenchTask, given: Options) -> list[dict[str, object]]:
    """Score one campaign; one row per belief, support and seed."""
    space = SearchSpace.from_spec(task.spec)
    pool = MeasuredPool.from_spec(task.spec, space)
    y = pool.outcomes[task.spec.objective.name]
    goal, sd = task.spec.objective, float(y.std())
    sign = 1.0 if goal.goal == "maximize" else -1.0
    own_scale = outcome_scale(task.spec.outcome(goal.name).range, [])
    told = own_scale if given.is_own_scale else OutcomeScale(float(y.mean()), sd, "history")
    made = learners(space, told)
    rows: list[dict[str, object]] = []
    for seed in range(given.n_seeds):
        order = seeds.rng(seed, "support and query").permutation(len(y))
        for s in given.supports:
            if s + 5 > len(y):
                continue
            support = Support.of(pool.X[order[:s]], y[order[:s]], None, "cpu")
            queries = torch.as_tensor(pool.X[order[s:]])
            for belief in given.beliefs:
                parts = [Hypothesis(name, weight, made[name], name) for name, weight in BELIEFS[belief].items()]
                scores = score(predict(parts, support, queries), y[order[s:]], sign, float(np.median(y)))
                values = {name: math.nan if value is None else value for name, value in scores.items()}
                values |= {"nlpd": values["nlpd"] - math.log(sd), "rmse": values["rmse"] / sd}
                rows.append({"task": task.name, "belief": belief, "support": s, "seed": seed, **values})
    return rows


def main() -> None:
    """Score and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(SINGLES))
    parser.add_argument("--supports", default="5,10,20,40")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--beliefs", default=",".join(BELIEFS))
    parser.add_argument("--scale", default="pool", choices=("pool", "own"))
    parser.add_argument("--out", type=Path, help="JSON file with every score")
    given = parser.parse_args()
    start_torch("cpu")
    supports = tuple(int(s) for s in given.supports.split(","))
    options = Options(supports, given.seeds, tuple(given.beliefs.split(",")), given.scale == "own")
    rows: list[dict[str, object]] = []
    for family in load_families(given.families.split(",")):
        for task in family.tasks:
            rows += score_task(task, options)
            print(f"{family.name}.{task.name}", flush=True)
    frame = pd.DataFrame(rows)
    for name in ("nlpd", "coverage90", "rmse", "spearman"):
        table = frame.pivot_table(index="belief", columns="support", values=name)
        print(f"\n{name}\n{table.round(3).to_string()}")
    print(
        "\nnlpd by task\n"
        + frame.pivot_table(index=["task", "belief"], columns="support", values="nlpd").round(3).to_string()
    )
    if given.out is not None:
        given.out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
