"""What must hold between the sections of a campaign file: names agree, constraints can be met, weights make sense."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from discovery import registry
from discovery.campaign.allowed import check_constraints
from discovery.campaign.context import check_context
from discovery.campaign.experience import held_in, history_file, history_name
from discovery.campaign.laboratories import SimulatorExperiment, TableExperiment
from discovery.campaign.materials import check_mixtures
from discovery.campaign.parameters import ContinuousParameter, DiscreteParameter
from discovery.campaign.parts import fault, nearest
from discovery.campaign.stages import check_stages
from discovery.campaign.units import check_units
from discovery.campaign.wants import check_wants
from discovery.families import ACTS, CHOOSES, FORMER, FROM_HISTORY, ON_NETWORK

if TYPE_CHECKING:
    from discovery.campaign.spec import CampaignSpec

RESERVED = frozenset(
    {"measurement_id", "proposal_id", "trial_id", "position", "key", "source", "ingested_at"}
    | {"cycle", "status", "mean", "sd", "row"}
)
NO_TRANSFER = "no_transfer"
UNTAUGHT = (NO_TRANSFER, "pretrained")  # hypotheses that learn from no experience of the campaign's
MOST_BLOCKS = 3  # columns of blocks: members are told with every combination of sizes


def check(spec: CampaignSpec) -> None:
    """Check what no single section can see.

    Raises:
        PydanticCustomError: On the first fault; carries the key path.
    """
    _check_names(spec)
    check_constraints(spec)
    _check_hypotheses(spec)
    _check_pool(spec)
    _check_self_teaching(spec)
    _check_held(spec)
    _check_acquisition(spec)
    _check_elsewhere(spec)
    _check_simulated(spec)
    check_wants(spec)
    check_stages(spec)
    _check_blocks(spec)
    check_context(spec)
    check_mixtures(spec.mixtures, spec.parameter_names, spec.outcome_names)
    check_units(spec)


def _check_elsewhere(spec: CampaignSpec) -> None:
    pool = getattr(spec.experiment, "pool", None)
    if pool is not None and spec.inbox is None:
        raise fault("inbox", f"must name the folder that workers of {pool} put results into; got none")


def _check_simulated(spec: CampaignSpec) -> None:
    """Check that simulators are there, and their outcomes stand for the campaign's, in a dry run for each of them."""
    installed = registry.simulator_names()
    used = {f"experience.simulators[{i}].name": ref.name for i, ref in enumerate(spec.experience.simulators)}
    if isinstance(spec.experiment, SimulatorExperiment):
        used["experiment.name"] = spec.experiment.name
    for key, name in used.items():
        if name not in installed:
            raise fault(key, f"must be an installed simulator; got {name!r}", nearest(name, installed))
    for i, ref in enumerate(spec.experience.simulators):
        for name in ref.outcomes or ():
            if name not in spec.believed:
                text = f"must name outcomes of objectives or outcome_constraints; got {name!r}"
                raise fault(f"experience.simulators[{i}].outcomes", text, nearest(name, spec.believed))
    if not isinstance(spec.experiment, SimulatorExperiment):
        return
    said, key = spec.experiment.outcomes, "experiment.outcomes"
    for name in said or ():
        if name not in spec.outcome_names:
            raise fault(key, f"must name outcomes of the campaign; got {name!r}", nearest(name, spec.outcome_names))
    lacking = [name for name in spec.outcome_names if name not in (said or ())]
    if lacking and (said is not None or len(spec.outcome_names) > 1):
        text = f"must say for every outcome which of the simulator's it is; {lacking[0]!r} is not there"
        raise fault(key, text, f"Add `outcomes: {{{lacking[0]}: NAME}}`; `discovery simulators show` names them.")
    if said is not None and len(set(said.values())) < len(said):
        raise fault(key, f"must not give two outcomes the same; got {', '.join(said.values())}", "Remove one of them.")


def _check_blocks(spec: CampaignSpec) -> None:
    """Refuse block columns that are something else already."""
    suffixes = ("", "_sem", "_pred", "_sd", "_limit", "_reported")
    own = {f"{outcome}{suffix}" for outcome in spec.outcome_names for suffix in suffixes}
    if len(spec.blocks) > MOST_BLOCKS:
        text = f"must name {MOST_BLOCKS} columns at most; got {len(spec.blocks)}"
        raise fault("blocks", text, "Keep those that are thought to differ most.")
    for i, name in enumerate(spec.blocks):
        if name in spec.blocks[:i]:
            raise fault(f"blocks[{i}]", f"must differ from the others; got {name!r} twice", "Remove one.")
        if name in spec.parameter_names:
            text = f"must be a column of results, not a parameter; got {name!r}"
            raise fault(f"blocks[{i}]", text, "Remove it: parameters are modelled already.")
        if name in own or name in RESERVED:
            raise fault(
                f"blocks[{i}]", f"must be a column that the pipeline does not write; got {name!r}", "Rename it."
            )


def _check_acquisition(spec: CampaignSpec) -> None:
    name = spec.acquisition.name
    known = registry.table("acquisition")
    if name not in known:
        raise fault("acquisition.name", f"must be a known acquisition function; got {name!r}", nearest(name, known))


def _check_names(spec: CampaignSpec) -> None:
    outcomes = spec.outcome_names
    _check_distinct([p.name for p in spec.parameters], "parameters")
    _check_distinct([o.name for o in spec.outcomes], "outcomes")
    _check_distinct([o.name for o in spec.objectives], "objectives")
    declared = [outcome.name for outcome in spec.outcomes]
    for i, objective in enumerate(spec.objectives):
        if objective.name not in declared and (match := difflib.get_close_matches(objective.name, declared, n=1)):
            hint = f"Did you mean {match[0]!r}? If not, list it under outcomes."
            raise fault(f"objectives[{i}].name", f"must be an outcome; got {objective.name!r}", hint)
    columns = {f"{outcome}{suffix}" for outcome in outcomes for suffix in ("_sem", "_pred", "_sd", "_limit")}
    for i, parameter in enumerate(spec.parameters):
        key, name = f"parameters[{i}].name", parameter.name
        if name in outcomes:
            raise fault(key, f"must not be an outcome's name too; got {name!r}", "Rename one of the two.")
        if name in RESERVED or name in columns:
            raise fault(key, f"must not be a column that the pipeline writes; got {name!r}", "Rename it.")
    for name in outcomes:
        if name in RESERVED:
            raise fault("", f"outcome names must not be columns that the pipeline writes; got {name!r}", "Rename it.")


def _check_distinct(names: Sequence[str], section: str) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise fault(f"{section}[{i}].name", f"must differ from the others; got {name!r} twice", "Rename one.")


def _check_hypotheses(spec: CampaignSpec) -> None:
    if spec.hypotheses == "auto":
        return
    names = [hypothesis.name for hypothesis in spec.hypotheses]
    _check_distinct(names, "hypotheses")
    if NO_TRANSFER not in names:
        advice = "Add {name: no_transfer, weight: 0.2}: it protects against experience that does not fit."
        raise fault("hypotheses", f"must contain {NO_TRANSFER}; got {', '.join(names)}", advice)
    learners = registry.table("learner")
    for i, learner in enumerate(hypothesis.learner for hypothesis in spec.hypotheses):
        if learner is not None and learner not in learners and learner not in FORMER:
            text = f"must be a known meta-learner; got {learner!r}"
            raise fault(f"hypotheses[{i}].learner", text, nearest(learner, learners))
        if learner in learners and learners[learner].output in (CHOOSES, ACTS):
            text = f"must be a meta-learner that predicts outcomes; {learner} gives a {learners[learner].output}"
            advice = "Write `acquisition: {name: policy}`." if learners[learner].output == CHOOSES else "Remove it."
            raise fault(f"hypotheses[{i}].learner", text, advice)
        is_taught = names[i].startswith("simulator:") or (spec.experience.history and names[i] not in UNTAUGHT)
        if learner in learners and learners[learner].output == ON_NETWORK and not is_taught:
            text = f"must have experience to learn from; got {learner} for {names[i]}"
            advice = (
                "List earlier tables under experience.history and give the hypothesis a name of its own, or name it "
            )
            raise fault(f"hypotheses[{i}].learner", text, advice + "after a simulator, as in `simulator:gp_prior`.")
        if learner in FROM_HISTORY and (names[i].startswith("simulator:") or not spec.experience.history):
            text = f"must have experience.history to learn from; got {learner} for {names[i]}"
            raise fault(
                f"hypotheses[{i}].learner", text, "List earlier tables there, under another name of the hypothesis."
            )
    simulators = [f"simulator:{ref.name}" for ref in spec.experience.simulators]
    for i, name in enumerate(names):
        if name in ("history", "deep_kernel") and not spec.experience.history:
            text = f"{name} needs experience.history; got none"
            raise fault(f"hypotheses[{i}].name", text, "List its files there.")
        if name.startswith("simulator:") and name not in simulators:
            text = f"must be a simulator of experience.simulators; got {name!r}"
            raise fault(f"hypotheses[{i}].name", text, nearest(name, simulators) if simulators else "List it there.")


def _check_pool(spec: CampaignSpec) -> None:
    if isinstance(spec.experiment, TableExperiment) and not spec.has_pool:
        text = "must come with candidates if it is table, which answers only for the configurations in it"
        raise fault("experiment.type", text, f"Add `candidates: {spec.experiment.path}`.")
    for i, parameter in enumerate(spec.parameters if spec.has_pool else ()):
        if isinstance(parameter, ContinuousParameter) and parameter.step is not None:
            text = f"must not stand beside candidates, which are proposed as they are listed; got {parameter.step:g}"
            raise fault(f"parameters[{i}].step", text, "Remove it, or the candidates.")


def _check_self_teaching(spec: CampaignSpec) -> None:
    """Refuse history that holds what this campaign is to find out."""
    own = [spec.candidates, spec.experiment.path if isinstance(spec.experiment, TableExperiment) else None]
    own_paths = {PurePath(path) for path in own if path is not None}
    for i, ref in enumerate(spec.experience.history):
        path = history_file(ref)
        is_own = history_name(ref) == f"campaign:{spec.name}" if path is None else PurePath(path) in own_paths
        if is_own:
            text = f"must not be the campaign itself; got {spec.name if path is None else path!r}"
            raise fault(f"experience.history[{i}]", text, "Remove it: a campaign never learns from its own outcomes.")


def _check_held(spec: CampaignSpec) -> None:
    """Refuse values of columns that nobody varies, and of columns that this campaign varies itself."""
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    for name in spec.experience.held or ():
        if name in parameters or name in spec.outcome_names:
            text = f"must name columns that are neither parameters nor outcomes; got {name!r}"
            raise fault("experience.held", text, "Columns that this campaign varies need no value here.")
    known = [*parameters, *(spec.experience.held or ())]
    for i, ref in enumerate(spec.experience.history):
        for name, value in held_in(ref).items():
            key = f"experience.history[{i}].held"
            if name not in known:
                raise fault(key, f"must name parameters; got {name!r}", nearest(name, known))
            is_number = isinstance(parameters.get(name), ContinuousParameter | DiscreteParameter)
            if is_number and isinstance(value, str):
                raise fault(f"{key}.{name}", f"must be a number; got {value!r}")
