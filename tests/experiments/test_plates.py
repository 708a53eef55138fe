"""Layouts: every proposal in a well of its own, controls on every plate, skipped wells left empty, each time alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import PLATES, Control, Plate
from discovery.errors import ConfigurationError
from discovery.experiments.plates import lay_out, position, well_name, wells_of

ORDERS = ("row", "column", "random")


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    """Draw a plate with controls and skipped wells that leaves one well at least."""
    n_wells = draw(st.sampled_from([6, 12, 24, 48, 96]))
    names = [well_name(i, PLATES[n_wells][1]) for i in range(n_wells)]
    taken = draw(st.lists(st.sampled_from(names), unique=True, max_size=n_wells - 1))
    n_controls = draw(st.integers(0, len(taken)))
    controls = [Control(name=f"k{i % 3}", wells=(well,)) for i, well in enumerate(taken[:n_controls])]
    return Plate(wells=n_wells, order=draw(st.sampled_from(ORDERS)), controls=controls, skip=tuple(taken[n_controls:]))


@settings(max_examples=80, deadline=None)
@given(plates(), st.integers(1, 250), st.integers(0, 2**63 - 1))
def test_whatever_the_plate_everything_has_its_place(plate, n, seed):
    """All proposals are placed once, no well is used twice, none is skipped, controls stand on every plate."""
    layout = lay_out(plate, n, seed)
    is_control = layout["item"] < 0
    assert sorted(layout.loc[~is_control, "item"]) == list(range(n))
    assert not layout.duplicated(["plate", "well"]).any()
    assert set(layout["well"]).isdisjoint(plate.skip)
    assert set(layout["well"]) <= set(wells_of(plate).names)
    wanted = {(well, control.name) for control in plate.controls for well in control.wells}
    for _, one in layout[is_control].groupby("plate"):
        assert set(zip(one["well"], one["control"], strict=True)) == wanted
    n_free = plate.wells - len(wanted) - len(plate.skip)
    assert sorted(layout["plate"].unique()) == list(range(1, -(-n // n_free) + 1))
    assert layout["run_order"].tolist() == list(range(1, len(layout) + 1))
    assert (layout["control"] == "").tolist() == (~is_control).tolist()


@settings(max_examples=30, deadline=None)
@given(plates(), st.integers(1, 100))
def test_a_plate_is_worked_through_in_its_order(plate, n):
    """Run orders follow the wells: column by column where it says so, else row by row, plate after plate."""
    layout = lay_out(plate, n, 1)
    places = [position(well, plate) for well in layout["well"]]
    n_columns = PLATES[plate.wells][1]
    walk = [
        (i % n_columns, i // n_columns) if plate.order == "column" else (i // n_columns, i % n_columns) for i in places
    ]
    assert list(zip(layout["plate"], walk, strict=True)) == sorted(zip(layout["plate"], walk, strict=True))
    if plate.order != "random":
        assert layout.loc[layout["item"] >= 0, "item"].is_monotonic_increasing


def test_a_random_layout_depends_on_its_seed_only():
    """The same seed gives the same wells, another one others; plates of one batch differ, too."""
    plate = Plate(wells=24, order="random")
    first, again, other = (lay_out(plate, 48, seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    halves = [first.loc[first["plate"] == number, "item"].to_numpy() % 24 for number in (1, 2)]
    assert (halves[0] != halves[1]).any()
    assert halves[0].tolist() != list(range(24))


def test_the_edge_stays_empty_but_for_controls():
    """`edge` skips the outermost wells; a control that is named there stands there all the same."""
    plate = Plate(wells=24, skip=("edge",), controls=(Control(name="blank", wells=("A1",)),))
    layout = lay_out(plate, 8)
    assert set(layout["well"]) == {"A1", "B2", "B3", "B4", "B5", "C2", "C3", "C4", "C5"}
    assert wells_of(plate).empty == {*range(1, 7), 11, 12, 17, *range(18, 24)}


@pytest.mark.parametrize("n_wells", PLATES)
def test_every_format_has_its_wells(n_wells):
    """Names and positions belong together on all plates, from A1 to the last corner."""
    plate = Plate(wells=n_wells)
    names = wells_of(plate).names
    assert len(set(names)) == n_wells
    assert [position(name, plate) for name in names] == list(range(n_wells))
    last = {6: "B3", 12: "C4", 24: "D6", 48: "F8", 96: "H12", 384: "P24", 1536: "AF48"}
    assert (names[0], names[-1]) == ("A1", last[n_wells])


def test_wells_may_be_written_with_a_zero():
    """A01 is A1: the well is neither lost nor used twice."""
    plate = Plate(wells=96, skip=("A01",), controls=(Control(name="blank", wells=("A02",)),))
    assert lay_out(plate, 2)["well"].tolist() == ["A2", "A3", "A4"]


def test_a_plate_without_a_free_well_is_refused():
    """Where controls and skipped wells leave nothing, the file is wrong."""
    with pytest.raises(ConfigurationError, match=r"experiment\.plate must leave a well for proposals; all 6"):
        lay_out(Plate(wells=6, skip=("edge",)), 1)
