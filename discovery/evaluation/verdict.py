"""Would it have helped? What replays and few-shot scores say about a team's experience, in numbers and one sentence.

With experience means `belief`; without means the same model with its history and simulators taken away
(`no_transfer`), or a cold Gaussian process where that was not run. A verdict is made from the numbers alone: where
experience did not help it says so. Next in the tour: `discovery.report.helped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from discovery.evaluation.evaluate import EvaluateResult
from discovery.evaluation.over_history import OverHistory
from discovery.evaluation.results import BacktestResult, regret_counts

WITH = "belief"
WITHOUT = ("no_transfer", "cold_gp")  # what experience is compared with, the first that was run
HELPS, HURTS, OPEN = "helps", "hurts", "no clear difference"
LEAST_RATIO = 1.15  # of experiments saved: less is no difference that counts
LEAST_SHARE = 2 / 3  # of runs that must agree


@dataclass(frozen=True)
class FewShotVerdict:
    """How many measurements without experience are worth as much as some with it, by RMSE.

    Attributes:
        verdict: `helps`, `hurts` or `no clear difference`.
        without: The method that experience is compared with.
        support: Number of measurements with experience.
        equivalent: Number without it that predicts as well; None where more are needed than were looked at.
        most: Largest number that was looked at.
        share: Share of runs (a campaign at a seed) in which predictions with experience are better.
        n_campaigns: Number of campaigns.
    """

    verdict: str
    without: str
    support: int
    equivalent: float | None
    most: int
    share: float
    n_campaigns: int


@dataclass(frozen=True)
class CampaignVerdict:
    """How many experiments experience saves on the way to within 5 % of the best.

    Attributes:
        verdict: `helps`, `hurts` or `no clear difference`.
        without: The method that experience is compared with.
        needed: Experiments needed with experience: geometric mean over campaigns of means over seeds.
        needed_without: The same without.
        n_better: Campaigns in which fewer are needed with experience.
        n_worse: Campaigns in which more are needed.
        n_campaigns: Number of campaigns.
    """

    verdict: str
    without: str
    needed: float
    needed_without: float
    n_better: int
    n_worse: int
    n_campaigns: int

    @property
    def ratio(self) -> float:
        """How many times more experiments are needed without experience."""
        return self.needed_without / self.needed


def judge(
    result: EvaluateResult | OverHistory[EvaluateResult] | OverHistory[BacktestResult],
) -> FewShotVerdict | CampaignVerdict | None:
    """Judge an evaluation, or what was run over the history; None where there is nothing to compare."""
    results = [result] if isinstance(result, EvaluateResult) else list(result.results.values())
    scored = [one for one in results if isinstance(one, EvaluateResult)]
    return (
        few_shot_verdict(scored) if scored else campaign_verdict([r for r in results if isinstance(r, BacktestResult)])
    )


def few_shot_verdict(results: Sequence[EvaluateResult], support: int = 10) -> FewShotVerdict | None:
    """Judge predictions from few measurements.

    Args:
        results: One evaluation per campaign; all have the same supports, or some of them.
        support: Number of measurements to speak of; the nearest that was looked at is taken.

    Returns:
        The verdict; None where `belief` or what it is compared with was not run, no support is common, or both
        predict the same everywhere, because the campaign has no experience.
    """
    without = _compared([set(result.runs) for result in results])
    errors = {} if without is None else _relative_errors(results, (WITH, without))
    if without is None or not errors or all(np.array_equal(*pair) for pair in errors.values()):
        return None
    s = min(errors, key=lambda known: (abs(known - support), known))
    mean = {k: np.exp(np.log(pair).mean(axis=1)) for k, pair in errors.items()}  # with, without
    equivalent = _equivalent(float(mean[s][0]), {k: float(pair[1]) for k, pair in mean.items()})
    share = float(np.mean(errors[s][0] < errors[s][1]))
    return FewShotVerdict(
        verdict=_verdict(_few_shot_ratio(equivalent, s, mean), share, 1 - share),
        without=without,
        support=s,
        equivalent=equivalent,
        most=max(errors),
        share=share,
        n_campaigns=len(results),
    )


def campaign_verdict(results: Sequence[BacktestResult]) -> CampaignVerdict | None:
    """Judge replays of campaigns; None where `belief` or what it is compared with was not run."""
    without = _compared([set(result.methods) for result in results])
    if without is None or not results:
        return None
    with_it, without_it = (
        np.array([float(np.mean(regret_counts(result, result.methods[name].runs))) for result in results])
        for name in (WITH, without)
    )
    n_better, n_worse = int((with_it < without_it).sum()), int((with_it > without_it).sum())
    needed, needed_without = (float(np.exp(np.log(counts).mean())) for counts in (with_it, without_it))
    n = len(results)
    return CampaignVerdict(
        verdict=_verdict(needed_without / needed, n_better / n, n_worse / n),
        without=without,
        needed=needed,
        needed_without=needed_without,
        n_better=n_better,
        n_worse=n_worse,
        n_campaigns=n,
    )


def _compared(runs: Sequence[set[str]]) -> str | None:
    """Return what experience is compared with: the first of `WITHOUT` that every campaign has, if all have belief."""
    common = set.intersection(*runs) if runs else set()
    return next((name for name in WITHOUT if name in common), None) if WITH in common else None


def _relative_errors(results: Sequence[EvaluateResult], names: tuple[str, str]) -> dict[int, np.ndarray]:
    """Return RMSE by support: two methods by all runs, relative to the mean of their campaign. Shape `2 x n` each."""
    common = sorted(set.intersection(*(set(result.supports) for result in results)))
    parts: Mapping[int, list[np.ndarray]] = {s: [] for s in common}
    for result in results:
        table = {s: np.array([[run[s]["rmse"] for run in result.runs[name]] for name in names], float) for s in common}
        known = [values for values in table.values() if np.isfinite(values).all()]
        scale = float(np.mean([values.mean() for values in known])) if known else 1.0
        for s, values in table.items():
            parts[s].append(values / scale)
    joined = {s: np.concatenate(values, axis=1) for s, values in parts.items()}
    return {s: values for s, values in joined.items() if np.isfinite(values).all() and (values > 0).all()}


def _equivalent(error: float, by_support: Mapping[int, float]) -> float | None:
    """Return the number of measurements whose error is as small, between those looked at; None beyond the largest."""
    supports = sorted(by_support)
    if by_support[supports[-1]] > error:
        return None
    if by_support[supports[0]] <= error:
        return float(supports[0])
    last = next(i for i, s in enumerate(supports) if by_support[s] <= error)
    low, high = supports[last - 1], supports[last]
    before, after = np.log([by_support[low], by_support[high]])
    share = float((before - np.log(error)) / (before - after))
    return float(np.expm1(np.log1p(low) + share * (np.log1p(high) - np.log1p(low))))


def _few_shot_ratio(equivalent: float | None, support: int, mean: Mapping[int, np.ndarray]) -> float:
    """Return how many times more measurements are needed without; of errors, where too few numbers were looked at.

    Args:
        equivalent: Measurements without experience that predict as well; None beyond the largest support.
        support: Measurements with experience.
        mean: Errors with and without, by support.
    """
    is_beyond = equivalent is None and support == max(mean)
    is_before = equivalent == support == min(mean)
    if is_beyond or is_before:
        return float(mean[support][1] / mean[support][0])
    return np.inf if equivalent is None else equivalent / max(support, 1)


def _verdict(ratio: float, share_better: float, share_worse: float) -> str:
    """Call it a help or a harm where ratio and most runs agree, else leave it open."""
    if ratio >= LEAST_RATIO and share_better >= LEAST_SHARE:
        return HELPS
    return HURTS if ratio <= 1 / LEAST_RATIO and share_worse >= LEAST_SHARE else OPEN
