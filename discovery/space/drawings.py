"""Structures of molecules as SVG images, for people who decide about them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from discovery.space.fingerprints import chemistry

WIDTH, HEIGHT = 260, 180
STYLE = ".dark{display:none}@media(prefers-color-scheme:dark){.light{display:none}.dark{display:inline}}"


@lru_cache(maxsize=1024)
def draw_molecule(smiles: str) -> str:
    """Draw a molecule.

    Args:
        smiles: The molecule.

    Returns:
        An SVG image without a background that follows the colors of the page around it, light or dark; empty where the
        text is no SMILES that RDKit understands.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    chem = chemistry()
    with chem.rdBase.BlockLogs():
        molecule = chem.MolFromSmiles(smiles)
    if molecule is None:
        return ""
    drawn = "".join(f'<g class="{look}">{_drawn(molecule, is_dark=look == "dark")}</g>' for look in ("light", "dark"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"<style>{STYLE}</style>{drawn}</svg>"
    )


def _drawn(molecule: Any, *, is_dark: bool) -> str:
    """Return what RDKit draws, without the image around it."""
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options: Any = canvas.drawOptions()
    if is_dark:
        rdMolDraw2D.SetDarkMode(options)
    options.clearBackground = False
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    text: str = canvas.GetDrawingText()
    return text[text.index("<!-- END OF HEADER -->") : text.rindex("</svg>")]
