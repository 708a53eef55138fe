"""Replay a measured campaign: methods choose candidates, and only the outcomes of those chosen are revealed.

No method can peek: the outcomes stay in this module, and a method is handed those of the rows that it has chosen.
Runs go over processes, one torch thread each. Next in the tour: `discovery.report.html`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from discovery import metrics, seeds
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, DiscoveryError, NotSupportedError
from discovery.evaluation.bounds import counted
from discovery.evaluation.cache import RunCache, versions
from discovery.evaluation.context import goal_of, make_all, open_measured, prepare_all
from discovery.evaluation.given import with_given
from discovery.evaluation.methods import BacktestContext, Choice, Method, Progress, Seen, load_method
from discovery.evaluation.results import BacktestResult, MethodResult, Plan, Run
from discovery.evaluation.workers import Engine, run_all

if TYPE_CHECKING:
    from discovery.store import Store

TIMED_AT = 40  # number of measurements at which adapting and proposing is timed


@dataclass(frozen=True)
class BacktestOptions:
    """How to replay.

    Attributes:
        n_experiments: Experiments per run, random starts included; at most the number of candidates are run.
        n_initial: Random starts, the same for all methods at the same seed.
        seeds: One run per seed.
        batch_size: Experiments whose outcomes are revealed together.
        n_workers: Number of processes; default the number of cores.
        use_cache: Whether finished runs of baselines are kept and used again.
        device: Where models live: `auto`, `cpu` or `cuda`.
        engine: What spreads the runs; default processes of this machine.
        given: Value by parameter that candidates must have to take part.
    """

    n_experiments: int = 50
    n_initial: int = 0
    seeds: tuple[int, ...] = tuple(range(10))
    batch_size: int = 1
    n_workers: int | None = None
    use_cache: bool = True
    device: str = "auto"
    engine: Engine = run_all
    given: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lowest = {"n_experiments": 1, "n_initial": 0, "batch_size": 1}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}; got {getattr(self, name)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigurationError(f"seeds must be at least one, all different; got {self.seeds}.")


def backtest(
    spec: CampaignSpec,
    methods: Sequence[str],
    options: BacktestOptions | None = None,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> BacktestResult:
    """Replay a campaign whose candidates have measured outcomes; candidates without one are left out.

    An outcome that is a bound is revealed as one, and counts by what is known of it (`discovery.evaluation.bounds`).

    Args:
        spec: The campaign.
        methods: Names of methods, in the order of the result.
        options: How to replay.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what was done and the fraction done; while a method learns, and after every run.

    Returns:
        All runs. Same seeds, same choices.

    Raises:
        ConfigurationError: If a method is unknown, or named twice.
        InputError: If a cell of the candidates or their outcomes is wrong.
        DiscoveryError: If a method fails; the message names method and seed.
    """
    options = options or BacktestOptions()
    if "cold_nehvi" in methods:
        raise NotSupportedError(
            f"cold_nehvi must have several objectives; {spec.name} has one.", "Leave it out of --methods."
        )
    made = make_all(methods, load_method)
    context, measured = open_measured(spec, options.n_experiments, options.device, store)
    context = replace(context, goal=goal_of(spec))
    context, table = with_given(context, measured, options.given, options.batch_size)
    outcomes, sides = table.T
    seconds = prepare_all(made, context, progress)
    plans = [(name, plan) for name, method in made.items() for plan in _plans(method, context, options)]
    runs = _run_plans(made, plans, _Replay(context, outcomes, sides, options), progress)
    return BacktestResult(
        campaign=spec.name,
        outcome=context.outcome,
        goal=context.goal,
        n_initial=min(options.n_initial, context.n_experiments),
        batch_size=options.batch_size,
        methods={
            name: MethodResult(
                runs=tuple(run for (owner, _), run in zip(plans, runs, strict=True) if owner == name),
                meta_train_s=seconds[name],
                is_deterministic=_runs_once(method, options),
            )
            for name, method in made.items()
        },
        pool=context.pool.frame[list(context.space.names)].reset_index(drop=True),
        pool_rows=np.asarray(context.pool.rows),
        pool_outcomes=counted(outcomes, sides, context.sign),
        unit=spec.outcome(context.outcome).unit,
        parameter_units={p.name: u for p in spec.parameters if (u := getattr(p, "unit", ""))},
        versions=versions(),
    )


def replay(
    method: Method, context: BacktestContext, outcomes: np.ndarray, plan: Plan, sides: np.ndarray | None = None
) -> Run:
    """Replay a campaign once.

    Args:
        method: A prepared method.
        context: What it may know.
        outcomes: Measured outcome per candidate, raw units; stays here. Shape `n`.
        plan: Seed, length, random starts, batch size.
        sides: Which outcomes are bounds: -1 at most, 1 at least, 0 measured; default all measured. Shape `n`.

    Returns:
        The run, `chosen` as rows of the candidates file.

    Raises:
        DiscoveryError: If the method chooses a candidate twice, or another number than it was asked for.
    """
    chosen: list[int] = list(plan.initial)
    sides = np.zeros(len(outcomes)) if sides is None else sides
    has_bounds, counts = bool(sides.any()), counted(outcomes, sides, context.sign)
    seconds, weights = [0.0] * len(chosen), [_weights_before(method, context, plan)] * len(chosen)
    timed_at_40: float | None = None
    stop_after: int | None = None
    while len(chosen) < plan.n_experiments:
        limits = tuple(int(sides[i]) for i in chosen) if has_bounds else ()
        seen = Seen(tuple(chosen), tuple(float(outcomes[i]) for i in chosen), limits)
        n = min(plan.batch_size, plan.n_experiments - len(chosen))
        started = time.perf_counter()
        choice = method.choose(context, seen, n, plan.seed)
        elapsed = time.perf_counter() - started
        _check_choice(method, choice, chosen, n, context.n_candidates)
        if seen.n >= TIMED_AT and timed_at_40 is None:
            timed_at_40 = elapsed
        if stop_after is None and context.spec.stop.is_too_little(choice.gain, seen.n):
            stop_after = seen.n
        chosen += choice.indices
        seconds += [elapsed / n] * n
        weights += [choice.weights] * n
    return Run(
        seed=plan.seed,
        chosen=tuple(int(context.pool.rows[i]) for i in chosen),
        outcomes=tuple(float(counts[i]) for i in chosen),
        seconds=tuple(seconds),
        weights=_by_hypothesis(weights),
        adapt_propose_s_at_40=timed_at_40,
        stop_after=stop_after,
        limits=tuple(int(sides[i]) for i in chosen) if has_bounds else (),
    )


def random_starts(seed: int, n_candidates: int, n_initial: int) -> tuple[int, ...]:
    """Return the random starts at a seed, as indices into the pool: the same for every method."""
    order = seeds.rng(seed, "initial experiments").permutation(n_candidates)
    return tuple(int(i) for i in order[:n_initial])


def _runs_once(method: Method, options: BacktestOptions) -> bool:
    """Say whether one run stands for every seed."""
    return method.is_deterministic and options.n_initial == 0


def _plans(method: Method, context: BacktestContext, options: BacktestOptions) -> list[Plan]:
    """Return the runs that a method needs; random starts depend on the seed alone."""
    n = context.n_experiments
    run_seeds = options.seeds[:1] if _runs_once(method, options) else options.seeds
    return [
        Plan(
            seed=seed,
            n_experiments=n,
            initial=random_starts(seed, context.n_candidates, min(options.n_initial, n)),
            batch_size=options.batch_size,
        )
        for seed in run_seeds
    ]


@dataclass(frozen=True)
class _Replay:
    """What all runs of a backtest share."""

    context: BacktestContext
    outcomes: np.ndarray
    sides: np.ndarray
    options: BacktestOptions

    @property
    def cache(self) -> RunCache | None:
        """The cache of finished runs, or None where it is switched off."""
        told = np.concatenate([self.outcomes, self.sides]) if self.sides.any() else self.outcomes
        return RunCache.for_campaign(self.context, told) if self.options.use_cache else None


def _run_plans(
    methods: Mapping[str, Method], plans: Sequence[tuple[str, Plan]], shared: _Replay, progress: Progress | None
) -> list[Run]:
    """Make the runs that are not in the cache, over processes; return all in the order of the plans."""
    cache = shared.cache
    runs = {i: cache.read(methods[name], plan) for i, (name, plan) in enumerate(plans)} if cache else {}
    done = {i: run for i, run in runs.items() if run is not None}
    missing = [i for i in range(len(plans)) if i not in done]
    works = [
        (
            f"The replay by {plans[i][0]} at seed {plans[i][1].seed}",
            (methods[plans[i][0]], shared.context, shared.outcomes, plans[i][1], shared.sides),
        )
        for i in missing
    ]
    for i, run in done.items():
        _report(progress, plans[i][0], run, len(done) / len(plans), shared.context)
    for position, run in shared.options.engine(replay, works, shared.options.n_workers or os.cpu_count() or 1):
        name, plan = plans[missing[position]]
        done[missing[position]] = run
        if cache:
            cache.write(methods[name], plan, run)
        _report(progress, name, run, len(done) / len(plans), shared.context)
    return [done[i] for i in range(len(plans))]


def _report(progress: Progress | None, name: str, run: Run, fraction: float, context: BacktestContext) -> None:
    """Tell what a run found."""
    if progress is not None:
        best = metrics.best_so_far(np.asarray(run.outcomes), context.goal)[-1]
        progress(f"{name}, seed {run.seed}: best {best:.4g} after {len(run.outcomes)} experiments", fraction)


def _weights_before(method: Method, context: BacktestContext, plan: Plan) -> Mapping[str, float] | None:
    """Return the weights before any measurement, which hold while the random starts are made."""
    return method.choose(context, Seen(), 1, plan.seed).weights if plan.initial else None


def _check_choice(method: Method, choice: Choice, chosen: Sequence[int], n: int, n_candidates: int) -> None:
    """Refuse a choice that is not `n` new candidates."""
    new = set(choice.indices)
    if len(choice.indices) != n or len(new) != n or new & set(chosen) or not new <= set(range(n_candidates)):
        raise DiscoveryError(
            f"{method.name} must choose {n} new candidates out of {n_candidates} after {len(chosen)} experiments; "
            f"got {choice.indices}."
        )


def _by_hypothesis(weights: Sequence[Mapping[str, float] | None]) -> dict[str, tuple[float, ...]] | None:
    """Turn weights per experiment into weights per hypothesis, or None for methods without hypotheses."""
    known = [w for w in weights if w is not None]
    if not known or len(known) < len(weights):
        return None
    return {name: tuple(float(w.get(name, 0.0)) for w in known) for name in known[0]}
