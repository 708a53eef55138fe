"""What is well-formed and cannot be done yet: refused with the key, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.campaign.parameters import MoleculeParameter
from discovery.campaign.parts import nearest
from discovery.campaign.spec import CampaignSpec
from discovery.errors import NotSupportedError

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
    if spec.outcome_constraints:
        yield "outcome_constraints", "constraints on outcomes are", ""
    if len(spec.objectives) > 1:
        yield "objectives", "several objectives are", "Keep the one that matters most."
    if spec.objective.goal == "match":
        yield "objectives[0].goal", "goal match is", "Use maximize or minimize."
    if spec.acquisition.discrimination > 0:
        yield "acquisition.discrimination", "a discrimination above 0 is", "Leave it at 0."
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
