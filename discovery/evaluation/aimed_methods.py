"""Methods that a backtest of several objectives, targets, hits or limits compares.

The belief runs the pass that a campaign runs. `cold_nehvi` is BoTorch's qLogNEHVI on two or more default Gaussian
processes, `baybe` BayBE's own way to a front. Methods that know one outcome only see one score, where one number says
it all; else they are refused.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from discovery import seeds
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.evaluation.baselines.baybe_front import BaybeFront, check_front
from discovery.evaluation.methods import BacktestContext, Choice, Method, Seen, load_method, random_indices
from discovery.standing import overall, reference_point, scores

if TYPE_CHECKING:
    from discovery.aimed_cycle import Known, Results
    from discovery.campaign import CampaignSpec
    from discovery.evaluation.methods import Progress
    from discovery.store import Store

FEW = 2  # measurements below which a baseline proposes at random


@dataclass(frozen=True)
class SeenAll:
    """The experiments made so far, in the order run.

    Attributes:
        indices: Which candidates (indices into `pool.X`).
        outcomes: What they gave, by outcome, raw units. Shape `n` each.
    """

    indices: tuple[int, ...]
    outcomes: Mapping[str, np.ndarray]

    @property
    def n(self) -> int:
        """Number of measurements."""
        return len(self.indices)


class AimedMethod(Protocol):
    """One way to choose experiments by all outcomes; `prepare` runs once, `choose` is a function of its arguments."""

    name: str
    is_deterministic: bool

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Learn what there is to learn before the campaign."""
        ...

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Choose the next `n` candidates, whose outcomes will be revealed together."""
        ...


@dataclass
class AimedBelief:
    """The beliefs of the campaign (`belief`), or one hypothesis alone (its name)."""

    name: str
    store: Store | None = None
    is_deterministic: bool = field(default=True, init=False)
    known: Known = field(default_factory=dict, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Meta-train the hypotheses about every outcome."""
        from discovery.evaluation.belief_method import train_for

        only = None if self.name == "belief" else self.name
        self.known = {
            outcome: train_for(context, outcome, only, self.store, progress) for outcome in context.spec.believed
        }

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Choose the next candidates as a campaign would."""
        from discovery.aimed_cycle import Arena, aim_of, run_aimed_cycle
        from discovery.cycle import CycleRequest

        results = _results(context, seen)
        arena = Arena(context.space, context.pool, self.known, aim_of(context.spec))
        request = CycleRequest(n=n, acquisition=context.spec.acquisition.name, seed=context.spec.seed, cycle=0)
        drafts = run_aimed_cycle(arena, results, request).drafts
        index = {int(row): i for i, row in enumerate(context.pool.rows)}
        return Choice(tuple(index[draft.row] for draft in drafts if draft.row is not None))


@dataclass
class ColdNehvi:
    """BoTorch's qLogNEHVI on one default `SingleTaskGP` per objective, fitted anew; nothing is learned before."""

    name: str = "cold_nehvi"
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Say where it cannot serve; there is nothing to learn."""
        check_front(context.spec, self.name)

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Take the candidates with the highest value, one by one, those before as pending points; else at random."""
        if seen.n < FEW:
            return Choice(random_indices(context.n_candidates, seen.indices, n, seed))
        import torch
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.models import ModelListGP

        from discovery.evaluation.cold_gp import fit_points

        logging.getLogger("botorch").setLevel(logging.ERROR)
        Y, X = scores(context.spec, seen.outcomes), torch.as_tensor(context.pool.X)
        reference = reference_point(context.spec, Y)
        baseline = X[list(seen.indices)]
        torch_seed = seeds.derive(seed, "cold_nehvi", seen.n) % 2**31
        chosen: list[int] = []
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(torch_seed)
            model = ModelListGP(*(fit_points(baseline.numpy(), y, torch_seed) for y in Y.T))
            while len(chosen) < n:
                acqf = qLogNoisyExpectedHypervolumeImprovement(
                    model, reference.tolist(), baseline, prune_baseline=True, X_pending=X[chosen] if chosen else None
                )
                free = np.setdiff1d(np.arange(len(X)), [*seen.indices, *chosen])
                with torch.no_grad():
                    values = torch.cat([acqf(part[:, None]) for part in X[free].split(256)])
                chosen.append(int(free[int(values.argmax())]))
        return Choice(tuple(chosen))


@dataclass
class Scalarized:
    """A method that knows one outcome, shown one score per experiment: minus the distance, or the desirability."""

    inner: Method
    name: str = field(default="", init=False)
    is_deterministic: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.name, self.is_deterministic = self.inner.name, self.inner.is_deterministic

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """Prepare the inner method.

        Raises:
            NotSupportedError: If no one score says what is wanted.
        """
        spec = context.spec
        if spec.outcome_constraints or (len(spec.objectives) > 1 and spec.combine == "pareto"):
            raise NotSupportedError(
                f"{self.name} must have one score to maximize; {spec.name} has outcome constraints or a Pareto front.",
                "Compare belief, random and, for a front, cold_nehvi and baybe.",
            )
        self.inner.prepare(replace(context, goal="maximize"), progress)

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Choose by the score alone."""
        values = _scalar(context.spec, seen.outcomes) if seen.n else np.zeros(0)
        return self.inner.choose(replace(context, goal="maximize"), Seen(seen.indices, tuple(values.tolist())), n, seed)


def _scalar(spec: CampaignSpec, outcomes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the score that a method with one outcome sees; for hits the outcome itself, which says more."""
    if spec.objective.goal == "hits" and len(spec.objectives) == 1:
        return np.asarray(outcomes[spec.objective.name]) * (1.0 if spec.objective.above else -1.0)
    return overall(spec, outcomes)


@dataclass
class AimedRandom:
    """Candidates in random order."""

    name: str = "random"
    is_deterministic: bool = field(default=False, init=False)

    def prepare(self, context: BacktestContext, progress: Progress | None = None) -> None:
        """There is nothing to learn."""

    def choose(self, context: BacktestContext, seen: SeenAll, n: int, seed: int) -> Choice:
        """Choose at random, by the seed and by how many were measured before."""
        return Choice(random_indices(context.n_candidates, seen.indices, n, seed))


BELIEFS = ("belief", "no_transfer", "history", "deep_kernel", "pretrained", "simulator")


def load_aimed(name: str, store: Store | None = None) -> AimedMethod:
    """Make a method by its name.

    Raises:
        ConfigurationError: If there is no such method.
    """
    if name == "random":
        return AimedRandom()
    if name == "cold_nehvi":
        return ColdNehvi()
    if name == "baybe":
        return BaybeFront()
    if name.partition(":")[0] in BELIEFS:
        return AimedBelief(name, store)
    if name in ("baybe_transfer", "ax"):
        raise ConfigurationError(f"{name} compares one outcome that is high or low; leave it out of --methods here.")
    return Scalarized(load_method(name))


def _results(context: BacktestContext, seen: SeenAll) -> Results:
    from discovery.aimed_cycle import Results
    from discovery.cycle import Observations

    rows = list(seen.indices)
    X, keys = context.pool.X[rows], tuple(context.pool.keys[i] for i in rows)
    of = {name: Observations(X, np.asarray(seen.outcomes[name], float), None, keys) for name in context.spec.believed}
    return Results(of, X, keys)
