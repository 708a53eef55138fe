"""Independent pieces of work, results handed back as they finish: over processes, or over whatever engine is given.

An engine is called with a function, the pieces and how many may run at once. `run_all` is the one for this machine;
`flows.spread` makes others out of Dask and Ray. A piece has one torch thread everywhere, so that results are the same.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from discovery.errors import DiscoveryError
from discovery.settings import set_threads

R = TypeVar("R")
Work = tuple[str, tuple[Any, ...]]  # what it is called in an error, the function's arguments
Engine = Callable[[Callable[..., Any], Sequence[Work], int], Iterator[tuple[int, Any]]]
"""Calls a function once per piece and yields position and result as pieces finish, as `run_all` does."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
logger = logging.getLogger(__name__)


def run_all(function: Callable[..., R], works: Sequence[Work], n_workers: int) -> Iterator[tuple[int, R]]:
    """Call a function once per piece of work and yield the results as they finish.

    Processes are spawned, so the function and its arguments must pickle. With one worker, or one piece of work,
    everything runs in this process.

    Args:
        function: A function of a module.
        works: A name and the arguments, per piece.
        n_workers: Number of processes.

    Yields:
        The position in `works` and the result.

    Raises:
        DiscoveryError: If a piece fails; the message names it. What is not finished then is given up.
    """
    if min(n_workers, len(works)) <= 1:
        yield from _run_here(function, works)
        return
    context = multiprocessing.get_context("spawn")
    with one_thread_each():
        pool = ProcessPoolExecutor(min(n_workers, len(works)), mp_context=context, initializer=_start_worker)
        try:
            futures = {
                pool.submit(guarded, function, label, arguments): i for i, (label, arguments) in enumerate(works)
            }
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise DiscoveryError(
                "Every worker process must live until its work is done; one ended early, most likely for memory.",
                "Use fewer workers.",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _run_here(function: Callable[..., R], works: Sequence[Work]) -> Iterator[tuple[int, R]]:
    """Run everything in this process on one torch thread, then give the threads back."""
    import torch

    before = torch.get_num_threads()
    for i, (label, arguments) in enumerate(works):
        set_threads(1)
        try:
            result = guarded(function, label, arguments)
        finally:
            set_threads(before)
        yield i, result


def _start_worker() -> None:
    """Set a worker up: one thread, and a keyboard interrupt ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    set_threads(1)


def guarded(function: Callable[..., R], label: str, arguments: tuple[Any, ...]) -> R:
    """Call a function; whatever goes wrong becomes one sentence that pickles.

    Raises:
        DiscoveryError: If the function raises anything; the message names the piece.
    """
    try:
        return function(*arguments)
    except DiscoveryError as error:
        raise DiscoveryError(f"{label} must finish; got {type(error).__name__}: {error.message}", error.hint) from None
    except Exception as error:
        logger.debug("%s failed", label, exc_info=True)
        reason = (str(error).splitlines() or [""])[0]
        raise DiscoveryError(f"{label} must finish; got {type(error).__name__}: {reason}.") from error


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that are started inside have one thread each in numerical libraries, then restore what was set."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by each process when it starts
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
