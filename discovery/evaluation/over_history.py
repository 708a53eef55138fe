"""Each earlier campaign in turn is the new one, and the others are its history: what a team can ask on old data alone.

Each source of `experience.history` becomes a campaign of its own: its rows are the candidates, its levels and bounds
widen the campaign's. Nothing of the campaign itself is needed but its file. Next in the tour:
`discovery.evaluation.verdict`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pandas as pd

from discovery.campaign import (
    CampaignRef,
    CampaignSpec,
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    held_in,
    history_name,
)
from discovery.errors import ConfigurationError
from discovery.evaluation.bench.specs import write_table
from discovery.evaluation.methods import Progress
from discovery.ingest import check_rows, read_rows
from discovery.settings import cache_dir
from discovery.space import SearchSpace
from discovery.space.cells import is_blank
from discovery.space.censored import SUFFIX

if TYPE_CHECKING:
    from discovery.store import Store

OWN = ("experiment", "stop", "store", "candidates", "schedule", "review")  # what does not go over to another campaign
MIN_ROWS = 8  # a source with fewer distinct configurations is no campaign to learn about


class Result(Protocol):
    """What a backtest or an evaluation gives back."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        ...

    def summary(self) -> Mapping[str, Any]:
        """Return the summary by method."""
        ...


R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class OverHistory(Generic[R]):
    """Results with each earlier campaign in turn as the new one.

    Attributes:
        campaign: The campaign whose history it is.
        results: Result by source, in the order of the history.
        skipped: Why sources were left out, by source.
        n_left_out: Rows that could not be used, by source; sources without any are left out.
    """

    campaign: str
    results: Mapping[str, R]
    skipped: Mapping[str, str]
    n_left_out: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON: one entry per source under `tasks`."""
        return {
            "campaign": self.campaign,
            "over": "history",
            "tasks": {name: result.to_json() for name, result in self.results.items()},
            "skipped": dict(self.skipped),
            "n_left_out": dict(self.n_left_out),
        }


@dataclass(frozen=True)
class HistoryCampaign:
    """One source of history as a campaign.

    Attributes:
        source: The source as the campaign file names it.
        spec: The campaign: candidates are the source's rows, history is the other sources.
        n_rows: Distinct configurations.
        n_left_out: Rows that could not be used.
    """

    source: str
    spec: CampaignSpec
    n_rows: int
    n_left_out: int


def over_history(
    spec: CampaignSpec,
    run: Callable[[CampaignSpec, int, Progress | None], R],
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> OverHistory[R]:
    """Run something on each source of history, with the others as its history.

    Args:
        spec: The campaign.
        run: Backtest or evaluation of one campaign; gets the number of its candidates, and where to report.
        store: Where earlier campaigns named in `experience.history` lie.
        progress: Called with what was done and the fraction done.

    Raises:
        ConfigurationError: If there are fewer than two sources that can be used.
    """
    campaigns = history_campaigns(spec, store)
    usable = [one for one in campaigns if one.n_rows >= MIN_ROWS]
    if len(usable) < 2:
        raise ConfigurationError(
            f"--over-history needs at least two sources of experience.history with {MIN_ROWS} distinct configurations "
            f"or more; got {len(usable)} of {len(campaigns)} in {spec.name}.",
            "Add earlier campaigns, or replay one by naming it as candidates.",
        )
    results = {}
    for i, one in enumerate(usable):
        results[one.source] = run(one.spec, one.n_rows, _part(progress, one.source, i, len(usable)))
    return OverHistory(
        campaign=spec.name,
        results=results,
        skipped={one.source: f"{one.n_rows} configurations" for one in campaigns if one.n_rows < MIN_ROWS},
        n_left_out={one.source: one.n_left_out for one in campaigns if one.n_left_out},
    )


def history_campaigns(spec: CampaignSpec, store: Store | None = None) -> tuple[HistoryCampaign, ...]:
    """Make a campaign of each source of history; their tables are written to the cache.

    Raises:
        ConfigurationError: If a campaign of the store is named and there is no store.
        InputError: If a file cannot be read.
    """
    from discovery.tasks.history_files import by_task  # loads torch

    refs = by_task(spec.experience.history, spec)
    split = spec.experience.model_copy(update={"history": refs})
    whole = spec if refs == spec.experience.history else spec.model_copy(update={"experience": split})
    return tuple(_campaign(whole, i, store) for i in range(len(refs)))


def _campaign(spec: CampaignSpec, i: int, store: Store | None) -> HistoryCampaign:
    ref = spec.experience.history[i]
    source, frame = history_name(ref), _read(spec, i, store)
    plain: dict[str, Any] = json.loads(spec.model_dump_json(exclude_unset=True))
    kept = {name: value for name, value in plain.items() if name not in OWN}
    others = [entry for k, entry in enumerate(plain["experience"]["history"]) if k != i]
    data = kept | {
        "name": f"{spec.name} on {source}",
        "parameters": [own | _widened(spec, k, frame) for k, own in enumerate(plain["parameters"])],
        "experience": plain["experience"] | {"history": others},
        "candidates": spec.candidates or "rows.csv",
    }
    wide = CampaignSpec.from_mapping(data, spec.base_dir)
    space = SearchSpace.from_spec(wide)
    only = wide.model_copy(update={"outcomes": (wide.outcome(wide.objective.name),), "outcome_constraints": ()})
    checked = check_rows(read_rows(frame), only, space).frame
    kept_columns = [*space.names, spec.objective.name, f"{spec.objective.name}{SUFFIX}"]
    table = checked.loc[space.is_feasible(checked), [name for name in kept_columns if name in checked]]
    folder = cache_dir() / "over-history"
    path = folder / write_table(table, folder, Path(source.replace(":", "-")).stem)
    made = CampaignSpec.from_mapping(data | {"candidates": str(path)}, spec.base_dir)
    n_rows = len(table[list(space.names)].drop_duplicates())
    return HistoryCampaign(source, made, n_rows, len(frame) - len(table))


def _read(spec: CampaignSpec, i: int, store: Store | None) -> pd.DataFrame:
    """Read a source: parameters that it held get their column; rows without an outcome are left out."""
    from discovery.tasks.history_files import read_file  # loads torch

    ref, outcome = spec.experience.history[i], spec.objective.name
    if isinstance(ref, CampaignRef):
        if store is None:
            raise ConfigurationError(f"experience.history names the campaign {ref.campaign!r}, and no store is given.")
        frame = store.measurements(ref.campaign)
    else:
        frame = read_file(ref, spec).frame
    frame = frame.assign(**{name: value for name, value in held_in(ref).items() if name not in frame})
    columns = [name for name in (*spec.parameter_names, outcome, f"{outcome}{SUFFIX}") if name in frame]
    return frame.loc[~is_blank(frame[outcome]), columns] if outcome in frame else frame[columns]


def _widened(spec: CampaignSpec, k: int, frame: pd.DataFrame) -> dict[str, Any]:
    """Return what a parameter must allow beside its own for the rows of a table to be configurations."""
    parameter = spec.parameters[k]
    cells = frame.get(parameter.name, pd.Series(dtype=object))
    cells = cells[~is_blank(cells)]
    if isinstance(parameter, CategoricalParameter):
        if parameter.descriptors is not None:
            return {}
        return {"values": [*parameter.values, *sorted({str(cell) for cell in cells} - set(parameter.values))]}
    numbers = pd.to_numeric(cells, errors="coerce").dropna()
    if isinstance(parameter, ContinuousParameter):
        is_log = parameter.scale == "log"
        numbers = numbers[numbers > 0] if is_log else numbers
        low, high = parameter.bounds
        return {"bounds": [min([low, *numbers.tolist()]), max([high, *numbers.tolist()])], "step": None}
    if isinstance(parameter, DiscreteParameter):
        return {"values": sorted({*parameter.values, *map(float, numbers)})}
    return {}


def _part(progress: Progress | None, source: str, i: int, n: int) -> Progress | None:
    """Return a progress of one source among several."""
    if progress is None:
        return None
    return lambda text, fraction: progress(f"{source}: {text}", (i + fraction) / n)
