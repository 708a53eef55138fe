"""Stopping by expected gain: what the last proposals were expected to bring, and whether that is enough to go on.

A campaign that names `stop.min_gain` ends where the next experiment is expected to gain less. The team may overrule
that: by going on all the same, by asking for less in the file, or by measuring something else. Next in the tour:
`discovery.session.progress`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from discovery.campaign import CampaignSpec

GAIN = "expected_gain"
"""Name of the metric that says how much a cycle's proposals were expected to gain, per experiment."""


@dataclass(frozen=True)
class ExpectedGain:
    """What the proposals of a cycle were expected to bring.

    Attributes:
        per_experiment: Expected gain of the batch divided by its size, raw units of the outcome or of the distance;
            hits, parts of the desirability, shares of the hypervolume.
        n: Number of proposals.
        n_measurements: Measurements that the belief had seen.
        is_stored: Whether the proposals were stored; else the campaign ended instead.
    """

    per_experiment: float
    n: int
    n_measurements: int
    is_stored: bool

    def to_detail(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self)


def is_end(gain: ExpectedGain, spec: CampaignSpec, n_measurements: int) -> bool:
    """Say whether a campaign has ended by expected gain.

    It has where the last proposals were not worth storing, by what the file asks for now, and nothing was measured
    since.
    """
    is_current = not gain.is_stored and gain.n_measurements == n_measurements
    return is_current and spec.stop.is_too_little(gain.per_experiment, gain.n_measurements)


def read_gains(metrics: pd.DataFrame) -> list[ExpectedGain]:
    """Read what proposals were expected to bring out of a campaign's numbers (`Store.metrics`), in order."""
    return [ExpectedGain(**json.loads(text)) for text in metrics.loc[metrics["name"] == GAIN, "detail"]]


def stop_sentence(gain: ExpectedGain, spec: CampaignSpec) -> str:
    """Say why a campaign ends before its budget does."""
    asked = spec.stop.min_gain
    noun = "the next experiment is" if gain.n == 1 else f"each of the next {gain.n} experiments is"
    return (
        f"Stopped after {gain.n_measurements} of {spec.budget.experiments}: {noun} expected to gain "
        f"{amount(gain.per_experiment, spec)}, less than the {amount(asked or 0.0, spec)} asked for (stop.min_gain)."
    )


def amount(gain: float, spec: CampaignSpec) -> str:
    """Write a gain in the goal's unit, such as `0.2 % yield`, `0.05 hits` or `0.4 % of the hypervolume`."""
    if is_share(spec):
        return f"{100 * gain:.2g} % of the hypervolume"
    name, unit = gain_unit(spec)
    return f"{gain:.2g} {unit} {name}" if unit else f"{gain:.2g} {name}"


def is_share(spec: CampaignSpec) -> bool:
    """Say whether gains are shares of what there is, to be shown in percent: those of a front."""
    return len(spec.objectives) > 1 and spec.combine == "pareto"


def gain_unit(spec: CampaignSpec) -> tuple[str, str]:
    """Say what is gained, and its unit."""
    objective = spec.objective
    if spec.combine == "desirability":
        return "desirability", ""
    if is_share(spec):
        return "share of the hypervolume", ""
    if objective.goal == "hits":
        return "hits", ""
    where = " towards what is to be matched" if objective.goal == "match" else ""
    return objective.name + where, spec.outcome(objective.name).unit
