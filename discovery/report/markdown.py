"""Tables and images as Markdown, for pages that others show: what people typed stays text there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from discovery.report.grids import Grid
from discovery.report.svg import data_uri

SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Characters that Markdown would take for more than text; an underscore only where a word does not go on."""
BEGINNING = re.compile(r"^(\d*)([-+#.)])(?=\s|$)")
"""What would begin a list or a heading, where it stands before anything else."""


def plain(text: str) -> str:
    r"""Return text so that Markdown shows it as it is: a molecule's brackets are no link.

    Example:
        >>> print(plain("C[C@H](N)C(=O)O | P1_L1 * 2"))
        C\[C@H\](N)C(=O)O \| P1_L1 \* 2
    """
    one_line = SPECIAL.sub(r"\\\g<0>", text).replace("\n", " ")
    return BEGINNING.sub(r"\1\\\2", one_line)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], n_text: int = 1) -> str:
    """Return a table; cells are text, and numbers stand to the right.

    Args:
        columns: Column heads.
        rows: Cells.
        n_text: How many columns from the left are text.
    """
    signs = ["---" if i < n_text else "---:" for i in range(len(columns))]
    lines = [[plain(cell) for cell in columns], signs, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values as a list."""
    return "\n".join(f"- **{plain(name)}:** {plain(value)}" for name, value in rows)


def grid_markdown(grid: Grid) -> str:
    """Return a table of the report with its title and note."""
    parts = [f"### {plain(grid.title)}", table(grid.columns, grid.rows, grid.n_text)]
    return "\n\n".join([*parts, plain(grid.note)] if grid.note else parts)


def image(svg: str, says: str) -> str:
    """Return an image that is held in the text itself.

    Args:
        svg: The image.
        says: What it shows, for who cannot see it.
    """
    return f"![{plain(says)}]({data_uri(svg)})"
