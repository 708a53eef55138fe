"""The HTML file: one file, no network, every value escaped, every plot in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from plotly.offline import get_plotlyjs

from discovery.evaluation.results import BacktestResult
from discovery.report.campaign import CampaignFrames
from discovery.report.html import backtest_html, campaign_html


class Reader(HTMLParser):
    """Collect headings, tables and what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["script"] and self.tags[-1:] != ["style"]:
            self.text.append(data)


def read(path: Path) -> tuple[str, Reader]:
    """Return a page without plotly.js, and what a reader sees of it."""
    page = path.read_text(encoding="utf-8")
    assert page.count(get_plotlyjs()) == 1  # inlined once
    rest = page.replace(get_plotlyjs(), "")
    reader = Reader()
    reader.feed(rest)
    return rest, reader


def test_backtest_page_is_self_contained_and_complete(result: BacktestResult, tmp_path: Path) -> None:
    """Nothing is loaded from anywhere; headline, methods, conditions and weights are there."""
    page, reader = read(backtest_html(result, tmp_path / "new" / "report.html"))
    assert page.startswith("<!doctype html>")
    assert reader.loads == []
    assert not re.search(r"@import|url\(", page)
    assert reader.tags.count("table") == 3
    assert len(set(re.findall(r'id="(plot-\d+)"', page))) == 3
    text = " ".join(reader.text)
    for part in ("belief came within 5 %", "regret AUC", "temperature (degC)", "L0 [x]", "no_transfer", "yield (%)"):
        assert part in text


def test_values_are_escaped(result: BacktestResult, tmp_path: Path) -> None:
    """Markup in a name is shown and not obeyed."""
    page, reader = read(backtest_html(result, tmp_path / "report.html"))
    assert "b" not in reader.tags
    assert "<b>of" not in page
    assert "coupling &lt;b&gt;of" in page


def test_a_stored_run_is_shown_below_the_backtest(
    result: BacktestResult, frames: CampaignFrames, tmp_path: Path
) -> None:
    """Progress, hypotheses, predictions and calibration follow where a campaign is given."""
    _, reader = read(backtest_html(result, tmp_path / "report.html", frames))
    text = " ".join(reader.text)
    for part in ("Progress", "Hypotheses", "Predicted and measured", "Calibration"):
        assert f"The stored run: {part}" in text


def test_campaign_page_has_goal_dates_and_all_parts(frames: CampaignFrames, tmp_path: Path) -> None:
    """Header, progress, ledger, predictions, coverage and the PIT histogram of a stored campaign."""
    page, reader = read(campaign_html(frames, tmp_path / "report.html"))
    text = " ".join(reader.text)
    for part in ("lab", "maximize yield (%)", "3 of 12", "Hypotheses", "Predicted and measured", "Calibration"):
        assert part in text
    assert re.search(r"\d{4}-\d\d-\d\d", text)
    assert "Nothing speaks against the experience" in text and "No sign of drift" in text
    assert len(set(re.findall(r'id="(plot-\d+)"', page))) == 5


def test_an_empty_campaign_makes_a_page(frames: CampaignFrames, tmp_path: Path) -> None:
    """Before the first measurement there is a header and a sentence."""
    nothing = {name: getattr(frames, name).head(0) for name in ("measurements", "proposals", "evidence", "calibration")}
    _, reader = read(campaign_html(replace(frames, **nothing), tmp_path / "report.html"))
    assert "Nothing has been measured yet." in " ".join(reader.text)
    assert "table" not in reader.tags
