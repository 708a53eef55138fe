"""What a campaign's pages say, as Markdown: plain tables in, text out; `flows.artifacts` hands it to Prefect.

Each page answers one question of a scientist, with a plot where one helps; links between them are added when they are
published. All of it is computed from the store, so a page that is lost is no loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discovery import metrics
from discovery.errors import counted
from discovery.evaluation.calibration import BELIEF, LEVELS, drift, drift_sentence
from discovery.report import markdown
from discovery.report.campaign import (
    CampaignFrames,
    campaign_headline,
    conditions_grid,
    experience_words,
    ledger,
    ledger_grid,
)
from discovery.report.plots import best_plot, coverage_plot, weights_plot
from discovery.report.style import number, seconds
from discovery.session.stopping import amount

if TYPE_CHECKING:
    import pandas as pd

N_ROWS = 200  # proposals that a table holds; the others are in the store
N_SOURCES = 12  # tasks that a model card names
SCORES: Mapping[str, str] = {
    "rank_correlation": "rank correlation on held-out tasks (1 is perfect)",
    "rank_correlation_se": "its standard error",
    "held_out_nlpd": "negative log density on held-out tasks (less is better)",
}


@dataclass(frozen=True)
class PageText:
    """One page.

    Attributes:
        topic: End of its key, such as `progress`.
        headline: What it says in a sentence; shown in lists of pages.
        text: The page.
    """

    topic: str
    headline: str
    text: str


def progress_page(frames: CampaignFrames) -> PageText:
    """Say what was found, at what cost, and what the last forecast expects."""
    parts, forecast = ["## Best so far"], frames.forecasts[-1] if frames.forecasts else None
    if len(frames.outcomes):
        said = f"Measured {frames.outcome} and the best so far"
        parts += [markdown.image(best_plot(frames, forecast), said), markdown.grid_markdown(conditions_grid(frames))]
    parts += ["### Cost and outlook", markdown.facts(cost_rows(frames))]
    if forecast is not None:
        from discovery.report.forecast import LIMITS, forecast_sentence

        said = f"Forecast after {counted(forecast.n_measured, 'measurement')}:"
        parts.append(f"**{said}** {markdown.plain(forecast_sentence(forecast, frames.spec))} *{LIMITS}*")
    return PageText("progress", campaign_headline(frames), "\n\n".join(parts))


def cost_rows(frames: CampaignFrames) -> list[tuple[str, str]]:
    """Return experiments made, under way and left, and what the last proposals were expected to gain."""
    n_budget, n_made = frames.spec.budget.experiments, len(frames.measurements)
    is_open = frames.proposals["status"].isin(("PROPOSED", "APPROVED")) & ~frames.proposals["is_measured"].astype(bool)
    n_open = int(is_open.sum())
    rows = [
        ("experiments made", f"{n_made} of {n_budget}"),
        ("proposed and not measured", str(n_open)),
        ("left to propose", str(max(0, n_budget - n_made - n_open))),
    ]
    if frames.gains:
        gain = frames.gains[-1]
        said = f"{amount(gain.per_experiment, frames.spec)} per experiment, after {gain.n_measurements} measurements"
        rows.append(("expected gain of the last proposals", said))
    computed = frames.metrics.loc[frames.metrics["name"] == "adapt_propose_s", "value"]
    if len(computed):
        rows.append(("computing the last proposals", seconds(float(computed.iloc[-1]))))
    return [*rows, ("status", frames.ended)] if frames.ended else rows


def hypotheses_page(frames: CampaignFrames) -> PageText:
    """Say which story of the world explains the measurements, how that has changed, and whether experience fits."""
    weights = ledger(frames) if len(frames.evidence) else None
    if weights is None:
        return PageText("hypotheses", "Nothing is known yet.", "Nothing is known yet.")
    last = weights.iloc[-1].sort_values(ascending=False)
    headline = ", ".join(f"{name} {weight:.2f}" for name, weight in last.items() if weight >= 0.005)
    parts = [part for about, one in frames.each if len(one.evidence) for part in _hypotheses_about(one, about)]
    return PageText("hypotheses", headline, "\n\n".join(filter(None, parts)))


def _hypotheses_about(frames: CampaignFrames, about: str) -> list[str]:
    """Return the parts of the page of hypotheses that are about one outcome."""
    weights, parts = ledger(frames), [f"## {markdown.plain(about)}Hypotheses"]
    if len(weights) > 1:
        parts.append(markdown.image(weights_plot(weights), "Weight of each hypothesis over measurements seen"))
    return [*parts, markdown.grid_markdown(ledger_grid(frames)), markdown.plain(experience_words(frames))]


def calibration_page(frames: CampaignFrames) -> PageText:
    """Say whether predictions that were stored before the measurement came true as often as they said."""
    if BELIEF not in frames.stored:
        nothing = "No prediction has been tested by a measurement yet."
        return PageText("calibration", nothing, f"## Stated and observed\n\n{nothing}")
    pit = frames.stored[BELIEF].pit
    n_inside = round(metrics.coverage(pit, 0.9) * len(pit))
    headline = f"{n_inside} of {counted(len(pit), 'outcome')} lay in the 90 % intervals stated for them."
    parts = [part for about, one in frames.each if BELIEF in one.stored for part in _calibration_about(one, about)]
    kept = "Only predictions that were stored before the measurement count, and they are never computed again."
    return PageText("calibration", headline, "\n\n".join([*parts, kept]))


def _calibration_about(frames: CampaignFrames, about: str) -> list[str]:
    """Return the parts of the page of calibration that are about one outcome."""
    said = frames.stored[BELIEF]
    pit = said.pit
    rows = [
        (f"{100 * level:g} %", f"{100 * share:.0f} %", f"{round(share * len(pit))} of {len(pit)}")
        for level, share in ((level, metrics.coverage(pit, level)) for level in LEVELS)
    ]
    return [
        f"## {markdown.plain(about)}Stated and observed",
        markdown.plain(drift_sentence(drift(said))),
        markdown.image(coverage_plot(pit), "Share of outcomes inside intervals over the probability stated for them"),
        markdown.table(("stated", "observed", "outcomes inside"), rows),
    ]


def models_page(models: pd.DataFrame) -> PageText:
    """Describe the checkpoints in use: what they learned from, when, how well, and from which they were refined.

    Args:
        models: Rows of `Store.models`, those in use.
    """
    parts = ["## Models in use"]
    parts += [model_card({str(name): value for name, value in row.items()}) for _, row in models.iterrows()]
    headline = f"{counted(len(models), 'model')} in use: {', '.join(models['hypothesis'])}."
    return PageText("models", headline, "\n\n".join(parts))


def model_card(row: Mapping[str, Any]) -> str:
    """Describe one checkpoint (a row of `Store.models`)."""
    sources, scores = json.loads(row["task_sources"]), json.loads(row["scores"])
    named = ", ".join(str(source).partition("@")[0] for source in sources[:N_SOURCES])
    more = f" and {len(sources) - N_SOURCES} more" if len(sources) > N_SOURCES else ""
    facts = [
        ("version", row["version_id"]),
        ("learner", row["learner"]),
        ("trained", f"{row['created_at']:%Y-%m-%d %H:%M} UTC"),
        ("status", str(row["status"]).lower()),
        ("learned from", f"{counted(len(sources), 'task')}: {named}{more}" if sources else "no task"),
        ("refined from", row["parent"] if isinstance(row["parent"], str) and row["parent"] else "no earlier version"),
        *((SCORES.get(name, name), number(value, 3)) for name, value in scores.items()),
    ]
    return f"### {markdown.plain(row['hypothesis'])}\n\n{markdown.facts(facts)}"


def proposal_rows(frames: CampaignFrames) -> list[dict[str, str]]:
    """Return the campaign's proposals as text, newest cycle first: status, prediction, outcome, configuration."""
    measured = frames.measured.drop_duplicates("proposal_id", keep="last").set_index("proposal_id")[frames.outcome]
    newest = frames.proposals.sort_values(["cycle", "position"], ascending=[False, True], kind="stable").head(N_ROWS)
    return [
        {
            "proposal": str(row["proposal_id"]).removeprefix(f"{frames.spec.name}-"),
            "status": "measured" if row["is_measured"] else str(row["status"]).lower(),
            "predicted": with_sd(row["mean"], row["sd"]),
            "measured": number(measured[row["proposal_id"]]) if row["proposal_id"] in measured.index else "",
            "argued by": markdown.plain(str(row["argued_by"])),
            "chosen to": "learn" if row["is_exploring"] else "improve",
            **{parameter: markdown.plain(number(row[parameter])) for parameter in frames.spec.parameter_names},
            "id": markdown.plain(str(row["proposal_id"])),
        }
        for _, row in newest.iterrows()
    ]


def with_sd(mean: object, sd: object) -> str:
    """Write a prediction with its standard deviation, both to the digits that the latter allows.

    Example:
        >>> with_sd(81.234, 3.12)
        '81.2 ± 3.1'
    """
    middle, spread = float(str(mean)), float(str(sd))
    if not (np.isfinite(middle) and np.isfinite(spread)) or spread <= 0:
        return number(middle)
    digits = max(0, 1 - int(np.floor(np.log10(spread))))
    is_short = digits <= 6 and abs(middle) < 1e6
    return f"{middle:.{digits}f} ± {spread:.{digits}f}" if is_short else f"{middle:.3g} ± {spread:.2g}"


def links(places: Sequence[tuple[str, str]]) -> str:
    """Return links to other pages in one line."""
    return " · ".join(f"[{name}]({place})" for name, place in places)
