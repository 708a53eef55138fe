"""Open a measured campaign for methods: what they may know on one side, the outcomes on the other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from discovery.campaign import CampaignSpec, history_file
from discovery.errors import ConfigurationError, InputError, NotSupportedError
from discovery.evaluation.methods import BacktestContext, Goal, Progress
from discovery.space import CandidatePool, MeasuredPool, SearchSpace

if TYPE_CHECKING:
    from discovery.store import Store
    from discovery.tasks.task import Task


class Prepared(Protocol):
    """What learns before a campaign: a method, or a predictor."""

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Learn what there is to learn before the campaign."""
        ...


M = TypeVar("M", bound=Prepared)


def open_campaign(
    spec: CampaignSpec, n_experiments: int, device: str, store: Store | None = None
) -> tuple[BacktestContext, np.ndarray]:
    """Open a campaign whose candidates have measured outcomes; candidates without one are left out.

    Args:
        spec: The campaign.
        n_experiments: The budget of a replay.
        device: Where models live.
        store: Where earlier campaigns named in `experience.history` lie.

    Returns:
        What methods may know, and the outcome of each candidate, raw units, replicates averaged. Shape `n`.

    Raises:
        ConfigurationError: If the history holds a copy of the file that is replayed.
        NotSupportedError: If the objective is neither to maximize nor to minimize, or an outcome is only a bound.
        InputError: If a cell of the candidates or their outcomes is wrong.
    """
    context, outcomes = context_of(spec, n_experiments, device, store)
    return replace(context, goal=goal_of(spec)), outcomes[context.outcome]


def open_measured(
    spec: CampaignSpec, n_experiments: int, device: str, store: Store | None = None, *, is_optional: bool = False
) -> tuple[BacktestContext, np.ndarray]:
    """Open a campaign some of whose outcomes may be bounds.

    Args:
        spec: The campaign.
        n_experiments: The budget of a replay.
        device: Where models live.
        store: Where earlier campaigns named in `experience.history` lie.
        is_optional: Whether history that lacks the outcome is left out, not refused.

    Returns:
        What methods may know, and of every candidate its outcome, raw units, and on which side of it the true value
        lies: -1 at most, 1 at least, 0 measured. Shape `n x 2`.

    Raises:
        ConfigurationError: If the history holds a copy of the file that is replayed.
        InputError: If a cell of the candidates or their outcomes is wrong.
    """
    context, measured = _opened(spec, n_experiments, device, store, is_optional=is_optional)
    context = context if spec.objective.goal == "match" else replace(context, goal=goal_of(spec))
    y, none = measured.outcomes[context.outcome], np.zeros(len(measured))
    return context, np.column_stack([y, measured.sides.get(context.outcome, none)]).astype(float)


def context_of(
    spec: CampaignSpec, n_experiments: int, device: str, store: Store | None = None
) -> tuple[BacktestContext, dict[str, np.ndarray]]:
    """Open a campaign for methods that see all outcomes which it wants or limits.

    Returns:
        What methods may know, and every such outcome of each candidate, raw units. Shape `n` each; the first
        objective's is never NaN.

    Raises:
        ConfigurationError: If the history holds a copy of the file that is replayed.
        NotSupportedError: If an outcome is only a bound.
        InputError: If a cell is wrong, or an outcome has no column.
    """
    context, measured = _opened(spec, n_experiments, device, store)
    for name in spec.believed:
        if name not in measured.outcomes:
            raise InputError(f"A replay of {spec.name} must have the outcome {name!r} of its candidates; got none.")
        _check_sides(measured, name)
    return context, {name: np.asarray(measured.outcomes[name], dtype=float) for name in spec.believed}


def _opened(
    spec: CampaignSpec, n_experiments: int, device: str, store: Store | None, *, is_optional: bool = False
) -> tuple[BacktestContext, MeasuredPool]:
    """Read the candidates with their outcomes, and what methods may know of the campaign."""
    refuse_stages(spec)
    _check_history(spec)
    space = SearchSpace.from_spec(spec)
    measured = MeasuredPool.from_spec(spec, space)
    outcome = spec.objective.name
    context = BacktestContext(
        spec=spec,
        space=space,
        pool=CandidatePool(frame=measured.frame, X=measured.X, keys=measured.keys, rows=measured.rows),
        goal="minimize" if spec.objective.goal == "minimize" else "maximize",
        outcome=outcome,
        outcome_range=spec.outcome(outcome).range,
        load_history=partial(_load_history, spec, space, store, is_optional=is_optional),
        n_experiments=min(n_experiments, len(measured)),
        device=device,
    )
    return context, measured


def refuse_stages(spec: CampaignSpec) -> None:
    """Refuse to replay a campaign of several stages: a method is asked for rows, and not for stages.

    Raises:
        NotSupportedError: If it has any.
    """
    if spec.stages:
        raise NotSupportedError(
            f"A replay of {spec.name} must be without stages: not supported yet.",
            "Remove `stages` and name another campaign, to replay its last outcome alone.",
        )


def make_all(names: Sequence[str], load: Callable[[str], M]) -> dict[str, M]:
    """Make methods by name.

    Raises:
        ConfigurationError: If there is none, one is unknown, or one is named twice.
    """
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"--methods must name at least one method, each once; got {', '.join(names) or 'none'}."
        )
    return {name: load(name) for name in names}


def prepare_all(methods: dict[str, M], context: BacktestContext, progress: Progress | None) -> dict[str, float]:
    """Let methods learn what there is to learn; return the seconds that each took."""
    seconds = {}
    for name, method in methods.items():
        started = time.perf_counter()
        method.prepare(context, progress)
        seconds[name] = time.perf_counter() - started
    return seconds


def goal_of(spec: CampaignSpec) -> Goal:
    """Return the direction of the objective: hits lie in one too.

    Raises:
        NotSupportedError: If a value is to be matched.
    """
    goal = spec.objective.goal
    if goal == "hits":
        return "maximize" if spec.objective.above else "minimize"
    if goal == "match":
        raise NotSupportedError(
            f"objectives[0].goal must be maximize or minimize to be replayed; got match in {spec.name}."
        )
    return goal


def _load_history(spec: CampaignSpec, space: SearchSpace, store: Store | None, *, is_optional: bool) -> Sequence[Task]:
    """Read the earlier tasks that the campaign names."""
    from discovery.tasks.history import read_history  # loads torch

    return read_history(spec.experience.history, spec, space, store=store, is_optional=is_optional).tasks


def _check_sides(measured: MeasuredPool, outcome: str) -> None:
    """Refuse bounds: nobody knows how good a candidate is whose outcome is one."""
    n = int(np.count_nonzero(measured.sides.get(outcome, 0)))
    if n:
        raise NotSupportedError(
            f"{outcome} must be measured to be replayed; got bounds such as < 5 for {n} of {len(measured)} candidates.",
            "Campaigns learn from bounds; replays need the values: leave those rows out, or give a number.",
        )


def _check_history(spec: CampaignSpec) -> None:
    """Refuse a history that holds the answers under another name: a copy of the file that is replayed."""
    answers = [path for path in (spec.candidates, getattr(spec.experiment, "path", None)) if path]
    hidden = {_content_hash(spec.resolve(path)) for path in answers}
    for path in map(history_file, spec.experience.history):
        if path is not None and _content_hash(spec.resolve(path)) in hidden:
            raise ConfigurationError(
                f"experience.history must not hold the outcomes that are replayed; got a copy, {path}.",
                "Remove it from the history.",
            )


def _content_hash(path: Path) -> str:
    """Return the hash of a file, or its path where it cannot be read: reading it properly tells what is wrong."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return str(path)
