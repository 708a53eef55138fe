"""What a suite runs: families, how many of their tasks, seeds, budgets.

`small` shows in some minutes that everything works, on the checkout's own data; its figures are no evidence. `full` is
every family at hand, ten seeds: hours, most of them for `cold_gp`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from discovery.errors import ConfigurationError
from discovery.evaluation.bench.datasets import SEVERAL
from discovery.evaluation.bench.families import BenchTask, Family, LeaveOut, Split, family_names, load_families
from discovery.evaluation.method_table import BASELINES


@dataclass(frozen=True)
class Protocol:
    """How the campaigns of a family are replayed, and from how many measurements its outcomes are predicted.

    Attributes:
        n_experiments: Experiments per run, random starts included.
        starts: Numbers of random starts that are run; the largest is the matched start, that of the reference.
        batch_size: Experiments whose outcomes are revealed together.
        few_shot: Numbers of measurements to predict from.
        calibration: Numbers of measurements at which calibration is scored.
    """

    n_experiments: int = 50
    starts: tuple[int, ...] = (0, 5)
    batch_size: int = 1
    few_shot: tuple[int, ...] = (5, 10, 20)
    calibration: tuple[int, ...] = (5, 10, 20, 40)

    @property
    def matched(self) -> int:
        """Number of random starts at which methods are compared like for like."""
        return max(self.starts)

    def starts_of(self, method: str) -> tuple[int, ...]:
        """Return the starts that a method is run with: one that learns nothing before a campaign only the matched."""
        return (self.matched,) if method in BASELINES else self.starts


PROTOCOLS: Mapping[str, Protocol] = {
    "bioactivity": Protocol(n_experiments=100, starts=(10,), batch_size=5, few_shot=(16, 32, 64)),
    SEVERAL: Protocol(n_experiments=25),
}
"""Protocols by kind of family; the others have the default."""


@dataclass(frozen=True)
class Suite:
    """What is run.

    Attributes:
        name: `small` or `full`.
        families: Families with the tasks that are run.
        n_seeds: Seeds per task and method.
        n_experiments: Experiments per run, where it is less than the protocol's.
        starts: Numbers of random starts for all methods; None for the protocol's.
        leave_out: What is left out of a task's history with it.
    """

    name: str
    families: tuple[Family, ...]
    n_seeds: int
    n_experiments: int | None = None
    starts: tuple[int, ...] | None = None
    leave_out: LeaveOut = "group"

    def protocol(self, family: str) -> Protocol:
        """Return how a family is run in this suite."""
        kind = next(item.kind for item in self.families if item.name == family)
        protocol = PROTOCOLS.get(kind, Protocol())
        if self.n_experiments is not None:
            protocol = replace(protocol, n_experiments=self.n_experiments)
        return protocol if self.starts is None else replace(protocol, starts=self.starts)

    @property
    def is_front(self) -> bool:
        """Whether its campaigns have several objectives."""
        return any(len(task.spec.objectives) > 1 for task in self.tasks)

    @property
    def tasks(self) -> list[BenchTask]:
        """All tasks."""
        return [task for family in self.families for task in family.tasks]


@dataclass(frozen=True)
class SuiteOptions:
    """What may be asked for.

    Attributes:
        suite: `small` or `full`.
        families: Names of families; default the suite's.
        split: Only families of `development` or `reported`.
        n_seeds: Number of seeds; default the suite's.
        n_tasks: At most so many tasks of each family; default the suite's.
        n_experiments: Experiments per run; default the suite's.
        starts: Numbers of random starts, for all methods; default the protocol's.
        leave_out: `group`, or `task` for the laxer test in which close relatives stay in the history.
    """

    suite: str = "small"
    families: tuple[str, ...] | None = None
    split: Split | None = None
    n_seeds: int | None = None
    n_tasks: int | None = None
    n_experiments: int | None = None
    starts: tuple[int, ...] | None = None
    leave_out: LeaveOut = "group"


SMALL_FAMILIES = ("buchwald_hartwig", "suzuki_perera", "suzuki_reizman")
_DEFAULTS: Mapping[str, tuple[int, int | None, int | None]] = {"small": (2, 2, 25), "full": (10, None, None)}


def open_suite(options: SuiteOptions) -> Suite:
    """Load what a suite runs.

    Raises:
        ConfigurationError: If there is no such suite or family, none of its families is at hand, or some have one
            objective and others several.
    """
    if options.suite not in _DEFAULTS:
        raise ConfigurationError(f"--suite must be one of {', '.join(_DEFAULTS)}; got {options.suite!r}.")
    n_seeds, n_tasks, n_experiments = _DEFAULTS[options.suite]
    names = options.families
    if names is None and options.suite == "small" and options.split is None:
        names = SMALL_FAMILIES
    families = load_families(names, split=options.split, leave_out=options.leave_out)
    _check_alike(families)
    limit = options.n_tasks or n_tasks
    kept = tuple(replace(family, tasks=_spread(family.tasks, limit)) for family in families)
    if not any(family.tasks for family in kept):
        raise ConfigurationError(
            "A bench must have at least one task; none of the families at hand has any.",
            f"Known here: {', '.join(family_names()) or 'none'}. More lie in the folder that DISCOVERY_DATASETS names.",
        )
    return Suite(
        name=options.suite,
        families=kept,
        n_seeds=options.n_seeds or n_seeds,
        n_experiments=options.n_experiments or n_experiments,
        starts=options.starts,
        leave_out=options.leave_out,
    )


def _check_alike(families: Sequence[Family]) -> None:
    """Refuse families of one objective beside families of several: they are measured by other numbers."""
    fronts = [family.name for family in families if family.kind == SEVERAL]
    if fronts and len(fronts) < len(families):
        raise ConfigurationError(
            f"--families must all have one objective, or all have several; got {', '.join(fronts)} beside others.",
            "Run a bench for each.",
        )


def _spread(tasks: Sequence[BenchTask], limit: int | None) -> tuple[BenchTask, ...]:
    """Take at most so many tasks, of different groups first; the choice depends on names alone."""
    if limit is None or len(tasks) <= limit:
        return tuple(tasks)
    seen: dict[str, int] = {}
    rank = [seen.setdefault(task.group, -1) for task in tasks]
    for i, task in enumerate(tasks):
        seen[task.group] += 1
        rank[i] = seen[task.group]
    order = sorted(range(len(tasks)), key=lambda i: (rank[i], i))[:limit]
    return tuple(tasks[i] for i in sorted(order))
