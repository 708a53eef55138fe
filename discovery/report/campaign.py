"""What the report of a stored campaign is made of: plain tables in, grids and predictions out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery import metrics
from discovery.campaign import CampaignSpec
from discovery.errors import counted
from discovery.evaluation.calibration import StoredPredictions, read_predictions
from discovery.evaluation.forecast import Forecast
from discovery.metrics import Goal
from discovery.report.grids import Grid
from discovery.report.style import labeled, number, rank
from discovery.review.experience import experience_sentences, judge_experience
from discovery.session.compromises import stand, standing_lines
from discovery.session.doubts import Doubt, doubts
from discovery.session.forecasting import read_forecasts
from discovery.session.ledgers import ledger_about
from discovery.session.staging import staged_cost, together
from discovery.session.stopping import ExpectedGain, read_gains
from discovery.space.censored import with_signs
from discovery.standing import is_allowed, is_compromise, overall, scores

if TYPE_CHECKING:
    from discovery.store import Store


@dataclass(frozen=True)
class CampaignFrames:
    """A stored campaign as tables.

    Attributes:
        spec: The campaign.
        measurements: One row per measurement in order: parameter and outcome columns, `measurement_id`, `position`,
            `proposal_id`, `ingested_at`.
        proposals: One row per proposal: `proposal_id`, `cycle`, `status` and more.
        evidence: One row per cycle and hypothesis: `cycle`, `hypothesis`, `weight`, `log_evidence`, `e_value`,
            `n_measurements`.
        calibration: One row per measurement and hypothesis, as stored when the proposal was made:
            `measurement_id`, `proposal_id`, `hypothesis`, `weight`, `log_weights`, `means`, `sds` (lists, or JSON
            text), `outcome`.
        metrics: Numbers about cycles, forecasts and expected gains among them (`Store.metrics`).
        ended: Why the campaign has ended, in a sentence; empty where it goes on.
        corrections: What was corrected and retracted (`Store.corrections`); empty where nothing was.
        doubts: Doubtful measurements; empty where there are none.
        further: The same about each further outcome that is believed in: its spec wants that outcome alone, and
            `evidence` and `calibration` are about it.
    """

    spec: CampaignSpec
    measurements: pd.DataFrame
    proposals: pd.DataFrame
    evidence: pd.DataFrame
    calibration: pd.DataFrame
    metrics: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["cycle", "name", "value", "detail"]))
    ended: str = ""
    corrections: pd.DataFrame = field(default_factory=pd.DataFrame)
    doubts: tuple[Doubt, ...] = ()
    further: tuple[CampaignFrames, ...] = ()

    @classmethod
    def read(cls, spec: CampaignSpec, store: Store) -> CampaignFrames:
        """Read a campaign out of its store, all tables at one moment."""
        with store.transaction():
            frames = cls(
                spec=spec,
                measurements=store.measurements(spec.name),
                proposals=store.proposals(spec.name),
                evidence=store.evidence(spec.name),
                calibration=store.view("v_calibration_inputs", spec.name),
                metrics=store.metrics(spec.name),
                ended=store.campaign(spec.name).reason,
                corrections=store.corrections(spec.name),
                doubts=tuple(doubts(store, spec)),
            )
            return replace(frames, further=tuple(frames._about(name, store) for name in spec.believed[1:]))

    def _about(self, outcome: str, store: Store) -> CampaignFrames:
        """Return what is stored about a further outcome."""
        evidence = ledger_about(store, self.spec, outcome)
        inputs = store.calibration_inputs(self.spec.name, outcome)
        return replace(self, spec=self.spec.for_outcome(outcome), evidence=evidence, calibration=inputs)

    @property
    def each(self) -> tuple[tuple[str, CampaignFrames], ...]:
        """What is stored about each outcome, with what stands before headings: its name where there are several."""
        return tuple((f"{one.outcome}: " if self.further else "", one) for one in (self, *self.further))

    @property
    def forecasts(self) -> list[Forecast]:
        """Forecasts in the order made."""
        return read_forecasts(self.metrics)

    @property
    def gains(self) -> list[ExpectedGain]:
        """What each cycle's proposals were expected to bring, in order."""
        return read_gains(self.metrics)

    @property
    def outcome(self) -> str:
        """Name of the outcome that is optimized."""
        return self.spec.objective.name

    @property
    def unit(self) -> str:
        """Unit of that outcome; may be empty."""
        return self.spec.outcome(self.outcome).unit

    @property
    def goal(self) -> Goal:
        """What is wanted of it."""
        return "minimize" if self.spec.objective.goal == "minimize" else "maximize"

    @property
    def measured(self) -> pd.DataFrame:
        """Measurements that have the outcome, in order."""
        return self.measurements.dropna(subset=[self.outcome]).reset_index(drop=True)

    @property
    def stored(self) -> dict[str, StoredPredictions]:
        """Frozen predictions of the belief and of each hypothesis; empty where none was tested yet."""
        return read_predictions(self.calibration)

    @property
    def outcomes(self) -> np.ndarray:
        """Measured outcomes in order, raw units."""
        return self.measured[self.outcome].to_numpy(dtype=float)

    @property
    def is_bound(self) -> np.ndarray:
        """Which of the outcomes are bounds (`<5`, `>100`). Shape `n`, bool."""
        column = f"{self.outcome}_limit"
        rows = self.measured
        return rows[column].isin(["<", ">"]).to_numpy() if column in rows else np.zeros(len(rows), dtype=bool)


def campaign_headline(frames: CampaignFrames) -> str:
    """Say in a sentence what the campaign has found so far."""
    y = frames.outcomes
    if len(y) == 0:
        return "Nothing has been measured yet."
    if frames.spec.stages:
        cost = f" They have cost {staged_cost(frames.spec, frames.measurements):g}."
        return f"{_best_sentence(frames)}; {_made(len(frames.measurements))}.{cost}"
    if not frames.spec.is_plain:
        lines = standing_lines(frames.spec, stand(frames.spec, None, frames.measurements))
        said = " ".join(line for line in lines if not line.startswith(" "))
        return f"{said} {_made(len(frames.measurements))}."
    return f"{_best_sentence(frames)}; {_made(len(y))}."


def _made(n: int) -> str:
    return f"{counted(n, 'experiment')} {'was' if n == 1 else 'were'} made"


def _best_sentence(frames: CampaignFrames) -> str:
    """Say what the best outcome is, and where it stands among the measurements."""
    y, measured = frames.outcomes, frames.measured
    best = float(metrics.best_so_far(y, frames.goal)[-1])
    at = int(np.flatnonzero(y == best)[0])
    word = "highest" if frames.goal == "maximize" else "lowest"
    unit = f" {frames.unit}" if frames.unit else ""
    found = with_signs(measured, [frames.outcome])[frames.outcome].tolist()[at]
    position = int(measured["position"].iloc[at]) if frames.spec.stages else at + 1
    return f"The {word} {frames.outcome} so far is {number(found)}{unit}, at experiment {position}"


def conditions_grid(frames: CampaignFrames, n: int = 5) -> Grid:
    """Return the best measured configurations."""
    spec, names, outcomes = frames.spec, frames.spec.parameter_names, list(frames.spec.believed)
    table = frames.measurements.assign(experiment=np.arange(1, len(frames.measurements) + 1))
    table = table.dropna(subset=[frames.outcome]) if spec.stages else table
    table = together(spec, table, frames.measurements)
    is_front = len(spec.objectives) > 1 and spec.combine == "pareto"
    if is_front:
        best = table[is_compromise(scores(spec, table), is_allowed(spec, table))]
        best = best.sort_values(frames.outcome, ascending=frames.goal == "minimize", kind="stable")
    else:
        ranked = table.assign(rank_=overall(spec, table)).dropna(subset=["rank_"])
        best = ranked.sort_values("rank_", ascending=False, kind="stable").head(n)
    shown = with_signs(best, outcomes)[[*names, *outcomes, "experiment"]].astype(object).itertuples(index=False)
    return Grid(
        title="Best compromises found" if is_front else "Best conditions found",
        columns=(
            "",
            *(labeled(p.name, getattr(p, "unit", "")) for p in spec.parameters),
            *(labeled(name, spec.outcome(name).unit) for name in outcomes),
            "experiment",
        ),
        rows=tuple((str(i), *(number(v) for v in row)) for i, row in enumerate(shown, start=1)),
        n_text=1 + len(names),
    )


def ledger(frames: CampaignFrames) -> pd.DataFrame:
    """Return hypothesis weights: one row per number of measurements seen, one column per hypothesis."""
    latest = frames.evidence.sort_values("cycle", kind="stable").drop_duplicates(
        ["n_measurements", "hypothesis"], keep="last"
    )
    table = latest.pivot_table(index="n_measurements", columns="hypothesis", values="weight", sort=False)
    order = sorted(table.columns, key=lambda name: (rank(str(name)), str(name)))
    return table[order].sort_index().fillna(0.0)


def ledger_grid(frames: CampaignFrames) -> Grid:
    """Return where the belief stands: the latest weights, with the evidence of each hypothesis."""
    last = frames.evidence[frames.evidence["cycle"] == frames.evidence["cycle"].max()]
    rows = tuple(
        (str(row.hypothesis), f"{row.weight:.3f}", f"{row.log_evidence:.2f}")
        for row in last.sort_values("weight", ascending=False).itertuples(index=False)
    )
    n, n_now = int(last["n_measurements"].max()), len(frames.measured)
    later = f"; {n_now} {'is' if n_now == 1 else 'are'} measured now" if n_now > n else ""
    return Grid(
        title=f"What explains the measurements (after {counted(n, 'measurement')}{later})",
        columns=("hypothesis", "weight", "log evidence"),
        rows=rows,
        keys=tuple(row[0] for row in rows),
    )


def experience_words(frames: CampaignFrames) -> str:
    """Say whether the experience fits this task; empty where there is none, or nothing is known of it yet."""
    fit = judge_experience(frames.evidence, frames.spec)
    return "" if fit is None else " ".join(experience_sentences(fit))


def predictions(stored: StoredPredictions, within: tuple[float, float] | None = None) -> pd.DataFrame:
    """Return stored predictions beside what was measured, in raw units.

    Args:
        stored: What was predicted, and what came.
        within: Range of the outcome, at which means and intervals are cut; None leaves them as they are.

    Returns:
        One row per measurement: `proposal_id`, `outcome`, `mean`, `lower`, `upper` (the central 90 %), `pit`.
    """
    shown = (stored.mean, *stored.interval(0.9))
    mean, lower, upper = shown if within is None else (np.clip(values, *within) for values in shown)
    return pd.DataFrame(
        {
            "proposal_id": stored.proposal_ids,
            "outcome": stored.outcome,
            "mean": mean,
            "lower": lower,
            "upper": upper,
            "pit": stored.pit,
        }
    )
