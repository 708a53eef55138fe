"""How many experiments will it take? The campaign simulated on worlds drawn from its own belief, before it is paid for.

A forecast is as good as the belief: it knows no mechanism that no hypothesis knows. It conditions on what is measured,
so it gets better as the campaign goes on. Next in the tour: `discovery.report.forecast`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery import seeds
from discovery.errors import ConfigurationError
from discovery.evaluation.workers import Engine, run_all

if TYPE_CHECKING:
    from discovery.belief.belief import Belief

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
MAX_COVARIANCE = 2**24  # numbers in all members' covariances (128 MiB): limits the candidates of a simulation
CHUNK = 2048  # candidates whose marginals are computed at once


@dataclass(frozen=True)
class Candidates:
    """What can be measured.

    Attributes:
        X: Encoded configurations. Shape `N x d`; unit cube.
        is_free: Those that may be chosen: not measured yet. Shape `N`.
        first: Those of them that are measured first whatever the belief says: what runs already, random starts.
    """

    X: np.ndarray
    is_free: np.ndarray
    first: tuple[int, ...] = ()


@dataclass(frozen=True)
class ForecastRequest:
    """What is asked.

    Attributes:
        n_experiments: Further experiments to simulate.
        n_draws: Worlds that are drawn.
        target: Outcome that is wanted, raw units, or None.
        goal: `maximize` or `minimize`.
        batch_size: Experiments that are chosen together.
        bounds: Lowest and highest outcome that can occur, or None.
        allow_replicates: Whether a configuration may be measured again.
        seed: Seed of worlds and noise.
        n_workers: How many processes share the worlds; with one they are replayed here.
        engine: What spreads the worlds; default processes of this machine.
    """

    n_experiments: int
    n_draws: int = 64
    target: float | None = None
    goal: str = "maximize"
    batch_size: int = 1
    bounds: tuple[float, float] | None = None
    allow_replicates: bool = False
    seed: int = 0
    n_workers: int = 1
    engine: Engine = run_all

    def __post_init__(self) -> None:
        for name, least in {"n_experiments": 1, "n_draws": 2, "batch_size": 1, "n_workers": 1}.items():
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} of a forecast must be at least {least}; got {getattr(self, name)}.")

    @property
    def sign(self) -> float:
        """1 to maximize, -1 to minimize."""
        return -1.0 if self.goal == "minimize" else 1.0


@dataclass(frozen=True)
class Forecast:
    """What to expect of the next experiments, counted from one.

    Attributes:
        n_measured: Measurements that the belief has seen.
        n_experiments: Further experiments that were simulated.
        n_draws: Worlds.
        n_candidates: Candidates in each world.
        goal: `maximize`, `minimize`, `match` or `hits`; of several objectives that of the first.
        target: What is wanted, in the measure's unit, or None.
        best: What is reached so far, in the measure's unit, or None.
        best_after: Quantiles of what is reached after 0, 1, ... further experiments, by level (as text, `0.5`); before
            the first measurement they begin with 1. NaN where nothing counts yet.
        needed: Experiments that each world took to the target, sorted; one more than were simulated where it was not
            reached. Empty without a target.
        attainable: Share of worlds in which some candidate reaches the target without the help of noise; NaN without.
        seconds: Time that it took.
        measure: What is counted: the `best` outcome, raw units; the `distance` to target or window, raw units; the
            number of `hits`; the `desirability`; the `share` of the hypervolume that there is.
    """

    n_measured: int
    n_experiments: int
    n_draws: int
    n_candidates: int
    goal: str
    target: float | None
    best: float | None
    best_after: Mapping[str, tuple[float, ...]]
    needed: tuple[int, ...] = ()
    attainable: float = float("nan")
    seconds: float = field(default=0.0, compare=False)
    measure: str = "best"

    @property
    def probability(self) -> tuple[float, ...]:
        """Probability that the target is reached within 1, 2, ... further experiments; empty without a target."""
        counts = np.searchsorted(np.array(self.needed), np.arange(1, self.n_experiments + 1), side="right")
        return tuple(float(c) / self.n_draws for c in counts) if self.needed else ()

    def needed_at(self, level: float) -> int | None:
        """Return the number of further experiments that a share of worlds gets by with; None where it takes more."""
        if not self.needed:
            return None
        found = self.needed[math.ceil(level * self.n_draws) - 1]
        return found if found <= self.n_experiments else None

    def to_json(self) -> dict[str, Any]:
        """Return the forecast as JSON; `needed_10` to `needed_90` are null where more experiments are needed."""
        shown = asdict(self) | {"attainable": _known(self.attainable)}
        shown["best_after"] = {level: tuple(map(_known, values)) for level, values in self.best_after.items()}
        if self.needed:
            shown |= {f"needed_{100 * level:.0f}": self.needed_at(level) for level in (0.1, 0.5, 0.9)}
            shown["probability"] = self.probability
        return shown

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Forecast:
        """Read what `to_json` gave."""
        names = ("n_measured", "n_experiments", "n_draws", "n_candidates", "goal", "target", "best", "seconds")
        return cls(
            **{name: stored[name] for name in names},
            best_after={level: tuple(map(_number, values)) for level, values in stored["best_after"].items()},
            needed=tuple(stored["needed"]),
            attainable=_number(stored["attainable"]),
            measure=stored.get("measure", "best"),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def forecast(belief: Belief, candidates: Candidates, request: ForecastRequest) -> Forecast:
    """Simulate a campaign on worlds drawn from its belief.

    The policy is expected improvement under the belief, whatever the campaign's own acquisition function is; the
    members are those that the belief has kept, weighed anew after every outcome. Of many candidates those that the
    belief thinks most of take part, and a random sample of the others.

    Args:
        belief: The belief over what is measured.
        candidates: What can be measured.
        request: What is asked.

    Returns:
        The forecast. Same arguments, same forecast.

    Raises:
        ConfigurationError: If nothing is free to be measured.
    """
    import torch

    from discovery.evaluation.worlds import JointBelief, Rules, Start, replay_worlds

    started = time.perf_counter()
    device, sign = belief.steps.device, request.sign
    chosen = _take_part(belief, candidates, request)
    X = torch.as_tensor(chosen.X, dtype=torch.float64, device=device)
    is_free = torch.as_tensor(chosen.is_free, device=device)
    n_free = int(is_free.sum())
    if not n_free:
        raise ConfigurationError("A forecast needs candidates that can still be measured; none is left.")
    best = None if belief.best_f is None else belief.best_f[1 if sign > 0 else 0]
    bounds = request.bounds or (-math.inf, math.inf)
    n = request.n_experiments if request.allow_replicates else min(request.n_experiments, n_free)
    rules = Rules(n, request.batch_size, sign, chosen.first[:n], best, bounds, request.allow_replicates)
    generator = seeds.torch_generator(request.seed, "forecast", belief.steps.shape[1])
    joint = JointBelief.of(belief, X)
    worlds = joint.draw(request.n_draws, generator)
    y = replay_worlds(Start(joint, is_free, rules), worlds, generator, request.n_workers, request.engine)
    path = sign * np.maximum.accumulate(sign * y.cpu().numpy(), axis=1)
    reachable = (sign * worlds.outcomes.clamp(*bounds)).amax(dim=1).cpu().numpy()
    return Forecast(
        n_measured=int(belief.steps.shape[1]),
        n_experiments=n,
        n_draws=request.n_draws,
        n_candidates=len(X),
        goal=request.goal,
        target=request.target,
        best=best,
        best_after=_quantiles(path, best, sign),
        needed=_needed(path, best, request),
        attainable=float("nan") if request.target is None else float((reachable >= sign * request.target).mean()),
        seconds=time.perf_counter() - started,
    )


def _take_part(belief: Belief, candidates: Candidates, request: ForecastRequest) -> Candidates:
    """Return the candidates of the simulation, so few that all members' covariances fit into memory."""
    limit = math.isqrt(MAX_COVARIANCE // sum(len(part.log_weight) for part in belief.kept))
    if len(candidates.X) <= limit:
        return candidates
    chunks = np.array_split(candidates.X, math.ceil(len(candidates.X) / CHUNK))
    promise = np.concatenate([_promise(belief, X, request.sign) for X in chunks])
    promise[~candidates.is_free] = -np.inf
    promise[list(candidates.first)] = np.inf
    order = np.argsort(-promise, kind="stable")
    top, others = order[: limit // 2], order[limit // 2 :]
    others = others[np.isfinite(promise[others])]
    sample = seeds.rng(request.seed, "candidates of a forecast").permutation(others)[: limit - len(top)]
    rows = np.concatenate([top, sample])
    place = {int(row): i for i, row in enumerate(rows)}
    return Candidates(candidates.X[rows], candidates.is_free[rows], tuple(place[row] for row in candidates.first))


def _promise(belief: Belief, X: np.ndarray, sign: float) -> np.ndarray:
    """Return how good candidates may be: mean and two standard deviations, times the sign. Shape `n`."""
    import torch

    with torch.no_grad():
        mean, sd, weight = belief.marginals(torch.as_tensor(X, dtype=torch.float64, device=belief.steps.device))
    center = (weight * mean).sum(-1)
    spread = (weight * (sd.square() + (mean - center[:, None]).square())).sum(-1).sqrt()
    return np.asarray((sign * center + 2 * spread).cpu().numpy())


def _quantiles(path: np.ndarray, best: float | None, sign: float) -> dict[str, tuple[float, ...]]:
    """Return quantiles of the best outcome over further experiments. Shape of `path`: `f x n`."""
    if best is not None:
        path = sign * np.maximum(sign * np.column_stack([np.full(len(path), best), path]), sign * best)
    return {f"{level:g}": tuple(np.quantile(path, level, axis=0).tolist()) for level in QUANTILES}


def _needed(path: np.ndarray, best: float | None, request: ForecastRequest) -> tuple[int, ...]:
    """Return how many further experiments each world takes to the target, sorted; 0 where it is reached already."""
    if request.target is None:
        return ()
    wanted = request.sign * request.target
    if best is not None and request.sign * best >= wanted:
        return (0,) * len(path)
    is_reached = request.sign * path >= wanted
    counts = np.where(is_reached.any(axis=1), is_reached.argmax(axis=1) + 1, path.shape[1] + 1)
    return tuple(sorted(int(c) for c in counts))
