"""Finished runs of baselines kept on disk, so that a backtest that was cut off goes on where it stopped.

Only methods that learn nothing before the campaign are kept. A run is found again by the data and everything that
decides it: candidates and outcomes as read, goal, method and the text that makes it, seed, random starts, batch size,
number of experiments and the versions of what computed it. Every file is one small JSON; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import discovery
from discovery.evaluation.method_table import BASELINES
from discovery.evaluation.methods import BacktestContext, Method
from discovery.evaluation.results import Plan, Run
from discovery.settings import cache_dir

BASELINE_MODULES = ("discovery.evaluation.baselines", "discovery.evaluation.cold_gp")


def versions() -> dict[str, str]:
    """Return the versions of what decides a run."""
    others = {name: version(name) for name in ("torch", "botorch", "gpytorch", "numpy")}
    return {"discovery": discovery.__version__, **others}


@dataclass(frozen=True)
class RunCache:
    """Finished runs of one campaign.

    Attributes:
        folder: Where the files lie.
        data_hash: Hash of candidates, outcomes and goal.
    """

    folder: Path
    data_hash: str

    @classmethod
    def for_campaign(cls, context: BacktestContext, outcomes: np.ndarray) -> RunCache:
        """Open the cache of a measured campaign.

        Args:
            context: What methods may know.
            outcomes: Measured outcome per candidate, raw units. Shape `n`.
        """
        digest = hashlib.sha256(f"{context.space.schema_hash}|{context.outcome}|{context.goal}".encode())
        for values in (context.pool.X, context.pool.rows, outcomes):
            array = np.ascontiguousarray(values)
            digest.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
        return cls(folder=cache_dir() / "backtest", data_hash=digest.hexdigest()[:16])

    def read(self, method: Method, plan: Plan) -> Run | None:
        """Return a finished run, or None where there is none, or its file is damaged."""
        try:
            stored = json.loads(self._path(method, plan).read_text())
            return Run(
                seed=stored["seed"],
                chosen=tuple(stored["chosen"]),
                outcomes=tuple(stored["outcomes"]),
                seconds=tuple(stored["seconds"]),
                adapt_propose_s_at_40=stored["adapt_propose_s_at_40"],
                limits=tuple(stored.get("limits", ())),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, method: Method, plan: Plan, run: Run) -> None:
        """Keep a finished run of a baseline; runs of other methods are not kept."""
        if method.name not in BASELINES:
            return
        path = self._path(method, plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(asdict(run)))
        os.replace(partial, path)

    def _path(self, method: Method, plan: Plan) -> Path:
        """Return the file of a run."""
        parts = [self.data_hash, method.name, asdict(plan), sorted(versions().items())]
        key = hashlib.sha256(json.dumps(parts).encode() + source_of(type(method))).hexdigest()[:24]
        return self.folder / f"{method.name.replace(':', '_')}-{plan.seed}-{key}.json"


def source_of(method: type) -> bytes:
    """Return what makes a method: its module, the baselines' that it takes parts from, the version of its package.

    Args:
        method: Class of the method.
    """
    module = sys.modules[method.__module__]
    parts = [part for part in vars(module).values() if inspect.isclass(part) or inspect.isfunction(part)]
    files = {inspect.getfile(part) for part in parts if part.__module__.startswith(BASELINE_MODULES)}
    texts = [Path(file).read_bytes() for file in sorted({inspect.getfile(method), *files})]
    package = getattr(module, "PACKAGE", None)
    return b"".join([*texts, _installed(package) if package else b""])


def _installed(package: str) -> bytes:
    """Return the version of a package; nothing where it is missing, which the method says when it is prepared."""
    try:
        return version(package).encode()
    except PackageNotFoundError:
        return b""
