"""The product's own methods in a backtest: the belief, and each of its hypotheses alone.

They run the same `cycle.run_cycle` that a campaign runs; what a replay shows is what a user gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from discovery.acquisition.pool import PLATES, Plates
from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.hypotheses import load_hypotheses
from discovery.cycle import CycleRequest, Observations, adapt, pool_with_features, run_cycle
from discovery.evaluation.gain import expected_gain
from discovery.evaluation.methods import BacktestContext, Choice, Prediction, Progress, Seen
from discovery.meta.learner import Support
from discovery.meta.train import FROM_HISTORY, NO_TRANSFER, SIMULATOR, Experience, meta_train_hypotheses
from discovery.registry import bound_simulators
from discovery.settings import start_torch
from discovery.tasks.history import read_history

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.store import Store


@dataclass
class BeliefMethod:
    """The belief over all hypotheses of the campaign (`belief`), or one hypothesis alone (its name).

    A choice depends on measurements and the campaign's own seed only, not on the replay's: it is deterministic.
    """

    name: str = "belief"
    plates: Plates = PLATES
    is_deterministic: bool = field(default=True, init=False)
    hypotheses: tuple[Hypothesis, ...] = field(default=(), init=False)
    pool_inputs: torch.Tensor = field(default_factory=lambda: torch.zeros(0), init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Meta-train the hypotheses on the campaign's simulators and history."""
        self.hypotheses = _train(context, None if self.name == "belief" else self.name, progress)
        self.pool_inputs = pool_with_features(context.pool, self.hypotheses)

    def choose(self, context: BacktestContext, seen: Seen, n: int, seed: int) -> Choice:
        """Choose the next candidates as a campaign would."""
        request = CycleRequest(
            n=n,
            goal=context.goal,
            acquisition=context.spec.acquisition.name,
            seed=context.spec.seed,
            cycle=0,
            plates=self.plates,
        )
        observed = _observations(context, seen)
        result = run_cycle(context.space, context.pool, self.hypotheses, observed, request, self.pool_inputs)
        index = {int(row): i for i, row in enumerate(context.pool.rows)}
        chosen = tuple(index[draft.row] for draft in result.drafts if draft.row is not None)
        return Choice(indices=chosen, weights=result.belief.weights, gain=self._gain(context, observed, chosen))

    def _gain(self, context: BacktestContext, observed: Observations, chosen: tuple[int, ...]) -> float | None:
        """Return what candidates are expected to gain per experiment, where the campaign asks for that."""
        if context.spec.stop.min_gain is None:
            return None
        belief = adapt(self.hypotheses, observed)
        X = torch.as_tensor(context.pool.X[list(chosen)], dtype=torch.float64)
        gain = expected_gain(belief, X, sign=context.sign, seed=context.spec.seed)
        return None if gain is None else gain / len(chosen)


@dataclass
class BeliefPredictor:
    """Predictions of the belief (`belief`), or of one hypothesis alone (its name)."""

    name: str = "belief"
    hypotheses: tuple[Hypothesis, ...] = field(default=(), init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Meta-train the hypotheses on the campaign's simulators and history."""
        self.hypotheses = _train(context, None if self.name == "belief" else self.name, progress)

    def predict(self, context: BacktestContext, support: Seen, query: np.ndarray, seed: int) -> Prediction:
        """Predict noisy outcomes as the mixture over all kept members."""
        observed = _observations(context, support)
        known = Support.of(observed.X, observed.y, None, self.hypotheses[0].learner.device)
        belief = Belief.adapt(self.hypotheses, known if observed.limits is None else known.marked(observed.limits, ()))
        mean, sd, weights = belief.marginals(torch.as_tensor(context.pool.X[query], dtype=torch.float64))
        return Prediction(weights.log().cpu().numpy(), mean.cpu().numpy(), sd.cpu().numpy())


def _observations(context: BacktestContext, seen: Seen) -> Observations:
    indices = list(seen.indices)
    keys = tuple(context.pool.keys[i] for i in indices)
    limits = np.asarray(seen.limits, dtype=np.int8) if any(seen.limits) else None
    y = np.asarray(seen.outcomes, dtype=float)
    return Observations(X=context.pool.X[indices], y=y, yvar=None, keys=keys, limits=limits)


def _train(context: BacktestContext, only: str | None, progress: Progress | None) -> tuple[Hypothesis, ...]:
    """Train a campaign's hypotheses, or one of them."""
    experience = Experience(tuple(context.load_history()), bound_simulators(context.spec, context.space))
    return _trained(context, context.spec, experience, only, progress)


def train_for(
    context: BacktestContext, outcome: str, only: str | None, store: Store | None, progress: Progress | None
) -> tuple[Hypothesis, ...]:
    """Train a campaign's hypotheses about one of its outcomes, or one of them; history where some holds the outcome.

    Args:
        context: The campaign.
        outcome: The outcome.
        only: Train this hypothesis alone; no transfer where there is no experience for it.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what is done and the fraction done.
    """
    spec, is_first = context.spec.for_outcome(outcome), outcome == context.spec.objective.name
    tasks = read_history(spec.experience.history, spec, context.space, store, is_optional=not is_first).tasks
    experience = Experience(tasks, bound_simulators(spec, context.space))
    if not tasks and spec.hypotheses != "auto":
        kept = tuple(item for item in spec.hypotheses if item.name not in FROM_HISTORY)
        spec = spec.model_copy(update={"hypotheses": kept})
    names = [SIMULATOR + ref.name for ref in spec.experience.simulators]
    is_without = (only in FROM_HISTORY and not tasks) or (str(only).startswith(SIMULATOR) and only not in names)
    return _trained(context, spec, experience, NO_TRANSFER if is_without else only, progress)


def _trained(
    context: BacktestContext,
    spec: CampaignSpec,
    experience: Experience,
    only: str | None,
    progress: Progress | None,
) -> tuple[Hypothesis, ...]:
    def report(hypothesis: str, step: int, steps: int) -> None:
        if progress is not None:
            progress(f"meta-training {hypothesis}", step / steps)

    trained = meta_train_hypotheses(
        spec,
        context.space,
        experience,
        only=only,
        device=start_torch(context.device),
        report=report,
    )
    return load_hypotheses(trained, "cpu")
