"""One pure pass: measurements -> belief -> candidates -> proposal drafts. No file, no database, no clock but a timer.

Reads what `session` took from the store and gives back drafts that `session` stores; the same inputs and seed give the
same drafts. Next in the tour: `discovery.review`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.batches import choose_batch, is_large
from discovery.acquisition.continuous import choose_in_space, is_near
from discovery.acquisition.drawn import choose_batch_in_space
from discovery.acquisition.insurance import who_chooses
from discovery.acquisition.pool import PLATES, Choice, Plates, Search, choose_from_pool
from discovery.acquisition.streamed import featured_by, screened
from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.records import BeliefSummary, HypothesisPrediction, mix
from discovery.errors import NoCandidateError
from discovery.meta.learner import Support
from discovery.seeds import derive
from discovery.space.stream import StreamedPool

if TYPE_CHECKING:
    from discovery.space import CandidatePool, SearchSpace


@dataclass(frozen=True)
class Observations:
    """What has been measured so far, in the order of ingestion.

    Attributes:
        X: Encoded configurations. Shape `n x d`; unit cube.
        y: The objective's outcome. Shape `n`; raw units.
        yvar: Known noise variances, shape `n`, or None.
        keys: Identity of each configuration (`SearchSpace.keys`).
        limits: Which outcomes are bounds: -1 = the true value lies at or below `y`, +1 = at or above, 0 = measured.
            Shape `n`, or None where all were measured.
        blocks: Level of every measurement in each block column, counted from 0. Shapes `n`; empty without blocks.
        is_robust: Whether a measurement that all others speak against may count for less.
    """

    X: np.ndarray
    y: np.ndarray
    yvar: np.ndarray | None
    keys: tuple[str, ...]
    limits: np.ndarray | None = None
    blocks: tuple[np.ndarray, ...] = ()
    is_robust: bool = False


@dataclass(frozen=True)
class CycleRequest:
    """What is asked of one pass.

    Attributes:
        n: Number of proposals wanted.
        goal: `maximize` or `minimize`.
        acquisition: Name of the acquisition function.
        seed: The campaign's seed; streams are derived from it and the number of measurements.
        cycle: Number of the cycle, from 1.
        pending_X: Configurations that run already. Shape `p x d`, or None.
        pending_keys: Their identities.
        allow_replicates: Whether a configuration that was measured may be proposed again.
        given: Coordinates of a context and their values today: improvement is counted from the best there.
        plates: How large batches are chosen.
    """

    n: int
    goal: str = "maximize"
    acquisition: str = "log_ei"
    seed: int = 0
    cycle: int = 1
    pending_X: np.ndarray | None = None
    pending_keys: tuple[str, ...] = ()
    allow_replicates: bool = False
    given: tuple[tuple[int, float], ...] = ()
    plates: Plates = PLATES


@dataclass(frozen=True)
class ProposalDraft:
    """A proposal before it is stored.

    Attributes:
        configuration: A value for every parameter.
        key: Identity of the configuration.
        X: Its encoding. Length `d`.
        row: Row position in the candidates file, or None outside a pool.
        predictions: What every hypothesis says about the outcome, raw units.
        mean: The belief's mean, raw units.
        sd: The belief's standard deviation (noise included), raw units.
        acqf_name: Acquisition function.
        acqf_value: Its value (log expected improvement for `log_ei`).
        argued_by: The hypothesis with the largest share in the acquisition value.
        argument: Share of every hypothesis in it; sums to one.
        is_exploring: Whether the belief's mean is not above the best outcome so far: chosen to learn.
        n_measurements: Number of measurements seen.
        seed: Seed it can be replayed with.
        others: What every hypothesis says about each further outcome, raw units.
        numbers: What else speaks for or against it, by name, such as `experiment_cost`.
        stage: The stage that it is proposed for; empty in a campaign without stages.
    """

    configuration: dict[str, object]
    key: str
    X: tuple[float, ...]
    row: int | None
    predictions: tuple[HypothesisPrediction, ...]
    mean: float
    sd: float
    acqf_name: str
    acqf_value: float
    argued_by: str
    argument: dict[str, float]
    is_exploring: bool
    n_measurements: int
    seed: int
    others: Mapping[str, tuple[HypothesisPrediction, ...]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    stage: str = ""


@dataclass(frozen=True)
class CycleResult:
    """What one pass gives back: drafts, and where the beliefs stand in the first objective's and in other outcomes."""

    drafts: tuple[ProposalDraft, ...]
    belief: BeliefSummary
    seconds: float
    others: Mapping[str, BeliefSummary] = field(default_factory=dict)


def adapt(hypotheses: Sequence[Hypothesis], observed: Observations) -> Belief:
    """Condition the hypotheses on what was measured: milliseconds, no gradient step.

    Args:
        hypotheses: At least one.
        observed: All measurements of the campaign.
    """
    device = hypotheses[0].learner.device
    support = Support.of(observed.X, observed.y, observed.yvar, device)
    marked = support.marked(observed.limits, observed.blocks, is_robust=observed.is_robust)
    return Belief.adapt(hypotheses, marked)


def run_cycle(
    space: SearchSpace,
    pool: CandidatePool | StreamedPool | None,
    hypotheses: Sequence[Hypothesis],
    observed: Observations,
    request: CycleRequest,
    pool_inputs: torch.Tensor | None = None,
) -> CycleResult:
    """Adapt the belief and choose the next experiments.

    Args:
        space: The search space.
        pool: The finite pool, streamed where it is large, or None for a space that is searched freely.
        hypotheses: The competing hypotheses.
        observed: What has been measured.
        request: How many, by what, excluding what.
        pool_inputs: The pool with all features (`pool_with_features`), for callers that run many passes over one pool.

    Returns:
        Drafts in the order they were chosen, and where the belief stands.

    Raises:
        NoCandidateError: If nothing is left to propose.
    """
    started = time.perf_counter()
    belief = adapt(hypotheses, observed)
    sign = 1.0 if request.goal == "maximize" else -1.0
    seed = derive(request.seed, "cycle", request.cycle, len(observed.y))
    search = Search(request.acquisition, sign, seed, given=request.given, plates=request.plates)
    n_before = len(observed.y) + (0 if request.pending_X is None else len(request.pending_X))
    turns, X = who_chooses(belief, n_before, request.n), pool_inputs
    if isinstance(pool, StreamedPool):
        pool, X, search = screened(pool, turns, search, featured_by(hypotheses), frozenset(_taken(observed, request)))
    elif pool is not None and X is None:
        X = pool_with_features(pool, hypotheses)
    choices = _choose(space, pool, X, turns, observed, request, search)
    drafts = _drafts(space, pool, belief, choices, search)
    return CycleResult(drafts, belief.summary(), time.perf_counter() - started)


def pool_with_features(pool: CandidatePool, hypotheses: Sequence[Hypothesis]) -> torch.Tensor:
    """Append every hypothesis's features to a pool; they depend on no measurement. Shape `n x (d + j_1 + ...)`."""
    return featured_by(hypotheses)(pool.X)


def _taken(observed: Observations, request: CycleRequest) -> set[str]:
    return set(request.pending_keys) | (set() if request.allow_replicates else set(observed.keys))


def _is_taken(space: SearchSpace, observed: Observations, request: CycleRequest) -> Callable[[np.ndarray], np.ndarray]:
    """Return what says which encoded rows may not come again. Shape `N x d` to `N`."""
    taken = _taken(observed, request)
    measured = observed.X[:0] if request.allow_replicates else observed.X

    def is_taken(X: np.ndarray) -> np.ndarray:
        named = np.array([key in taken for key in space.keys(space.decode(X))], dtype=bool)
        return named | is_near(X, measured)

    return is_taken


def _allowed(pool: CandidatePool, observed: Observations, request: CycleRequest) -> np.ndarray:
    taken = _taken(observed, request)
    return np.array([key not in taken for key in pool.keys], dtype=bool)


def _pending(space: SearchSpace, belief: Belief, request: CycleRequest) -> torch.Tensor:
    pending = np.zeros((0, space.n_dims)) if request.pending_X is None else request.pending_X
    return torch.as_tensor(pending, dtype=torch.float64, device=belief.steps.device)


def _choose(
    space: SearchSpace,
    pool: CandidatePool | None,
    X: torch.Tensor | None,
    turns: Sequence[Belief],
    observed: Observations,
    request: CycleRequest,
    search: Search,
) -> list[Choice]:
    """Choose a batch: stretches of it by the belief, and single experiments by somebody who trusts no experience."""
    pending = _pending(space, turns[0], request)
    allowed = None if pool is None else _allowed(pool, observed, request)
    if is_large(request.n, search, turns):
        if X is not None and allowed is not None:
            return choose_batch(turns, X, allowed, search, pending)
        return choose_batch_in_space(turns, space, search, pending, _is_taken(space, observed, request))
    choices: list[Choice] = []
    for _, stretch in groupby(turns, key=id):
        own, *others = stretch
        n = 1 + len(others)
        try:
            if X is not None and allowed is not None:
                found = choose_from_pool(own, X, allowed, n, search, pending)
                allowed[[choice.index for choice in found]] = False
            else:
                found = choose_in_space(own, space, n, search, pending, _is_taken(space, observed, request))
        except NoCandidateError:
            if not choices:
                raise
            break
        choices += found
        pending = torch.cat([pending, *(choice.x[None] for choice in found)])
    return choices


def _drafts(
    space: SearchSpace, pool: CandidatePool | None, belief: Belief, choices: Sequence[Choice], search: Search
) -> tuple[ProposalDraft, ...]:
    X = torch.stack([choice.x for choice in choices])
    frame = space.decode(X.cpu().numpy())
    if pool is not None:
        frame = pool.frame.iloc[[choice.index for choice in choices]][list(space.names)].reset_index(drop=True)
    keys = space.keys(frame)
    best = None if belief.best_f is None else belief.best_f[1 if search.sign > 0 else 0]
    drafts = []
    for i, (choice, predictions) in enumerate(zip(choices, belief.predict(X), strict=True)):
        overall = mix(predictions)
        drafts.append(
            ProposalDraft(
                configuration={str(name): value for name, value in frame.iloc[i].items()},
                key=keys[i],
                X=tuple(choice.x.tolist()),
                row=None if pool is None else int(pool.rows[choice.index]),
                predictions=predictions,
                mean=overall.mean,
                sd=overall.sd,
                acqf_name=search.name,
                acqf_value=choice.value,
                argued_by=max(choice.argument, key=lambda name: choice.argument[name]),
                argument=choice.argument,
                is_exploring=best is not None and search.sign * (overall.mean - best) <= 0,
                n_measurements=predictions[0].n_measurements,
                seed=search.seed,
            )
        )
    return tuple(drafts)
