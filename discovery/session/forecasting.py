"""The campaign's forecast: how many experiments it is likely to take, from what is measured so far.

Computed from the store at any time, before the first measurement too; each forecast is kept, so that a report shows
how they have changed. Next in the tour: `discovery.evaluation.forecast`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from discovery.errors import InputError, NoCandidateError, NotEnoughDataError, NotSupportedError
from discovery.evaluation.forecast import Candidates, Forecast, ForecastRequest, forecast
from discovery.evaluation.workers import Engine, run_all
from discovery.seeds import rng
from discovery.session.asking import AskPlan
from discovery.session.batches import starting_pool
from discovery.session.learning import Learning
from discovery.session.progress import without_bounds
from discovery.session.proposals import ProposalBook, is_representable
from discovery.space import CandidatePool

if TYPE_CHECKING:
    import pandas as pd

    from discovery.aimed_cycle import Results
    from discovery.cycle import Observations

FORECAST = "forecast"
"""Name of the metric whose detail is a forecast; its value is the probability of reaching the target, or NaN."""
CHEAP_S = 2.0  # seconds that a forecast may take where nobody has asked for it
PAUSE = 10  # measurements without another one after it took longer
FEW_WORLDS = 32  # worlds of such a forecast
N_SAMPLED = 4096  # configurations that stand for a space without a list of candidates


class Forecasting(Learning):
    """What a campaign says about its own future."""

    def forecast(
        self,
        n_experiments: int | None = None,
        *,
        n_draws: int = 64,
        target: float | None = None,
        keep: bool = True,
        n_workers: int = 1,
        engine: Engine = run_all,
    ) -> Forecast:
        """Simulate the campaign on worlds drawn from its belief.

        Proposals under way and random starts that are still to come are measured first in every world.

        Args:
            n_experiments: Further experiments to simulate; default what the budget leaves.
            n_draws: Number of worlds.
            target: What is wanted, in the unit of `stop.target` (the outcome, a distance, a number of hits, a
                desirability; of several objectives the share of the hypervolume that there is); default `stop.target`,
                or to lie within the window. Without any the forecast says what to expect after how many experiments.
            keep: Whether to store the forecast for the report.
            n_workers: How many processes share the worlds; with one they are replayed here.
            engine: What spreads the worlds; default processes of this machine.

        Raises:
            InputError: If the budget is used and `n_experiments` is not given.
            NotEnoughDataError: If nothing says yet on which scale an outcome varies.
            NotSupportedError: If the file asks for something that worlds do not have.
        """
        from discovery.evaluation.aimed_progress import default_target

        with self.store.transaction():
            n_left = self.spec.budget.experiments - len(self.measurements())
        self._check_forecast(n_experiments or n_left)
        request = ForecastRequest(
            n_experiments=n_experiments or n_left,
            n_draws=n_draws,
            target=default_target(self.spec) if target is None else target,
            goal=str(self.spec.objective.goal),
            batch_size=self.spec.acquisition.batch_size,
            bounds=self.spec.outcome(self.spec.objective.name).range,
            allow_replicates=self.spec.acquisition.allow_replicates,
            seed=self.spec.seed,
            n_workers=n_workers,
            engine=engine,
        )
        found = self._simulate(request)
        if keep:
            value = found.probability[-1] if found.probability else float("nan")
            self.store.add_metric(self.name, self.store.next_cycle(self.name), FORECAST, value, found.to_json())
        return found

    def forecast_if_cheap(self) -> Forecast | None:
        """Return a quick forecast, kept like any other; None where it would take long, or nothing is left to forecast.

        How long it takes is known from the last one: after one that took long the next ten measurements have none.
        Worlds of several outcomes take long: their forecast is made where somebody asks for it.
        """
        known, progress = self.forecasts(), self.progress()
        is_dear = len(self.spec.believed) > 1 or bool(self._unforeseen())
        is_over = progress.is_finished or progress.n_measurements >= progress.n_budget or is_dear
        if is_over or not progress.n_measurements:
            return None
        is_slow = bool(known) and known[-1].seconds * FEW_WORLDS > CHEAP_S * known[-1].n_draws
        if is_slow and progress.n_measurements < known[-1].n_measured + PAUSE:
            return None
        try:
            return self.forecast(n_draws=FEW_WORLDS)
        except NoCandidateError:  # what is left is open already
            return None

    def forecasts(self) -> list[Forecast]:
        """Return the forecasts that were kept, in the order made."""
        return read_forecasts(self.store.metrics(self.name))

    def _simulate(self, request: ForecastRequest) -> Forecast:
        """Simulate the campaign by the belief in its outcome, or by those in all that it wants and limits."""
        if not self.spec.is_plain:
            return self._simulate_aimed(request)
        from discovery.cycle import adapt

        with self.store.transaction():
            book, observed = self._book(), self.observations()
        return forecast(adapt(self.hypotheses(), observed), self._candidates(book, observed), request)

    def _simulate_aimed(self, request: ForecastRequest) -> Forecast:
        """Simulate a campaign of several outcomes, targets, hits or limits: experiments made are in every world too."""
        from discovery.aimed_cycle import adapt_all
        from discovery.evaluation.aimed_forecast import AimedQuestion, aimed_forecast

        with self.store.transaction():
            book, results, rows = self._book(), self.results(), without_bounds(self.spec, self._usable())
        free = self._candidates(book, results)
        n = len(free.X)
        candidates = Candidates(
            np.concatenate([free.X, results.X]), np.append(free.is_free, np.zeros(results.n, dtype=bool)), free.first
        )
        measured = {name: rows[name].to_numpy(float) for name in self.spec.believed}
        known = tuple(range(n, n + results.n))
        beliefs = adapt_all(self.all_hypotheses(), results)
        return aimed_forecast(AimedQuestion(self.spec, beliefs, candidates, known, measured), request)

    def _check_forecast(self, n: int) -> None:
        """Refuse what cannot be simulated."""
        unforeseen = self._unforeseen()
        if unforeseen:
            raise NotSupportedError(f"A forecast of {self.name} cannot simulate {unforeseen}: not supported yet.")
        if n < 1:
            raise InputError(
                f"A forecast of {self.name} must have experiments to look at; its budget of "
                f"{self.spec.budget.experiments} is used.",
                "Say how many further ones with --experiments, or raise budget.experiments.",
            )
        for outcome in map(self.spec.outcome, self.spec.believed):
            has_scale = outcome.range is not None or self.spec.experience.history
            if not has_scale and not len(self.observations(outcome.name).y):
                raise NotEnoughDataError(
                    f"A forecast before the first measurement must know on which scale {outcome.name} varies; "
                    f"{self.name} gives neither its range nor history.",
                    f"State outcomes[].range of {outcome.name}, or measure a first configuration.",
                )

    def _unforeseen(self) -> str:
        """Name what the file asks of proposals that worlds do not have; empty where there is nothing."""
        options = self.spec.acquisition
        if self.spec.stages:
            return "experiments in stages (stages)"
        if self.spec.cost is not None:
            return "what experiments cost (cost)"
        if options.discrimination > 0:
            return "experiments that tell hypotheses apart (acquisition.discrimination)"
        if self.spec.context_names:
            return f"what will be given for {', '.join(self.spec.context_names)} (context)"
        if self.spec.shared_names and options.batch_size > 1:
            return f"batches with one value of {', '.join(self.spec.shared_names)}"
        return "the cost of changes (acquisition.changeover)" if options.changeover else ""

    def _candidates(self, book: ProposalBook, observed: Observations | Results) -> Candidates:
        """Return what can be measured, the pool or a dense sample of the space, and what is measured first."""
        plan = AskPlan.make(self.spec, self.space, book, len(observed.keys), self.spec.budget.initial)
        under_way = book.open[is_representable(self.space, book.open)]
        starts = starting_pool(plan, self.space, self.pool, observed.keys) if plan.n_random else None
        first = [*self.space.keys(under_way), *(starts.keys if starts is not None else ())]
        if not isinstance(self.pool, CandidatePool):
            generator = rng(self.spec.seed, "candidates of a forecast")
            if self.pool is None:
                sampled = self.space.sample(N_SAMPLED, generator)
            else:  # too many to simulate them all: a sample stands for them
                sampled = self.pool.starts(N_SAMPLED, {*first, *book.excluded_keys, *observed.keys}, generator).X
            parts = [self.space.encode(under_way), *([starts.X] if starts is not None else []), sampled]
            X = np.concatenate(parts)
            return Candidates(X, np.ones(len(X), dtype=bool), tuple(range(len(first))))
        place = {key: i for i, key in enumerate(self.pool.keys)}
        taken = set(book.excluded_keys) | (set() if plan.allow_replicates else set(observed.keys))
        is_free = np.array([key not in taken or key in set(first) for key in self.pool.keys], dtype=bool)
        return Candidates(self.pool.X, is_free, tuple(place[key] for key in first if key in place))


def read_forecasts(metrics: pd.DataFrame) -> list[Forecast]:
    """Read forecasts out of a campaign's numbers (`Store.metrics`), in the order made."""
    return [Forecast.from_json(json.loads(text)) for text in metrics.loc[metrics["name"] == FORECAST, "detail"]]
