"""How far will the experiments bring a campaign that wants more than one outcome high or low?

Worlds are drawn from the beliefs in all its outcomes, and on each the campaign is replayed; what it comes to is counted
as `discovery status` counts it. Next in the tour: `discovery.report.forecast`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from discovery import seeds
from discovery.errors import ConfigurationError
from discovery.evaluation.aimed_progress import Replayed, check_target, measure_of_goal, progress_of, raw_of, sign_of
from discovery.evaluation.forecast import MAX_COVARIANCE, QUANTILES, Candidates, Forecast, ForecastRequest
from discovery.standing import reference_point, scores

if TYPE_CHECKING:
    import torch

    from discovery.acquisition.aims import Aim
    from discovery.belief.beliefs import Beliefs
    from discovery.campaign import CampaignSpec
    from discovery.evaluation.aimed_worlds import AimedStart
    from discovery.evaluation.worlds import Worlds

N_MEMBERS = 12  # members per outcome that take part; they stand for the others
MOST_CANDIDATES = 320  # of a simulation with several outcomes
SLACK = 1e-12  # of what is come to: rounding

Outcomes = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class AimedQuestion:
    """What a forecast is about.

    Attributes:
        spec: The campaign.
        beliefs: The belief in every outcome.
        candidates: What can be measured.
        known: Where among them the experiments made so far are.
        measured: Their outcomes, raw units, NaN where one is not measured. Shape `k` each.
    """

    spec: CampaignSpec
    beliefs: Beliefs
    candidates: Candidates
    known: tuple[int, ...]
    measured: Outcomes

    @property
    def whole(self) -> Outcomes:
        """Outcomes of the experiments of which all are measured."""
        is_whole = np.logical_and.reduce([~np.isnan(self.measured[name]) for name in self.spec.believed])
        return {name: np.asarray(self.measured[name], float)[is_whole] for name in self.spec.believed}


def aimed_forecast(question: AimedQuestion, request: ForecastRequest) -> Forecast:
    """Simulate a campaign on worlds drawn from the beliefs in all its outcomes.

    The policy is the campaign's own value of an experiment (improvement, distance, probability of a hit, growth of the
    hypervolume, desirability, all times the probability of keeping to the limits), counted from measured outcomes. Of
    many candidates those that it values most take part, and a random sample of the others.

    Args:
        question: The campaign, and what it knows.
        request: What is asked; its goal and bounds are the campaign's.

    Raises:
        ConfigurationError: If nothing is free to be measured, or a target makes no sense for what is wanted.
    """
    started = time.perf_counter()
    spec, measure = question.spec, measure_of_goal(question.spec)
    check_target(measure, request.target)
    asked = _take_part(question, request)
    start, worlds, generator = _begin(asked, request)
    from discovery.evaluation.aimed_worlds import replay_aimed_worlds

    paths = replay_aimed_worlds(start, worlds, generator, request.n_workers, request.engine)
    truth = {
        name: one.outcomes.clamp(*start.rules.bounds.get(name, (-math.inf, math.inf))).cpu().numpy()
        for name, one in worlds.items()
    }
    rows = paths.rows.cpu().numpy()
    gave = {name: y.cpu().numpy() for name, y in paths.outcomes.items()}
    come_to = progress_of(Replayed(spec, asked.measured, asked.known, asked.candidates.is_free, rows, gave), truth)
    sign, path = sign_of(spec), come_to.path
    return Forecast(
        n_measured=len(next(iter(question.measured.values()))),
        n_experiments=start.rules.n_experiments,
        n_draws=request.n_draws,
        n_candidates=len(asked.candidates.X),
        goal=request.goal,
        target=request.target,
        best=come_to.now,
        best_after={f"{level:g}": _quantile(path, level) for level in QUANTILES},
        needed=() if request.target is None else _needed(sign * path, come_to.now is not None, sign * request.target),
        attainable=math.nan
        if request.target is None
        else float((sign * come_to.most >= sign * request.target - SLACK).mean()),
        seconds=time.perf_counter() - started,
        measure=measure,
    )


def _quantile(path: np.ndarray, level: float) -> tuple[float, ...]:
    """Return a quantile over worlds; NaN where it is a world in which nothing counts yet. Shape `f x n` to `n`."""
    found = np.quantile(path, level, axis=0, method="inverted_cdf")
    return tuple(np.where(np.isfinite(found), found, np.nan).tolist())


def _needed(path: np.ndarray, has_start: bool, wanted: float) -> tuple[int, ...]:
    """Return how many further experiments each world takes, sorted; one more than simulated where it is not reached.

    Args:
        path: What is come to, more is better, before (where `has_start`) and after each experiment. Shape `f x n`.
        has_start: Whether the first column is what is come to now.
        wanted: The target, signed as `path`.
    """
    is_reached = path >= wanted - SLACK
    first = np.where(is_reached.any(axis=1), is_reached.argmax(axis=1), path.shape[1])
    return tuple(sorted((first + (0 if has_start else 1)).tolist()))


def _begin(
    question: AimedQuestion, request: ForecastRequest
) -> tuple[AimedStart, Mapping[str, Worlds], torch.Generator]:
    """Draw the worlds, and say where the campaign begins on them."""
    import torch

    from discovery.acquisition.mixture import outcome_unit
    from discovery.aimed_cycle import aim_of
    from discovery.evaluation.aimed_worlds import AimedRules, AimedStart
    from discovery.evaluation.worlds import JointBelief

    spec, beliefs, chosen = question.spec, question.beliefs, question.candidates
    X = torch.as_tensor(chosen.X, dtype=torch.float64, device=beliefs.device)
    is_free = torch.as_tensor(chosen.is_free, device=beliefs.device)
    n_free = int(is_free.sum())
    if not n_free:
        raise ConfigurationError("A forecast needs candidates that can still be measured; none is left.")
    joint = {name: JointBelief.of(belief, X, N_MEMBERS) for name, belief in beliefs.of.items()}
    n = request.n_experiments if request.allow_replicates else min(request.n_experiments, n_free)
    whole = {name: torch.as_tensor(y, dtype=torch.float64, device=X.device) for name, y in question.whole.items()}
    rules = AimedRules(
        aim=_with_references(aim_of(spec), question, joint),
        units={name: outcome_unit(belief.kept) for name, belief in beliefs.of.items()},
        n_experiments=n,
        batch_size=request.batch_size,
        first=chosen.first[:n],
        measured=whole,
        bounds={name: bounds for name in spec.believed if (bounds := spec.outcome(name).range) is not None},
        allow_replicates=request.allow_replicates,
        seed=request.seed,
    )
    generator = seeds.torch_generator(request.seed, "forecast", len(question.known))
    worlds = {name: one.draw(request.n_draws, generator) for name, one in joint.items()}
    return AimedStart(joint, is_free, rules), worlds, generator


def _with_references(aim: Aim, question: AimedQuestion, joint: Mapping[str, object]) -> Aim:
    """Give every objective of a front its reference, so that it is the same in every world."""
    if measure_of_goal(question.spec) != "share":
        return aim
    spec = question.spec
    values = scores(spec, question.whole)
    if len(values) < 2:
        means = {name: _means(joint[name]) for name in spec.believed}
        values = np.vstack([values, scores(spec, means)])
    low = reference_point(spec, values)
    margin = 0.1 * (values.max(0) - values.min(0))
    wants = []
    for objective, want, at, step in zip(spec.objectives, aim.wants, low, margin, strict=True):
        if objective.reference is not None:
            wants.append(want)
            continue
        wants.append(replace(want, reference=raw_of(objective, float(at - step))))
    return replace(aim, wants=tuple(wants))


def _means(joint: object) -> np.ndarray:
    """Return what is believed of every candidate on average, raw units. Shape `N`."""
    from discovery.evaluation.tracks import Track

    mean, _, log_weight = Track(joint, 1, 0).marginals()  # type: ignore[arg-type]
    return np.asarray((log_weight.exp()[..., None] * mean).sum(1)[0].cpu().numpy())


def _take_part(question: AimedQuestion, request: ForecastRequest) -> AimedQuestion:
    """Return the candidates of the simulation, few enough for memory and patience; all experiments made are kept."""
    candidates, beliefs = question.candidates, question.beliefs
    n_members = max(sum(len(part.log_weight) for part in belief.kept) for belief in beliefs.of.values())
    limit = max(min(MOST_CANDIDATES, math.isqrt(MAX_COVARIANCE // n_members)), len(question.known) + 2)
    if len(candidates.X) <= limit:
        return question
    promise = _promise(question, request)
    promise[~candidates.is_free] = -np.inf
    promise[list(candidates.first)] = np.inf
    order = np.argsort(-promise, kind="stable")
    room = limit - len(question.known)
    top, others = order[: room // 2], order[room // 2 :]
    others = others[np.isfinite(promise[others])]
    sample = seeds.rng(request.seed, "candidates of a forecast").permutation(others)[: room - len(top)]
    top = top[np.isfinite(promise[top]) | np.isin(top, candidates.first)]
    rows = np.concatenate([top, sample, np.array(question.known, dtype=int)])
    place = {int(row): i for i, row in enumerate(rows)}
    chosen = Candidates(candidates.X[rows], candidates.is_free[rows], tuple(place[row] for row in candidates.first))
    return replace(question, candidates=chosen, known=tuple(place[row] for row in question.known))


def _promise(question: AimedQuestion, request: ForecastRequest) -> np.ndarray:
    """Return what candidates are worth to the campaign now: logarithms. Shape `N`."""
    import torch

    from discovery.acquisition.aimed import Aiming
    from discovery.acquisition.pool import Search
    from discovery.aimed_cycle import aim_of

    aim = aim_of(question.spec)
    value = Aiming(aim, question.beliefs, Search("log_ei", aim.wants[0].sign, request.seed)).scores()
    return np.asarray(value(torch.as_tensor(question.candidates.X, device=question.beliefs.device)).cpu().numpy())
