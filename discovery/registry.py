"""What can be chosen by name: learners, acquisitions, adapters and, by entry point, simulators and descriptors.

The first three are plain tables; simulators are found through the entry points of installed packages. A plug-in joins
every table by being installed (docs/plugins.md). Nothing is imported before it is asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

from discovery.errors import ConfigurationError
from discovery.families import FORMER, LEARNERS, Entry

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace
    from discovery.tasks.control import ControlTasks
    from discovery.tasks.distribution import TaskDistribution

SIMULATOR_GROUP = "discovery.simulators"
CONTROL_GROUP = "discovery.control_tasks"
GROUPS = {
    "learner": "discovery.learners",
    "acquisition": "discovery.acquisitions",
    "adapter": "discovery.adapters",
    "descriptors": "discovery.descriptors",
}
"""Entry point groups by which a plug-in adds to the tables."""
PLUGGED = "plugin:"
"""What `descriptors` of a campaign file begin with where a plug-in computes them, not a file."""


@dataclass(frozen=True)
class SimulatorCard:
    """What a simulator says about itself.

    Attributes:
        name: Name in campaign files.
        field: Science that it belongs to, such as `chemistry`.
        inputs: Parameters that it understands.
        outputs: Outcome and unit.
        source: Where mechanism and ranges come from.
    """

    name: str
    field: str
    inputs: str
    outputs: str
    source: str


ACQUISITIONS = {
    "log_ei": Entry("", "Logarithm of the expected improvement; exact for the belief's mixture."),
    "qlog_ei": Entry("", "Logarithm of the expected improvement of a batch chosen jointly."),
    "policy": Entry(
        "discovery.acquisition.policy:learned",
        "LogEI, corrected by a policy trained on simulated campaigns where that beat it there.",
    ),
    "ucb": Entry("", "Upper confidence bound: a quantile of the belief's mixture."),
    "qlog_nei": Entry("", "Logarithm of the expected improvement of a batch over noisy measurements."),
}
ADAPTERS = {
    "table": Entry("discovery.experiments.table:TableAdapter", "Looks outcomes up in a file of measurements."),
    "simulator": Entry("discovery.experiments.simulator:SimulatorAdapter", "Runs a simulator: a dry run."),
    "manual": Entry("discovery.experiments.manual:ManualAdapter", "Writes sheets for people to fill in."),
    "command": Entry("discovery.experiments.command:CommandAdapter", "Calls a program with a JSON file."),
    "http": Entry("discovery.experiments.http:HttpAdapter", "Submits to a laboratory's web address and asks on."),
}
TABLES: dict[str, dict[str, Entry]] = {
    "learner": LEARNERS,
    "acquisition": ACQUISITIONS,
    "adapter": ADAPTERS,
    "descriptors": {},  # ours are files
}


def table(kind: str) -> dict[str, Entry]:
    """Return what there is of a kind, ours first, then what installed plug-ins add; nothing is imported.

    Args:
        kind: `learner`, `acquisition`, `adapter` or `descriptors`.

    Raises:
        ConfigurationError: If the kind is unknown, or a plug-in takes a name that is ours.
    """
    if kind not in TABLES:
        raise _unknown("kind of component", kind, TABLES)
    points = _points(GROUPS[kind])
    added = {name: Entry(point.value, f"Plug-in of {_package(point)}.") for name, point in points.items()}
    if ours := sorted(set(added) & set(TABLES[kind])):
        raise ConfigurationError(
            f"A plug-in's {kind} must have a name of its own; got {ours[0]!r} of {_package(points[ours[0]])}.",
            "Rename its entry point.",
        )
    return TABLES[kind] | added


def entry(kind: str, name: str) -> Entry:
    """Return one choice of a table without importing it.

    Args:
        kind: `learner`, `acquisition`, `adapter` or `descriptors`.
        name: Name in campaign files, or in a checkpoint of an earlier release.

    Raises:
        ConfigurationError: If the kind or the name is unknown.
    """
    known = table(kind)
    name = FORMER.get(name, name) if kind == "learner" else name
    if name not in known:
        raise _unknown(kind, name, known)
    return known[name]


def load(kind: str, name: str) -> Any:
    """Import one choice of a table.

    Raises:
        ConfigurationError: If it is unknown, is known by its name alone, or cannot be imported.
    """
    target = entry(kind, name).target
    if not target:
        raise ConfigurationError(f"The {kind} {name!r} is known by its name alone and must not be loaded.")
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The {kind} {name!r} must be importable from {target}; got: {error}.") from error


def simulator_names() -> tuple[str, ...]:
    """Return the names of all installed simulators, sorted; none is imported."""
    return tuple(sorted(_points(SIMULATOR_GROUP)))


def simulators() -> dict[str, type]:
    """Import all installed simulators.

    Returns:
        Their classes by name, sorted.

    Raises:
        ConfigurationError: If one cannot be imported.
    """
    return {name: simulator_class(name) for name in simulator_names()}


def simulator_class(name: str) -> type:
    """Import the class of one simulator.

    Raises:
        ConfigurationError: If the name is unknown, or its package cannot be imported.
    """
    points = _points(SIMULATOR_GROUP)
    if name not in points:
        raise _unknown("simulator", name, points)
    try:
        loaded: type = points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The simulator {name!r} must be importable from {points[name].value}; got: {error}.",
            "Install the package that provides it again.",
        ) from error
    return loaded


def control_tasks(name: str, **overrides: object) -> ControlTasks:
    """Make a distribution of control tasks, with its settings where they differ.

    Raises:
        ConfigurationError: If the name or a setting is unknown, or it cannot be imported.
    """
    points = _points(CONTROL_GROUP)
    if name not in points:
        raise _unknown("control task", name, points)
    try:
        made: ControlTasks = points[name].load()(**overrides)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"The control task {name!r} cannot be made: {error}.") from error
    return made


def control_names() -> tuple[str, ...]:
    """Return the names of all installed control tasks, sorted; none is imported."""
    return tuple(sorted(_points(CONTROL_GROUP)))


def bound_simulators(spec: CampaignSpec, space: SearchSpace) -> dict[str, TaskDistribution]:
    """Make the simulators that a campaign file names under `experience.simulators` and bind them to its space.

    Returns:
        Those that teach about the first objective's outcome, each giving the outcome that stands for it.

    Raises:
        ConfigurationError: If a name, an override or an outcome is unknown, or a simulator cannot live on the space.
    """
    outcome, found = spec.objective.name, {}
    for reference in spec.experience.simulators:
        taught = reference.teaches(outcome, outcome)
        if taught is not None:
            made = simulator(reference.name, **reference.overrides)
            found[reference.name] = giving(made, [taught] if taught else []).bind(space)
    return found


def giving(made: TaskDistribution, outcomes: Sequence[str]) -> TaskDistribution:
    """Return a simulator whose tasks have a column for each of some of its outcomes.

    Args:
        made: The simulator, not bound to a space yet.
        outcomes: Names among `simulator_outcomes`, in the order of the columns; none for the first.

    Raises:
        ConfigurationError: If it has no such outcome.
    """
    known = simulator_outcomes(type(made))
    for name in outcomes:
        if name not in known:
            raise _unknown(f"outcome of {made.name}", name, known)
    if list(outcomes) in ([], [known[0]]):
        return made
    return dataclasses.replace(cast(Any, made), outcomes=tuple(outcomes))  # a protocol is no dataclass to mypy


def simulator_outcomes(made: type) -> tuple[str, ...]:
    """Return the outcomes that a simulator can give, its first one first; `outcome` where it has but one.

    One with several has `outcome_ranges` by name, and a field `outcomes`: the columns of its tasks.
    """
    return tuple(getattr(made, "outcome_ranges", {"outcome": ()}))


def simulator(name: str, **overrides: object) -> TaskDistribution:
    """Make a simulator, not bound to a space yet.

    Args:
        name: Name in campaign files.
        **overrides: Parameters that differ from the simulator's defaults.

    Raises:
        ConfigurationError: If the name or an override is unknown, or a value is refused.
    """
    made = simulator_class(name)
    known = override_names(made)
    for key in overrides:
        if key not in known:
            raise _unknown(f"parameter of {name}", key, known)
    try:
        distribution: TaskDistribution = made(**overrides)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in overrides.items())
        raise ConfigurationError(
            f"The simulator {name!r} cannot be made from {given or 'nothing'}: {error}."
        ) from error
    return distribution


def override_names(made: type) -> tuple[str, ...]:
    """Return what can be overridden in a campaign file: the fields of a simulator that `bind` does not set."""
    if not dataclasses.is_dataclass(made):
        return ()
    return tuple(f.name for f in dataclasses.fields(made) if f.init and f.metadata.get("is_override", True))


def simulator_card(name: str) -> SimulatorCard:
    """Return what a simulator says about itself; what it does not say is empty.

    Raises:
        ConfigurationError: If the name is unknown, or its package cannot be imported.
    """
    made = simulator_class(name)
    told = {f.name: str(getattr(made, f.name, "")) for f in dataclasses.fields(SimulatorCard)}
    return SimulatorCard(**{**told, "name": name})


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _unknown(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    names = sorted(known)
    match = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"Did you mean {match[0]!r}?" if match else ""
    return ConfigurationError(f"The {what} must be one of {', '.join(names) or 'none'}; got {name!r}.", hint)
