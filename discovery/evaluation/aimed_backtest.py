"""Replay a measured campaign that wants more than one outcome high or low: several objectives, targets, hits, limits.

What `discovery.evaluation.backtest` does for one outcome; the outcomes stay in this module until a row is chosen. Next
in the tour: `discovery.report.aimed_backtest`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery.errors import DiscoveryError, NotEnoughDataError
from discovery.evaluation.aimed_methods import AimedMethod, SeenAll, load_aimed
from discovery.evaluation.backtest import BacktestOptions, random_starts
from discovery.evaluation.cache import versions
from discovery.evaluation.context import context_of, make_all, prepare_all
from discovery.evaluation.results import Plan
from discovery.standing import hypervolume, hypervolumes, is_allowed, overall, reference_point, scores

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.evaluation.methods import BacktestContext, Progress
    from discovery.store import Store

Outcomes = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class AimedRun:
    """One replay by one method at one seed.

    Attributes:
        seed: Seed of the replay.
        chosen: Row positions (0-based) in the candidates file, in the order run.
        outcomes: What they gave, by outcome, raw units.
        progress: What the campaign had come to after each experiment: the share of all hypervolume, the number of hits,
            or the regret of the best that is allowed.
        seconds: Time that choosing took, by experiment; 0 for random starts.
    """

    seed: int
    chosen: tuple[int, ...]
    outcomes: dict[str, tuple[float, ...]]
    progress: tuple[float, ...]
    seconds: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {
            "seed": self.seed,
            "chosen": list(self.chosen),
            "outcomes": {name: list(values) for name, values in self.outcomes.items()},
            "progress": list(self.progress),
        }


@dataclass(frozen=True)
class AimedResult:
    """A backtest by all that a campaign wants.

    Attributes:
        spec: The campaign.
        measure: `hypervolume`, `hits` or `regret`: what runs are measured by.
        n_candidates: Number of distinct configurations.
        n_initial: Random starts, the same for all methods at the same seed.
        batch_size: Experiments whose outcomes are revealed together.
        runs: Runs by method.
        meta_train_s: Time that learning before the campaign took, by method.
        reachable: All hypervolume or hits that there are; of a regret the best score that is allowed.
        versions: Versions of what computed it.
    """

    spec: CampaignSpec
    measure: str
    n_candidates: int
    n_initial: int
    batch_size: int
    runs: dict[str, tuple[AimedRun, ...]]
    meta_train_s: dict[str, float]
    reachable: float
    versions: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, dict[str, float]]:
        """Sum up every method: means over runs; `hypervolume_auc`, `n_hits` and so on, by what is measured."""
        return {name: _summary(self.measure, runs, self.reachable) for name, runs in self.runs.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the backtest as JSON values, in the shape of the contract for one outcome where both have it."""
        return {
            "campaign": self.spec.name,
            "n_candidates": self.n_candidates,
            "objectives": [{"name": o.name, "goal": o.goal} for o in self.spec.objectives],
            "outcome_constraints": [str(limit) for limit in self.spec.outcome_constraints],
            "combine": self.spec.combine,
            "measure": self.measure,
            "n_initial": self.n_initial,
            "batch_size": self.batch_size,
            "methods": {
                name: {
                    "meta_train_s": round(self.meta_train_s[name], 3),
                    "seconds_per_proposal": round(float(np.mean([s for run in runs for s in run.seconds])), 4),
                    "runs": [run.to_json() for run in runs],
                }
                for name, runs in self.runs.items()
            },
            "summary": self.summary(),
            "versions": self.versions,
        }


def aimed_backtest(
    spec: CampaignSpec,
    methods: Sequence[str],
    options: BacktestOptions,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> AimedResult:
    """Replay a campaign whose candidates have all outcomes measured that it wants or limits; others are left out.

    Args:
        spec: The campaign.
        methods: Names of methods, in the order of the result.
        options: How to replay; nothing is cached.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what was done and the fraction done.

    Raises:
        ConfigurationError: If a method is unknown, or named twice.
        NotSupportedError: If a method cannot serve what the campaign wants.
        NotEnoughDataError: If no candidate has all outcomes, or none is allowed.
    """
    made = make_all(methods, lambda name: load_aimed(name, store))
    context, outcomes = open_aimed(spec, options, store)
    seconds = prepare_all(made, context, progress)
    plans = [(name, plan) for name, method in made.items() for plan in _plans(method, context, options)]
    works = [
        (f"The replay by {name} at seed {plan.seed}", (made[name], context, outcomes, plan)) for name, plan in plans
    ]
    found: dict[int, AimedRun] = {}
    for position, run in options.engine(replay_aimed, works, options.n_workers or os.cpu_count() or 1):
        found[position] = run
        if progress is not None:
            name = plans[position][0]
            progress(f"{name}, seed {run.seed}: {run.progress[-1]:.3g}", len(found) / len(plans))
    return AimedResult(
        spec=spec,
        measure=measure_of(spec),
        n_candidates=context.n_candidates,
        n_initial=min(options.n_initial, context.n_experiments),
        batch_size=options.batch_size,
        runs={name: tuple(found[i] for i, (owner, _) in enumerate(plans) if owner == name) for name in made},
        meta_train_s=seconds,
        reachable=_reachable(spec, outcomes),
        versions=versions(),
    )


def replay_aimed(method: AimedMethod, context: BacktestContext, outcomes: Outcomes, plan: Plan) -> AimedRun:
    """Replay a campaign once.

    Args:
        method: A prepared method.
        context: What it may know.
        outcomes: Measured outcomes of all candidates, raw units; stay here. Shape `n` each.
        plan: Seed, length, random starts, batch size.

    Raises:
        DiscoveryError: If the method chooses a candidate twice, or another number than it was asked for.
    """
    chosen, seconds = list(plan.initial), [0.0] * len(plan.initial)
    while len(chosen) < plan.n_experiments:
        n = min(plan.batch_size, plan.n_experiments - len(chosen))
        started = time.perf_counter()
        choice = method.choose(context, SeenAll(tuple(chosen), _rows(outcomes, chosen)), n, plan.seed)
        if len(set(choice.indices) - set(chosen)) != n or len(choice.indices) != n:
            raise DiscoveryError(f"{method.name} must choose {n} new candidates; got {choice.indices}.")
        chosen += choice.indices
        seconds += [(time.perf_counter() - started) / n] * n
    gave = _rows(outcomes, chosen)
    return AimedRun(
        seed=plan.seed,
        chosen=tuple(int(context.pool.rows[i]) for i in chosen),
        outcomes={name: tuple(map(float, values)) for name, values in gave.items()},
        progress=tuple(map(float, _progress(context.spec, gave, outcomes))),
        seconds=tuple(seconds),
    )


def measure_of(spec: CampaignSpec) -> str:
    """Return what runs are measured by: `hypervolume`, `hits`, or `regret` of the best that is allowed."""
    if len(spec.objectives) > 1 and spec.combine == "pareto":
        return "hypervolume"
    return "hits" if len(spec.objectives) == 1 and spec.objective.goal == "hits" else "regret"


def open_aimed(
    spec: CampaignSpec, options: BacktestOptions, store: Store | None = None
) -> tuple[BacktestContext, dict[str, np.ndarray]]:
    """Open a campaign with the candidates of which all outcomes that count are measured.

    Returns:
        What methods may know, and every outcome of each candidate, raw units. Shape `n` each.

    Raises:
        NotEnoughDataError: If no candidate has all outcomes, or none is allowed.
    """
    context, measured = context_of(spec, options.n_experiments, options.device, store)
    whole = np.logical_and.reduce([~np.isnan(measured[name]) for name in spec.believed])
    outcomes = {name: np.asarray(measured[name], float)[whole] for name in spec.believed}
    if not whole.any() or not is_allowed(spec, outcomes).any():
        raise NotEnoughDataError(f"A replay of {spec.name} must have a candidate with all outcomes that is allowed.")
    pool = context.pool
    keys = tuple(np.array(pool.keys, dtype=object)[whole])
    pool = replace(pool, frame=pool.frame[whole], X=pool.X[whole], keys=keys, rows=pool.rows[whole])
    n = min(context.n_experiments, int(whole.sum()))
    return replace(context, pool=pool, n_experiments=n), outcomes


def _plans(method: AimedMethod, context: BacktestContext, options: BacktestOptions) -> list[Plan]:
    n, n_initial = context.n_experiments, min(options.n_initial, context.n_experiments)
    run_seeds = options.seeds[:1] if method.is_deterministic and n_initial == 0 else options.seeds
    return [Plan(s, n, random_starts(s, context.n_candidates, n_initial), options.batch_size) for s in run_seeds]


def _rows(outcomes: Outcomes, rows: Sequence[int]) -> dict[str, np.ndarray]:
    return {name: values[list(rows)] for name, values in outcomes.items()}


def _reachable(spec: CampaignSpec, outcomes: Outcomes) -> float:
    """Return all hypervolume, or all hits, that the candidates hold; of a regret the best score."""
    values, allowed = scores(spec, outcomes), is_allowed(spec, outcomes)
    if measure_of(spec) == "hypervolume":
        return hypervolume(values[allowed], reference_point(spec, values))
    score = overall(spec, outcomes)
    return float(np.nansum(score)) if measure_of(spec) == "hits" else float(np.nanmax(score))


def _progress(spec: CampaignSpec, gave: Outcomes, everything: Outcomes) -> np.ndarray:
    """Return what a run had come to after each experiment. Shape `n`."""
    if measure_of(spec) == "hypervolume":
        reference = reference_point(spec, scores(spec, everything))
        return hypervolumes(spec, gave, reference) / max(_reachable(spec, everything), 1e-300)
    score = overall(spec, gave)
    if measure_of(spec) == "hits":
        return np.nancumsum(score)
    best, worst = np.nanmax(overall(spec, everything)), np.nanmin(overall(spec, everything))
    so_far = np.maximum.accumulate(np.where(np.isnan(score), -np.inf, score))
    return np.where(np.isinf(so_far), 1.0, (best - so_far) / max(best - worst, 1e-300))


def _summary(measure: str, runs: Sequence[AimedRun], reachable: float) -> dict[str, float]:
    """Return the numbers of one method, means over runs."""
    curves = np.array([run.progress for run in runs])
    last, mean = float(curves[:, -1].mean()), float(curves.mean())
    if measure == "hypervolume":
        return {"hypervolume_auc": mean, "hypervolume": last}
    if measure == "hits":
        return {"n_hits": last, "n_possible": min(reachable, curves.shape[1]), "hits_auc": mean / max(reachable, 1.0)}
    return {"regret_auc": mean, "regret": last}
