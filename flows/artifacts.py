"""What the Prefect pages show of a campaign: its proposals, each cycle in a few lines, what is known and at what cost.

Artifacts are small; the data are in the store. What they say is written in `flows.pages`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import deployment, flow_run

from discovery.report.campaign import CampaignFrames
from discovery.report.markdown import plain, table
from discovery.report.style import labeled, number
from flows.pages import (
    PageText,
    calibration_page,
    hypotheses_page,
    links,
    models_page,
    progress_page,
    proposal_rows,
    with_sd,
)
from flows.progress import CycleSummary

if TYPE_CHECKING:
    from discovery.session import Campaign

SHOWN_EVERY = 10.0  # percent of training between two updates
TOPICS = ("cycles", "proposals", "progress", "hypotheses", "calibration", "models")
"""Ends of the keys of a campaign's pages, as they are linked."""


def artifact_key(campaign: str, what: str) -> str:
    """Return a key that Prefect accepts: lower-case letters, digits and dashes.

    Example:
        >>> artifact_key("Suzuki_case 4", "cycles")
        'suzuki-case-4-cycles'
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{campaign}-{what}".lower()).strip("-")


def publish_proposals(one: Campaign, frames: CampaignFrames | None = None) -> str:
    """Publish a campaign's proposals as a table; returns where it is.

    Args:
        one: The campaign.
        frames: Its tables, where they were read already.
    """
    frames = frames or CampaignFrames.read(one.spec, one.store)
    waiting = int((frames.proposals["status"] == "PROPOSED").sum())
    said = f"Proposals, with {labeled(frames.outcome, frames.unit)} as predicted and as measured."
    said += f" {waiting} wait for a decision." if waiting else ""
    made = create_table_artifact(
        key=artifact_key(one.name, "proposals"),
        table=proposal_rows(frames),
        description=f"{plain(said)} {links(elsewhere(one.name, 'proposals'))}",
    )
    return _place(made)


def publish_models(one: Campaign, version_ids: Sequence[str]) -> None:
    """Publish a card about each checkpoint that a campaign uses."""
    models = one.store.models()
    page = models_page(models[models["version_id"].isin(version_ids)])
    _publish(one.name, page, elsewhere(one.name, page.topic))


def publish_cycle(one: Campaign, summary: CycleSummary) -> None:
    """Publish what a cycle brought and the pages that it changed, with links from the one to the others.

    A new forecast is made only where a lasting server shows it.
    """
    if os.environ.get("PREFECT_API_URL"):
        one.forecast_if_cheap()
    frames = CampaignFrames.read(one.spec, one.store)
    places = {"proposals": publish_proposals(one, frames)}
    for page in (progress_page(frames), hypotheses_page(frames), calibration_page(frames)):
        places[page.topic] = _publish(one.name, page, elsewhere(one.name, page.topic))
    page = PageText("cycles", cycle_headline(summary), cycle_markdown(summary))
    _publish(one.name, page, elsewhere(one.name, page.topic, places))


def elsewhere(campaign: str, topic: str, places: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Return names and addresses of a campaign's other pages, and of the run and the deployment at work.

    Args:
        campaign: The campaign.
        topic: The page that links.
        places: Addresses of pages that were just made; the others are linked by key, where all their versions are.
    """
    known = places or {}
    found = [
        (other.capitalize(), known.get(other, f"/artifacts/key/{artifact_key(campaign, other)}"))
        for other in TOPICS
        if other != topic
    ]
    if flow_run.id:
        found.append(("This run", f"/runs/flow-run/{flow_run.id}"))
    if deployment.id:
        found.append(("Deployment", f"/deployments/deployment/{deployment.id}"))
    return found


def cycle_headline(summary: CycleSummary) -> str:
    """Say in a line how far a campaign is."""
    label = labeled(summary.outcome, summary.unit)
    done = f"{summary.n_measurements} of {summary.n_budget} experiments are measured."
    return f"Cycle {summary.cycle}: {done} Best {label} so far: {number(summary.best)}."


def cycle_markdown(summary: CycleSummary) -> str:
    """Write a cycle as Markdown: what was proposed and found, the best so far, and the hypotheses."""
    label = labeled(summary.outcome, summary.unit)
    parts = [
        f"## {plain(summary.campaign)}, cycle {summary.cycle}",
        f"{summary.n_measurements} of {summary.n_budget} experiments are measured. "
        f"Best {plain(label)} so far: {number(summary.best)}.",
    ]
    if summary.proposals:
        rows = [_joined(row, summary) for row in summary.proposals]
        names = list(rows[0])
        parts.append(table(names, [[number(row[name]) for name in names] for row in rows], n_text=len(names)))
    parts.append("### Hypotheses when this cycle was proposed")
    parts.append("\n".join(f"- {plain(name)}: {weight:.3f}" for name, weight in summary.weights.items()))
    return "\n\n".join(parts)


def _joined(row: Mapping[str, object], summary: CycleSummary) -> dict[str, object]:
    """Write prediction and standard deviation of a proposal in one cell, and its id without the campaign's name."""
    mean, sd, measured = f"{summary.outcome}_pred", f"{summary.outcome}_sd", row[summary.outcome]
    hidden = {"proposal_id", mean, sd, "status", summary.outcome}
    return {
        "proposal": str(row["proposal_id"]).removeprefix(f"{summary.campaign}-"),
        "predicted": with_sd(row[mean], row[sd]),
        "measured": str(row["status"]).lower() if measured is None else measured,
        **{name: value for name, value in row.items() if name not in hidden},
    }


def _publish(campaign: str, page: PageText, places: Sequence[tuple[str, str]]) -> str:
    """Publish a page with links to others at its end; returns where it is."""
    made = create_markdown_artifact(
        key=artifact_key(campaign, page.topic),
        markdown=f"{page.text}\n\n---\n\n{links(places)}",
        description=plain(page.headline),
    )
    return _place(made)


def _place(made: object) -> str:
    assert isinstance(made, UUID)
    return f"/artifacts/artifact/{made}"


class TrainingProgress:
    """The progress of meta-training as one artifact per hypothesis, updated in steps of ten percent.

    Args:
        campaign: Whose training.
    """

    def __init__(self, campaign: str) -> None:
        self.campaign = campaign
        self._shown: dict[str, tuple[UUID, float]] = {}

    def report(self, hypothesis: str, step: int, steps: int) -> None:
        """Show how far a hypothesis is."""
        percent = 100.0 * step / max(steps, 1)
        if hypothesis not in self._shown:
            key = artifact_key(self.campaign, f"meta-training-{hypothesis}")
            made = create_progress_artifact(progress=percent, key=key, description=f"Meta-training {hypothesis}")
            assert isinstance(made, UUID)
            self._shown[hypothesis] = (made, percent)
        artifact, shown = self._shown[hypothesis]
        if percent >= shown + SHOWN_EVERY or (percent >= 100.0 > shown):
            update_progress_artifact(artifact_id=artifact, progress=percent)
            self._shown[hypothesis] = (artifact, percent)

    @property
    def shown(self) -> Mapping[str, float]:
        """Percent shown last, by hypothesis."""
        return {name: percent for name, (_, percent) in self._shown.items()}
