"""One request to a laboratory: how it is sent, with which secret, and what kind of news its answer is.

Secrets travel in one header and only to the host that the campaign file names; whatever comes back is masked before
anyone reads it. Next in the tour: `discovery.experiments.messages`.
"""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

import discovery
from discovery.errors import ConfigurationError, ExperimentError
from discovery.experiments.messages import Report, read_report, shortened
from discovery.experiments.secrets import is_missing, read_secret, redact

if TYPE_CHECKING:
    from pydantic import SecretStr

ANSWER_S = 30.0  # how long one request may take
N_PORTS = 65536
LOCAL = ("localhost", "127.0.0.1", "::1")
REFUSED, NO_SUCH_PLACE, PASSING, BUSY = (401, 403), (404, 405, 410), (407, 408, 425, 429), (429, 503)


class Trouble(Exception):
    """The laboratory cannot be asked just now.

    Args:
        text: Why.
        pause_s: How long it wants to be left alone, seconds; 0 where it did not say.
        is_general: Whether it would say the same about every trial.
    """

    def __init__(self, text: str, pause_s: float = 0.0, is_general: bool = False) -> None:
        super().__init__(text)
        self.text, self.pause_s, self.is_general = text, pause_s, is_general


class Connection:
    """How a laboratory is reached.

    Args:
        url: Where experiments are submitted.
        token: Where the secret is, such as `env:LAB_TOKEN`; None for a laboratory that wants none.

    Raises:
        ConfigurationError: If the address is none, or holds more than an address.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._parsed = _parsed(url)
        self.url, self.token = url.rstrip("/"), token
        self._secret: SecretStr | None = None

    def warnings(self) -> list[str]:
        """Say what would keep requests from being answered, and what is unwise."""
        found: list[str] = []
        if self.token is not None and is_missing(self.token):
            found.append(f"The secret {self.token} (experiment.token) is not set here; it must be where trials run.")
        if self.token is not None and self._parsed.scheme == "http" and self._parsed.host not in LOCAL:
            found.append(f"The secret {self.token} would travel unencrypted to {self.url}; use https.")
        return found

    def send(self, method: str, place: str = "", key: str = "", body: object = None) -> httpx.Response:
        """Send one request.

        Args:
            method: `POST` or `GET`.
            place: What follows the address.
            key: Idempotency key; empty for none.
            body: What is sent, as JSON values.

        Raises:
            ConfigurationError: If the secret cannot be read, or the certificate cannot be verified.
            Trouble: If no answer comes.
        """
        headers = {"User-Agent": f"discovery-pipeline/{discovery.__version__}", "Accept": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        if self.token is not None and self._secret is None:
            self._secret = read_secret(self.token)
        try:
            with httpx.Client(verify=self._trusted, timeout=ANSWER_S, follow_redirects=True, max_redirects=5) as client:
                return client.request(method, self.url + place, headers=headers, json=body, auth=self._authorize)
        except httpx.RequestError as error:
            if _is_about_certificate(error):
                raise ConfigurationError(
                    f"The certificate of {self.url} must be one that this machine trusts; it is not.",
                    "Name your authority's certificates in the variable SSL_CERT_FILE.",
                ) from None
            said = redact(shortened(str(error)), self._secret) or type(error).__name__
            raise Trouble(f"The laboratory at {self.url} cannot be reached: {said}.", is_general=True) from None

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        if self._secret is not None:
            request.headers["Authorization"] = f"Bearer {self._secret.get_secret_value()}"
        return request

    def check(self, answer: httpx.Response, is_submission: bool) -> None:
        """Sort answers that are no success.

        Raises:
            ConfigurationError: If the address or the secret is wrong: nothing is to be given up for that.
            Trouble: If it may pass.
            ExperimentError: If the laboratory refuses this trial.
        """
        code, said = answer.status_code, shortened(redact(answer.text, self._secret))
        if code in REFUSED:
            self._secret = None  # read again by the next call: it may have been renewed
            token = self.token
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
            raise Trouble(text, retry_after_s(answer), is_general=code in BUSY)
        if not answer.is_success:
            raise ExperimentError(f"The laboratory at {self.url} refused the experiment ({code}): {said}.")

    def read(self, answer: httpx.Response) -> Report:
        """Read what the laboratory says; secrets that it repeats are masked."""
        try:
            return read_report(redact(answer.text, self._secret))
        except (json.JSONDecodeError, RecursionError):  # rather a proxy or a login page than the laboratory
            raise Trouble(f"{self.url} answered with something that is no JSON.") from None
        except ValueError as error:
            raise ConfigurationError(
                f"The laboratory at {self.url} must answer as docs/experiments.md says; got: {error}.",
                "Its experiments stay open; mend its answers and run again.",
            ) from None


def _parsed(text: str) -> httpx.URL:
    """Check an address; it is not repeated, because it may hold a secret."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.userinfo or url.query or url.fragment or (url.port or 0) >= N_PORTS:
        raise ConfigurationError(
            "experiment.url must be a plain address, without user, password, ? and #.",
            "A secret goes under experiment.token, as env:NAME or block:NAME.",
        )
    return url


def retry_after_s(answer: httpx.Response) -> float:
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
