"""Packages that only some baselines need: loaded when they are used, with a sentence where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from discovery.errors import ConfigurationError


def load_optional(module: str, package: str, method: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: Name to import.
        package: Name to install.
        method: The method that needs it.

    Raises:
        ConfigurationError: If the package is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The method {method} needs the package {package}, which must be installed; got {error.name} missing.",
            "Install it: python -m pip install 'discovery-pipeline[bench]'.",
        ) from error
