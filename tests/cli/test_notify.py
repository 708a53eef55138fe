"""`discovery notify` says what is wrong before it asks a server."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("words", [(), ("slack-webhook/team", "--remove")], ids=["neither", "both"])
def test_a_block_or_its_removal(words, cli):
    """Either a block is named or nobody is to be notified: anything else is wrong usage."""
    answer = cli("notify", *words)
    assert answer.code == 2 and "--remove" in answer.err and not answer.out


@pytest.mark.parametrize("words", [("slack-webhook/team",), ("--remove",)], ids=" ".join)
def test_without_a_server_there_is_nobody_to_ask(words, cli, monkeypatch):
    """The setting that names the server is said, with where its value comes from."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    answer = cli("notify", *words)
    assert answer.code == 1 and "PREFECT_API_URL" in answer.err and "deploy --serve" in answer.err
