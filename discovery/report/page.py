"""A page: one self-contained HTML file with headings, sentences, plots and tables; nothing is loaded from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

import discovery
from discovery.report.grids import Grid
from discovery.report.style import color

PLOT_OPTIONS = {"displaylogo": False, "responsive": True, "displayModeBar": False}


@dataclass(frozen=True)
class Section:
    """One part of a page: a heading, a sentence, a plot, a table; each but the heading may be absent."""

    title: str
    text: str = ""
    figure: go.Figure | None = None
    grid: Grid | None = None


@dataclass(frozen=True)
class Page:
    """A report before it is written.

    Attributes:
        kind: What it reports on, above the title.
        title: The campaign.
        headline: The result in a sentence or two.
        facts: Name and value of what a reader has to know first.
        sections: The parts, in order.
    """

    kind: str
    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def write_page(page: Page, path: str | Path) -> Path:
    """Fill the template with a page and write it; return the file."""
    environment = Environment(
        loader=PackageLoader("discovery.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["color"] = color
    template = environment.get_template("page.html")
    plots = [
        section.figure.to_html(
            full_html=False,
            include_plotlyjs=False,
            include_mathjax=False,
            div_id=f"plot-{i}",
            config=PLOT_OPTIONS,
        )
        if section.figure is not None
        else ""
        for i, section in enumerate(page.sections)
    ]
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = template.render(page=page, plots=plots, plotly=get_plotlyjs(), version=discovery.__version__)
    target.write_text(text, encoding="utf-8")
    return target


def today() -> str:
    """Return today's date, UTC, as a page shows it."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
