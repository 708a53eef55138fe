"""The protocol of everything that a backtest compares, how a method is made by its name, and the random baseline.

A method sees the candidates, what it has chosen so far and what those rows gave; outcomes of other rows are not in
anything that it is handed. Next in the tour: `discovery.evaluation.backtest`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np

from discovery import seeds
from discovery.errors import ConfigurationError
from discovery.evaluation.method_table import METHODS, PREDICTORS

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import CandidatePool, SearchSpace
    from discovery.tasks.task import Task

Goal = Literal["maximize", "minimize"]
Progress = Callable[[str, float], None]  # what is being done, the fraction of it that is done


@dataclass(frozen=True)
class BacktestContext:
    """What every method may know before the first experiment.

    Attributes:
        spec: The campaign.
        space: Its search space.
        pool: The candidates, one entry per distinct configuration, without outcomes. Methods speak of candidates by
            their index in `pool.X`, never by the row in the file.
        goal: What is wanted of the outcome.
        outcome: Name of the outcome.
        outcome_range: Its range in raw units where the campaign file gives one.
        load_history: Reads the tasks of `experience.history`; call it in `prepare`.
        n_experiments: The budget of the replay.
        device: Where models live: `auto`, `cpu` or `cuda`.
    """

    spec: CampaignSpec
    space: SearchSpace
    pool: CandidatePool
    goal: Goal
    outcome: str
    outcome_range: tuple[float, float] | None = None
    load_history: Callable[[], Sequence[Task]] = tuple
    n_experiments: int = 50
    device: str = "cpu"

    @property
    def sign(self) -> float:
        """`1.0` where more is better, `-1.0` where less is: `sign * y` is always to be maximized."""
        return 1.0 if self.goal == "maximize" else -1.0

    @property
    def n_candidates(self) -> int:
        """Number of distinct configurations."""
        return int(self.pool.X.shape[0])


@dataclass(frozen=True)
class Seen:
    """The experiments made so far, in the order run.

    Attributes:
        indices: Which candidates (indices into `pool.X`).
        outcomes: What they gave, raw units.
        limits: Which outcomes are bounds: -1 = the true value is at most that, 1 = at least, 0 = measured; empty where
            all were measured. A method that knows no bounds takes the number for the value.
    """

    indices: tuple[int, ...] = ()
    outcomes: tuple[float, ...] = ()
    limits: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of measurements."""
        return len(self.indices)

    def is_taken(self, n_candidates: int) -> np.ndarray:
        """Return which candidates are measured. Shape `n_candidates`, bool."""
        taken = np.zeros(n_candidates, dtype=bool)
        taken[list(self.indices)] = True
        return taken


@dataclass(frozen=True)
class Choice:
    """What a method wants to measure next.

    Attributes:
        indices: The next candidates (indices into `pool.X`), distinct and not chosen before, in the order wanted.
        weights: Search weight per hypothesis when the choice was made, or None for methods without hypotheses.
        gain: Expected gain per experiment, raw units, where the campaign names `stop.min_gain`; else None.
    """

    indices: tuple[int, ...]
    weights: Mapping[str, float] | None = None
    gain: float | None = None


class Method(Protocol):
    """One way to choose experiments.

    `prepare` runs once, in the main process; the prepared object is then pickled to worker processes (keep tensors on
    the CPU), where `choose` runs on one thread. `choose` is a pure function of its arguments and of what `prepare`
    stored: the same arguments give the same choice, in any order of calls.

    Attributes:
        name: Name in results.
        is_deterministic: True when choices do not depend on the seed; without random starts it is then run once.
    """

    name: str
    is_deterministic: bool

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Learn what there is to learn before the campaign; the time is reported as `meta_train_s`."""
        ...

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next `n` candidates, whose outcomes will be revealed together.

        Args:
            context: What may be known before the first experiment.
            seen: What was measured so far; may be nothing.
            n: How many to choose; never more than are left.
            seed: Seed of this replay.
        """
        ...


@dataclass(frozen=True)
class Prediction:
    """Predicted noisy outcomes at `r` query points: Gaussian mixtures of `k` components, raw units.

    Attributes:
        log_weights: Log weights of the components, summing to one after `exp`. Shape `r x k`, or `k` when shared.
        means: Shape `r x k`.
        sds: Noise included. Shape `r x k`.
    """

    log_weights: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Means of the mixtures. Shape `r`."""
        return cast(np.ndarray, (np.exp(self.log_weights) * self.means).sum(axis=-1))

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations of the mixtures. Shape `r`."""
        around = self.means - self.mean[:, None]
        return cast(np.ndarray, np.sqrt((np.exp(self.log_weights) * (self.sds**2 + around**2)).sum(axis=-1)))


class Predictor(Protocol):
    """One way to predict outcomes from a few measurements; `prepare` as for a `Method`."""

    name: str

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Learn what there is to learn before the campaign."""
        ...

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict the outcomes of the candidates `query` (indices into `pool.X`, shape `r`) from the support."""
        ...


@dataclass
class RandomMethod:
    """Candidates in random order."""

    name: str = "random"
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn."""

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose at random, by the seed and by how many were measured before."""
        return Choice(indices=random_indices(context.n_candidates, seen.indices, n, seed))


def random_indices(n_candidates: int, taken: Sequence[int], n: int, seed: int) -> tuple[int, ...]:
    """Draw `n` distinct candidates that are not taken yet, by the seed and the number taken."""
    free = np.setdiff1d(np.arange(n_candidates), np.asarray(taken, dtype=int))
    drawn = seeds.rng(seed, "random candidates", len(taken)).permutation(free)[:n]
    return tuple(int(i) for i in drawn)


def load_method(name: str) -> Method:
    """Make a method by its name in `METHODS`.

    Raises:
        ConfigurationError: If there is no such method.
    """
    return cast(Method, _load(name, METHODS, "--methods"))


def load_predictor(name: str) -> Predictor:
    """Make a predictor by its name in `PREDICTORS`.

    Raises:
        ConfigurationError: If there is no such predictor.
    """
    return cast(Predictor, _load(name, PREDICTORS, "--methods"))


def _load(name: str, table: Mapping[str, str], where: str) -> object:
    """Import the class that a table names and make it with the name."""
    entry = table.get(name) or table.get(name.partition(":")[0])
    if entry is None:
        known = ", ".join(sorted(table))
        raise ConfigurationError(f"Each method must be one of {known}; got {name!r} at {where}.", "Choose one of them.")
    module, _, attribute = entry.partition(":")
    return getattr(importlib.import_module(module), attribute)(name)
