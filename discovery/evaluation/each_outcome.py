"""Few-shot predictions of every outcome that a campaign wants or limits, each by what is wanted of it.

An outcome that only a limit names counts as hits: what keeps to the limit. Next in the tour: `discovery.report.helped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from discovery.campaign import CampaignSpec, Objective
from discovery.evaluation.evaluate import EvaluateOptions, EvaluateResult, evaluate
from discovery.evaluation.methods import Progress

if TYPE_CHECKING:
    from discovery.store import Store

HISTORY = ("history", "deep_kernel")  # hypotheses that need earlier campaigns which measured the outcome
SIMULATOR = "simulator"  # simulators teach about the first objective's outcome


@dataclass(frozen=True)
class OutcomeResults:
    """Scores of every outcome.

    Attributes:
        campaign: Name of the campaign.
        results: Result by outcome, the first objective's first.
    """

    campaign: str
    results: Mapping[str, EvaluateResult]

    def summary(self) -> dict[str, Any]:
        """Return the summary by outcome."""
        return {name: result.summary() for name, result in self.results.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON: one entry per outcome under `outcomes`."""
        return {
            "campaign": self.campaign,
            "outcomes": {name: result.to_json() for name, result in self.results.items()},
        }


def evaluate_outcomes(
    spec: CampaignSpec,
    methods: Sequence[str],
    options: EvaluateOptions,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> OutcomeResults:
    """Score predictions of every outcome; experience that does not hold one is left out for it.

    Args:
        spec: The campaign; several outcomes are wanted or limited.
        methods: Names of predictors; those that need experience about an outcome which there is none of are left out.
        options: What to score.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what was done and the fraction done.

    Raises:
        ConfigurationError: If a method is unknown, or a support leaves no row to predict.
        InputError: If a cell is wrong, or an outcome has no column.
    """
    names, results = spec.believed, dict[str, EvaluateResult]()
    for i, name in enumerate(names):
        part, fitting = part_of(spec, name, methods, store)
        results[name] = evaluate(
            part, fitting, options, store=store, progress=_part(progress, name, i, len(names)), is_optional=i > 0
        )
    return OutcomeResults(spec.name, results)


def part_of(
    spec: CampaignSpec, name: str, methods: Sequence[str], store: Store | None
) -> tuple[CampaignSpec, tuple[str, ...]]:
    """Return the campaign as it is for one outcome, and the methods that can say something about it."""
    from discovery.space import SearchSpace
    from discovery.tasks.history import read_history

    part, is_first = spec.for_outcome(name), name == spec.objective.name
    part = part.model_copy(update={"objectives": (wanted_of(spec, name),)})
    if is_first or not part.experience.history:
        return part, tuple(methods)
    tasks = read_history(part.experience.history, part, SearchSpace.from_spec(part), store, is_optional=True).tasks
    if tasks:
        return part, tuple(method for method in methods if not method.startswith(SIMULATOR))
    if part.hypotheses != "auto":
        part = part.model_copy(update={"hypotheses": tuple(h for h in part.hypotheses if h.name not in HISTORY)})
    return part, tuple(m for m in methods if m not in HISTORY and not m.startswith(SIMULATOR)) or ("belief",)


def wanted_of(spec: CampaignSpec, name: str) -> Objective:
    """Return what is wanted of an outcome: its objective; else to keep to its limit; else as much as possible."""
    for objective in spec.objectives:
        if objective.name == name:
            return objective
    for limit in spec.outcome_constraints:
        if list(limit.names) == [name]:
            factor = dict(limit.coefficients)[name]
            above = (limit.relation == ">=") == (factor > 0)
            return Objective(name=name, goal="hits", threshold=limit.rhs / factor, above=above)
    return Objective(name=name)


def _part(progress: Progress | None, name: str, i: int, n: int) -> Progress | None:
    """Return a progress of one outcome among several."""
    if progress is None:
        return None
    return lambda text, fraction: progress(f"{name}: {text}", (i + fraction) / n)
