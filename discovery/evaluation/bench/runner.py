"""Run what is missing of a bench, over processes, and keep every piece as soon as it is finished.

A unit is what one process does in one go: one method on one task, learning included; its pieces are rows of the file.
A method that fails on a task costs that unit and is named in the end; nothing else stops.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd

import discovery
from discovery.errors import ConfigurationError, DiscoveryError, NotEnoughDataError
from discovery.evaluation.aimed_methods import load_aimed
from discovery.evaluation.bench.families import BenchTask
from discovery.evaluation.bench.rows import ResultsFile, key_of
from discovery.evaluation.cache import source_of, versions
from discovery.evaluation.method_table import BASELINES, HISTORY_ALONE, TRANSFERS
from discovery.evaluation.methods import Progress, load_method
from discovery.evaluation.workers import Engine, run_all

_LEARNING = (
    "acquisition",
    "belief",
    "campaign",
    "meta",
    "space",
    "tasks",
    "aimed_cycle.py",
    "cycle.py",
)  # what decides our own methods


@dataclass(frozen=True)
class Piece:
    """One row of the results.

    Attributes:
        identity: What is run; decides `key`.
        settings_hash: On what data, by which code.
    """

    identity: Mapping[str, Any]
    settings_hash: str

    @property
    def key(self) -> str:
        """Identity of the row."""
        return key_of(self.identity)


@dataclass(frozen=True)
class Unit:
    """What one process does in one go.

    Attributes:
        task: The task, with the history that it is run with.
        method: Name of the method.
        pieces: The rows to be made.
    """

    task: BenchTask
    method: str
    pieces: tuple[Piece, ...]

    @property
    def label(self) -> str:
        """What it is called in messages."""
        source = self.pieces[0].identity["source"]
        history = "" if source == "related" else f", history: {source}"
        return f"{self.method} on {self.task.family}/{self.task.name}{history}"


Execute = Callable[[Unit, str], Iterator[dict[str, Any]]]
"""Make the rows of a unit on a device, one after the other, each with everything but identity and hashes."""


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        n_workers: Number of processes; default the number of cores.
        device: Where models live: `auto`, `cpu` or `cuda`.
        keep: Whether finished pieces count as done though the code that makes them has changed since.
        engine: What spreads the units; default processes of this machine. Workers must reach the file of results.
    """

    n_workers: int | None = None
    device: str = "auto"
    keep: bool = False
    engine: Engine = run_all


@dataclass(frozen=True, eq=False)
class BenchRun:
    """What a bench has made.

    Attributes:
        rows: All rows of the plan that exist, in its order, those of earlier runs included.
        n_planned: Number of rows of the plan.
        n_made: Number of rows made now.
        skipped: Why units cannot be run, by their label.
        failed: Why units broke, by their label.
    """

    rows: pd.DataFrame
    n_planned: int
    n_made: int
    skipped: Mapping[str, str]
    failed: Mapping[str, str]


def run_units(
    units: Sequence[Unit],
    execute: Execute,
    results: ResultsFile,
    options: RunOptions,
    progress: Progress | None = None,
) -> BenchRun:
    """Make the rows that are missing, and fold everything into the file.

    Args:
        units: The whole plan.
        execute: Makes a unit's rows.
        results: The file.
        options: How to run.
        progress: Called with the unit that has finished and the fraction of rows done.

    Raises:
        InputError: If the file holds something else.
        DiscoveryError: If a process ends early, or workers write their rows where nobody finds them.
    """
    wanted = [piece for unit in units for piece in unit.pieces]
    before = results.compact()
    done = _done(before, wanted, options.keep)
    missing = [replace(unit, pieces=tuple(p for p in unit.pieces if p.key not in done)) for unit in units]
    open_units = [unit for unit in missing if unit.pieces]
    shared = ResultsFile(results.path.absolute())  # a worker may run in another folder
    works = [(unit.label, (unit, execute, shared, options.device)) for unit in open_units]
    n_done = len(done)
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    if progress is not None and done:
        progress(f"{len(done)} of {len(wanted)} runs are done already", n_done / max(len(wanted), 1))
    for i, (word, reason) in options.engine(make_unit, works, options.n_workers or os.cpu_count() or 1):
        n_done += len(open_units[i].pieces)
        if word:
            (skipped if word == "skipped" else failed)[open_units[i].label] = reason
        if progress is not None:
            progress(open_units[i].label, n_done / len(wanted))
    rows = results.compact()
    _check_arrived(rows, [unit for unit in open_units if unit.label not in skipped | failed], shared.path)
    kept = rows.set_index("key", drop=False).reindex([p.key for p in wanted]).dropna(subset=["key"])
    n_made = int((~kept["key"].isin(done)).sum())
    return BenchRun(kept.reset_index(drop=True), len(wanted), n_made, skipped, failed)


def make_unit(unit: Unit, execute: Execute, results: ResultsFile, device: str) -> tuple[str, str]:
    """Make a unit's rows and keep each; return `skipped` or `failed` with the reason, or two empty texts."""
    stamp = {"versions": ", ".join(f"{name} {number}" for name, number in versions().items())}
    try:
        for piece, made in zip(unit.pieces, execute(unit, device), strict=True):
            results.add([{"key": piece.key, "settings_hash": piece.settings_hash, **piece.identity, **made, **stamp}])
    except (ConfigurationError, NotEnoughDataError) as error:
        return "skipped", error.message
    except DiscoveryError as error:
        return "failed", str(error)
    except Exception as error:  # a broken method must not end hours of other methods
        return "failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return "", ""


def settings_hash(task: BenchTask, method: str) -> str:
    """Return the identity of the data and the code that decide a run; baselines hang on their own modules only."""
    code = _code_hash(method, len(task.spec.objectives) > 1)
    parts = [task.spec.spec_hash, str(sorted(versions().items())), code]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def can_run(task: BenchTask, method: str) -> bool:
    """Say whether a task has the experience that a method lives on."""
    return not missing_experience(task, method)


def missing_experience(task: BenchTask, method: str) -> str:
    """Say what experience a method lacks on a task, in a sentence; empty where it lacks none."""
    if method in (*HISTORY_ALONE, *TRANSFERS) and not task.history:
        return f"{method} lives on earlier tasks, and there are none."
    simulator = method.partition(":")[2]
    if simulator and simulator not in {ref.name for ref in task.spec.experience.simulators}:
        return f"{method} lives on a simulator that the campaign does not name."
    return ""


def _check_arrived(rows: pd.DataFrame, made: Sequence[Unit], path: Path) -> None:
    """Refuse to count units as made whose rows a worker has written to a disk of its own."""
    lost = {piece.key for unit in made for piece in unit.pieces} - set(rows["key"])
    if lost:
        raise DiscoveryError(
            f"Workers must write their rows to {path.parent}; {len(lost)} rows of finished units are not there.",
            "Let --out name a file in a folder that every worker of the cluster shares.",
        )


def _done(before: pd.DataFrame, wanted: Sequence[Piece], keep: bool) -> set[str]:
    """Return the keys of the pieces that need not be made again."""
    hashes = {piece.key: piece.settings_hash for piece in wanted}
    rows = before[before["key"].isin(hashes)]
    return {key for key, made in zip(rows["key"], rows["settings_hash"], strict=True) if keep or made == hashes[key]}


@lru_cache
def _code_hash(method: str, is_front: bool) -> str:
    """Return the identity of the code of a method: its own, and the library's where it learns before a campaign."""
    digest = hashlib.sha256(source_of(type(load_aimed(method) if is_front else load_method(method))))
    if method not in BASELINES:
        library = Path(discovery.__file__).parent
        folders = [library / name for name in _LEARNING]
        folders += [_folder(point.module) for point in entry_points(group="discovery.simulators")]
        files = [file for folder in folders for file in ([folder] if folder.is_file() else folder.rglob("*.py"))]
        for file in sorted(set(files)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _folder(module: str) -> Path:
    """Return the folder of a module."""
    return Path(inspect.getfile(import_module(module))).parent
