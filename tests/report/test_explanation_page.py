"""The page and the tables of an explanation say what the explanation holds."""

import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from discovery.campaign import CampaignSpec
from discovery.report.explanation import drivers_grid, explanation_grids, hypotheses_grid, neighbors_grid
from discovery.report.explanation_page import bars, write_explanations
from discovery.report.maps import pair_plot
from discovery.report.slices import slice_plot
from discovery.review import HypothesisView, Neighbor, ProposalCard, Setting
from discovery.review.explanation import Driver, Drivers, Explanation, MeasuredPoint, Stance
from discovery.review.slices import PairMap, Slice
from discovery.review.teaching import Lesson

SVG = "{http://www.w3.org/2000/svg}"
CARD = ProposalCard(
    proposal_id="lab-c002-00",
    campaign="lab",
    cycle=2,
    status="PROPOSED",
    settings=(Setting("ligand", "A<1>", ""), Setting("heat", 60.0, "degC")),
    outcome="yield",
    unit="%",
    mean=70.0,
    sd=8.0,
    interval=(57.0, 83.0),
    is_cut=False,
    hypotheses=(HypothesisView("no_transfer", 70.0, 8.0, 1.0, 1.0, "no_transfer-1"),),
    argument="no_transfer argues for it: 100 % of the expected improvement.",
    intent="",
    neighbors=(Neighbor("lab-m0003", 64.0, 0.1, {"heat": 50.0}),),
    n_measurements=3,
    seed=1,
)
HEAT = Slice("heat", "degC", "linear", (0.0, 60.0, 100.0), (20.0, 70.0, 60.0), (10.0, 60.0, 50.0), (30.0, 80.0, 70.0),
             (True, True, False), 1)  # fmt: skip
LIGAND = Slice("ligand", "", "listed", ("A<1>", "B"), (70.0, 30.0), (60.0, 20.0), (80.0, 40.0), (True, True), 0)
PAIR = PairMap(("heat", "ligand"), ("degC", ""), ("linear", "listed"), (0.0, 60.0, 100.0), ("A<1>", "B"),
               ((20.0, 70.0, 60.0), (10.0, 30.0, 30.0)), ((True, True, False), (True, True, True)), (1, 0))  # fmt: skip
FOUND = Explanation(
    card=CARD,
    goal="maximize",
    range=(0.0, 100.0),
    best=68.0,
    gain=3.1,
    stance=Stance(0.2, 0.9, 0.225, 2.0),
    drivers=Drivers(
        40.0, 70.0, (Driver("heat", 60.0, 40.0, 3.0), Driver("ligand", "A<1>", -10.0, -0.4)), 0.5, 3.1, True
    ),
    lesson=Lesson(10, 12.0, 9.0, 0.1, 0.5, {"no_transfer": 0.1}),
    slices=(LIGAND, HEAT),
    maps=(PAIR,),
    points=(
        MeasuredPoint({"ligand": "A<1>", "heat": 50.0}, 64.0, {"ligand": 0.0, "heat": 0.1}),
        MeasuredPoint({"ligand": "B", "heat": 60.0}, 31.0, {"ligand": 1.0, "heat": 0.0}),
    ),
)


@pytest.fixture
def spec() -> CampaignSpec:
    """The campaign."""
    return CampaignSpec.from_mapping(
        {
            "name": "lab",
            "parameters": [
                {"name": "ligand", "type": "categorical", "values": ["A<1>", "B"]},
                {"name": "heat", "type": "continuous", "bounds": [0, 100], "unit": "degC"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield"}],
        }
    )


def test_the_tables_hold_the_numbers() -> None:
    """From a typical candidate over every effect to the proposal; every hypothesis; every neighbor."""
    assert [row[1] for row in drivers_grid(FOUND).rows] == ["40", "+40", "-10", "70"]
    assert hypotheses_grid(FOUND).rows[0][1:] == ("70 ± 8", "100 %", "100 %", "0.1")
    assert neighbors_grid(FOUND).rows == (("m0003", "heat 50", "64", "0.10"),)
    assert len(explanation_grids(replace(FOUND, card=replace(CARD, neighbors=())))) == 2


def test_bars_follow_one_another() -> None:
    """Each bar begins where the one before ended, the last ends at the proposal, and falling ones are marked."""
    first, up, down, last = bars(FOUND)
    assert (up.look, down.look) == ("up", "down")
    assert up.left == pytest.approx(first.left)
    assert up.left + up.width == pytest.approx(down.left + down.width)
    assert down.left == pytest.approx(last.left)


def test_a_slice_marks_the_proposal_and_what_was_measured() -> None:
    """One dot for the proposal and one per measurement, the one that differs elsewhere in a paler style."""
    image = ElementTree.fromstring(slice_plot(HEAT, FOUND))
    drawn = [circle for circle in image.iter(f"{SVG}circle")]
    inside = [circle.attrib["class"] for circle in image.find(f"{SVG}g").iter(f"{SVG}circle")]
    assert len(inside) == 3 and len(set(inside)) == 3
    assert len(drawn) > len(inside)  # the legend has its own
    assert "not allowed" in "".join(image.itertext())


def test_categories_stand_side_by_side() -> None:
    """A categorical slice has a whisker per value, with its name below, whatever signs it holds."""
    image = ElementTree.fromstring(slice_plot(LIGAND, FOUND))
    assert len([line for line in image.find(f"{SVG}g").iter(f"{SVG}line")]) == 2
    assert {"A<1>", "B"} <= {text.text for text in image.iter(f"{SVG}text")}


def test_a_map_has_a_cell_per_color_and_marks() -> None:
    """Cells of one color in a row are drawn once, forbidden ones are gray, measurements and the proposal are marked."""
    image = ElementTree.fromstring(pair_plot(PAIR, FOUND))
    cells = [cell for cell in image.find(f"{SVG}g").iter(f"{SVG}rect")]
    assert len(cells) == 5  # three above, of the other row two are alike
    assert sum(cell.attrib.get("class") == "no" for cell in cells) == 1
    assert len([c for c in image.iter(f"{SVG}circle") if c.attrib["class"] == "m"]) == 2


def test_the_page_needs_no_network_and_no_script(spec: CampaignSpec, tmp_path: Path) -> None:
    """All is in the file: sentences, tables, and images that are well formed; what people typed stays text."""
    text = write_explanations(spec, [FOUND], tmp_path / "new" / "why.html").read_text(encoding="utf-8")
    images = [b64decode(part) for part in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)]
    assert len(images) == 3
    for image in images:
        ElementTree.fromstring(image)
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    assert "A&lt;1&gt;" in text and "A<1>" not in text
    assert "Expected gain: 3.1 % above the best yield so far, 68 %" in text and "prefers-color-scheme: dark" in text


def test_molecules_are_drawn(spec: CampaignSpec, tmp_path: Path) -> None:
    """The structures of the proposal and of its neighbors are drawn, with what was measured and how alike they are."""
    settings = (Setting("smiles", "CCO", "", kind="molecule"), CARD.settings[1])
    near = Neighbor("lab-m0003", 64.0, 0.4, {"smiles": "CCN"}, {"smiles": 0.6})
    found = replace(FOUND, card=replace(CARD, settings=settings, neighbors=(near,)), slices=(), maps=())
    text = write_explanations(spec, [found], tmp_path / "why.html").read_text(encoding="utf-8")
    drawn = set(re.findall(r'"data:image/svg\+xml;base64,([^"]+)"', text))
    assert len(drawn) == 2
    assert "measured: yield 64 %, similarity 0.60" in text
