"""A server of our own: where it may listen, and what is said where it cannot."""

from __future__ import annotations

import socket
import time
import urllib.request

import pytest

from discovery.errors import ConfigurationError
from flows.serving import FullServer


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    """No password is set."""
    monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING", raising=False)


def test_a_port_that_is_taken_is_refused(tmp_path):
    """One sentence names the address and the way out; nothing is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*another --port"):
            FullServer.start(tmp_path / "home", port=port)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "lab.example"])
def test_others_are_let_in_with_a_password_only(host, tmp_path):
    """An address that others can reach is refused while no password is set: they could run programs here."""
    with pytest.raises(ConfigurationError, match="PREFECT_SERVER_API_AUTH_STRING"):
        FullServer.start(tmp_path / "home", host=host, port=0)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("host", "port"), [("203.0.113.9", 0), ("127.0.0.1", 99999), ("no such host", 0)])
def test_an_address_that_is_not_ours_is_refused(host, port, tmp_path, monkeypatch):
    """An address of another machine, a port that there is not, a name that is none: one sentence each."""
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "lab:secret")
    with pytest.raises(ConfigurationError, match="free here; got"):
        FullServer.start(tmp_path / "home", host=host, port=port)


@pytest.mark.slow
def test_the_pages_are_served_and_ask_nobody_else(full_server):
    """The pages of the server answer, and their API is on the same address, whatever name it is reached by."""
    base = full_server.removesuffix("/api")
    with urllib.request.urlopen(f"{base}/ui-settings") as answer:
        told = answer.read().decode()
    assert '"api_url":"/api"' in told and '"default_ui":"v1"' in told
    with urllib.request.urlopen(base) as page:
        assert b"<!DOCTYPE html>" in page.read(200)


@pytest.mark.slow
def test_a_port_is_free_again_at_once(tmp_path):
    """A server that ended leaves its port to the next one."""
    first = FullServer.start(tmp_path, port=0)
    first.wait()
    port = int(first.url.rsplit(":", 1)[1].split("/")[0])
    first.stop()
    began = time.monotonic()
    second = FullServer.start(tmp_path, port=port)
    second.stop()
    assert time.monotonic() - began < 30
