"""Structures of molecules as SVG images, for people who decide about them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from discovery.space.fingerprints import chemistry

WIDTH, HEIGHT = 260, 180


@lru_cache(maxsize=1024)
def draw_molecule(smiles: str, *, is_dark: bool = False) -> str:
    """Draw a molecule.

    Args:
        smiles: The molecule.
        is_dark: Whether the image stands on a dark page.

    Returns:
        An SVG image without a background; empty where the text is no SMILES that RDKit understands.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    chem = chemistry()
    from rdkit.Chem.Draw import rdMolDraw2D

    with chem.rdBase.BlockLogs():
        molecule = chem.MolFromSmiles(smiles)
    if molecule is None:
        return ""
    canvas: Any = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options = canvas.drawOptions()
    if is_dark:
        rdMolDraw2D.SetDarkMode(options)
    options.clearBackground = False
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    text: str = canvas.GetDrawingText()
    return text[text.index("<svg") :]
