"""Markdown out of tables: what people typed stays text."""

from __future__ import annotations

import pytest

from discovery.report.grids import Grid
from discovery.report.markdown import facts, grid_markdown, image, plain, table


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("P1_L1", "P1_L1"),
        ("_a_", r"\_a\_"),
        ("C[C@H](N)C(=O)O", r"C\[C@H\](N)C(=O)O"),
        ("a|b", r"a\|b"),
        ("<img src=x>", r"\<img src=x\>"),
        ("2*3 $x$ `y` \\", r"2\*3 \$x\$ \`y\` \\"),
        ("two\nlines", "two lines"),
        ("-", r"\-"),
        ("# 4", r"\# 4"),
        ("2. of 3", r"2\. of 3"),
        ("-5.5", "-5.5"),
        ("+", r"\+"),
    ],
)
def test_special_characters_are_text(text, wanted):
    """Molecules, underscores, HTML and formulas are shown as they were typed."""
    assert plain(text) == wanted


def test_numbers_stand_to_the_right():
    """Columns of text come first, numbers after them."""
    assert table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"


def test_a_grid_has_title_and_note():
    """A table of the report keeps what explains it."""
    assert (
        grid_markdown(Grid("Best", ("a",), (("1",),), note="of all")) == "### Best\n\n| a |\n| --- |\n| 1 |\n\nof all"
    )
    assert grid_markdown(Grid("Best", ("a",), ())).endswith("| --- |")


def test_facts_and_images():
    """Names and values become a list; an image says what it shows."""
    assert facts([("left", "3")]) == "- **left:** 3"
    assert image("<svg/>", "a [plot]") == r"![a \[plot\]](data:image/svg+xml;base64,PHN2Zy8+)"
