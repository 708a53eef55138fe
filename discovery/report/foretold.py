"""How people speak of what a forecast counts: a best outcome, a distance, hits, a desirability, a share of a volume."""

from __future__ import annotations

import math
from dataclasses import dataclass

from discovery.campaign import CampaignSpec
from discovery.errors import counted
from discovery.evaluation.forecast import Forecast
from discovery.report.style import labeled, number

NOTHING = "nothing yet"


@dataclass(frozen=True)
class Counted:
    """What a forecast counts, in words.

    Attributes:
        noun: What it is, such as `the best yield`.
        label: The same as a heading, with its unit.
        unit: Unit of its amounts; may be empty.
        is_share: Whether amounts are shares of a whole.
    """

    noun: str
    label: str
    unit: str = ""
    is_share: bool = False

    def amount(self, value: float | None) -> str:
        """Write an amount with its unit."""
        if value is None or math.isnan(value):
            return NOTHING
        return f"{100 * value:.0f} %" if self.is_share else f"{number(float(value), 3)} {self.unit}".rstrip()

    def cell(self, value: float) -> str:
        """Write an amount without its unit, for a table."""
        if math.isnan(value):
            return "-"
        return f"{100 * value:.0f} %" if self.is_share else number(value, 3)


def what_is_counted(found: Forecast, spec: CampaignSpec) -> Counted:
    """Return what a forecast counts."""
    name, unit = spec.objective.name, spec.outcome(spec.objective.name).unit
    if found.measure == "share":
        return Counted("the share of the hypervolume that there is", "share of the hypervolume", is_share=True)
    if found.measure == "hits":
        return Counted("the number of hits", "hits")
    if found.measure == "desirability":
        return Counted("the highest desirability", "highest desirability")
    if found.measure == "distance":
        return Counted(f"the distance of the nearest {name}", labeled(f"distance of the nearest {name}", unit), unit)
    within = " within the limits" if spec.outcome_constraints else ""
    return Counted(f"the best {name}{within}", labeled(f"best {name}", unit), unit)


def target_text(found: Forecast, spec: CampaignSpec) -> str:
    """Say what is wanted, such as `yield 90 %`, `5 hits` or `yield within 2 % of 45 %`."""
    target = found.target or 0.0
    counts = what_is_counted(found, spec)
    if found.measure == "hits":
        return counted(math.ceil(target), "hit")
    if found.measure == "share":
        return f"{counts.amount(target)} of the hypervolume"
    if found.measure == "desirability":
        return f"desirability {counts.amount(target)}"
    if found.measure == "distance":
        return f"{spec.objective.name} {_near(spec, target, counts)}"
    return f"{spec.objective.name} {counts.amount(target)}"


def _near(spec: CampaignSpec, target: float, counts: Counted) -> str:
    """Say where an outcome is near enough."""
    window = spec.objective.window
    around = counts.amount(spec.objective.target) if window is None else f"{window[0]:g} to {counts.amount(window[1])}"
    if target:
        return f"within {counts.amount(target)} of {around}"
    return around if window is None else f"within {around}"
