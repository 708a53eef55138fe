"""Small plots: round ticks, points where they belong, and text that stays text."""

from __future__ import annotations

import re
from base64 import b64decode
from xml.etree import ElementTree

import pytest

from discovery.report.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Series,
    data_uri,
    log_ticks,
    plot,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("experiment", 0.0, 10.0), Axis("yield (%)", 0.0, 100.0)
BLUE = "#0072b2"


def points(svg: str, tag: str = "polyline") -> list[tuple[float, float]]:
    """Return the corners of the first line or polygon."""
    found = ElementTree.fromstring(svg).find(f".//{SVG}{tag}")
    assert found is not None
    return [tuple(map(float, pair.split(","))) for pair in found.attrib["points"].split()]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.03, 0.17, [0.0, 0.05, 0.1, 0.15]),
        (950.0, 1060.0, [960.0, 980.0, 1000.0, 1020.0, 1040.0, 1060.0]),
        (-5e-7, 5e-7, [-4e-7, -2e-7, 0.0, 2e-7, 4e-7]),
    ],
)
def test_ticks_are_round_and_inside(low, high, wanted):
    """Ticks are multiples of 1, 2 or 5 times a power of ten, between the ends."""
    assert ticks(low, high) == pytest.approx(wanted)


def test_counts_have_whole_ticks():
    """Between one and three experiments there is no experiment 1.5."""
    assert ticks(0.5, 3.5, is_whole=True) == [1.0, 2.0, 3.0]


def test_corners_of_the_axes_are_corners_of_the_plot():
    """The least values lie at the lower left, the largest at the upper right."""
    line = points(plot([Series("a", [0, 10], [0, 100], BLUE)], X, Y))
    assert line == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]


def test_steps_hold_a_value_until_the_next():
    """The best so far does not rise before it does."""
    a, b, c = points(plot([Series("a", [0, 10], [0, 100], BLUE, "steps")], X, Y))
    assert (b[0], b[1]) == (c[0], a[1])


def test_an_area_goes_along_its_upper_edge_and_back_along_the_lower():
    """A stacked weight covers what lies between its edges."""
    corners = points(plot([Series("a", [0, 10], [100, 100], BLUE, "area", low=[0, 50])], X, Y), "polygon")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    assert corners == [(LEFT, TOP), (WIDTH - RIGHT, TOP), (WIDTH - RIGHT, middle), (LEFT, HEIGHT - BOTTOM)]


def test_names_are_text():
    """What people typed cannot become part of the drawing."""
    svg = plot([Series('<script>"&', [1], [1], BLUE, "dots")], Axis("<b>", 0, 1), Y)
    root = ElementTree.fromstring(svg)
    assert {'<script>"&', "<b>"} <= {text.text for text in root.iter(f"{SVG}text")}
    assert not list(root.iter(f"{SVG}script"))


def test_colors_follow_a_dark_page():
    """The same series is lighter where the page is dark, and text is light there."""
    style = ElementTree.fromstring(plot([Series("a", [0, 1], [0, 1], BLUE)], X, Y)).findtext(f"{SVG}style")
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert f"stroke:{BLUE}" in light and BLUE not in dark and "text{fill:" in dark


def test_one_value_has_an_axis():
    """A single measurement, or several that are equal, can be drawn."""
    axis = Axis.around("yield", [5.0])
    assert axis.low < 5.0 < axis.high and axis.share(5.0) == pytest.approx(0.5)


def test_an_image_is_held_in_its_address():
    """The address gives the image back, with nothing to load from elsewhere."""
    svg = plot([Series("a", [0, 1], [0, 1], BLUE)], X, Y)
    assert b64decode(data_uri(svg).removeprefix("data:image/svg+xml;base64,")).decode() == svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (60.0, 600.0, [100.0, 200.0, 500.0]),
        (1e-6, 1e3, [10.0**k for k in range(-6, 4)]),
        (2.1, 2.9, [2.2, 2.4, 2.6, 2.8]),
    ],
)
def test_log_ticks_are_round_and_inside(low, high, wanted):
    """On a log axis 1, 2 and 5 are marked, powers of ten where it is long, and plain ticks where it is short."""
    assert log_ticks(low, high) == pytest.approx(wanted)


def test_equal_ratios_are_equally_far_on_a_log_axis():
    """The middle of a log axis is the geometric mean of its ends."""
    axis = Axis("time (s)", 1.0, 100.0, is_log=True)
    assert [axis.share(value) for value in (1.0, 10.0, 100.0)] == pytest.approx([0.0, 0.5, 1.0])


def test_words_stand_in_the_middle_of_their_place_and_are_cut_where_they_do_not_fit():
    """Three words share an axis in thirds; a long one ends in an ellipsis, a number never does."""
    axis = Axis.listed("ligand", ["A", "B", "a very long name"])
    assert [axis.share(tick) for tick in axis.ticks] == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    assert (axis.text(0, 50), axis.text(2, 50)) == ("A", "a very…")
    assert Axis("y", 0.0, 1.0).text(0.123456, 5) == "0.1235"
