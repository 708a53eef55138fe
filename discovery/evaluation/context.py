"""Open a measured campaign for methods: what they may know on one side, the outcomes on the other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError
from discovery.evaluation.methods import BacktestContext, Method, Predictor, Progress
from discovery.space import CandidatePool, MeasuredPool, SearchSpace
from discovery.tasks.history import read_history

if TYPE_CHECKING:
    from discovery.store import Store
    from discovery.tasks.task import Task

M = TypeVar("M", Method, Predictor)


def open_campaign(
    spec: CampaignSpec, n_experiments: int, device: str, store: Store | None = None
) -> tuple[BacktestContext, np.ndarray]:
    """Open a campaign whose candidates all have measured outcomes.

    Args:
        spec: The campaign.
        n_experiments: The budget of a replay.
        device: Where models live.
        store: Where earlier campaigns named in `experience.history` lie.

    Returns:
        What methods may know, and the outcome of each candidate, raw units, replicates averaged. Shape `n`.

    Raises:
        ConfigurationError: If the history names the very campaign that is replayed.
        InputError: If a candidate has no measured outcome.
    """
    _check_history(spec)
    space = SearchSpace.from_spec(spec)
    measured = MeasuredPool.from_spec(spec, space)
    outcome = spec.objective.name
    outcomes = np.asarray(measured.outcomes[outcome], dtype=float)
    missing = np.flatnonzero(~np.isfinite(outcomes))
    if len(missing):
        raise InputError(
            f"Every candidate must have a measured {outcome} to be replayed; got none at data row "
            f"{int(measured.rows[missing[0]]) + 1} and {len(missing) - 1} others of campaign {spec.name}.",
            "Leave these rows out of the candidates file.",
        )
    context = BacktestContext(
        spec=spec,
        space=space,
        pool=CandidatePool(frame=measured.frame, X=measured.X, keys=measured.keys, rows=measured.rows),
        goal=spec.objective.goal,
        outcome=outcome,
        outcome_range=spec.outcome(outcome).range,
        load_history=partial(_load_history, spec, space, store),
        n_experiments=min(n_experiments, len(outcomes)),
        device=device,
    )
    return context, outcomes


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


def _load_history(spec: CampaignSpec, space: SearchSpace, store: Store | None) -> Sequence[Task]:
    """Read the earlier tasks that the campaign names."""
    return read_history(spec.experience.history, spec, space, store=store).tasks


def _check_history(spec: CampaignSpec) -> None:
    """Refuse a history that holds the answers: the replayed campaign itself, or a copy of its file."""
    answers = [p for p in (spec.candidates, getattr(spec.experiment, "path", None)) if p]
    hidden = {_content_hash(spec.resolve(path)) for path in answers}
    for entry in spec.experience.history:
        is_itself = entry.campaign == spec.name if not isinstance(entry, str) else False
        is_copy = isinstance(entry, str) and _content_hash(spec.resolve(entry)) in hidden
        if is_itself or is_copy:
            named = entry if isinstance(entry, str) else entry.campaign
            raise ConfigurationError(
                f"experience.history must not hold the outcomes that are replayed; got {named} in {spec.name}.",
                "Remove it from the history.",
            )


def _content_hash(path: Path) -> str:
    """Return the hash of a file, or its path where it cannot be read: reading it properly tells what is wrong."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return str(path)
