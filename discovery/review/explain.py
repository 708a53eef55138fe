"""Sentences about a proposal: what is expected, who argues for it, and whether it explores or exploits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discovery.belief.records import HypothesisPrediction

RANDOM = "random"
N_BISECTIONS = 60  # halvings of an interval; enough for all bits of a double that are read
WORDS = {
    "no_transfer": "no transfer (nothing from before is trusted)",
    "history": "history (it behaves like earlier campaigns)",
    "deep_kernel": "deep kernel (networks have learned from earlier campaigns what behaves alike)",
    "pretrained": "pretrained (it behaves like the campaigns that the prior was trained on)",
}
ACQUIRED = {
    "log_ei": "expected improvement",
    "qlog_ei": "expected improvement of the batch",
    "qlog_nei": "expected improvement of the batch",
    "ucb": "belief's weight",
    "pareto": "expected growth of the front of trade-offs",
    "desirability": "expected improvement of the desirability",
    "match": "expected approach to the target",
    "hits": "probability of a hit",
    "log_gain_per_cost": "expected gain per cost",
}


def hypothesis_words(name: str) -> str:
    """Return a hypothesis's name for people.

    Example:
        >>> hypothesis_words("simulator:reaction_kinetics")
        'simulator reaction_kinetics (it behaves like what is simulated)'
    """
    if name.startswith("stage:"):
        return f"stage {name.removeprefix('stage:')} (it follows what that stage found)"
    if name.startswith("simulator:"):
        return f"simulator {name.removeprefix('simulator:')} (it behaves like what is simulated)"
    return WORDS.get(name, name)


def argument_sentence(argued_by: str, argument: Mapping[str, float], acqf_name: str) -> str:
    """Say who argues for a proposal.

    Example:
        >>> argument_sentence("history", {"history": 0.83, "no_transfer": 0.17}, "log_ei")
        'history argues for it: 83 % of the expected improvement.'
    """
    if argued_by == RANDOM or argued_by not in argument:
        return "Chance chose it: a random start, fixed by the seed."
    what = ACQUIRED.get(acqf_name, acqf_name)
    return f"{argued_by} argues for it: {100 * argument[argued_by]:.0f} % of the {what}."


def intent_sentence(mean: float, best: float | None, *, is_exploring: bool) -> str:
    """Say whether a proposal is made to learn or to win, beside the best outcome that was known.

    Example:
        >>> intent_sentence(80.0, 70.0, is_exploring=False)
        'It exploits: the mean, 80, is better than the best so far, 70.'
    """
    if best is None:
        return "Nothing is measured yet: it is where the belief expects most."
    if is_exploring:
        return f"It explores: the mean, {mean:.3g}, is not better than the best so far, {best:.3g}; it may teach most."
    return f"It exploits: the mean, {mean:.3g}, is better than the best so far, {best:.3g}."


def interval(prediction: HypothesisPrediction, level: float = 0.9) -> tuple[float, float]:
    """Return the central interval of a Gaussian mixture, raw units.

    Args:
        prediction: The mixture.
        level: Probability inside, such as 0.9.
    """
    return quantile(prediction, (1 - level) / 2), quantile(prediction, (1 + level) / 2)


def quantile(prediction: HypothesisPrediction, level: float) -> float:
    """Return a quantile of a Gaussian mixture by bisection, raw units."""
    spread = [10 * sd for sd in prediction.sds]
    low = min(mean - width for mean, width in zip(prediction.means, spread, strict=True))
    high = max(mean + width for mean, width in zip(prediction.means, spread, strict=True))
    for _ in range(N_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if prediction.cdf(middle) < level else (low, middle)
    return (low + high) / 2
