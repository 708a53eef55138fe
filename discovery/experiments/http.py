"""The http adapter: a laboratory behind a web address gets every trial once, and is asked until it has the result.

A trial is submitted under its idempotency key, so that it may be submitted again whenever it is not known whether the
laboratory has it: after a crash, a broken connection, or a laboratory that forgot. What only concerns the way there
(no connection, an overloaded server) never ends a trial; `experiment.timeout` does.
"""

from __future__ import annotations

import json
import math
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from random import SystemRandom
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

import discovery
from discovery.campaign import HttpExperiment
from discovery.campaign.sections import duration_s
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments.adapter import AdapterResult, Pending, TrialContext
from discovery.experiments.messages import Report, order_message, read_report, result_of, shortened
from discovery.experiments.secrets import is_missing, read_secret, redact

if TYPE_CHECKING:
    from pydantic import SecretStr

    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace

ANSWER_S = 30.0  # how long one request may take
LONGEST_PAUSE_S = 60.0
MAX_FORGOTTEN = 3  # times that a laboratory may not know a trial that it was given, per process
N_PORTS = 65536
LOCAL = ("localhost", "127.0.0.1", "::1")
REFUSED, NO_SUCH_PLACE, PASSING = (401, 403), (404, 405, 410), (407, 408, 425, 429)
UNKNOWN, CONFLICT, BUSY = 404, 409, (429, 503)
_jitter = SystemRandom()


class _Trouble(Exception):
    """The laboratory cannot be asked just now.

    Args:
        text: Why.
        pause_s: How long it wants to be left alone, seconds; 0 where it did not say.
        is_general: Whether it would say the same about every trial.
    """

    def __init__(self, text: str, pause_s: float = 0.0, is_general: bool = False) -> None:
        super().__init__(text)
        self.text, self.pause_s, self.is_general = text, pause_s, is_general


class HttpAdapter:
    """Submits trials to a laboratory's web service and asks after them.

    Args:
        spec: The campaign.
        experiment: What the campaign file says about the laboratory.
    """

    def __init__(self, spec: CampaignSpec, experiment: HttpExperiment) -> None:
        self.spec, self.experiment = spec, experiment
        self.url = experiment.url.rstrip("/")
        self.wait_s, self.poll_s = duration_s(experiment.wait, "wait"), duration_s(experiment.poll, "poll")
        self.timeout_s = math.inf if experiment.timeout is None else duration_s(experiment.timeout, "timeout")
        self._secret: SecretStr | None = None
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
        url = _parsed(experiment.url)
        if url is None or not url.host or url.userinfo or url.query or url.fragment or (url.port or 0) >= N_PORTS:
            raise ConfigurationError(
                "experiment.url must be a plain address, without user, password, ? and #.",
                "A secret goes under experiment.token, as env:NAME or block:NAME.",
            )
        return cls(spec, experiment)

    def warnings(self) -> list[str]:
        """Say what would keep a trial from being carried out here and now, and what is unwise."""
        token, found = self.experiment.token, []
        if token is not None and is_missing(token):
            found.append(f"The secret {token} (experiment.token) is not set here; it must be where the campaign runs.")
        url = _parsed(self.url)
        if token is not None and url is not None and url.scheme == "http" and url.host not in LOCAL:
            found.append(f"The secret {token} would travel unencrypted to {self.url}; use https.")
        return found

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
            report, pause_s = self._ask(context) if context.external_id else self._submit(configuration, context)
            if report is None:
                self._count_forgotten(context)
                report, pause_s = self._submit(configuration, context)
        except _Trouble as trouble:
            self._check_time(context, trouble.text)
            return self._later(trouble, key)
        for name in ("", key):
            self._n_troubles.pop(name, None)
        if report.is_over:
            return result_of(report, self.spec, f"The laboratory at {self.url}")
        self._check_time(context, f"it is {report.status or 'queued'}")
        return Pending(detail=f"The laboratory has it: {report.status or 'queued'}.", pause_s=pause_s)

    def _submit(self, configuration: Mapping[str, object], context: TrialContext) -> tuple[Report, float]:
        """Submit a trial under its idempotency key and remember what the laboratory calls it."""
        body = order_message(configuration, context, self.spec)
        answer = self._request("POST", self.url, context.idempotency_key, body)
        if answer.status_code != CONFLICT:
            self._check(answer, is_submission=True)
        report = self._read(answer)
        if report.id is not None and str(report.id):
            context.remember(str(report.id))
        elif answer.status_code == CONFLICT:
            raise ExperimentError(
                f"The laboratory at {self.url} refused trial {context.trial_id} (409) without its id."
            )
        elif not report.is_over:
            raise ConfigurationError(f"The laboratory at {self.url} must answer with the experiment's id; got none.")
        return report, _retry_after_s(answer)

    def _ask(self, context: TrialContext) -> tuple[Report | None, float]:
        """Ask after a trial; no report where the laboratory does not know it any more."""
        answer = self._request("GET", f"{self.url}/{quote(context.external_id, safe='')}")
        if answer.status_code == UNKNOWN:
            return None, 0.0
        self._check(answer, is_submission=False)
        return self._read(answer), _retry_after_s(answer)

    def _count_forgotten(self, context: TrialContext) -> None:
        """Allow a laboratory to forget a trial, as one that died may; not so often that it cannot know any."""
        key = context.idempotency_key
        self._n_forgotten[key] = self._n_forgotten.get(key, 0) + 1
        if self._n_forgotten[key] > MAX_FORGOTTEN:
            raise ConfigurationError(
                f"The laboratory must know at {self.url}/<id> what it was given; it answered {UNKNOWN} for trial "
                f"{context.trial_id} ({context.external_id}) again and again."
            )

    def _request(self, method: str, url: str, key: str = "", body: dict[str, object] | None = None) -> httpx.Response:
        """Send one request.

        Raises:
            ConfigurationError: If the secret cannot be read, or the certificate cannot be verified.
            _Trouble: If no answer comes.
        """
        headers = {"User-Agent": f"discovery-pipeline/{discovery.__version__}", "Accept": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        if self.experiment.token is not None and self._secret is None:
            self._secret = read_secret(self.experiment.token)
        try:
            with httpx.Client(verify=self._trusted, timeout=ANSWER_S, follow_redirects=True, max_redirects=5) as client:
                return client.request(method, url, headers=headers, json=body, auth=self._authorize)
        except httpx.RequestError as error:
            if _is_about_certificate(error):
                raise ConfigurationError(
                    f"The certificate of {self.url} must be one that this machine trusts; it is not.",
                    "Name your authority's certificates in the variable SSL_CERT_FILE.",
                ) from None
            said = redact(shortened(str(error)), self._secret) or type(error).__name__
            raise _Trouble(f"The laboratory at {self.url} cannot be reached: {said}.", is_general=True) from None

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        if self._secret is not None:
            request.headers["Authorization"] = f"Bearer {self._secret.get_secret_value()}"
        return request

    def _check(self, answer: httpx.Response, is_submission: bool) -> None:
        """Sort answers that are no success.

        Raises:
            ConfigurationError: If the address or the secret is wrong: nothing is to be given up for that.
            _Trouble: If it may pass.
            ExperimentError: If the laboratory refuses this trial.
        """
        code, said = answer.status_code, shortened(redact(answer.text, self._secret))
        if code in REFUSED:
            self._secret = None  # read again by the next call: it may have been renewed
            token = self.experiment.token
            what = f"refused the secret {token}" if token else "wants a secret"
            raise ConfigurationError(
                f"The laboratory at {self.url} {what} ({code}).",
                "Renew it." if token else "Name it under experiment.token, as env:NAME or block:NAME.",
            )
        is_moved = is_submission and any(step.status_code in (301, 302) for step in answer.history)
        if is_moved or (is_submission and code in NO_SUCH_PLACE) or answer.is_redirect:
            raise ConfigurationError(
                f"experiment.url must be where experiments are submitted; {self.url} answered "
                f"{answer.history[0].status_code if answer.history else code}.",
                "Write the laboratory's address as its documentation gives it.",
            )
        if code in PASSING or answer.is_server_error:
            text = f"The laboratory at {self.url} answered {code}: {said or answer.reason_phrase}."
            raise _Trouble(text, _retry_after_s(answer), is_general=code in BUSY)
        if not answer.is_success:
            raise ExperimentError(f"The laboratory at {self.url} refused the experiment ({code}): {said}.")

    def _read(self, answer: httpx.Response) -> Report:
        """Read what the laboratory says; secrets that it repeats are masked."""
        try:
            return read_report(redact(answer.text, self._secret))
        except (json.JSONDecodeError, RecursionError):  # rather a proxy or a login page than the laboratory
            raise _Trouble(f"{self.url} answered with something that is no JSON.") from None
        except ValueError as error:
            raise ConfigurationError(
                f"The laboratory at {self.url} must answer as docs/experiments.md says; got: {error}.",
                "Its experiments stay open; mend its answers and run again.",
            ) from None

    def _check_time(self, context: TrialContext, where: str) -> None:
        if datetime.now(UTC) - context.started_at > timedelta(seconds=min(self.timeout_s, 1e9)):
            raise ExperimentError(
                f"Trial {context.trial_id} must be answered within {self.experiment.timeout} (experiment.timeout); "
                f"{where.rstrip('.')}.",
                "A result that comes later can be ingested as a row that names its proposal_id.",
            )

    def _later(self, trouble: _Trouble, key: str) -> Pending:
        """Leave the laboratory alone for a while, or this trial: twice as long after every trouble in a row."""
        name = "" if trouble.is_general else key
        self._n_troubles[name] = n = self._n_troubles.get(name, 0) + 1
        pause_s = min(self.poll_s * 2.0 ** min(n - 1, 16), max(LONGEST_PAUSE_S, self.poll_s)) * _jitter.uniform(0.5, 1)
        pause_s = trouble.pause_s or pause_s
        if trouble.is_general:
            self._quiet_until, self._quiet_why = time.monotonic() + pause_s, trouble.text
        return Pending(detail=trouble.text, pause_s=pause_s)


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None


def _retry_after_s(answer: httpx.Response) -> float:
    """Return how long the laboratory asks to be left alone (`Retry-After`), seconds; 0 where it does not say."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
