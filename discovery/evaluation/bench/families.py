"""Families of measured campaigns that the benchmark replays, each task with the tables of other groups as its history.

A task's own group never teaches it: the chlorides of a halide go together, the halides of a ring, the plates of a
library. Campaign files are made in memory; their tables lie in the cache, cleaned as `tables` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from discovery import seeds
from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.evaluation.bench.datasets import LIQUID_FRONT, FamilySource, family_sources
from discovery.evaluation.bench.specs import campaign_spec
from discovery.evaluation.bench.tables import CONTEXT, TaskTable, as_history, read_task

Split = Literal["development", "reported"]
LeaveOut = Literal["group", "task"]

DEVELOPMENT = (
    "deoxyfluorination",
    "merck_nanomole_cn",
    "nicolit",
    "ch_arylation_scope",
    "hitea_pfizer",
    "electrolyte_conductivity",
    "polymer_electrolytes",
    "mpea_mechanical",
    "perovskite_crystallisation",
    "liquid_handling",
    "cn_flow_cases",
    LIQUID_FRONT,
)
"""Families that settings are chosen on."""

REPORTED = (
    "buchwald_hartwig",
    "suzuki_perera",
    "suzuki_flow_cases",
    "suzuki_reizman",
    "oer_plates",
    "pvlab_campaigns",
    "olympus_flow_and_lab",
    "direct_arylation",
    "moleculeace",
    "suzuki_two_objectives",
)
"""Families that figures are reported on: no setting is chosen there. The four cases of `suzuki_reizman` stand for
`suzuki_flow_cases`, which holds them too, where only the checkout is at hand."""

SPLITS: Mapping[str, tuple[str, ...]] = {"development": DEVELOPMENT, "reported": REPORTED}
SINGLES = ("pvlab_campaigns", "olympus_flow_and_lab", "direct_arylation", "opv_photodegradation")
"""Families whose tables are unrelated campaigns (or share rows, as the photodegradation pair does): no history."""
NO_CAMPAIGNS = ("molecule_properties",)
SAME = ("concentration_unit", "ratio_type", "reaction_class")  # facts that must agree between a task and its history
MIN_CANDIDATES = 20
MIN_HISTORY_ROWS = 3
HISTORY_ROWS = {"bioactivity": 1000}
"""At most so many rows of each table in a history, by kind of family; 29 targets have 45,000 molecules in all."""


@dataclass(frozen=True)
class BenchTask:
    """One measured campaign.

    Attributes:
        family: Name of its family.
        name: Name of the task.
        group: Tasks of one group are left out together.
        spec: The campaign: candidates are its own table with outcomes, history the tables of other groups.
        n_candidates: Number of distinct configurations.
        history: Names of the tasks in the history, in its order.
    """

    family: str
    name: str
    group: str
    spec: CampaignSpec
    n_candidates: int
    history: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Measured campaigns that belong together.

    Attributes:
        name: Name of the family.
        title: What it is, in one line.
        kind: What is measured: `reaction yield`, `composition`, `bioactivity`, ….
        tasks: Its campaigns.
        skipped: Why tables were left out, by their name.
    """

    name: str
    title: str
    kind: str
    tasks: tuple[BenchTask, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of the tasks that are left out together, by group."""
        named = sorted({task.group for task in self.tasks})
        return {group: tuple(task.name for task in self.tasks if task.group == group) for group in named}


def family_names(split: Split | None = None, *, fronts: bool = False) -> tuple[str, ...]:
    """Return the families of one objective, or of several, that are at hand; of a split only where one is given."""
    at_hand = [s.name for s in family_sources().values() if s.name not in NO_CAMPAIGNS and s.is_front == fronts]
    wanted = SPLITS[split] if split else at_hand
    return tuple(name for name in wanted if name in at_hand)


def load_families(
    names: Sequence[str] | None = None, *, split: Split | None = None, leave_out: LeaveOut = "group"
) -> list[Family]:
    """Load families with a campaign for each task.

    Args:
        names: Families to load; default all of one objective that are at hand.
        split: Only families of `development` or `reported`.
        leave_out: What is left out of a task's history with it: its `group`, or the `task` alone, so that close
            relatives teach it.

    Returns:
        Families in the order of the names; a family without any usable task has none, and says why under `skipped`.

    Raises:
        ConfigurationError: If a family is unknown, not at hand, or not of the split.
        InputError: If a table cannot be read.
    """
    usual = family_names(split)
    known = (*usual, *family_names(split, fronts=True))
    wanted = usual if names is None else tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            of_split = f" of the split {split}" if split else ""
            raise ConfigurationError(
                f"Each family must be one that is at hand{of_split}; got {name!r}, and there are {', '.join(known)}.",
                "More families lie in the folder that DISCOVERY_DATASETS names.",
            )
    sources = family_sources()
    return [_family(sources[name], leave_out) for name in wanted]


def _family(source: FamilySource, leave_out: LeaveOut) -> Family:
    """Make the campaigns of a family."""
    skipped: dict[str, str] = {}
    tables: dict[str, TaskTable] = {}
    for task in source.tasks:
        table = read_task(task, CONTEXT.get(source.name), is_front=source.is_front)
        lacking = "it lacks a second outcome" if source.is_front else "it has no outcome with a goal"
        reason = lacking if table is None else _why_not(table)
        if table is None or reason:
            skipped[task.name] = reason
        else:
            tables[task.name] = table
    tasks = []
    for table in tables.values():
        try:
            tasks.append(_bench_task(source, table, tables, leave_out))
        except NotSupportedError as error:
            skipped[table.name] = error.message
    return Family(source.name, source.title, source.kind, tuple(tasks), skipped)


def _why_not(table: TaskTable) -> str:
    """Return why a table is no pool to search; empty where it is."""
    if not table.frame[table.outcome.name].nunique() > 1:
        return "its outcome does not vary"
    n_distinct = table.varying().n_distinct
    if n_distinct < MIN_CANDIDATES:
        return f"it has {n_distinct} distinct configurations, and a pool must have {MIN_CANDIDATES}"
    return ""


def _bench_task(
    source: FamilySource, table: TaskTable, tables: Mapping[str, TaskTable], leave_out: LeaveOut
) -> BenchTask:
    """Make the campaign of one task.

    Raises:
        NotSupportedError: If it has a parameter that cannot be encoded yet.
    """
    own = table.varying()
    group = group_of(source.name, table)
    near = {name for name, other in tables.items() if group_of(source.name, other) == group}
    left_out = near if leave_out == "group" else {table.name}
    others = [] if source.name in SINGLES else [other for name, other in tables.items() if name not in left_out]
    kin = _kin(source, own, others)
    return BenchTask(source.name, table.name, group, campaign_spec(source, own, kin), own.n_distinct, tuple(kin))


def _kin(source: FamilySource, own: TaskTable, others: Sequence[TaskTable]) -> dict[str, pd.DataFrame]:
    """Return the rows of other tasks in the columns of a campaign, by task."""
    by_name = {task.name: task for task in source.tasks}
    kin = {}
    for other in others:
        if not _comparable(own, other):
            continue
        is_held = own.context is not None and other.context is not None
        at = own.context
        held = (
            read_task(by_name[other.name], CONTEXT.get(source.name), at, is_front=source.is_front) if is_held else other
        )
        rows = None if held is None else as_history(held, own)
        if rows is not None and len(rows) >= MIN_HISTORY_ROWS:
            kin[other.name] = _at_most(rows, HISTORY_ROWS.get(source.kind), other.name)
    return kin


def _at_most(rows: pd.DataFrame, limit: int | None, name: str) -> pd.DataFrame:
    """Return so many rows drawn at random, the same ones for every campaign."""
    if limit is None or len(rows) <= limit:
        return rows
    kept = np.sort(seeds.rng(0, "rows of a history", name).permutation(len(rows))[:limit])
    return rows.iloc[kept].reset_index(drop=True)


def _comparable(own: TaskTable, other: TaskTable) -> bool:
    """Say whether a team would hold one table against the other: the same units, the same kind of reaction."""
    return all(own.facts.get(key) == other.facts.get(key) for key in SAME)


def _perera_group(table: TaskTable) -> str:
    pieces = ("chloro", "bromo", "iodo", "triflate_")
    name = table.name
    if name.endswith("2d"):
        return "boronic"
    return next(piece.strip("_") for piece in pieces if piece in name)


def _scaffold(table: TaskTable) -> str:
    name = table.name
    ring = next((piece for piece in ("trifluoromethyl", "methoxy", "ethyl") if piece in name), "")
    return ring or f"{name.partition('_')[0]}-pyridine"


def _flow_case(table: TaskTable) -> str:
    return "case_1" if table.name == "baumgartner_2018" else table.name.removeprefix("reizman_")


GROUPS: Mapping[str, Callable[[TaskTable], str]] = {
    "buchwald_hartwig": _scaffold,
    "suzuki_perera": _perera_group,
    "suzuki_flow_cases": _flow_case,
    "merck_nanomole_cn": lambda table: table.name.split("_")[1],
    "moleculeace": lambda table: table.name.partition("_")[0].lower(),
}
"""How the tasks of a family are left out together; elsewhere each task is a group of its own."""


def group_of(family: str, table: TaskTable) -> str:
    """Return the group of a task."""
    return GROUPS.get(family, lambda table: table.name)(table)
