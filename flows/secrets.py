"""Secrets from Prefect: `block:NAME` in a campaign file is the Secret block of that name."""

from __future__ import annotations

from discovery.errors import ConfigurationError
from discovery.experiments.secrets import register_source


def use_blocks() -> None:
    """Let `block:NAME` be read from here on; a second time changes nothing."""
    register_source("block", read_block)


def read_block(name: str) -> str:
    """Read a Secret block as it stands: its own `get` would turn a token of digits into a number.

    Raises:
        ConfigurationError: If there is no such block, or it holds no text.
    """
    from prefect.blocks.system import Secret

    try:
        value = Secret.load(name).value.get_secret_value()
    except ValueError:
        raise ConfigurationError(
            f"The secret block:{name} must be a Secret block of the Prefect server; there is none of that name.",
            "Make it on the page Blocks of the server.",
        ) from None
    if not isinstance(value, str):
        raise ConfigurationError(f"The secret block:{name} must hold text; it holds {type(value).__name__}.")
    return value
