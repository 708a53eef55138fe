"""The first reading of a streamed pool: every cell checked, repeats found, the result kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.errors import InputError, NoCandidateError
from discovery.settings import cache_dir
from discovery.space.cells import CellFault
from discovery.space.chunks import read_chunks
from discovery.space.stream import ROW, StreamedPool, StreamFacts, hashes

if TYPE_CHECKING:
    import pyarrow as pa

    from discovery.space.space import SearchSpace

VERSION = 1  # raised when what lies in the cache changes
ROWS, KEYS, FACTS = "rows.parquet", "keys.npy", "facts.json"


def open_stream(path: Path, space: SearchSpace, source: str) -> StreamedPool:
    """Open the candidates of a large file; reads it through where this content was not read for this space before.

    Args:
        path: A .csv or .parquet file.
        space: What its rows are configurations of.
        source: What messages call the file.

    Raises:
        InputError: If a column is missing or a cell cannot be used; names the first and counts the others.
        NoCandidateError: If no row meets the constraints.
    """
    content = _content(path)
    said = json.dumps([VERSION, content, space.schema_hash, space.names, [repr(c) for c in space.constraints]])
    folder = cache_dir() / "pools" / hashlib.sha256(said.encode()).hexdigest()[:32]
    holder = None
    if not (folder / FACTS).is_file():
        made, holder = _scratch(folder)
        try:
            _read_through(path, space, (source, content), made)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        folder = made if holder is not None else _moved(made, folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return StreamedPool(space, folder, StreamFacts(**facts | {"center": tuple(facts["center"])}), holder=holder)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.", "Check the file.") from None


def _scratch(folder: Path) -> tuple[Path, TemporaryDirectory[str] | None]:
    """Return a folder to write to: beside the final one, or a temporary one where the cache cannot be written to."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=".new-", dir=folder.parent)), None
    except OSError:
        holder = TemporaryDirectory(prefix="discovery-pool-")
        return Path(holder.name), holder


def _moved(made: Path, folder: Path) -> Path:
    """Put a finished folder in its place; one that another process has put there meanwhile is as good."""
    try:
        os.replace(made, folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _read_through(path: Path, space: SearchSpace, named: tuple[str, str], folder: Path) -> None:
    """Read a file once and write its distinct, feasible configurations, their hashes and what was found."""
    source, content = named
    found: list[np.ndarray] = []
    n_rows = 0
    total = np.zeros(space.n_dims)
    with _Writer(folder / ROWS) as writer:
        for frame, offset in _checked(path, space, source):
            n_rows = offset + len(frame)
            typed = space.typed(frame).set_axis(frame.index)
            typed = typed[space.is_feasible(typed)]
            found.append(hashes(space.keys(typed)))
            total += space.encode(typed).sum(axis=0)
            writer.write(typed)
    every = np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)
    if not len(every):
        raise NoCandidateError(
            f"{source} must hold a configuration that meets the constraints; none of {n_rows} rows does.",
            "Relax a constraint or add candidates.",
        )
    distinct, first = np.unique(every, return_index=True)
    np.save(folder / KEYS, distinct)
    if len(distinct) < len(every):
        is_first = np.zeros(len(every), dtype=bool)
        is_first[first] = True
        total = _drop(folder / ROWS, is_first, space)
    center = tuple((total / len(distinct)).tolist())
    facts = StreamFacts(n_rows, len(distinct), n_rows - len(every), len(every) - len(distinct), content, center)
    (folder / FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")


def _checked(path: Path, space: SearchSpace, source: str) -> Iterator[tuple[pd.DataFrame, int]]:
    """Yield chunks and their offset; raise at the end where any cell was wrong.

    Raises:
        InputError: With the first fault and the number of the others.
    """
    first: CellFault | None = None
    n_faults = 0
    for frame in read_chunks(path, space.names, source):
        faults, offset = space.check(frame), int(frame.index[0])
        if faults and first is None:
            first = CellFault(faults[0].row + offset, faults[0].column, faults[0].value, faults[0].reason)
        n_faults += len(faults)
        if first is None:
            yield frame, offset
    if first is not None:
        others = f" ({n_faults - 1} more)" if n_faults > 1 else ""
        raise InputError(f"{first} of {source}{others}.")


def _drop(path: Path, is_first: np.ndarray, space: SearchSpace) -> np.ndarray:
    """Write the rows anew without repeats; return the sum of their encodings. Shape `d`."""
    import pyarrow.parquet as pq

    whole, start = path.with_suffix(".all"), 0
    path.rename(whole)
    total = np.zeros(space.n_dims)
    with pq.ParquetFile(whole) as file, _Writer(path) as writer:
        for group in range(file.num_row_groups):
            frame = file.read_row_group(group).to_pandas().set_index(ROW)
            frame = frame[is_first[start : start + len(frame)]]
            start += file.metadata.row_group(group).num_rows
            total += space.encode(frame).sum(axis=0) if len(frame) else 0.0
            writer.write(frame)
    whole.unlink()
    return total


class _Writer:
    """Writes chunks of configurations, each as one row group with the positions in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: pa.parquet.ParquetWriter | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, frame: pd.DataFrame) -> None:
        """Write a chunk; one without rows is left out."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not len(frame):
            return
        table = pa.Table.from_pandas(frame.rename_axis(ROW).reset_index(), preserve_index=False)
        if self._file is None:
            self._file = pq.ParquetWriter(self.path, table.schema, compression="zstd", compression_level=1)
        self._file.write_table(table.cast(self._file.schema), row_group_size=len(frame))
