"""Where the process-wide choices are made, once: threads, device, folders named by the environment."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from discovery.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")


def set_threads(n_threads: int | None = None) -> int:
    """Set the threads of numerical libraries, loaded already or not; the only place that does.

    Args:
        n_threads: Number of threads; default `DISCOVERY_THREADS`, else one: the tensors here are small, and on a busy
            machine a second thread makes meta-training many times slower (docs/performance.md).

    Returns:
        The number set.

    Raises:
        ConfigurationError: If the number is below one or not a whole number.
    """
    given = n_threads if n_threads is not None else os.environ.get("DISCOVERY_THREADS") or 1
    try:
        count = int(given)
    except ValueError:
        count = 0
    if count < 1:
        raise ConfigurationError(f"DISCOVERY_THREADS must be a whole number of at least 1; got {given!r}.")
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(count)  # read when a library is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    return count


def start_torch(name: str = "auto") -> torch.device:
    """Load torch as this project runs it: its threads set (`set_threads`), and the device asked for.

    Sessions and backtests call it before their first computation, also in a caller's own process: with torch's own
    default, meta-training on a busy machine is many times slower (docs/performance.md).

    Args:
        name: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigurationError: If the name is unknown, or `cuda` is asked for and there is none.
    """
    import torch

    if name not in DEVICES:
        raise ConfigurationError(f"--device must be one of {', '.join(DEVICES)}; got {name!r}.")
    set_threads()
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device cuda needs a CUDA GPU and a CUDA build of torch; none found.", "Use auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def current_user() -> str:
    """Return who is at work, for the records: `DISCOVERY_USER`, else the name of the account."""
    try:
        return os.environ.get("DISCOVERY_USER") or getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return "unknown"


def datasets_dir() -> Path | None:
    """Return the folder with more real families (`DISCOVERY_DATASETS`), or None where it is not set or absent."""
    value = os.environ.get("DISCOVERY_DATASETS")
    return Path(value) if value and Path(value).is_dir() else None


def cache_dir() -> Path:
    """Return the folder for results that may be computed again (`DISCOVERY_CACHE`, else the user's cache folder)."""
    value = os.environ.get("DISCOVERY_CACHE")
    return Path(value) if value else Path.home() / ".cache" / "discovery"
