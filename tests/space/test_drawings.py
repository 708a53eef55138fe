"""Structures are drawn as SVG, and only where RDKit understands them."""

from xml.etree import ElementTree

from discovery.space.drawings import draw_molecule

SVG = "{http://www.w3.org/2000/svg}"


def test_a_structure_is_an_image_for_light_and_dark_pages() -> None:
    """A drawing is well-formed SVG with lines and without a filled page, for light pages and for dark ones."""
    root = ElementTree.fromstring(draw_molecule("c1ccccc1O"))
    light, dark = root.findall(f"{SVG}g")
    assert (light.attrib["class"], dark.attrib["class"]) == ("light", "dark")
    assert not list(root.iter(f"{SVG}rect"))
    for part in (light, dark):
        assert len(list(part.iter(f"{SVG}path"))) > 5
    assert ElementTree.tostring(light) != ElementTree.tostring(dark).replace(b"dark", b"light")


def test_what_is_no_molecule_is_not_drawn() -> None:
    """A text that is no SMILES gives no image and no exception."""
    assert draw_molecule("not a molecule") == ""
