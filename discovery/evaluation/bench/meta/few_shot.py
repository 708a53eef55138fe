"""Few-shot classification of real molecules: which are active on a target that no learner has seen.

Each target in turn is the campaign; the others, its own group left out, are the history. A molecule is active where it
is above the median of its target; scores are the probability of that under the belief. Supports are random molecules,
the same for every learner. Beside the learners stand models that know nothing but the support.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr

from discovery import metrics, seeds
from discovery.belief.belief import Belief, Hypothesis
from discovery.evaluation.bench.families import BenchTask, load_families
from discovery.evaluation.bench.meta.frame import CheckOptions, CheckResult
from discovery.evaluation.bench.meta.judging import train
from discovery.evaluation.context import open_campaign
from discovery.evaluation.methods import BacktestContext, Seen, load_predictor
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import outcome_scale
from discovery.seeds import rng
from discovery.tasks.history import HistoryDistribution

FAMILY = "moleculeace"
LEARNERS = ("molecule_gp", "prototypical", "matching", "anil", "neural_process")
NONE = "none"  # molecule_gp without history
COLD = ("tanimoto_gp", "random_forest", "knn")  # baselines, which see the support only
SUPPORTS = (16, 32, 64)
N_TARGETS = 10  # held-out targets: the first of a random order, always the same ones
N_QUERIES = 400
Score = Callable[[np.ndarray, np.ndarray, np.ndarray, float, int], np.ndarray]  # rows known, outcomes, rows asked, ...


def run(options: CheckOptions) -> CheckResult:
    """Train every learner on the other targets, and rank the molecules of one."""
    tasks = load_families([FAMILY])[0].tasks
    order = rng(0, "few-shot targets").permutation(len(tasks))
    picked = [tasks[i] for i in order[: 1 if options.is_quick else N_TARGETS]]
    supports = SUPPORTS[:1] if options.is_quick else SUPPORTS
    n_seeds = 1 if options.is_quick else options.seeds
    names = (*(options.learners or LEARNERS), NONE, *COLD)
    found: dict[tuple[str, int], list[float]] = {(name, n): [] for name in names for n in supports}
    for position, task in enumerate(picked):
        if options.report is not None:
            options.report(task.name, position, len(picked))
        for (name, n), gain in _of_target(task, names, supports, n_seeds, options.device).items():
            found[name, n].append(gain)
    rows: list[dict[str, Any]] = [
        {
            "learner": name,
            "support": n,
            "delta_auprc": float(np.mean(gains)),
            "se": float(np.std(gains, ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else None,
        }
        for (name, n), gains in found.items()
    ]
    note = f"{len(picked)} held-out targets of {FAMILY}, {n_seeds} random supports each; errors are over targets."
    return CheckResult("few-shot", tuple(rows), {"targets": [task.name for task in picked]}, (note,))


def _of_target(
    task: BenchTask, names: Sequence[str], supports: Sequence[int], n_seeds: int, device: str
) -> dict[tuple[str, int], float]:
    """Return the mean gain in AUPRC of every learner and support on one target."""
    context, outcomes = open_campaign(task.spec, max(supports), device)
    threshold = float(np.median(outcomes))
    found: dict[tuple[str, int], list[float]] = {(name, n): [] for name in names for n in supports}
    for name in names:
        score = _cold(name, context) if name in COLD else _learned(name, context)
        for seed in range(n_seeds):
            shuffled = seeds.rng(seed, "few-shot", task.name).permutation(len(outcomes))
            asked = shuffled[max(supports) : max(supports) + N_QUERIES]
            is_active = context.sign * outcomes[asked] > context.sign * threshold
            for n in supports:
                scores = score(shuffled[:n], outcomes[shuffled[:n]], asked, threshold, seed)
                found[name, n].append(metrics.delta_auprc(is_active, scores))
    return {key: float(np.mean(gains)) for key, gains in found.items()}


def _learned(name: str, context: BacktestContext) -> Score:
    """Train a learner on what the campaign may know, and return what scores candidates with it."""
    history, is_cold = tuple(context.load_history()), name == NONE
    scale = outcome_scale(context.outcome_range, history)
    setting = Setting("history", context.space, scale, context.spec.seed, context.device)
    hypothesis = train("molecule_gp" if is_cold else name, None if is_cold else HistoryDistribution(history), setting)
    X = torch.as_tensor(context.pool.X, device=context.device)

    def score(known: np.ndarray, y: np.ndarray, asked: np.ndarray, threshold: float, seed: int) -> np.ndarray:
        support = Support(X[known], torch.as_tensor(y, device=context.device))
        return hit_probability(hypothesis, support, X[asked], threshold, context.sign)

    return score


def _cold(name: str, context: BacktestContext) -> Score:
    """Return what scores candidates with a baseline that sees the support only."""
    predictor = load_predictor(name)
    predictor.prepare(context)

    def score(known: np.ndarray, y: np.ndarray, asked: np.ndarray, threshold: float, seed: int) -> np.ndarray:
        told = predictor.predict(context, Seen(tuple(map(int, known)), tuple(map(float, y))), asked, seed)
        beyond = ndtr(context.sign * (told.means - threshold) / told.sds)
        return np.asarray((beyond * np.exp(told.log_weights)).sum(-1))

    return score


def hit_probability(
    hypothesis: Hypothesis, support: Support, X: torch.Tensor, threshold: float, sign: float
) -> np.ndarray:
    """Return the probability that the outcome lies beyond a threshold, under the mixture. Shape `r x d` to `r`."""
    belief = Belief.adapt([hypothesis], support)
    with torch.no_grad():
        mean, sd, weight = belief.marginals(X)
        beyond = torch.special.ndtr(sign * (mean - threshold) / sd)
    return np.asarray((beyond * weight).sum(-1).cpu().numpy())
