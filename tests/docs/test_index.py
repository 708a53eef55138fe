"""Documents find each other: the index names all, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([\w-]+))?\)")


def test_the_index_names_every_document():
    """Every document in docs/ is in the index."""
    linked = {target for target, _ in LINK.findall((DOCS / "index.md").read_text(encoding="utf-8"))}
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} - linked == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    """A relative link leads to a file or folder of the checkout, and its anchor to a heading there."""
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name} -> {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_pages_begin_with_a_title(page):
    """Every page has one title, at its top."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_the_changelog_keeps_its_form():
    """The changelog has an entry for this release, under the headings of Keep a Changelog."""
    import discovery

    text = (DOCS / "changelog.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+)\]$", text, re.MULTILINE)[:2] == ["Unreleased", discovery.__version__]
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Not supported yet"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= known
