"""What the Prefect pages show of a campaign: its proposals, each cycle in a few lines, the progress of meta-training.

Artifacts are small; the data are in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from uuid import UUID

import pandas as pd
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from discovery.report.style import labeled, number
from flows.progress import CycleSummary

SHOWN_EVERY = 10.0  # percent of training between two updates


def artifact_key(campaign: str, what: str) -> str:
    """Return a key that Prefect accepts: lower-case letters, digits and dashes.

    Example:
        >>> artifact_key("Suzuki_case 4", "cycles")
        'suzuki-case-4-cycles'
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{campaign}-{what}".lower()).strip("-")


def publish_proposals(campaign: str, cycle: int, proposals: pd.DataFrame) -> None:
    """Publish the proposals of a cycle as a table."""
    create_table_artifact(
        key=artifact_key(campaign, "proposals"),
        table=json.loads(proposals.to_json(orient="records", date_format="iso")),
        description=f"Proposals of cycle {cycle} of {campaign}.",
    )


def publish_cycle(summary: CycleSummary) -> None:
    """Publish what a cycle brought."""
    create_markdown_artifact(key=artifact_key(summary.campaign, "cycles"), markdown=cycle_markdown(summary))


def cycle_markdown(summary: CycleSummary) -> str:
    """Write a cycle as Markdown: what was proposed and found, the best so far, and the hypotheses."""
    label = labeled(summary.outcome, summary.unit)
    lines = [
        f"## {summary.campaign}, cycle {summary.cycle}",
        "",
        f"{summary.n_measurements} of {summary.n_budget} experiments are measured. "
        f"Best {label} so far: {number(summary.best)}.",
        "",
    ]
    if summary.proposals:
        names = list(summary.proposals[0])
        lines += [_row(names), _row(["---"] * len(names))]
        lines += [_row([number(row[name]) for name in names]) for row in summary.proposals]
    lines += ["", "### Hypotheses when this cycle was proposed", ""]
    lines += [f"- {name}: {weight:.3f}" for name, weight in summary.weights.items()]
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


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
