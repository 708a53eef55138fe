"""Secrets: a campaign file says where one is, and what it is stands nowhere: not in errors, records, logs or results.

`env:NAME` is a variable of the environment. Other sources register themselves: `flows.secrets` reads `block:NAME`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from pydantic import SecretStr

from discovery.errors import ConfigurationError

MASK = "**********"
Source = Callable[[str], str]
"""Reads a secret by its name; raises ConfigurationError where there is none."""


def _read_variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        raise ConfigurationError(
            f"The secret env:{name} must be set; the environment has no variable {name}.",
            f"Set it where the campaign runs, for example: export {name}=...",
        )
    return value


_sources: dict[str, Source] = {"env": _read_variable}


def register_source(kind: str, read: Source) -> None:
    """Let secrets be read from one more place.

    Args:
        kind: What references begin with, such as `block`.
        read: Reads a secret by its name.
    """
    _sources[kind] = read


def read_secret(reference: str) -> SecretStr:
    """Read a secret.

    Args:
        reference: Where it is, such as `env:LAB_TOKEN`.

    Returns:
        The secret, which prints as stars; white space around it is dropped.

    Raises:
        ConfigurationError: If there is none, or it cannot stand in a header; the secret is not quoted.
    """
    kind, _, name = reference.partition(":")
    if kind not in _sources:
        raise ConfigurationError(
            f"The secret {reference} must be of a source that is known here: {', '.join(sorted(_sources))}.",
            "Prefect blocks are read in runs of Prefect: `discovery run` and deployments." if kind == "block" else "",
        )
    value = _sources[kind](name).strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            f"The secret {reference} must be one word of printable ASCII characters; it holds something else.",
            "Look for line breaks, spaces and quotes that were copied along.",
        )
    return SecretStr(value)


def is_missing(reference: str) -> bool:
    """Say whether a secret is known to be absent here; False where that shows only when it is read."""
    kind, _, name = reference.partition(":")
    return kind == "env" and not os.environ.get(name, "").strip()


def redact(text: str, secret: SecretStr | None) -> str:
    """Replace a secret in a text that came from outside, as it stands or as JSON writes it."""
    if secret is None:
        return text
    value = secret.get_secret_value()
    for written in {value, json.dumps(value)[1:-1], value.replace("/", "\\/")}:
        text = text.replace(written, MASK)
    return text
