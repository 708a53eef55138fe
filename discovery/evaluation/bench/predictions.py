"""Predictions scored on whole families: the plans of `bench few-shot` and `bench calibration`, and a score as a row.

Few-shot predictions come from random measurements and are scored on all other candidates. Calibration is scored there
and where a search goes as well: a model is used on what it chose itself, which is no random sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from discovery import metrics, seeds
from discovery.evaluation.backtest import random_starts, replay
from discovery.evaluation.bench.runner import Piece, Unit, can_run, settings_hash
from discovery.evaluation.bench.sources import RELATED
from discovery.evaluation.bench.suites import Protocol, Suite
from discovery.evaluation.context import open_campaign
from discovery.evaluation.evaluate import score
from discovery.evaluation.method_table import BASELINES, METHODS
from discovery.evaluation.methods import (
    BacktestContext,
    Prediction,
    Predictor,
    Seen,
    load_method,
    load_predictor,
)
from discovery.evaluation.results import Plan

RANDOM, SEARCH, VISITED = "random", "search", "visited"
N_VISITED = 10  # how many of a search's next choices are predicted
N_QUERY = 300  # candidates that calibration is scored on, drawn at random where there are more
N_CRPS = 100  # of them for CRPS, which costs the square of the mixture's components
N_BINS = 20  # of the PIT histogram


@dataclass(frozen=True)
class Case:
    """A prediction to be scored: from these measurements, on those candidates; indices into the pool."""

    support: np.ndarray
    query: np.ndarray


def plan_few_shot(suite: Suite, methods: Sequence[str]) -> list[Unit]:
    """Return every score of few-shot prediction of a suite."""
    return _plan(suite, methods, "few-shot", lambda protocol, method: [(RANDOM, n) for n in protocol.few_shot])


def plan_calibration(suite: Suite, methods: Sequence[str]) -> list[Unit]:
    """Return every score of calibration of a suite: on random measurements, and where the method's search goes."""
    return _plan(suite, methods, "calibration", _calibration_cases)


def execute_predictions(unit: Unit, device: str) -> Iterator[dict[str, Any]]:
    """Predict and score, piece after piece."""
    most = max(int(piece.identity["n_support"]) for piece in unit.pieces)
    context, outcomes = open_campaign(unit.task.spec, most + N_VISITED, device)
    predictor = load_predictor(unit.method)
    predictor.prepare(context)
    search = _searcher(unit, context, outcomes)
    for piece in unit.pieces:
        identity = piece.identity
        case = _case(identity, context, search)
        is_few_shot = identity["bench"] == "few-shot"
        yield _scored(predictor, context, outcomes, case, identity["seed"], None if is_few_shot else N_QUERY)


def prediction_row(
    prediction: Prediction, y: np.ndarray, context: BacktestContext, outcomes: np.ndarray
) -> dict[str, Any]:
    """Return what is kept of a prediction; `_scaled` scores are in units of the outcome's spread over all candidates.

    Args:
        prediction: Predicted mixtures at `r` candidates.
        y: What was measured there, raw units. Shape `r`.
        context: What the method knew.
        outcomes: Outcomes of all candidates, raw units. Shape `n`.
    """
    spread = float(outcomes.std()) or 1.0
    scores = score(prediction, y, context.sign, float(np.median(outcomes)))
    mixture = (prediction.log_weights, prediction.means, prediction.sds)
    pit = metrics.pit(y, *mixture)
    nlpd, rmse = float(scores["nlpd"] or 0.0), float(scores["rmse"] or 0.0)
    return {
        **scores,
        "nlpd_scaled": nlpd - float(np.log(spread)),
        "rmse_scaled": rmse / spread,
        "crps_scaled": _crps(prediction, y[:N_CRPS]) / spread,
        "sharpness": float(prediction.sd.mean()) / spread,
        **{f"coverage{level}": metrics.coverage(pit, level / 100) for level in (50, 80, 95)},
        "calibration_error": metrics.calibration_error(pit),
        "pit_ks": metrics.pit_ks(pit),
        "pit_counts": np.histogram(pit, bins=N_BINS, range=(0.0, 1.0))[0].tolist(),
        "n_query": len(y),
        "n_candidates": len(outcomes),
    }


def _crps(prediction: Prediction, y: np.ndarray) -> float:
    """Return the mean CRPS at the first `len(y)` points, few at a time: the cost is the square of the components."""
    n_components = prediction.means.shape[1]
    log_weights = np.broadcast_to(prediction.log_weights, prediction.means.shape)
    parts = np.array_split(np.arange(len(y)), max(1, len(y) * n_components**2 // 1_000_000))
    scores = [
        metrics.crps_gaussian_mixture(y[part], log_weights[part], prediction.means[part], prediction.sds[part])
        for part in parts
        if len(part)
    ]
    return float(np.concatenate(scores).mean())


def _plan(
    suite: Suite, methods: Sequence[str], bench: str, cases: Callable[[Protocol, str], list[tuple[str, int]]]
) -> list[Unit]:
    """Return the units of a bench of predictions; supports that leave too little of a pool are left out."""
    units = []
    for task in suite.tasks:
        protocol = suite.protocol(task.family)
        for method in (method for method in methods if can_run(task, method)):
            stamp = settings_hash(task, method)
            shared = {"bench": bench, "family": task.family, "task": task.name, "group": task.group}
            shared |= {"source": RELATED, "method": method, "leave_out": suite.leave_out}
            pieces = tuple(
                Piece({**shared, "support": kind, "n_support": n, "seed": seed}, stamp)
                for seed in range(suite.n_seeds)
                for kind, n in cases(protocol, method)
                if n + N_VISITED <= task.n_candidates
            )
            units += [Unit(task, method, part) for part in _cut(method, pieces) if part]
    return units


def _cut(method: str, pieces: tuple[Piece, ...]) -> list[tuple[Piece, ...]]:
    """Cut the pieces of a method that learns nothing beforehand by seed."""
    if method not in BASELINES:
        return [pieces]
    by_seed = sorted({piece.identity["seed"] for piece in pieces})
    return [tuple(piece for piece in pieces if piece.identity["seed"] == seed) for seed in by_seed]


def _calibration_cases(protocol: Protocol, method: str) -> list[tuple[str, int]]:
    """Return supports and sizes; a predictor that is no way to search has random supports only."""
    searches = method in METHODS or method.partition(":")[0] in METHODS
    kinds = (RANDOM, SEARCH, VISITED) if searches else (RANDOM,)
    return [(kind, n) for kind in kinds for n in protocol.calibration]


def _searcher(unit: Unit, context: BacktestContext, outcomes: np.ndarray) -> Callable[[int], np.ndarray] | None:
    """Return what gives the candidates that the method's own search visits at a seed, or None where none is needed."""
    if all(piece.identity["support"] == RANDOM for piece in unit.pieces):
        return None
    method = load_method(unit.method)
    method.prepare(context)
    position = {int(row): i for i, row in enumerate(context.pool.rows)}
    known: dict[int, np.ndarray] = {}

    def visited(seed: int) -> np.ndarray:
        if seed not in known:
            plan = Plan(seed, context.n_experiments, random_starts(seed, context.n_candidates, Protocol().matched))
            run = replay(method, context, outcomes, plan)
            known[seed] = np.array([position[row] for row in run.chosen])
        return known[seed]

    return visited


def _case(identity: Any, context: BacktestContext, search: Callable[[int], np.ndarray] | None) -> Case:
    """Return which measurements are given and which candidates are predicted."""
    n, seed = int(identity["n_support"]), int(identity["seed"])
    if identity["support"] == RANDOM or search is None:
        order = seeds.rng(seed, "support and query").permutation(context.n_candidates)
        return Case(order[:n], order[n:])
    path = search(seed)
    if identity["support"] == VISITED:
        return Case(path[:n], path[n : n + N_VISITED])
    rest = seeds.rng(seed, "query after a search").permutation(np.setdiff1d(np.arange(context.n_candidates), path[:n]))
    return Case(path[:n], rest)


def _scored(
    predictor: Predictor,
    context: BacktestContext,
    outcomes: np.ndarray,
    case: Case,
    seed: int,
    n_query: int | None,
) -> dict[str, Any]:
    """Predict a case and score it."""
    query = case.query[:n_query]
    seen = Seen(tuple(int(i) for i in case.support), tuple(float(outcomes[i]) for i in case.support))
    prediction = predictor.predict(context, seen, query, seed)
    return prediction_row(prediction, outcomes[query], context, outcomes)
