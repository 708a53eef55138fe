"""From what is wanted to what improvement is worth: one value per combination of goals, all of them logarithms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import Tensor

from discovery.acquisition.desirability import Desirability, desirability_of, ramp_of
from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.goals import Rising, Score
from discovery.acquisition.hits import Hit
from discovery.acquisition.known import Known
from discovery.acquisition.limits import floors_of
from discovery.acquisition.matching import Matching
from discovery.acquisition.pareto import Hypervolume, front_boxes, infer_reference
from discovery.errors import ConfigurationError, NotSupportedError

if TYPE_CHECKING:
    from discovery.acquisition.aims import Aim, Limit, Want

LEAST_DISTANCE = 1e-3  # of an outcome's unit: nearer matches are as good
LEAST_TRADED = 1e-6  # the same where distances are traded against other objectives
MOST_TRADED = 4  # objectives of a front; boxes grow with the power of their number


class Value(Protocol):
    """What an experiment is worth, from the mixtures of its outcomes."""

    @property
    def is_linear(self) -> bool:
        """Whether values are no logarithms: the mean, before anything is known."""
        ...

    @property
    def is_success(self) -> bool:
        """Whether it is a probability of success, of which a batch needs one."""
        ...

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate. Shape `[f x] n`."""
        ...


@dataclass(frozen=True)
class Gain:
    """Logarithm of one score's expected improvement on the best so far (scalar, or shape `f`)."""

    outcome: str
    score: Score
    best: Tensor

    is_linear: ClassVar[bool] = False
    is_success: ClassVar[bool] = False

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate. Shape `[f x] n`."""
        return self.score.log_excess(at[self.outcome], self.best[..., None])[..., 0]


@dataclass(frozen=True)
class Prospect:
    """Sum of expected scores in units in which each varies by about one: before anything is measured or runs."""

    scores: tuple[tuple[str, Score], ...]
    units: Mapping[str, float]

    is_linear: ClassVar[bool] = True
    is_success: ClassVar[bool] = False

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate. Shape `[f x] n`."""
        return torch.stack([score.expected(at[name]) / self.units[name] for name, score in self.scores]).sum(0)


@dataclass(frozen=True)
class Feasibility:
    """Zero: while nothing is known to keep to the limits, only the probability that an experiment does counts."""

    is_linear: ClassVar[bool] = False
    is_success: ClassVar[bool] = True

    def __call__(self, at: Mapping[str, Mixture]) -> Tensor:
        """Evaluate. Shape `[f x] n`."""
        return torch.zeros_like(next(iter(at.values())).mean[..., 0])


def value_of(aim: Aim, known: Known, now: Known, seed: int) -> tuple[Value, tuple[Limit, ...]]:
    """Return what improvement is worth under an aim, and the limits that it does not account for itself.

    Args:
        aim: What is wanted.
        known: What is believed where experiments were made.
        now: The same and where experiments run, with fantasies.
        seed: Seed of samples.

    Raises:
        ConfigurationError: If a want lacks what its goal needs.
        NotSupportedError: If the goals cannot be combined this way.
    """
    if aim.limits and known.is_hopeless:
        return Feasibility(), aim.limits
    if aim.combine == "desirability":
        return _desirability(aim, now, seed), aim.limits
    wants = aim.wants
    signs = {want.outcome: want.sign for want in wants if want.goal != "match"}
    floors, rest = floors_of(aim.limits, signs)
    if len(wants) == 1 and wants[0].goal == "hits":
        return _hit(wants[0], floors), rest
    least = LEAST_DISTANCE if len(wants) == 1 else LEAST_TRADED
    scores = tuple((want.outcome, score_of(want, least * known.units[want.outcome], floors)) for want in wants)
    if now.is_blank:
        return Prospect(scores, known.units), aim.limits
    if len(scores) == 1:
        ((name, score),) = scores
        return Gain(name, score, now.best(score.of(now.at[name].expected))), rest
    return _hypervolume(aim, scores, known, now), rest


def score_of(want: Want, least: float, floors: Mapping[str, float]) -> Score:
    """Return the score of a want.

    Args:
        want: What is wanted.
        least: Distances below this are not told apart, raw units.
        floors: Lowest score that counts, by outcome.

    Raises:
        ConfigurationError: If nothing is given to match.
        NotSupportedError: If the want has no score, as hits have none.
    """
    if want.goal == "hits":
        raise NotSupportedError(
            f"Goal hits of {want.outcome} cannot be traded off on a front with other objectives.",
            "Use `combine: desirability`, or the goal maximize or minimize.",
        )
    if want.goal != "match":
        return Rising(want.sign, floors.get(want.outcome, -math.inf))
    low, high = (want.target, want.target) if want.window is None else want.window
    if low is None or high is None:
        raise ConfigurationError(f"Objective {want.outcome} must come with a target or a window to match; got neither.")
    return Matching(low, high, least)


def _hit(want: Want, floors: Mapping[str, float]) -> Hit:
    if want.threshold is None:
        raise ConfigurationError(f"Objective {want.outcome} must come with a threshold for hits; got none.")
    beyond = max(want.sign * want.threshold, floors.get(want.outcome, -math.inf))
    return Hit(want.outcome, want.sign * beyond, want.above)


def _desirability(aim: Aim, now: Known, seed: int) -> Desirability:
    total = sum(want.weight for want in aim.wants)
    ramps = tuple((want.outcome, ramp_of(want, now.units[want.outcome]), want.weight / total) for want in aim.wants)
    reached = desirability_of(ramps, {name: mixture.expected for name, mixture in now.at.items()})
    best = reached.new_zeros(reached.shape[:-1]) if now.is_blank else now.best(reached)
    return Desirability(ramps, best, seed)


def _hypervolume(aim: Aim, scores: tuple[tuple[str, Score], ...], known: Known, now: Known) -> Hypervolume:
    if len(scores) > MOST_TRADED:
        raise NotSupportedError(
            f"A front of trade-offs must have at most {MOST_TRADED} objectives; got {len(scores)}.",
            "Use `combine: desirability`, or make some of them outcome constraints.",
        )
    some = now.is_met.new_zeros((), dtype=next(iter(now.at.values())).mean.dtype)
    before, Y = (_scored(scores, state) for state in (known, now))
    given = [
        None if want.reference is None else float(score.of(some + want.reference))
        for want, (_, score) in zip(aim.wants, scores, strict=True)
    ]
    spread = some + torch.tensor([known.units[name] for name, _ in scores], dtype=some.dtype, device=some.device)
    reference = infer_reference(before[known.is_met] if len(before) else Y.flatten(0, -2), given, spread)
    counted = torch.where(now.is_met[..., None], Y, reference - 1.0)
    return Hypervolume(scores, *front_boxes(counted, reference))


def _scored(scores: tuple[tuple[str, Score], ...], state: Known) -> Tensor:
    """Scores of what is believed at known configurations. Shape `[f x] n x m`."""
    return torch.stack([score.of(state.at[name].expected) for name, score in scores], dim=-1)
