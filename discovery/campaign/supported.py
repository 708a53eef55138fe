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
    """Yield what a campaign of several stages cannot do."""
    if len(spec.objectives) > 1:
        yield "objectives", "several objectives with stages are", "Keep the one that the last stage measures."
    if spec.objective.goal not in ("maximize", "minimize"):
        yield "objectives[0].goal", f"{spec.objective.goal} with stages is", "Use maximize or minimize."
    if spec.outcome_constraints:
        yield "outcome_constraints", "outcome constraints with stages are", "Remove them, or the stages."
    if spec.combine != "pareto":
        yield "combine", f"{spec.combine} with stages is", "Leave it out: one outcome is wanted."
    if spec.acquisition.discrimination > 0:
        yield "acquisition.discrimination", "telling hypotheses apart with stages is", "Leave it at 0."
    if spec.acquisition.allow_replicates:
        text = "proposing a configuration twice at one stage is"
        yield "acquisition.allow_replicates", text, "Leave it at false; replicates that you measure count all the same."
    if spec.acquisition.changeover:
        yield "acquisition.changeover", "a cost of changing with stages is", "Remove it, or the stages."
    yield from _missing_around_stages(spec)


def _missing_around_stages(spec: CampaignSpec) -> Iterator[tuple[str, str, str]]:
    """Yield what parameters, laboratories and hypotheses of a campaign of several stages cannot be."""
    if spec.context_names:
        yield (
            "parameters",
            f"a parameter that is given ({spec.context_names[0]}) with stages is",
            "Remove context: true.",
        )
    if spec.shared_names:
        yield "constraints", "constraints on a batch with stages are", "Remove them, or the stages."
    if spec.stop.min_gain is not None:
        yield "stop.min_gain", "an end by gain with stages is", "End by budget.cost or by stop.target."
    if getattr(spec.experiment, "pool", None) is not None:
        yield "experiment.pool", "workers elsewhere with stages are", "Let this machine ask the laboratory."
    for i, item in enumerate(() if spec.hypotheses == "auto" else spec.hypotheses):
        if item.name == "no_transfer" and item.learner is not None:
            text = f"{item.learner} for no_transfer with stages is"
            yield f"hypotheses[{i}].learner", text, "Leave its learner out: a later stage follows it."
    if not spec.has_pool:
        text = "stages of configurations that are not listed are"
        yield "candidates", text, "List the configurations in a file: `candidates: FILE.csv`."
