"""Molecules that were read before: in memory, and on disk for the next process.

Reading a molecule costs about two milliseconds, and campaigns read the same thousands again and again. The file lies
in the cache folder, one per version of RDKit and of the encoding; it may be deleted at any time, and a folder that
cannot be written to costs time and nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from discovery.settings import cache_dir
from discovery.space.fingerprints import FRAGMENTS, VERSION, Molecule, rdkit_version, read_molecule

T = TypeVar("T")
N_REMEMBERED = 200_000  # molecules in memory, 1.5 kB each; more, and memory starts anew
WORTH_KEEPING = 200  # fewer are read faster than a file is opened
WAIT_S = 5.0  # for another process that writes
WORTH_A_PROCESS = 1_000  # molecules that another process is started for
CHUNK = 500  # texts in one question to the file

_SCHEMA = """
CREATE TABLE IF NOT EXISTS molecules (smiles TEXT PRIMARY KEY, numbers BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS names (text TEXT PRIMARY KEY, smiles TEXT NOT NULL);
"""
_QUESTION = "SELECT text, smiles, numbers FROM names JOIN molecules USING (smiles) WHERE text IN"
_memory: dict[str, Molecule | None] = {}


def read_molecules(texts: Sequence[str]) -> list[Molecule | None]:
    """Read SMILES, each once.

    Args:
        texts: SMILES.

    Returns:
        The molecules, None where a text is no SMILES that RDKit understands.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    if len(_memory) + len(texts) > N_REMEMBERED:
        _memory.clear()
    new = [text for text in dict.fromkeys(texts) if text not in _memory]
    if len(new) >= WORTH_KEEPING:
        _memory.update(_on_disk(lambda file: _find(file, new)) or {})
    found = _read([text for text in new if text not in _memory])
    _memory.update(found)
    known = {molecule.smiles: molecule for molecule in found.values() if molecule is not None}
    _memory.update(known)  # a molecule's canonical SMILES is asked for next
    if len(found) >= WORTH_KEEPING:
        names = [(text, molecule.smiles) for text, molecule in found.items() if molecule is not None]
        _on_disk(lambda file: _keep(file, names, known))
    return [_memory[text] for text in texts]


def _read(texts: Sequence[str]) -> dict[str, Molecule | None]:
    """Read SMILES with RDKit, on all processors where they are many."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    n_parts = min(len(allowed), len(texts) // WORTH_A_PROCESS + 1)
    parts = [list(texts[i::n_parts]) for i in range(n_parts)]
    with ThreadPoolExecutor(n_parts) as pool:  # each waits for a process; a script of the user's is not run again
        others = pool.map(_read_elsewhere, parts[1:])
        found = {text: read_molecule(text) for text in parts[0]}
        for part in others:
            found |= part
    return {text: found[text] for text in texts}


def _read_elsewhere(texts: Sequence[str]) -> dict[str, Molecule | None]:
    """Read SMILES in a process of their own."""
    command = [sys.executable, "-c", f"from {__name__} import answer; answer()"]
    folder = str(Path(__file__).parents[2])
    path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
    asked, env = json.dumps(list(texts)).encode(), {**os.environ, "PYTHONPATH": path}
    said = subprocess.run(command, input=asked, capture_output=True, env=env, check=False)
    if said.returncode:
        return {text: read_molecule(text) for text in texts}
    found: dict[str, Molecule | None] = {}
    for text, line in zip(texts, said.stdout.decode().splitlines(), strict=True):
        smiles, _, numbers = line.partition(" ")
        found[text] = _from_bytes(smiles, base64.b64decode(numbers)) if smiles else None
    return found


def answer() -> None:
    """Read SMILES from standard input, a JSON list, and write each molecule as a line: its SMILES and its numbers."""
    for text in json.load(sys.stdin):
        molecule = read_molecule(text)
        numbers = "" if molecule is None else base64.b64encode(_to_bytes(molecule)).decode()
        print("" if molecule is None else f"{molecule.smiles} {numbers}")


def _on_disk(work: Callable[[sqlite3.Connection], T]) -> T | None:
    """Work with the file; None where that is not possible."""
    path = cache_dir() / f"molecules-{rdkit_version()}-{VERSION}.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=WAIT_S)) as file, file:
            file.executescript(_SCHEMA)
            return work(file)
    except (OSError, sqlite3.Error):
        return None


def _find(file: sqlite3.Connection, texts: Sequence[str]) -> dict[str, Molecule]:
    """Return the molecules of those texts that the file knows."""
    found: dict[str, Molecule] = {}
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        places = ",".join("?" * len(part))
        rows = file.execute(f"{_QUESTION} ({places})", part)
        found |= {text: _from_bytes(smiles, numbers) for text, smiles, numbers in rows}
    return found


def _keep(file: sqlite3.Connection, names: Sequence[tuple[str, str]], molecules: Mapping[str, Molecule]) -> None:
    """Write molecules and the texts that stand for them."""
    numbers = [(smiles, _to_bytes(molecule)) for smiles, molecule in molecules.items()]
    file.executemany("INSERT OR IGNORE INTO molecules VALUES (?, ?)", numbers)
    file.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", [*names, *((s, s) for s in molecules)])


def _to_bytes(molecule: Molecule) -> bytes:
    """Write a molecule's numbers: sizes and columns as uint16, descriptors as float32."""
    sizes = np.array([len(columns) for columns in molecule.columns], dtype=np.uint16)
    return b"".join(part.tobytes() for part in (sizes, *molecule.columns, molecule.descriptors))


def _from_bytes(smiles: str, numbers: bytes) -> Molecule:
    """Undo `_to_bytes`."""
    sizes = np.frombuffer(numbers, dtype=np.uint16, count=len(FRAGMENTS))
    columns = np.frombuffer(numbers, dtype=np.uint16, offset=sizes.nbytes, count=int(sizes.sum()))
    descriptors = np.frombuffer(numbers, dtype=np.float32, offset=sizes.nbytes + columns.nbytes)
    return Molecule(smiles, tuple(np.split(columns, np.cumsum(sizes, dtype=np.int64)[:-1])), descriptors)
