"""The smaller sections of a campaign file: outcomes, objectives, budget, review, schedule, stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from discovery.campaign.parts import Count, Number, Part, Positive, Text, fault

Goal = Literal["maximize", "minimize", "match", "hits"]

MIN_MEASUREMENTS = 5  # a campaign is not ended by expected gain before so many are measured
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Outcome(Part):
    """A quantity that is measured.

    Attributes:
        name: Column of the tables.
        unit: Unit of the values; for people.
        range: Lowest and highest value that can occur, or None where that is not known.
        limits: Lowest and highest value that can be detected, None for an end without a limit: a number there or beyond
            says only that the true value is not on this side.
        outliers: Whether a measurement that everything else speaks against counts for less (`auto`), or not (`off`).
    """

    name: Text
    unit: str = ""
    range: tuple[Number, Number] | None = None
    limits: tuple[Number | None, Number | None] | None = None
    outliers: Literal["auto", "off"] = "auto"

    @model_validator(mode="after")
    def _check_range(self) -> Outcome:
        _check_window("range", self.range)
        low, high = self.limits or (None, None)
        if self.limits is not None and low is None and high is None:
            raise fault("limits", "must be [low, high] with at least one number; got [null, null]", "Remove it.")
        if low is not None and high is not None:
            _check_window("limits", (low, high))
        return self


class Objective(Part):
    """What is wanted of one outcome.

    Attributes:
        name: The outcome.
        goal: `maximize`, `minimize`, `match` a target or a window, or find many `hits` beyond a threshold.
        target: The value to match, or None.
        window: The lowest and highest value that match, or None.
        threshold: Where a hit begins, or None.
        above: Whether hits lie above the threshold; else below.
        weight: How much it counts in a desirability, relative to the others.
        desirability: Outcomes between which its desirability goes from one end of its scale to the other, or None.
        reference: The worst outcome that still counts on a Pareto front, or None to infer it.
    """

    name: Text
    goal: Goal = "maximize"
    target: Number | None = None
    window: tuple[Number, Number] | None = None
    threshold: Number | None = None
    above: bool = True
    weight: Positive = 1.0
    desirability: tuple[Number, Number] | None = None
    reference: Number | None = None

    @model_validator(mode="after")
    def _check_goal(self) -> Objective:
        n_given = (self.target is not None) + (self.window is not None)
        if self.goal == "match" and n_given != 1:
            raise fault("goal", "match must come with either target or window", "Give one of the two.")
        if self.goal != "match" and n_given:
            hint = "Write goal: match, or remove target and window."
            raise fault("goal", f"must be match where target or window is given; got {self.goal!r}", hint)
        _check_window("window", self.window)
        if self.goal == "hits" and self.threshold is None:
            raise fault("goal", "hits must come with a threshold", "Add threshold: the value where a hit begins.")
        if self.goal != "hits" and self.threshold is not None:
            hint = "Write goal: hits, or remove the threshold."
            raise fault("goal", f"must be hits where a threshold is given; got {self.goal!r}", hint)
        if not self.above and self.goal != "hits":
            raise fault("above", f"must be left out where the goal is not hits; got {self.goal!r}")
        _check_window("desirability", self.desirability)
        if self.reference is not None and self.goal not in ("maximize", "minimize"):
            raise fault("reference", f"must come with maximize or minimize; got {self.goal!r}", "Leave it out.")
        return self


class HypothesisRef(Part):
    """A hypothesis that takes part in the belief.

    Attributes:
        name: One of ours (see `hypotheses` in the docs), or a name of your own where `learner` is given.
        weight: Its prior weight relative to the others.
        learner: Meta-learner that it is learned with; None for the one that its name stands for.
    """

    name: Text
    weight: Positive = 1.0
    learner: Text | None = None


def _hypotheses_kind(value: Any) -> str:
    return "<word>" if isinstance(value, str) else "<list>"


Hypotheses = Annotated[
    Annotated[Literal["auto"], Tag("<word>")]
    | Annotated[tuple[HypothesisRef, ...], Field(min_length=1), Tag("<list>")],
    Discriminator(_hypotheses_kind),
]


class AcquisitionOptions(Part):
    """How proposals are chosen.

    Attributes:
        name: Acquisition function.
        batch_size: Number of proposals per cycle.
        discrimination: How much it counts to tell hypotheses apart, from 0 (not at all) to 1 (nothing else).
        allow_replicates: Whether a configuration may be proposed again.
        changeover: What it costs to change a parameter from one experiment to the next, raw units of the objective.
        delay_cost: What a day of waiting for a stage's results costs, in the unit of costs.
    """

    name: Text = "log_ei"
    batch_size: Annotated[int, Field(strict=True, ge=1)] = 1
    discrimination: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    allow_replicates: bool = False
    changeover: dict[Text, Positive] = Field(default_factory=dict)
    delay_cost: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0


class Budget(Part):
    """What the campaign may cost.

    Attributes:
        experiments: Number of experiments in all.
        initial: How many of them are random, before the belief proposes.
        cost: What all experiments together may cost, in the unit of `cost` or of the stages; None for no limit.
    """

    experiments: Annotated[int, Field(strict=True, ge=1)] = 40
    initial: Count = 0
    cost: Positive | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Budget:
        if self.initial > self.experiments:
            raise fault("initial", f"must be at most experiments ({self.experiments}); got {self.initial}")
        return self


class Review(Part):
    """Whether people decide on proposals, and how long they have.

    Attributes:
        mode: `auto` approves every proposal, `required` waits for a person.
        timeout: Time after which a proposal goes stale, such as `7d` or `12h`, or None for never.
    """

    mode: Literal["auto", "required"] = "auto"
    timeout: Text | None = None

    @model_validator(mode="after")
    def _check_timeout(self) -> Review:
        if self.timeout is not None:
            duration_s(self.timeout, "timeout")
        return self

    @property
    def timeout_s(self) -> float | None:
        """Time after which a proposal goes stale, seconds; None for never."""
        return None if self.timeout is None else duration_s(self.timeout, "timeout")


Infeasible = Literal["learn", "ignore"]
"""Whether experiments that cannot succeed teach where others cannot."""

Share = Literal["private", "team", "all"]
"""Who may learn from a campaign: nobody else, campaigns of the same `team`, or every campaign of the store."""

_CRON_FIELDS = 5


class CronSchedule(Part):
    """When a deployed campaign runs by itself.

    Attributes:
        cron: A cron line with five fields, such as `0 6 * * 1-5`.
        timezone: Where its hours are meant, such as `Europe/Berlin`.
    """

    cron: Text
    timezone: Text = "UTC"

    @model_validator(mode="after")
    def _check_cron(self) -> CronSchedule:
        if len(self.cron.split()) != _CRON_FIELDS:
            raise fault("cron", f"must be a cron line with five fields, such as '0 6 * * 1-5'; got {self.cron!r}")
        try:
            ZoneInfo(self.timezone)
        except (ValueError, ZoneInfoNotFoundError):
            raise fault("timezone", f"must be a time zone such as Europe/Berlin; got {self.timezone!r}") from None
        return self


def _schedule(value: Any) -> Any:
    return {"cron": value} if isinstance(value, str) else value


Schedule = Annotated[CronSchedule, BeforeValidator(_schedule)]
"""A cron line (hours are UTC), or `{cron: ..., timezone: ...}`."""


class Stop(Part):
    """When the campaign ends before its budget does.

    Attributes:
        target: End at an outcome as good as this, raw units; at a distance as small, so many hits, a desirability.
        min_gain: End where the next experiment is expected to gain less than this: of the outcome or the distance in
            raw units, of hits, of the desirability, of a front the share that it adds to the hypervolume.
    """

    target: Number | None = None
    min_gain: Positive | None = None

    def is_too_little(self, gain: float | None, n_measurements: int) -> bool:
        """Say whether an expected gain per experiment is less than `min_gain`, and enough was measured to believe it.

        Args:
            gain: Expected gain per experiment, raw units; None where it is not known.
            n_measurements: Measurements that it was computed from.
        """
        is_known = gain is not None and self.min_gain is not None and n_measurements >= MIN_MEASUREMENTS
        return is_known and gain < self.min_gain  # type: ignore[operator]


def _cost_kind(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<number>"


Cost = Annotated[Annotated[Positive, Tag("<number>")] | Annotated[Text, Tag("<text>")], Discriminator(_cost_kind)]
"""What one experiment costs: a number, an expression over parameters, or the name of a column of the candidates."""

Combine = Literal["pareto", "desirability"]
"""How several objectives are weighed: the best compromises of all, or one number made of them."""


def duration_s(text: str, key: str) -> float:
    """Return the seconds in a duration such as `7d`, `12h`, `30m`, `45s` or `2w`.

    Raises:
        PydanticCustomError: If the text is no duration above zero; carries the key.
    """
    number, unit = text[:-1].strip(), text[-1:]
    if unit not in _SECONDS or not number.replace(".", "", 1).isdecimal() or float(number) <= 0:
        raise fault(key, f"must be a duration such as 7d, 12h or 30m; got {text!r}")
    return float(number) * _SECONDS[unit]


def _check_window(key: str, window: tuple[float, float] | None) -> None:
    if window is not None and not window[0] < window[1]:
        text = f"must be [low, high] with low below high; got [{window[0]:g}, {window[1]:g}]"
        raise fault(key, text, "Swap them?")
