"""Large tables, a chunk at a time: a CSV or Parquet file that is never held as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from discovery.errors import InputError
from discovery.space.cells import column_of

CHUNK_ROWS = 50_000
_CSV = {"header": None, "dtype": object, "keep_default_na": False, "encoding": "utf-8-sig"}
_BLOCK = 1 << 22  # bytes read at once where lines are counted


def n_rows_of(path: Path, enough: int) -> int:
    """Count the data rows of a table without reading its cells, at most about `enough` of them.

    A line break within quotes counts as a row: the count says how to read a file, not what is in it. A file that is
    absent, damaged or of another format counts as having none, so that whoever reads it says what is wrong.
    """
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        return 0 if path.suffix.lower() != ".csv" else _count_lines(path, enough) - 1
    except (OSError, ValueError):
        return 0


def _count_lines(path: Path, enough: int) -> int:
    """Count lines, and stop where there are more than `enough`."""
    n, block = 0, b""
    with path.open("rb") as file:
        while n <= enough + 1 and (new := file.read(_BLOCK)):
            block = new
            n += block.count(b"\n")
    return n + int(bool(block) and not block.endswith(b"\n"))


def read_chunks(path: Path, names: Sequence[str], source: str) -> Iterator[pd.DataFrame]:
    """Read some columns of a table, chunk by chunk, as `read_table` would read them.

    Args:
        path: A .csv or .parquet file.
        names: The columns wanted.
        source: What messages call the file.

    Yields:
        Up to `CHUNK_ROWS` rows; the index counts the rows of the file from 0.

    Raises:
        InputError: If a column is missing or stands there twice, or the file is damaged.
    """
    is_csv = path.suffix.lower() == ".csv"
    start = 0
    try:
        for frame in (_csv_chunks if is_csv else _parquet_chunks)(path, names, source):
            yield frame.set_axis(range(start, start + len(frame)))
            start += len(frame)
    except (OSError, ValueError) as error:  # pandas' and Arrow's parsing errors are ValueErrors
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}.", "Check the file.") from None


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a table's columns; none where the file cannot be read, for whoever reads it to say why."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return tuple(pq.read_schema(path).names)
        return tuple(_csv_header(path))
    except (OSError, ValueError):
        return ()


def _csv_header(path: Path) -> pd.Index:
    head = pd.read_csv(path, nrows=1, **_CSV)  # type: ignore[call-overload]
    return pd.Index(head.iloc[0].astype(str).str.strip())


def _csv_chunks(path: Path, names: Sequence[str], source: str) -> Iterator[pd.DataFrame]:
    header = _csv_header(path)
    places = {name: header.tolist().index(_one(header, name, source)) for name in names}
    names_of = range(len(header))  # all columns are read: rows with too many cells are then refused
    reader = pd.read_csv(path, skiprows=1, names=names_of, chunksize=CHUNK_ROWS, **_CSV)  # type: ignore[call-overload]
    with reader:
        for frame in reader:
            yield frame[list(places.values())].set_axis(list(places), axis=1).fillna("")


def _parquet_chunks(path: Path, names: Sequence[str], source: str) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=_BLOCK) as file:
        header = pd.Index(file.schema_arrow.names)
        wanted = [_one(header, name, source) for name in names]
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=wanted):
            yield batch.to_pandas()


def _one(header: pd.Index, name: str, source: str) -> str:
    """Return the name of a column that stands there once."""
    column_of(pd.DataFrame(columns=header), name, source)
    return name
