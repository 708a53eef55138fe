"""Score the prior that ships: `python -m data.evaluate_prior [--families a,b] [--supports 5,10,20,40] [--seeds 10]`.

Outcomes of a campaign are standardized by the mean and spread of its whole pool, so that campaigns can be averaged; a
model is told that scale and sees measured outcomes only. Per seed one random order of the pool: the first are the
support, all others are predicted. Default are the twelve single campaigns (three of `pvlab_campaigns`, nine of
`olympus_flow_and_lab`), on which nothing was trained or chosen. Needs `DISCOVERY_DATASETS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
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
from discovery.meta.scale import OutcomeScale
from discovery.settings import start_torch
from discovery.space import SearchSpace
from discovery.space.measured import MeasuredPool

SINGLES = ("pvlab_campaigns", "olympus_flow_and_lab")
BELIEFS = {
    "no_transfer": {"no_transfer": 1.0},
    "pretrained": {"pretrained": 1.0},
    "both": {"no_transfer": 0.5, "pretrained": 0.5},
}


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
def score_task(
    task: BenchTask, supports: Sequence[int], n_seeds: int, beliefs: Sequence[str]
) -> list[dict[str, object]]:
    """Score one campaign; one row per belief, support and seed."""
    space = SearchSpace.from_spec(task.spec)
    pool = MeasuredPool.from_spec(task.spec, space)
    y = pool.outcomes[task.spec.objective.name]
    y = (y - y.mean()) / y.std()
    sign = 1.0 if task.spec.objective.goal == "maximize" else -1.0
    made = learners(space, OutcomeScale(0.0, 1.0, "history"))
    rows: list[dict[str, object]] = []
    for seed in range(n_seeds):
        order = seeds.rng(seed, "support and query").permutation(len(y))
        for s in supports:
            if s + 5 > len(y):
                continue
            support = Support.of(pool.X[order[:s]], y[order[:s]], None, "cpu")
            queries = torch.as_tensor(pool.X[order[s:]])
            for belief in beliefs:
                own = [Hypothesis(name, weight, made[name], name) for name, weight in BELIEFS[belief].items()]
                scores = score(predict(own, support, queries), y[order[s:]], sign, float(np.median(y)))
                rows.append({"task": task.name, "belief": belief, "support": s, "seed": seed, **scores})
    return rows


def main() -> None:
    """Score and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(SINGLES))
    parser.add_argument("--supports", default="5,10,20,40")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--beliefs", default=",".join(BELIEFS))
    parser.add_argument("--out", type=Path, help="JSON file with every score")
    given = parser.parse_args()
    start_torch("cpu")
    supports = [int(s) for s in given.supports.split(",")]
    rows: list[dict[str, object]] = []
    for family in load_families(given.families.split(",")):
        for task in family.tasks:
            rows += score_task(task, supports, given.seeds, given.beliefs.split(","))
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
