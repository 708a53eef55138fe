"""Simulations and replays spread over an engine that exists already: processes of this machine, Dask, or Ray.

The library hands its pieces of work to an engine and knows none of them (`discovery.evaluation.workers`). Dask and Ray
are reached through Prefect's task runners: a spread is a flow run, each piece a task run of seconds or more, to be seen
on the pages of the server that `PREFECT_API_URL` names. Nothing here imports Prefect before it is asked for.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from discovery.errors import ConfigurationError, DiscoveryError
from discovery.evaluation.workers import Engine, Work, guarded, run_all
from discovery.settings import set_threads

if TYPE_CHECKING:
    from prefect import Task
    from prefect.task_runners import TaskRunner

PROCESSES, DASK, RAY = "processes", "dask", "ray"
ADDRESS = {DASK: "DISCOVERY_DASK", RAY: "DISCOVERY_RAY"}
"""Environment variables with the address of a cluster that runs; without one a cluster is made on this machine."""
QUIET = {DASK: {"DASK_LOGGING__DISTRIBUTED": "error"}, RAY: {"RAY_USAGE_STATS_ENABLED": "0"}}
"""Set where the user has not: engines report to nobody, and chat no more than needed."""


@contextmanager
def spreading(name: str, folder: Path, *, is_verbose: bool = False) -> Iterator[Engine]:
    """Make an engine ready while the body runs.

    Args:
        name: `processes`, `dask` or `ray`.
        folder: Where `.prefect` lies if a Prefect server of our own is needed.
        is_verbose: Whether flows log to the terminal.

    Yields:
        The engine.

    Raises:
        ConfigurationError: If the engine is unknown, or what it needs is not installed.
        DiscoveryError: If the embedded Prefect server does not answer.
    """
    if name == PROCESSES:
        yield run_all
        return
    if name not in ADDRESS:
        raise ConfigurationError(f"--engine must be one of {PROCESSES}, {DASK}, {RAY}; got {name!r}.")
    if find_spec(f"prefect_{name}") is None:
        raise ConfigurationError(
            f"--engine {name} needs the package prefect-{name}, which must be installed; it is not.",
            f"Install it: python -m pip install 'discovery-pipeline[{name}]'.",
        )
    from flows.runtime import prefect_runtime

    with prefect_runtime(folder, is_verbose=is_verbose):
        yield PrefectEngine(name, os.environ.get(ADDRESS[name], ""))


class PrefectEngine:
    """Pieces of work as task runs on Dask or Ray.

    Args:
        name: `dask` or `ray`.
        address: Of a cluster that runs; empty for one of this machine, as long as the work takes.
    """

    def __init__(self, name: str, address: str = "") -> None:
        self.name, self.address = name, address

    def __call__(
        self, function: Callable[..., Any], works: Sequence[Work], n_workers: int
    ) -> Iterator[tuple[int, Any]]:
        """Call a function once per piece of work and yield the results as they finish.

        Args:
            function: A function of a module that every worker can import.
            works: A name and the arguments, per piece.
            n_workers: How many pieces may run at once; on a cluster that runs already, it decides.

        Yields:
            The position in `works` and the result.

        Raises:
            DiscoveryError: If a piece fails, a worker is lost, or the cluster cannot be reached.
        """
        if not works:
            return
        from prefect import flow
        from prefect.futures import as_completed

        payloads = [pickle.dumps((function, label, arguments)) for label, arguments in works]

        @flow(
            name="spread",
            flow_run_name="{n_pieces} pieces over {engine}",
            task_runner=self._runner(len(works), n_workers),
        )
        def spread(engine: str, n_pieces: int) -> Iterator[tuple[int, Any]]:
            pieces = zip(works, payloads, strict=True)
            futures = {_step(label).submit(payload): i for i, ((label, _), payload) in enumerate(pieces)}
            for future in as_completed(list(futures)):
                yield futures[future], future.result()

        try:
            yield from spread(self.name, len(works))
        except DiscoveryError:
            raise
        except Exception as error:  # each engine raises its own classes for lost workers and clusters out of reach
            raise self._broken(error) from error

    def _runner(self, n_pieces: int, n_workers: int) -> TaskRunner[Any]:
        """Return the task runner: on the cluster of an address, else on one of this machine."""
        n = min(n_workers, n_pieces)
        for variable, value in QUIET[self.name].items():
            os.environ.setdefault(variable, value)
        runners = import_module(f"prefect_{self.name}")
        if self.name == DASK:
            own = {"n_workers": n, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
            where = {"address": self.address} if self.address else {"cluster_kwargs": own}
            return cast("TaskRunner[Any]", runners.DaskTaskRunner(**where))
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        own = {} if self.address else {"num_cpus": n, "include_dashboard": False}
        return cast("TaskRunner[Any]", runners.RayTaskRunner(address=self.address or None, init_kwargs=quiet | own))

    def _broken(self, error: Exception) -> DiscoveryError:
        reason = (str(error).splitlines() or [""])[0]
        where = f"at {self.address}" if self.address else "on this machine"
        return DiscoveryError(
            f"The {self.name} cluster {where} must finish its pieces; got {type(error).__name__}: {reason}.",
            f"See that it runs and has memory, or use --engine {PROCESSES}.",
        )


def carry_out(payload: bytes) -> Any:
    """Do one piece of work on one torch thread; runs in a worker.

    Args:
        payload: Function, name and arguments, pickled: opaque, so that nobody searches them for futures.

    Raises:
        DiscoveryError: If the piece fails; the message names it.
    """
    function, label, arguments = pickle.loads(payload)
    set_threads(1)
    return guarded(function, label, arguments)


def _step(label: str) -> Task[[bytes], Any]:
    """Return the task of one piece, named by it; nothing is kept on the server but its state."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    name = label.replace("{", "(").replace("}", ")")  # braces are placeholders to Prefect
    return task(carry_out, name="piece", task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
