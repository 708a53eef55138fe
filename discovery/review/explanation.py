"""Why this proposal? Everything that a reviewer asks, computed from the belief that made it.

The belief is the one of then: the checkpoints and the measurements that the proposal was made from. What is cheap is
always there; lessons, slices and maps come on demand. Next in the tour: `discovery.review.explanation_text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery.review.card import best_outcome
from discovery.review.drivers import Contributions, shapley
from discovery.review.foresight import Foreseen, Foresight
from discovery.review.neighbors import parameter_distances
from discovery.review.slices import Cutter, PairMap, Slice
from discovery.review.teaching import Lesson, lesson_of
from discovery.seeds import rng
from discovery.space.open_pool import OpenPool
from discovery.space.stream import StreamedPool

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec
    from discovery.cycle import Observations
    from discovery.review.card import ProposalCard
    from discovery.space import CandidatePool, SearchSpace
    from discovery.store import ProposalRow

N_TYPICAL = 512  # candidates that a proposal is compared with
N_STRETCH = 32  # of them that follow each other in a pool that is too large to hold


@dataclass(frozen=True)
class Driver:
    """What one parameter adds.

    Attributes:
        parameter: The parameter.
        value: Its value in the proposal.
        effect: What the value adds to the mean, compared with typical candidates; raw units.
        gain: What it adds to the expected gain; None before any measurement.
    """

    parameter: str
    value: object
    effect: float
    gain: float | None


@dataclass(frozen=True)
class Drivers:
    """What drives the prediction, strongest first: `start` and all effects sum to `end`.

    Attributes:
        start: Mean over typical candidates, raw units.
        end: The belief's mean at the proposal.
        parts: One per parameter.
        gain_start: Mean expected gain of typical candidates; None before any measurement.
        gain_end: The proposal's.
        is_exact: Whether all coalitions of parameters were looked at; else orders were drawn.
    """

    start: float
    end: float
    parts: tuple[Driver, ...]
    gain_start: float | None
    gain_end: float | None
    is_exact: bool


@dataclass(frozen=True)
class Stance:
    """Where a proposal stands between exploiting and exploring.

    Attributes:
        exploring: 0 exploits, 1 explores: how unusual its uncertainty is, against how unusual its mean is.
        better_than: Share of the candidates with a worse mean.
        less_known_than: Share of the candidates that are better known.
        certain_gain: Gain if the mean were the truth; None before any measurement, and for hits.
    """

    exploring: float
    better_than: float
    less_known_than: float
    certain_gain: float | None


@dataclass(frozen=True)
class MeasuredPoint:
    """A measurement as plots show it.

    Attributes:
        configuration: Its values.
        outcome: What it gave, raw units.
        distances: How far it lies from the proposal in every parameter (`discovery.review.neighbors`).
    """

    configuration: dict[str, object]
    outcome: float
    distances: dict[str, float]


@dataclass(frozen=True)
class Explanation:
    """Why one proposal was made.

    Attributes:
        card: What was stored about it, with its nearest experiments.
        goal: What is wanted: `maximize`, `minimize`, `match` or `hits`.
        range: The range that the campaign gives the outcome, or None.
        best: The best outcome that was measured then, raw units; None where there was none.
        gain: Expected improvement on it by this experiment alone, raw units; for hits the probability of one; None
            before any measurement.
        stance: Whether it explores or exploits.
        drivers: What drives the prediction.
        lesson: What it would teach; None where that was not asked for.
        slices: The belief along every parameter; empty where that was not asked for.
        maps: The belief over pairs of the parameters that matter most; empty where that was not asked for.
        points: What was measured then; empty without slices.
    """

    card: ProposalCard
    goal: str
    range: tuple[float, float] | None
    best: float | None
    gain: float | None
    stance: Stance
    drivers: Drivers
    lesson: Lesson | None = None
    slices: tuple[Slice, ...] = ()
    maps: tuple[PairMap, ...] = ()
    points: tuple[MeasuredPoint, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What a proposal is explained from.

    Attributes:
        spec: The campaign.
        space: Its space.
        pool: Its candidates; None in a free space.
        foresight: What was believed when the proposal was made.
        observed: What was measured then.
        measured: The same as a table, in the same order.
    """

    spec: CampaignSpec
    space: SearchSpace
    pool: CandidatePool | StreamedPool | None
    foresight: Foresight
    observed: Observations
    measured: pd.DataFrame


def explain(
    proposal: ProposalRow, card: ProposalCard, scene: Scene, *, lesson: bool = True, plots: bool = False
) -> Explanation:
    """Explain a proposal; the same arguments give the same explanation.

    Args:
        proposal: What was stored.
        card: The same as people read it.
        scene: What it was made from.
        lesson: Whether to say what it would teach; takes a few adaptations.
        plots: Whether to cut slices and maps; takes some thousand predictions.
    """
    objective = scene.foresight.objective
    x = scene.space.encode(_frame(proposal.configuration))[0]
    typical = typical_rows(scene, proposal)
    here, drivers = scene.foresight.at(x[None]), _drivers(scene, x, typical, proposal)
    cutter = Cutter(scene.space, scene.foresight, proposal.configuration)
    return Explanation(
        card=card,
        goal=str(objective.goal),
        range=scene.spec.outcome(objective.name).range,
        best=best_outcome(objective, scene.observed.y),
        gain=_or_none(here.gain[0]),
        stance=_stance(scene, x, here, scene.foresight.at(_same_context(scene, x, typical))),
        drivers=drivers,
        lesson=lesson_of(scene.foresight, x, scene.observed, typical) if lesson else None,
        slices=cutter.slices() if plots else (),
        maps=cutter.maps([part.parameter for part in drivers.parts]) if plots else (),
        points=_points(scene, x) if plots else (),
    )


def typical_rows(scene: Scene, proposal: ProposalRow) -> np.ndarray:
    """Return what a proposal is compared with: the pool or a part of it, or draws from a free space. Shape `n x d`.

    A pool whose context is open is taken at the proposal's. Of a streamed pool stretches are read, from all over it.
    """
    stream, pool = rng(proposal.seed, "typical candidates"), scene.pool
    if pool is None:
        return scene.space.sample(N_TYPICAL, stream)
    if isinstance(pool, StreamedPool):
        starts = stream.integers(max(len(pool) - N_STRETCH, 1), size=N_TYPICAL // N_STRETCH)
        return pool.take(np.unique(starts[:, None] + np.arange(N_STRETCH))).X
    pool = pool.placed(scene.space, proposal.configuration) if isinstance(pool, OpenPool) else pool
    if len(pool) <= N_TYPICAL:
        return pool.X
    return pool.X[np.sort(stream.choice(len(pool), N_TYPICAL, replace=False))]


def _frame(configuration: dict[str, object]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([configuration])


def _drivers(scene: Scene, x: np.ndarray, typical: np.ndarray, proposal: ProposalRow) -> Drivers:
    """Share mean and expected gain out among the parameters."""
    found = shapley(
        lambda X: _mean_and_gain(scene.foresight.at(X)), x, typical, scene.space.slices, rng(proposal.seed, "drivers")
    )
    order = np.argsort(-np.abs(found.values[:, 0]), kind="stable")
    names = scene.space.names
    return Drivers(
        start=float(found.start[0]),
        end=float(found.end[0]),
        parts=tuple(_driver(found, k, names[k], proposal.configuration[names[k]]) for k in order.tolist()),
        gain_start=_or_none(found.start[1]),
        gain_end=_or_none(found.end[1]),
        is_exact=found.is_exact,
    )


def _driver(found: Contributions, k: int, name: str, value: object) -> Driver:
    return Driver(name, value, float(found.values[k, 0]), _or_none(found.values[k, 1]))


def _mean_and_gain(seen: Foreseen) -> np.ndarray:
    return np.column_stack([seen.mean, seen.gain])


def _stance(scene: Scene, x: np.ndarray, here: Foreseen, field: Foreseen) -> Stance:
    """Say how unusual mean and uncertainty are among the candidates."""
    better = _share_below(field.worth, float(here.worth[0]))
    unknown = _share_below(field.sd, float(here.sd[0]))
    best, worth = scene.foresight.best, float(here.worth[0])
    return Stance(
        exploring=unknown / (unknown + better) if unknown + better > 0 else 0.5,
        better_than=better,
        less_known_than=unknown,
        certain_gain=None if best is None else max(0.0, worth - best),
    )


def _share_below(values: np.ndarray, value: float) -> float:
    """Return the share of values below another; equal ones count half."""
    near = np.isclose(values, value, rtol=1e-9, atol=0.0)
    return float(np.mean((values < value) & ~near) + 0.5 * np.mean(near))


def _same_context(scene: Scene, x: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return candidates with what is given, not chosen, as the proposal has it."""
    rows = typical.copy()
    for name, part in zip(scene.space.names, scene.space.slices, strict=True):
        if name in scene.spec.context_names:
            rows[:, part] = x[part]
    return rows


def _points(scene: Scene, x: np.ndarray) -> tuple[MeasuredPoint, ...]:
    far = parameter_distances(scene.space, x, scene.observed.X).tolist()
    rows: list[dict[Any, Any]] = scene.space.typed(scene.measured).to_dict("records")
    return tuple(
        MeasuredPoint({str(name): value for name, value in row.items()}, float(y), dict(zip(row, apart, strict=True)))
        for row, y, apart in zip(rows, scene.observed.y.tolist(), far, strict=True)
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
