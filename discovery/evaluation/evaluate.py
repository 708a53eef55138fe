"""Few-shot prediction on held-out rows: how well do methods predict a campaign from its first few measurements?

Per seed one random order of the candidates is drawn; the support of size `s` is its first `s`, the query all others, so
that larger supports contain the smaller ones. Scores are of the noisy outcome in raw units.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery import metrics, seeds
from discovery.campaign import CampaignSpec, Objective
from discovery.errors import ConfigurationError, NotEnoughDataError
from discovery.evaluation.bounds import Rows, actives, ranking
from discovery.evaluation.cache import versions
from discovery.evaluation.context import make_all, open_measured, prepare_all
from discovery.evaluation.methods import BacktestContext, Prediction, Predictor, Progress, Seen, load_predictor
from discovery.evaluation.workers import Engine, run_all

if TYPE_CHECKING:
    from discovery.store import Store

MIN_QUERY = 4  # rows that a support of a small campaign leaves to predict
SCORES = ("nlpd", "rmse", "spearman", "coverage90", "delta_auprc")
Scores = dict[str, float | None]


@dataclass(frozen=True)
class EvaluateOptions:
    """What to score.

    Attributes:
        supports: Numbers of measurements to predict from.
        seeds: One random order of the candidates per seed.
        n_workers: Number of processes; default the number of cores.
        device: Where models live: `auto`, `cpu` or `cuda`.
        engine: What spreads the runs; default processes of this machine.
    """

    supports: tuple[int, ...] = (5, 10, 20)
    seeds: tuple[int, ...] = tuple(range(10))
    n_workers: int | None = None
    device: str = "auto"
    engine: Engine = run_all

    def __post_init__(self) -> None:
        if not self.supports or min(self.supports) < 0:
            raise ConfigurationError(f"--support must be whole numbers of at least 0; got {self.supports}.")
        if not self.seeds:
            raise ConfigurationError("--seeds must be at least 1; got none.")

    def within(self, n_rows: int) -> EvaluateOptions:
        """Return the options for a campaign of so many rows: supports that leave some of them to predict."""
        most = max(min(self.supports), n_rows - MIN_QUERY)
        return replace(self, supports=tuple(s for s in self.supports if s <= most))


@dataclass(frozen=True)
class EvaluateResult:
    """Scores by method, support and seed.

    Attributes:
        campaign: Name of the campaign.
        outcome: Name of the outcome.
        goal: What is wanted of it: `maximize`, `minimize`, `match` or `hits`.
        n_candidates: Number of distinct configurations.
        supports: Numbers of measurements predicted from.
        seeds: Seeds.
        runs: By method: one table of scores per seed, by support. A score is None where it does not exist.
        meta_train_s: By method: time that learning before the campaign took.
        unit: Unit of the outcome; may be empty.
        n_bounds: Candidates whose outcome is only a bound.
    """

    campaign: str
    outcome: str
    goal: str
    n_candidates: int
    supports: tuple[int, ...]
    seeds: tuple[int, ...]
    runs: dict[str, list[dict[int, Scores]]]
    meta_train_s: dict[str, float]
    unit: str = ""
    n_bounds: int = 0

    def summary(self) -> dict[str, dict[str, Scores]]:
        """Return means over seeds by method and support; None where a score exists for no seed."""
        return {
            name: {str(s): {score: _mean([run[s][score] for run in runs]) for score in SCORES} for s in self.supports}
            for name, runs in self.runs.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON: every seed under `methods`, means over seeds under `summary`."""
        return {
            "campaign": self.campaign,
            "n_candidates": self.n_candidates,
            "outcome": self.outcome,
            "goal": self.goal,
            "n_bounds": self.n_bounds,
            "supports": list(self.supports),
            "methods": {
                name: {
                    "meta_train_s": round(self.meta_train_s[name], 3),
                    "runs": [
                        {"seed": seed, "support": s, **run[s]}
                        for seed, run in zip(self.seeds, runs, strict=True)
                        for s in self.supports
                    ],
                }
                for name, runs in self.runs.items()
            },
            "summary": self.summary(),
            "versions": versions(),
        }


def evaluate(
    spec: CampaignSpec,
    methods: Sequence[str],
    options: EvaluateOptions | None = None,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    is_optional: bool = False,
) -> EvaluateResult:
    """Score predictions of the first objective's outcome on held-out rows of a campaign that is measured.

    Bounds are told as bounds, and scored by the probability of their side.

    Args:
        spec: The campaign.
        methods: Names of predictors, in the order of the result.
        options: What to score.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what was done and the fraction done.
        is_optional: Whether history that lacks the outcome is left out, not refused.

    Returns:
        Scores by method, support and seed. Same seeds, same scores.

    Raises:
        ConfigurationError: If a method is unknown, or a support leaves no row to predict.
        InputError: If a cell of the candidates or their outcomes is wrong.
    """
    options = options or EvaluateOptions()
    made = make_all(methods, load_predictor)
    context, table = open_measured(spec, max(options.supports), options.device, store, is_optional=is_optional)
    if max(options.supports) >= len(table):
        raise ConfigurationError(
            f"--support must leave rows to predict; got {max(options.supports)} of {len(table)} candidates.",
            f"Ask for {len(table) - 1} at most.",
        )
    rows = Rows(table[:, 0], table[:, 1].astype(np.int8) if table[:, 1].any() else np.zeros(0, dtype=np.int8))
    seconds = prepare_all(made, context, progress)
    plans = [(name, seed) for name in made for seed in options.seeds]
    works = [
        (f"The evaluation of {name} at seed {seed}", (made[name], context, rows, options.supports, seed))
        for name, seed in plans
    ]
    scored: dict[int, dict[int, Scores]] = {}
    for i, result in options.engine(score_seed, works, options.n_workers or os.cpu_count() or 1):
        scored[i] = result
        if progress is not None:
            progress(f"{plans[i][0]}, seed {plans[i][1]}", len(scored) / len(plans))
    runs = {name: [scored[i] for i, (owner, _) in enumerate(plans) if owner == name] for name in made}
    return EvaluateResult(
        campaign=spec.name,
        outcome=context.outcome,
        goal=str(spec.objective.goal),
        n_candidates=len(table),
        supports=options.supports,
        seeds=options.seeds,
        runs=runs,
        meta_train_s=seconds,
        unit=spec.outcome(context.outcome).unit,
        n_bounds=int((~rows.is_measured).sum()),
    )


def score_seed(
    predictor: Predictor, context: BacktestContext, rows: Rows, supports: Sequence[int], seed: int
) -> dict[int, Scores]:
    """Score one predictor at one seed.

    Args:
        predictor: A prepared predictor.
        context: What it may know.
        rows: Outcomes of all candidates; only those of the support are shown.
        supports: Numbers of measurements to predict from.
        seed: Seed of the order of candidates, and of the predictor.

    Returns:
        Scores by support; None where the predictor cannot predict from so few measurements.
    """
    order = seeds.rng(seed, "support and query").permutation(len(rows.y))
    scored: dict[int, Scores] = {}
    for s in supports:
        first = order[:s]
        limits = tuple(int(side) for side in rows.sides[first]) if len(rows.sides) else ()
        support = Seen(tuple(int(i) for i in first), tuple(float(y) for y in rows.y[first]), limits)
        query = order[s:]
        try:
            prediction = predictor.predict(context, support, query, seed)
        except NotEnoughDataError:
            scored[s] = dict.fromkeys(SCORES)
            continue
        held_out = Rows(rows.y[query], rows.sides[query] if len(rows.sides) else rows.sides)
        scored[s] = score_rows(prediction, held_out, rows, context.spec.objective)
    return scored


def score_rows(prediction: Prediction, rows: Rows, every: Rows, objective: Objective) -> Scores:
    """Score predictions of held-out rows, some of which may be bounds.

    Args:
        prediction: Predicted mixtures at `r` points.
        rows: The held-out rows.
        every: All rows of the campaign, which say where its median lies.
        objective: What is wanted; says what is active, and what ranks.

    Returns:
        `nlpd` of all rows; `rmse`, `spearman` and `coverage90` of measured values; `delta_auprc` of rows of which it is
        known whether they are active. None where a score does not exist.
    """
    measured, mixture = rows.is_measured, (prediction.log_weights, prediction.means, prediction.sds)
    found, is_known = actives(objective, rows, every)
    gain = metrics.delta_auprc(found[is_known], ranking(objective, prediction)[is_known]) if is_known.any() else np.nan
    some, y = measured.any(), rows.y[measured]
    return {
        "nlpd": rows.nlpd(prediction),
        "rmse": metrics.rmse(y, prediction.mean[measured]) if some else None,
        "spearman": metrics.spearman(y, prediction.mean[measured]) if some else None,
        "coverage90": metrics.coverage(metrics.pit(rows.y, *mixture)[measured], 0.9) if some else None,
        "delta_auprc": float(gain) if np.isfinite(gain) else None,
    }


def score(prediction: Prediction, y: np.ndarray, sign: float, threshold: float) -> Scores:
    """Score predictions of held-out outcomes that are to be high or low.

    Args:
        prediction: Predicted mixtures at `r` points.
        y: Measured outcomes, raw units. Shape `r`.
        sign: 1 where more is better, -1 where less is.
        threshold: A row is active when its outcome is on the wanted side: the median of all rows of the campaign.

    Returns:
        `nlpd`, `rmse`, `spearman`, `coverage90` and `delta_auprc`; None where a score does not exist.
    """
    objective = Objective(name="y", goal="maximize" if sign > 0 else "minimize")
    return score_rows(prediction, Rows(y), Rows(np.array([threshold])), objective)


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that exist, or None."""
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
