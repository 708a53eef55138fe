"""What is said to a program or a laboratory, and what they say back: the same JSON for both (docs/experiments.md).

An order holds what to do and under which keys; a report holds a status, and in the end outcomes or an error.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from discovery.errors import ExperimentError
from discovery.experiments.adapter import (
    AdapterResult,
    InfeasibleExperimentError,
    TemporaryExperimentError,
    TrialContext,
)
from discovery.space.censored import SUFFIX

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec

QUOTED = 300  # characters of someone else's words that a message repeats


class Report(BaseModel):
    """What is said about an experiment.

    Attributes:
        id: What the laboratory calls it.
        status: Where it stands; None where only outcomes, or an id, say so. An experiment is `infeasible` that cannot
            succeed with this configuration.
        outcomes: What was measured, by name, raw units; text such as `<5` where it is only a bound.
        extra: What else is worth keeping.
        error: Why it failed.
        retryable: Whether a failed experiment may succeed when it is made again.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: str | int | None = None
    status: Literal["queued", "running", "completed", "failed", "infeasible"] | None = None
    outcomes: dict[str, Any] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)
    error: str = ""
    retryable: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("completed", "failed", "infeasible") or (self.status is None and bool(self.outcomes))


def order_message(configuration: Mapping[str, object], context: TrialContext, spec: CampaignSpec) -> dict[str, object]:
    """Return what a program or a laboratory is told about an experiment."""
    return {
        "trial_id": context.trial_id,
        "proposal_id": context.proposal_id,
        "idempotency_key": context.idempotency_key,
        "campaign": spec.name,
        "configuration": dict(configuration),
        **({"stage": context.stage} if context.stage else {}),
        "outcomes": list(context.outcomes or spec.outcome_names),
    }


def read_report(text: str) -> Report:
    """Read a report.

    Raises:
        json.JSONDecodeError: If the text is no JSON; a ValueError like all others.
        ValueError: If it is no report; the message says where.
        RecursionError: If it is nested beyond reason.
    """
    try:
        said = json.loads(text)
        given = {name: value for name, value in said.items() if value is not None} if isinstance(said, dict) else said
        return Report.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{where}: {first['msg']}; got {shortened(repr(first['input']))}") from None


def result_of(report: Report, spec: CampaignSpec, who: str, asked: Sequence[str] = ()) -> AdapterResult:
    """Return what a report that is over brought; numbers that nobody asked for are kept beside the outcomes.

    Args:
        report: A report that is over.
        spec: The campaign.
        who: Who says so, for messages.
        asked: What was to be measured; default every outcome of the campaign.

    Raises:
        TemporaryExperimentError: If the experiment failed and may be made again.
        InfeasibleExperimentError: If it cannot succeed with this configuration.
        ExperimentError: If it failed for good, or an outcome is missing or no number.
    """
    if report.status == "infeasible":
        why = shortened(report.error) or "no reason was given"
        raise InfeasibleExperimentError(f"{who} says that the experiment cannot succeed: {why}.")
    if report.status == "failed":
        made = TemporaryExperimentError if report.retryable else ExperimentError
        raise made(f"{who} says that the experiment failed: {shortened(report.error) or 'no reason was given'}.")
    wanted = {name: _number(report.outcomes.get(name)) for name in asked or spec.outcome_names}
    for name, value in wanted.items():
        if value is None:
            raise ExperimentError(
                f"{who} must report the outcome {name} as a number; got {shortened(json.dumps(report.outcomes))}.",
                f'Write {{"outcomes": {{"{name}": 1.23}}}}, or {{"status": "failed", "error": "..."}}.',
            )
    numbers = {name: value for name, value in wanted.items() if value is not None}
    others = {name: value for name, value in report.outcomes.items() if name not in wanted}
    bounds = {f"{name}{SUFFIX}": side for name in wanted if (side := _bound(report.outcomes[name])[0])}
    return AdapterResult(numbers, {**others, **report.extra, **bounds})


def _bound(value: object) -> tuple[str, float | None]:
    """Return the sign and the number of text such as `<5` or `>= 100`; no sign where it is none."""
    found = re.fullmatch(r"\s*([<>])=?\s*(\S+)\s*", value) if isinstance(value, str) else None
    if found is None:
        return "", None
    try:
        return found[1], _number(float(found[2]))
    except ValueError:
        return "", None


def _number(value: object) -> float | None:
    """Return a JSON number, or that of a bound; None for anything else."""
    if isinstance(value, str):
        return _bound(value)[1]
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < math.inf and abs(value) < sys.float_info.max else math.nan


def shortened(text: str) -> str:
    """Return someone else's words on one line and not too many of them."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED else f"{line[:QUOTED]}..."
