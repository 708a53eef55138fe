"""What a backtest did, as values, and the one place where they become the JSON of the command line's contract."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discovery import metrics
from discovery.evaluation.methods import Goal
from discovery.evaluation.summary import summarize


@dataclass(frozen=True)
class Plan:
    """One run to be made.

    Attributes:
        seed: Seed of the replay.
        n_experiments: Experiments to run, random starts included.
        initial: Random starts, as indices into the pool.
        batch_size: Experiments whose outcomes are revealed together.
    """

    seed: int
    n_experiments: int
    initial: tuple[int, ...] = ()
    batch_size: int = 1


@dataclass(frozen=True)
class Run:
    """One replay of a campaign by one method at one seed.

    Attributes:
        seed: Seed of the replay.
        chosen: Row positions (0-based) in the candidates file, in the order run, random starts included; the first
            row of each distinct configuration.
        outcomes: What the rows gave, raw units, replicates averaged; of bounds what they count as (`bounds.counted`).
        seconds: Time that choosing took, by experiment; 0 for the random starts.
        weights: Search weights by hypothesis, by experiment, when the experiment was chosen; or None.
        adapt_propose_s_at_40: Time that the choice after 40 measurements took, or None where it was not reached.
        stop_after: Experiments after which `stop.min_gain` would have ended the campaign; None where it would not
            have, or is not named. The replay goes on all the same, so that methods stay comparable.
        limits: Which rows are bounds: -1 at most, 1 at least, 0 measured; empty where all were measured.
    """

    seed: int
    chosen: tuple[int, ...]
    outcomes: tuple[float, ...]
    seconds: tuple[float, ...] = ()
    weights: dict[str, tuple[float, ...]] | None = None
    adapt_propose_s_at_40: float | None = None
    stop_after: int | None = None
    limits: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the run in the shape of the contract; methods without hypotheses have no `weights`."""
        shown: dict[str, Any] = {"seed": self.seed, "chosen": list(self.chosen), "outcomes": list(self.outcomes)}
        if self.weights is not None:
            shown["weights"] = {name: list(values) for name, values in self.weights.items()}
        if self.stop_after is not None:
            shown["stop_after"] = self.stop_after
        if self.limits:
            shown["limits"] = list(self.limits)
        return shown


@dataclass(frozen=True)
class MethodResult:
    """All replays of one method.

    Attributes:
        runs: One run per seed, or a single one where the method is deterministic and has no random starts.
        meta_train_s: Time that learning before the campaign took.
        is_deterministic: True where a single run stands for every seed.
    """

    runs: tuple[Run, ...]
    meta_train_s: float = 0.0
    is_deterministic: bool = False

    @property
    def seconds_per_proposal(self) -> float:
        """Mean time of choosing one experiment, random starts left out."""
        timed = [s for run in self.runs for s in run.seconds if s > 0]
        return float(np.mean(timed)) if timed else 0.0

    @property
    def adapt_propose_s_at_40(self) -> float | None:
        """Median over runs of the time of the choice after 40 measurements, or None where it was not reached."""
        timed = [run.adapt_propose_s_at_40 for run in self.runs if run.adapt_propose_s_at_40 is not None]
        return float(np.median(timed)) if timed else None

    def to_json(self) -> dict[str, Any]:
        """Return the method's entry in the shape of the contract."""
        return {
            "meta_train_s": round(self.meta_train_s, 3),
            "seconds_per_proposal": _significant(self.seconds_per_proposal),
            "adapt_propose_s_at_40": _significant(self.adapt_propose_s_at_40),
            "is_deterministic": self.is_deterministic,
            "runs": [run.to_json() for run in self.runs],
        }


@dataclass(frozen=True)
class BacktestResult:
    """A backtest: methods replayed on one measured campaign.

    Attributes:
        campaign: Name of the campaign.
        outcome: Name of the outcome.
        goal: What is wanted of it.
        n_initial: Number of random starts, the same for all methods at the same seed.
        batch_size: Number of experiments whose outcomes are revealed together.
        methods: Result by method, in the order asked for.
        pool: Configurations, one row per distinct one.
        pool_rows: Row position in the candidates file of each row of `pool`. Shape `n`.
        pool_outcomes: Measured outcome of each row of `pool`, raw units; of bounds what they count as. Shape `n`.
        unit: Unit of the outcome; may be empty.
        parameter_units: Units of the parameters that have one.
        versions: Versions of what computed it.
    """

    campaign: str
    outcome: str
    goal: Goal
    n_initial: int
    batch_size: int
    methods: dict[str, MethodResult]
    pool: pd.DataFrame
    pool_rows: np.ndarray
    pool_outcomes: np.ndarray
    unit: str = ""
    parameter_units: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def n_candidates(self) -> int:
        """Number of distinct configurations."""
        return len(self.pool_outcomes)

    @property
    def n_experiments(self) -> int:
        """Number of experiments in each run."""
        return max((len(run.chosen) for result in self.methods.values() for run in result.runs), default=0)

    def summary(self) -> dict[str, dict[str, float]]:
        """Return the summary by method, as `discovery.evaluation.summary` defines it."""
        return {
            name: summarize([run.outcomes for run in result.runs], self.pool_outcomes, self.goal)
            for name, result in self.methods.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the backtest in the shape of the contract."""
        return {
            "campaign": self.campaign,
            "n_candidates": self.n_candidates,
            "outcome": self.outcome,
            "goal": self.goal,
            "n_initial": self.n_initial,
            "batch_size": self.batch_size,
            "methods": {name: result.to_json() for name, result in self.methods.items()},
            "summary": self.summary(),
            "versions": self.versions,
        }


def regret_counts(result: BacktestResult, runs: Sequence[Run], level: float = 0.05) -> list[int]:
    """Return the experiments that each run needed to come within a share of the best."""
    return [
        metrics.experiments_to_regret(np.asarray(run.outcomes), result.pool_outcomes, level, result.goal)
        for run in runs
    ]


def _significant(value: float | None, digits: int = 4) -> float | None:
    """Round a time to some significant digits."""
    if value is None or value == 0:
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
