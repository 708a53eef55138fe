"""Structures are drawn as SVG, and only where RDKit understands them."""

from xml.etree import ElementTree

import pytest

pytest.importorskip("rdkit")

from discovery.space.drawings import draw_molecule


def test_a_structure_is_an_image_without_background() -> None:
    """A drawing is well-formed SVG with lines and no filled page, other on dark pages than on light ones."""
    light, dark = (draw_molecule("c1ccccc1O", is_dark=is_dark) for is_dark in (False, True))
    assert light != dark
    for text in (light, dark):
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg") and len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 5
        assert not list(root.iter("{http://www.w3.org/2000/svg}rect"))


def test_what_is_no_molecule_is_not_drawn() -> None:
    """A text that is no SMILES gives no image and no exception."""
    assert draw_molecule("not a molecule") == ""
