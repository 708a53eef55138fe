"""What checks share that train a learner and judge what it predicts of tasks it has not seen."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from discovery import metrics, registry
from discovery.belief.belief import Belief, Hypothesis
from discovery.meta.learner import Setting, Support
from discovery.tasks.distribution import TaskDistribution


class Judged(NamedTuple):
    """How well some rows of a task were predicted from others.

    Attributes:
        nlpd: Mean negative log density per row.
        coverage: Share of rows in the central 90 % interval.
        rmse: Root of the mean squared error of the predictive mean.
        rank: Spearman correlation of outcomes and predictive means.
        seconds: What adapting took.
    """

    nlpd: float
    coverage: float
    rmse: float
    rank: float
    seconds: float


def train(name: str, distribution: TaskDistribution | None, setting: Setting) -> Hypothesis:
    """Meta-train a learner, and load it as a hypothesis that has all the weight."""
    family = registry.load("learner", name)
    checkpoint = family.meta_train(distribution, setting)
    return Hypothesis(setting.hypothesis, 1.0, family.load(checkpoint, setting.device), checkpoint.checkpoint_id)


def judge(hypothesis: Hypothesis, support: Support, X: Tensor, y: Tensor) -> Judged:
    """Adapt to a support and predict other rows. Shapes `r x d` and `r`."""
    begun = time.perf_counter()
    belief = Belief.adapt([hypothesis], support)
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        mean, sd, weight = belief.marginals(X)
    logs = weight.log().expand(len(mean), -1).cpu().numpy()
    told = (y.cpu().numpy(), logs, mean.cpu().numpy(), sd.cpu().numpy())
    expected = (mean * weight).sum(-1).cpu().numpy()
    error = float(np.sqrt(np.mean((expected - told[0]) ** 2)))
    covered = metrics.coverage(metrics.pit(*told))
    return Judged(metrics.nlpd(*told), covered, error, metrics.spearman(told[0], expected), seconds)


def row(first: dict[str, Any], n: int, found: Iterable[Judged]) -> dict[str, Any]:
    """Return a row of a table: means over tasks, and the standard error of the density."""
    each = list(found)
    nlpd = np.array([one.nlpd for one in each])
    return {
        **first,
        "support": n,
        "nlpd": float(nlpd.mean()),
        "nlpd_se": float(nlpd.std(ddof=1) / len(nlpd) ** 0.5) if len(nlpd) > 1 else None,
        "rmse": float(np.mean([one.rmse for one in each])),
        "rank": float(np.mean([one.rank for one in each])),
        "coverage90": float(np.mean([one.coverage for one in each])),
    }
