"""What is well-formed and cannot be done yet: refused with the key, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.campaign.materials import CompositionParameter
from discovery.campaign.parameters import MoleculeParameter
from discovery.campaign.parts import nearest
from discovery.campaign.spec import CampaignSpec
from discovery.errors import NotSupportedError

MOST_TRADED = 4  # objectives of a front; its boxes grow fast with their number
HYPOTHESES = ("no_transfer", "history", "deep_kernel", "pretrained")  # and one per simulator


def check_supported(spec: CampaignSpec) -> None:
    """Refuse what this release cannot do.

    Raises:
        NotSupportedError: Naming the first such key and what it holds.
    """
    for key, what, hint in _missing(spec):
        raise NotSupportedError(f"{key}: {what} not supported yet.", hint)


def _missing(spec: CampaignSpec) -> Iterator[tuple[str, str, str]]:
    """Yield key, what is missing and advice for everything that is not built."""
    if any(isinstance(parameter, MoleculeParameter) for parameter in spec.parameters):
        yield from _missing_with_molecules(spec)
    if any(isinstance(parameter, CompositionParameter) for parameter in spec.parameters):
        yield from _missing_with_compositions(spec)
    if spec.acquisition.name != "log_ei" and not spec.is_plain:
        what = f"acquisition function {spec.acquisition.name} for more than one outcome that is high or low is"
        yield "acquisition.name", what, "Leave it at log_ei: every goal has a function of its own."
    is_front = spec.combine == "pareto" and len(spec.objectives) > 1
    if is_front and len(spec.objectives) > MOST_TRADED:
        yield "objectives", f"a front of {len(spec.objectives)} objectives is", "Use `combine: desirability`."
    for i, objective in enumerate(spec.objectives if is_front else ()):
        if objective.goal == "hits":
            yield f"objectives[{i}].goal", "hits on a front with other objectives is", "Use `combine: desirability`."
    if any(limit.relation == "==" for limit in spec.outcome_constraints):
        yield "outcome_constraints", "equality of outcomes is", "Write two inequalities, with a tolerance."
    if spec.stages:
        yield from _missing_with_stages(spec)
    for i, item in enumerate(() if spec.hypotheses == "auto" else spec.hypotheses):
        name = item.name
        if name not in HYPOTHESES and not name.startswith("simulator:") and item.learner is None:
            yield f"hypotheses[{i}].name", f"a hypothesis of your own ({name!r}) is", nearest(name, HYPOTHESES)


def _missing_with_molecules(spec: CampaignSpec) -> Iterator[tuple[str, str, str]]:
    if spec.candidates is None:
        yield "candidates", "molecules that are not listed are", "List their SMILES in a file: `candidates: FILE.csv`."
    for i, reference in enumerate(spec.experience.simulators):
        advice = "Remove it; earlier tables under experience.history teach about molecules."
        yield f"experience.simulators[{i}].name", f"{reference.name} on molecules is", advice


def _missing_with_compositions(spec: CampaignSpec) -> Iterator[tuple[str, str, str]]:
    if spec.candidates is None:
        advice = "List them in a file: `candidates: FILE.csv`; or vary fractions with a parameter of type mixture."
        yield "candidates", "formulas that are not listed are", advice
    for i, reference in enumerate(spec.experience.simulators):
        advice = "Remove it; earlier tables under experience.history teach about compositions."
        yield f"experience.simulators[{i}].name", f"{reference.name} on compositions is", advice


def _missing_with_stages(spec: CampaignSpec) -> Iterator[tuple[str, str, str]]:
    """Yield what a campaign of several stages cannot do (docs/stages.md names all of it)."""
    goal, options, remove = spec.objective.goal, spec.acquisition, "Remove it, or the stages."
    given, hypotheses = spec.context_names, () if spec.hypotheses == "auto" else spec.hypotheses
    own = [i for i, item in enumerate(hypotheses) if item.name == "no_transfer" and item.learner is not None]
    rules = (
        (len(spec.objectives) > 1, "objectives", "several objectives are", "Keep the one of the last stage."),
        (goal not in ("maximize", "minimize"), "objectives[0].goal", f"{goal} is", "Use maximize or minimize."),
        (spec.outcome_constraints, "outcome_constraints", "outcome constraints are", remove),
        (spec.combine != "pareto", "combine", f"{spec.combine} is", "Leave it out: one outcome is wanted."),
        (options.discrimination > 0, "acquisition.discrimination", "telling hypotheses apart is", "Leave it at 0."),
        (options.allow_replicates, "acquisition.allow_replicates", "replicates by proposal are", "Leave it at false."),
        (options.changeover, "acquisition.changeover", "a cost of changing is", remove),
        (given, "parameters", f"parameters that are given ({', '.join(given)}) are", "Remove context: true."),
        (spec.shared_names, "constraints", "constraints on a batch are", remove),
        (spec.stop.min_gain is not None, "stop.min_gain", "an end by gain is", "End by budget.cost or stop.target."),
        (getattr(spec.experiment, "pool", None), "experiment.pool", "workers elsewhere are", remove),
        (own, f"hypotheses[{own[0] if own else 0}].learner", "another learner for no_transfer is", "Leave it out."),
        (
            not spec.has_pool,
            "candidates",
            "configurations that are not listed are",
            "Name a file: `candidates: FILE.csv`.",
        ),
    )
    for holds, key, what, hint in rules:
        if holds:
            yield key, f"with stages {what}", hint
