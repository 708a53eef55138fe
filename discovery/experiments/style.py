"""How workbooks look: few colors that also print on a gray printer, thin lines, landscape pages."""

from __future__ import annotations

from typing import Any

INK = "1F3A5F"
TITLE = 12
FILLS = {
    "place": "E7E9EC",
    "parameter": "F3F4F6",
    "outcome": "FFF3B0",
    "note": "FFFBE6",
    "unit": "DDE3EA",
    "control": "D6E9D8",
    "empty": "FFFFFF",
    "used": "DCE8F5",
}
"""Background of cells by what they are for."""
CONTROLS = ("D6E9D8", "F6D9C6", "E3D5EC", "F7E6A8", "CFE8EA", "F2CFDB")
"""Backgrounds of controls on the plate map, by their order in the campaign file."""


def fill(color: str) -> Any:
    """Return a plain background."""
    from openpyxl.styles import PatternFill

    return PatternFill("solid", start_color=color, end_color=color)


def border() -> Any:
    """Return a thin line around a cell."""
    from openpyxl.styles import Border, Side

    line = Side(style="thin", color="C5CAD1")
    return Border(left=line, right=line, top=line, bottom=line)


def title_page(page: Any, name: str) -> None:
    """Set a worksheet up to be printed: landscape, as wide as the paper, with its name and page number."""
    page.page_setup.orientation, page.page_setup.paperSize = "landscape", page.PAPERSIZE_A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.oddHeader.left.text = name.replace("&", "&&")
    page.oddFooter.right.text = "&P / &N"


def font(**looks: Any) -> Any:
    """Return a font in the face of all our workbooks."""
    from openpyxl.styles import Font

    return Font(name="Calibri", **{"size": 11, **looks})
