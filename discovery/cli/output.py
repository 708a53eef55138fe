"""How commands answer: results on stdout as text or JSON, notes and progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, float], None]


def say(text: str) -> None:
    """Print one line of the result."""
    print(text)


def note(text: str) -> None:
    """Print one line that is not the result."""
    print(text, file=sys.stderr)


def print_json(value: object) -> None:
    """Print a result as JSON."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def write_json(value: object, path: Path) -> None:
    """Write a result as JSON; folders are made.

    Raises:
        ConfigurationError: If the file cannot be written.
    """
    from discovery.errors import ConfigurationError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plain(value), allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--out must be a file that can be written; got {path}: {error.strerror}.") from None


def answer(
    found: object,
    show: Callable[[], None],
    write_page: Callable[[Path], Path],
    *,
    as_json: bool,
    out: Path | None = None,
    page: Path | None = None,
) -> None:
    """Give a result where it was asked for: a JSON file, a page with plots, and stdout as JSON or as text.

    Args:
        found: The result as JSON has it.
        show: Prints it as text.
        write_page: Writes the page and returns its file.
        as_json: Whether stdout is JSON.
        out: The JSON file.
        page: The page.
    """
    if out is not None:
        write_json(found, out)
        note(f"Wrote {out}.")
    if page is not None:
        note(f"Wrote {write_page(page)}.")
    if as_json:
        print_json(found)
    else:
        show()


def plain(value: Any) -> Any:
    """Turn what the library gives back into what JSON has; numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # a NumPy scalar or array
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return str(value) if isinstance(value, StrEnum) else value
    return None if str(value) == "NaT" else value.isoformat() if isinstance(value, datetime) else str(value)


def records(frame: pd.DataFrame, json_columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return a table as one object per row, empty cells as null, columns that hold JSON text decoded."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    decoded = [
        {name: json.loads(cell) if name in json_columns and cell else cell for name, cell in row.items()}
        for row in rows
    ]
    return [{str(name): plain(cell) for name, cell in row.items()} for row in decoded]


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], n_text: int = 1) -> None:
    """Print a table: drawn in a terminal, plain ASCII in a file or a pipe."""
    from discovery.report.grids import Grid
    from discovery.report.style import number
    from discovery.report.terminal import console, table

    to = console()
    cells = tuple(tuple(number(plain(cell)) for cell in row) for row in rows)
    to.print(table(Grid(title=title, columns=tuple(columns), rows=cells, n_text=n_text), is_plain=not to.is_terminal))


@contextmanager
def progress_bar(is_verbose: bool = False) -> Iterator[Progress | None]:
    """Show a bar on stderr while the body runs, in a terminal or where asked for.

    Yields:
        What the library calls with a text and the fraction done, or None where nothing is shown.
    """
    if not (sys.stderr.isatty() or is_verbose):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("starting", total=1.0)
        yield lambda text, fraction: bars.update(bar, description=text, completed=fraction)


def of_steps(progress: Progress | None) -> Callable[[str, int, int], None] | None:
    """Turn a bar into what meta-training reports to: (hypothesis, step, steps)."""
    if progress is None:
        return None
    return lambda name, step, steps: progress(f"meta-training {name}", step / max(steps, 1))
