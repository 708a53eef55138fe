"""What a check of the families of meta-learning takes and gives, and the table of all checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from discovery.errors import ConfigurationError

CHECKS = {
    "throughput": ("throughput:run", "tasks per second against a plain loop over tasks"),
    "sinusoid": ("sinusoid:run", "sinusoid regression from 5 and 10 points, squared error"),
    "calibration": ("calibration:run", "density and coverage of every family on held-out simulated tasks"),
    "few-shot": ("few_shot:run", "which molecules are active on a target that no learner has seen"),
    "memory": ("memory:run", "memory, attention and processes from no measurement to thirty"),
    "hierarchical": ("mixed_history:run", "groups of tasks against one flat prior, on a history of several kinds"),
    "unsupervised": ("real_tasks:unsupervised", "made-up tasks against none and against earlier outcomes, real tables"),
    "transfer": ("real_tasks:transfer", "every learner of histories on real tables that it has not seen"),
    "policy": (
        "policy:run",
        "the learned acquisition policy against LogEI and chance, simulated campaigns",
    ),
    "control": ("control:run", "RL² on robots and bandits against no memory, chance and the exact optimum"),
}
"""Module and function within this package, and what is checked, by name."""


@dataclass(frozen=True)
class CheckOptions:
    """How a check is run.

    Attributes:
        seeds: Repetitions.
        is_quick: Whether a small version is enough, for tests and demonstrations; its figures are not to be reported.
        learners: Which learners; none for all that the check is for.
        device: Where networks live.
        report: Called with (what is being done, step, steps).
    """

    seeds: int = 3
    is_quick: bool = False
    learners: tuple[str, ...] = ()
    device: str = "cpu"
    report: Callable[[str, int, int], None] | None = None


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        check: Its name.
        rows: The table, one mapping from column to value per row.
        values: Further keys of the JSON.
        notes: Sentences below the table.
    """

    check: str
    rows: tuple[dict[str, Any], ...]
    values: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {"check": self.check, "rows": list(self.rows), "notes": list(self.notes), **self.values}


def run_check(name: str, options: CheckOptions) -> CheckResult:
    """Run one check.

    Raises:
        ConfigurationError: If there is no such check.
    """
    if name not in CHECKS:
        raise ConfigurationError(f"--check must be one of {', '.join(CHECKS)}; got {name!r}.")
    module, _, function = CHECKS[name][0].partition(":")
    found: CheckResult = getattr(import_module(f"discovery.evaluation.bench.meta.{module}"), function)(options)
    return found
