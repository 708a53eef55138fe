"""Prefect made ready: what the user has set stays, and no server outlives the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from discovery.errors import DiscoveryError
from flows.runtime import QUIET, EmbeddedServer, configure, prefect_runtime, server_fault

OWN = (
    "PREFECT_HOME",
    "PREFECT_LOGGING_LEVEL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL",
    "PREFECT_API_URL",
    "PREFECT_API_AUTH_STRING",
    *QUIET,
)
PARENT = """
import sys, time
from pathlib import Path
from flows.runtime import EmbeddedServer
print(EmbeddedServer.start(Path(sys.argv[1])).process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing of Prefect is set."""
    for name in OWN:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    return monkeypatch


def test_telemetry_is_off_and_logs_are_quiet(clean, tmp_path):
    """Without any wish of the user nothing is sent anywhere, and Prefect is silent."""
    configure(tmp_path / ".prefect")
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "CRITICAL"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / ".prefect")


def test_verbose_logs_and_the_users_settings_stay(clean, tmp_path):
    """`-v` shows Prefect's logs, and what the user has set is not overridden."""
    clean.setenv("PREFECT_HOME", "/elsewhere")
    clean.setenv("PREFECT_LOGGING_TO_API_ENABLED", "true")
    configure(tmp_path, is_verbose=True)
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "INFO"
    assert os.environ["PREFECT_HOME"] == "/elsewhere"
    assert os.environ["PREFECT_LOGGING_TO_API_ENABLED"] == "true"


def test_a_server_of_the_user_is_used(clean, tmp_path):
    """With PREFECT_API_URL set, no server of our own is started; one that is not there is named, without secrets."""
    clean.setenv("PREFECT_API_URL", "http://ada:pass-1@127.0.0.1:1/api")
    said = r"^The Prefect server at http://127\.0\.0\.1:1/api must answer; got .*Connection refused"
    with pytest.raises(DiscoveryError, match=said), prefect_runtime(tmp_path):
        pass
    assert not (tmp_path / ".prefect").exists()


def test_with_a_server_of_the_user_logs_go_to_its_pages(clean, tmp_path):
    """Runs keep the user's home and log to the server; the terminal stays quiet unless asked."""
    clean.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    configure(tmp_path / ".prefect")
    assert "PREFECT_HOME" not in os.environ
    assert os.environ["PREFECT_LOGGING_TO_API_ENABLED"] == "true"
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "INFO"
    assert os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_does_not_let_us_in_says_what_to_set(clean, status):
    """The sentence has the address and the setting, and neither name nor password."""
    clean.setenv("PREFECT_API_URL", "http://ada:pass-1@lab:4200/api")
    answer = httpx.Response(status, request=httpx.Request("GET", "http://ada:pass-1@lab:4200/api/x"))
    said = str(server_fault(httpx.HTTPStatusError("http://ada:pass-1@lab", request=answer.request, response=answer)))
    assert said.startswith(f"The Prefect server at http://lab:4200/api must let us in; it answered {status}")
    assert "PREFECT_API_AUTH_STRING" in said and "ada" not in said and "pass-1" not in said


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_server_ends_with_a_parent_that_is_killed(tmp_path):
    """A parent that is killed outright leaves no server behind."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert _is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_alive(child)


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_the_server_is_not_interrupted_with_the_command(tmp_path):
    """Ctrl-C reaches a whole group of processes: the server is in another, so that the run can end in order."""
    server = EmbeddedServer.start(tmp_path)
    try:
        assert os.getpgid(server.process.pid) != os.getpgrp()
    finally:
        server.stop()


def test_a_server_that_does_not_answer_says_where_its_log_is(tmp_path):
    """Where the server does not answer in time, one sentence says so, and the server is gone."""
    server = EmbeddedServer.start(tmp_path)
    with pytest.raises(DiscoveryError, match=r"server\.log"):
        server.wait(limit_s=0.0)
    assert server.process.poll() is not None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
