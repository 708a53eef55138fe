"""The review form as people use it: a real browser opens the run's page, presses Resume, fills the form in and submits.

Needs a chromium of the system. Where `DISCOVERY_SCREENSHOTS` names a folder, the pictures of docs/review.md are made
there.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from discovery.session import Campaign

pytestmark = pytest.mark.slow
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIGANDS, BASES, TEMPERATURES, LOADINGS = ["XPhos", "SPhos", "RuPhos"], ["K3PO4", "DBU"], [40, 60, 80, 100], [0.5, 1, 2]


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a headless browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("This test needs a browser: install chromium (Debian: apt-get install chromium).")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign of couplings that people review and a table answers."""
    monkeypatch.delenv("DISCOVERY_STORE", raising=False)
    rows = ["ligand,base,temperature,loading,yield"]
    for ligand, base, temperature, loading in itertools.product(LIGANDS, BASES, TEMPERATURES, LOADINGS):
        level = {"XPhos": 40, "SPhos": 80, "RuPhos": 55}[ligand] + (8 if base == "DBU" else 0) + 3 * loading
        rows.append(f"{ligand},{base},{temperature},{loading},{level - 0.006 * (temperature - 80) ** 2:.1f}")
    (tmp_path / "couplings.csv").write_text("\n".join(rows) + "\n")
    data = {
        "name": "suzuki",
        "parameters": [
            {"name": "ligand", "type": "categorical", "values": LIGANDS},
            {"name": "base", "type": "categorical", "values": BASES},
            {"name": "temperature", "type": "discrete", "values": TEMPERATURES, "unit": "degC"},
            {"name": "loading", "type": "discrete", "values": LOADINGS, "unit": "mol%"},
        ],
        "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
        "objectives": [{"name": "yield", "goal": "maximize"}],
        "candidates": "couplings.csv",
        "acquisition": {"batch_size": 4},
        "budget": {"experiments": 12},
        "experiment": {"type": "table", "path": "couplings.csv"},
        "review": {"mode": "required", "timeout": "7d"},
    }
    path = tmp_path / "suzuki.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def field(page: Any, title: str) -> Any:
    """Return the field of the form with a title."""
    return page.locator(".schema-form-property").filter(has=page.locator(f"text=/^{title}/")).first


def picture(page: Any, name: str) -> None:
    """Take a picture for the documents, where a folder for pictures is named."""
    folder = os.environ.get("DISCOVERY_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(700)  # lists and pages open slowly
        page.screenshot(path=Path(folder) / f"{name}.png")


def free_loading(one: Campaign, proposal_id: str) -> float:
    """Return another loading that makes a proposal a configuration that nobody has measured or proposed."""
    names = list(one.space.names)
    taken = {tuple(row) for row in pd.concat([one.measurements()[names], one.proposals()[names]]).to_numpy()}
    here = one.store.proposal(proposal_id).configuration
    free = (loading for loading in LOADINGS if (*[here[name] for name in names[:-1]], loading) not in taken)
    return next(free)


def test_the_form_is_filled_in_by_hand(page: Any, desk: Callable, file: Path):
    """The form names every proposal and says what to write; an answer without a reason comes back with the fault, and
    the second one decides: two approved, one of them with another value, the others rejected."""
    one = Campaign.open(file)
    one.tell(pd.read_csv(file.parent / "couplings.csv").sample(5, random_state=0))
    ids = one.ask()["proposal_id"].tolist()
    lab = desk(file, "suzuki")
    run = lab.decide(cycle=1)
    lab.until(run, "Suspended", n_forms=1)
    page.goto(f"{lab.url.removesuffix('/api')}/runs/flow-run/{run}")
    picture(page, "review-run")
    page.get_by_role("button", name="Resume").first.click()
    page.get_by_text("4 proposals of suzuki wait for your decision.").wait_for()
    picture(page, "review-form")
    cards = page.get_by_role("link", name="Read the cards").get_attribute("href")
    field(page, "Your name").locator("textarea").fill("Ada")
    page.get_by_role("button", name="Submit").click()  # the default: reject all, and no reason
    lab.until(run, "Suspended", n_forms=2)
    assert one.waiting() == tuple(ids)

    page.reload()
    page.get_by_role("button", name="Resume").first.click()
    page.get_by_text("Nothing was decided by the last answer. A reason must be given to reject.").wait_for()
    picture(page, "review-again")
    field(page, "Decision").locator(".p-select-button__icon").click()
    page.get_by_text("approve the chosen, reject the others").click()
    field(page, "Chosen proposals").locator(".p-select-button__icon").click()
    page.get_by_text(f"{ids[1]}: ").click()
    picture(page, "review-choose")
    page.get_by_text("Resume Flow Run").first.click()  # closes the list
    other = free_loading(one, ids[0])
    field(page, "Other values").locator("textarea").fill(f"{ids[0]} loading={other}")
    field(page, "Reason for rejecting").locator("textarea").fill("too dear")
    field(page, "Your name").locator("textarea").fill("Ada")
    picture(page, "review-filled")
    page.get_by_role("button", name="Submit").click()
    lab.until(run, "Completed")
    assert {d.proposal_id: (d.decision, d.reviewer, d.reason) for d in one.decisions()} == {
        ids[0]: ("edit", "Ada", ""),
        ids[1]: ("approve", "Ada", ""),
        ids[2]: ("reject", "Ada", "too dear"),
        ids[3]: ("reject", "Ada", "too dear"),
    }
    assert one.store.proposal(ids[0]).configuration["loading"] == other
    page.goto(f"{lab.url.removesuffix('/api')}{cards}")
    page.get_by_text("4 proposals of suzuki to be decided").wait_for()
    picture(page, "review-cards")
    page.goto(f"{lab.url.removesuffix('/api')}/artifacts/key/suzuki-decisions")
    page.get_by_text("suzuki-decisions").first.wait_for()
