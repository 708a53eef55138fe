"""Promises of `flows.secrets`: a Secret block is read as it was written, and never shown."""

from __future__ import annotations

import logging

import pytest

from discovery.errors import ConfigurationError
from discovery.experiments import secrets
from discovery.experiments.secrets import read_secret
from flows.secrets import use_blocks

pytestmark = [pytest.mark.flow, pytest.mark.slow]


@pytest.mark.parametrize("value", ["s3cret/Token", "0012345", "1e5", "true"])
def test_a_block_is_read_as_it_was_written(
    prefect: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A token comes back to the letter, also one that reads like a number; no log holds it."""
    from prefect import flow
    from prefect.blocks.system import Secret

    monkeypatch.setattr(secrets, "_sources", dict(secrets._sources))
    caplog.set_level(logging.DEBUG)
    Secret(value=value).save("lab-token", overwrite=True)
    use_blocks()

    @flow(log_prints=True)
    def read() -> int:
        secret = read_secret("block:lab-token")
        print(secret)
        assert secret.get_secret_value() == value
        return len(secret)

    assert read() == len(value)
    assert value not in caplog.text or len(value) < 5  # short words stand in any log


def test_a_block_that_is_not_there_is_named(prefect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which block is missing and where blocks are made; one that holds no text is refused."""
    from prefect.blocks.system import Secret

    monkeypatch.setattr(secrets, "_sources", dict(secrets._sources))
    use_blocks()
    with pytest.raises(ConfigurationError, match="block:no-such-block must be a Secret block"):
        read_secret("block:no-such-block")
    Secret(value={"user": "ann"}).save("lab-pair", overwrite=True)
    with pytest.raises(ConfigurationError, match="block:lab-pair must hold text; it holds dict"):
        read_secret("block:lab-pair")
