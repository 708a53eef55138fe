"""Colors are stable, numbers are written for people."""

from __future__ import annotations

import pytest

from discovery.report.style import COLORS, MORE_COLORS, color, count, faded, labeled, number, seconds


@pytest.mark.parametrize("name", [*COLORS, "simulator:mine", "our_own"])
def test_every_name_has_one_color(name: str) -> None:
    """Known names have their own color, others one that depends on the name alone."""
    assert color(name) == color(name)
    assert color(name) in {*COLORS.values(), *MORE_COLORS}


def test_known_names_never_share_a_color() -> None:
    """Methods and hypotheses that stand in one plot can be told apart."""
    assert len({*COLORS.values(), *MORE_COLORS}) == len(COLORS) + len(MORE_COLORS)
    assert faded("belief", 0.5) == "rgba(0,114,178,0.5)"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(None), "-"),
        (number(True), "true"),
        (number(12), "12"),
        (number(93.456789), "93.46"),
        (number("XPhos"), "XPhos"),
        (count(3.0), "3"),
        (count(16.75), "16.8"),
        (seconds(None), "-"),
        (seconds(0.0002), "< 1 ms"),
        (seconds(0.153), "153 ms"),
        (seconds(41.23), "41.2 s"),
        (labeled("yield", "%"), "yield (%)"),
        (labeled("yield", ""), "yield"),
    ],
)
def test_values_are_written_for_people(shown: str, expected: str) -> None:
    """Four digits, a unit, and a dash where there is nothing."""
    assert shown == expected
