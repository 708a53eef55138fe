"""The http adapter: a laboratory behind a web address gets every trial once, and is asked until it has the result.

A trial is submitted under its idempotency key, so that it may be submitted again whenever it is not known whether the
laboratory has it: after a crash, a broken connection, or a laboratory that forgot. What only concerns the way there
(no connection, an overloaded server) never ends a trial; `experiment.timeout` does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING
from urllib.parse import quote

from discovery.campaign import HttpExperiment
from discovery.campaign.sections import duration_s
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments.adapter import AdapterResult, Pending, TrialContext
from discovery.experiments.connection import Connection, Trouble, retry_after_s
from discovery.experiments.messages import Report, order_message, result_of

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace

LONGEST_PAUSE_S = 60.0
MAX_FORGOTTEN = 3  # times that a laboratory may not know a trial that it was given, per process
UNKNOWN, CONFLICT = 404, 409
_jitter = SystemRandom()


@dataclass(frozen=True)
class _Answer:
    """What the laboratory said about a trial, what it calls it, and how long it wants no question, seconds."""

    report: Report
    external_id: str
    pause_s: float


class HttpAdapter:
    """Submits trials to a laboratory's web service and asks after them.

    Args:
        spec: The campaign.
        experiment: What the campaign file says about the laboratory.

    Raises:
        ConfigurationError: If its address holds more than an address.
    """

    def __init__(self, spec: CampaignSpec, experiment: HttpExperiment) -> None:
        self.spec, self.experiment = spec, experiment
        self.connection = Connection(experiment.url, experiment.token)
        self.url = self.connection.url
        self.wait_s, self.poll_s = duration_s(experiment.wait, "wait"), duration_s(experiment.poll, "poll")
        self.timeout_s = math.inf if experiment.timeout is None else duration_s(experiment.timeout, "timeout")
        self._n_troubles: dict[str, int] = {}  # in a row, by idempotency key; "" for the laboratory as a whole
        self._n_forgotten: dict[str, int] = {}
        self._quiet_until, self._quiet_why = 0.0, ""

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> HttpAdapter:
        """Take the laboratory that a campaign file names; it is not asked yet.

        Raises:
            ConfigurationError: If the experiment is of another type, or its address holds more than an address.
        """
        experiment = spec.experiment
        if not isinstance(experiment, HttpExperiment):
            raise ConfigurationError(f"experiment.type must be http for this adapter; got {experiment!r}.")
        return cls(spec, experiment)

    def warnings(self) -> list[str]:
        """Say what would keep a trial from being carried out here and now, and what is unwise."""
        return self.connection.warnings()

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> AdapterResult | Pending:
        """Submit a trial, or ask after it where the laboratory has it.

        Raises:
            ConfigurationError: If the address, the secret or the way the laboratory answers is wrong.
            TemporaryExperimentError: If the laboratory says that the experiment failed and may be made again.
            ExperimentError: If it failed for good, was refused, or takes longer than `experiment.timeout`.
        """
        key, quiet_s = context.idempotency_key, self._quiet_until - time.monotonic()
        if quiet_s > 0:
            return Pending(detail=self._quiet_why, pause_s=quiet_s)
        try:
            answer = self._ask(context) if context.external_id else self._submit(configuration, context)
            if answer is None:
                self._count_forgotten(context)
                answer = self._submit(configuration, context)
        except Trouble as trouble:
            self._check_time(context, trouble.text)
            return self._later(trouble, key)
        for name in ("", key):
            self._n_troubles.pop(name, None)
        if answer.report.is_over:
            return result_of(answer.report, self.spec, f"The laboratory at {self.url}", context.outcomes)
        status = answer.report.status or "queued"
        self._check_time(context, f"it is {status}")
        return Pending(answer.external_id, f"The laboratory has it: {status}.", answer.pause_s)

    def _submit(self, configuration: Mapping[str, object], context: TrialContext) -> _Answer:
        """Submit a trial under its idempotency key and remember what the laboratory calls it."""
        body = order_message(configuration, context, self.spec)
        answer = self.connection.send("POST", key=context.idempotency_key, body=body)
        if answer.status_code != CONFLICT:
            self.connection.check(answer, is_submission=True)
        report = self.connection.read(answer)
        name = "" if report.id is None else str(report.id)
        if name:
            context.remember(name)
        elif answer.status_code == CONFLICT:
            raise ExperimentError(
                f"The laboratory at {self.url} refused trial {context.trial_id} (409) without its id."
            )
        elif not report.is_over:
            raise ConfigurationError(f"The laboratory at {self.url} must answer with the experiment's id; got none.")
        return _Answer(report, name, retry_after_s(answer))

    def _ask(self, context: TrialContext) -> _Answer | None:
        """Ask after a trial; None where the laboratory does not know it any more."""
        answer = self.connection.send("GET", f"/{quote(context.external_id, safe='')}")
        if answer.status_code == UNKNOWN:
            return None
        self.connection.check(answer, is_submission=False)
        return _Answer(self.connection.read(answer), context.external_id, retry_after_s(answer))

    def _count_forgotten(self, context: TrialContext) -> None:
        """Allow a laboratory to forget a trial, as one that died may; not so often that it cannot know any."""
        key = context.idempotency_key
        self._n_forgotten[key] = self._n_forgotten.get(key, 0) + 1
        if self._n_forgotten[key] > MAX_FORGOTTEN:
            raise ConfigurationError(
                f"The laboratory must know at {self.url}/<id> what it was given; it answered {UNKNOWN} for trial "
                f"{context.trial_id} ({context.external_id}) again and again."
            )

    def _check_time(self, context: TrialContext, where: str) -> None:
        if datetime.now(UTC) - context.started_at > timedelta(seconds=min(self.timeout_s, 1e9)):
            raise ExperimentError(
                f"Trial {context.trial_id} must be answered within {self.experiment.timeout} (experiment.timeout); "
                f"{where.rstrip('.')}.",
                "A result that comes later can be ingested as a row that names its proposal_id.",
            )

    def _later(self, trouble: Trouble, key: str) -> Pending:
        """Leave the laboratory alone for a while, or this trial: twice as long after every trouble in a row."""
        name = "" if trouble.is_general else key
        self._n_troubles[name] = n = self._n_troubles.get(name, 0) + 1
        pause_s = min(self.poll_s * 2.0 ** min(n - 1, 16), max(LONGEST_PAUSE_S, self.poll_s)) * _jitter.uniform(0.5, 1)
        pause_s = trouble.pause_s or pause_s
        if trouble.is_general:
            self._quiet_until, self._quiet_why = time.monotonic() + pause_s, trouble.text
        return Pending(detail=trouble.text, pause_s=pause_s)
