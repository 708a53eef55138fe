"""docs/prefect-ui.md names every page and every event that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import flows
from discovery.session.happenings import EVENTS
from flows.artifacts import TOPICS

TEXT = (Path(__file__).parents[2] / "docs" / "prefect-ui.md").read_text()


def test_every_event_is_described():
    """The rows of the table are the events that the session writes, in the same order."""
    assert tuple(re.findall(r"^\| `(discovery\.[a-z.]+)` \|", TEXT, flags=re.M)) == EVENTS


def test_every_page_is_described_and_shown():
    """Each page of a campaign has its paragraph and its picture."""
    assert set(re.findall(r"^\*\*`NAME-([a-z]+)`\*\*", TEXT, flags=re.M)) == set(TOPICS)
    assert all(f"(images/ui-{topic}.png)" in TEXT for topic in TOPICS)


def test_the_automations_are_counted():
    """As many as the document says come along."""
    content = yaml.safe_load(Path(flows.__file__).with_name("automations.yaml").read_text())
    assert len(content["automations"]) == 5 and "Five automations notify people" in TEXT
