"""The manual adapter: people make the experiments. A batch becomes a sheet in a folder; its results come by ingestion.

A sheet is written once and never again: whatever stands in a file of the folder was asked for already. The places that
experiments were given on plates are read from there, too. Next in the tour: `discovery.session.results`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from discovery.campaign import ManualExperiment
from discovery.campaign.stages import STAGE
from discovery.errors import ConfigurationError, DiscoveryError
from discovery.experiments.adapter import Order, Pending, TrialContext
from discovery.experiments.plates import lay_out, wells_of
from discovery.experiments.sheets import FORMATS, PLACE, RUN_ORDER, make_sheet, place_batch, sheet_columns, write_sheet
from discovery.ingest import read_rows
from discovery.ingest.excel import openpyxl
from discovery.seeds import derive

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space import SearchSpace

PLACES = ("sheet", "proposal_id", RUN_ORDER, *PLACE)
"""Columns of what is known of the sheets in a folder."""


@dataclass(frozen=True)
class ManualAdapter:
    """Writes sheets and waits.

    Attributes:
        spec: The campaign.
        experiment: Its section of the campaign file.
        folder: Where sheets go.
    """

    spec: CampaignSpec
    experiment: ManualExperiment
    folder: Path

    @classmethod
    def from_spec(cls, spec: CampaignSpec, space: SearchSpace) -> ManualAdapter:
        """Make the adapter; nothing is written yet.

        Raises:
            ConfigurationError: If the experiment is of another type, the plate has no free well, a parameter is called
                like a column of plates, the inbox is the folder of the sheets, or Excel is asked for and openpyxl is
                not installed.
        """
        experiment = spec.experiment
        if not isinstance(experiment, ManualExperiment):
            raise ConfigurationError(f"experiment.type must be manual for this adapter; got {experiment!r}.")
        sheet_columns(spec, is_plated=experiment.plate is not None)
        if experiment.plate is not None:
            wells_of(experiment.plate)
        if experiment.format == "xlsx":
            openpyxl()
        if spec.inbox is not None and spec.resolve(spec.inbox).resolve() == sheet_folder(spec).resolve():
            raise ConfigurationError(
                f"inbox must be another folder than that of the sheets, which it would empty; got {spec.inbox}.",
                "Copy a sheet into the inbox when it is filled in.",
            )
        return cls(spec, experiment, sheet_folder(spec))

    def hand_over(self, orders: Sequence[Order]) -> None:
        """Write the sheet of all orders that stand on none, and remember for each on which it stands.

        Raises:
            ConfigurationError: If the sheet cannot be written.
        """
        self._hand_over([order for order in orders if not order.context.external_id])

    def run(self, configuration: Mapping[str, object], context: TrialContext) -> Pending:
        """Say on which sheet a trial stands; its result comes when the sheet is ingested.

        Raises:
            ConfigurationError: If it stands on none yet, and its sheet cannot be written.
        """
        name = context.external_id or self._hand_over([Order(configuration, context)])[context.proposal_id]
        return Pending(name, f"is on the sheet {self.folder / name}")

    def _hand_over(self, orders: Sequence[Order]) -> dict[str, str]:
        """Return the sheet of every order by proposal, after writing one where it takes one."""
        if not orders:
            return {}
        places = read_places(self.folder).dropna(subset="proposal_id")
        known = {str(row.proposal_id): str(row.sheet) for row in places.itertuples()}
        new = [order for order in orders if order.context.proposal_id not in known]
        if new:
            name = self._write(new).name
            known |= {order.context.proposal_id: name for order in new}
        for order in orders:
            order.context.remember(known[order.context.proposal_id])
        return known

    def _write(self, orders: Sequence[Order]) -> Path:
        """Write a sheet that is named after the last cycle in it."""
        ids = [order.context.proposal_id for order in orders]
        name = self._free_name(file_stem(ids[-1].rpartition("-")[0]))
        proposals = pd.DataFrame(
            [{"proposal_id": o.context.proposal_id, STAGE: o.context.stage, **o.configuration} for o in orders]
        )
        plate, places = self.experiment.plate, None
        if plate is not None:
            layout = lay_out(plate, len(orders), derive(self.spec.seed, "plates", name))
            places = place_batch(layout, ids, name.removeprefix(f"{file_stem(self.spec.name)}-"))
        path = self.folder / f"{name}.{self.experiment.format}"
        return write_sheet(make_sheet(self.spec, proposals, name, places), path)

    def _free_name(self, wanted: str) -> str:
        """Return the name, or the first of `name-2`, `name-3`, ... that no file has in any format: plates carry it."""
        names = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
        return next(name for name in names if not any((self.folder / f"{name}{suffix}").exists() for suffix in FORMATS))


def sheet_folder(spec: CampaignSpec) -> Path:
    """Return the folder of a campaign's sheets."""
    named = spec.experiment.folder if isinstance(spec.experiment, ManualExperiment) else None
    return spec.resolve(named or f"{file_stem(spec.name)}-sheets")


def file_stem(text: str) -> str:
    """Return a name that every file system takes.

    Example:
        >>> file_stem("Suzuki: case 4/b-c001")
        'Suzuki-case-4-b-c001'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "sheet"


def read_places(folder: Path) -> pd.DataFrame:
    """Read what stands on the sheets of a folder; a file that is no sheet says nothing.

    Returns:
        One row per experiment and control: `sheet` (the file's name), `proposal_id`, `run_order`, `plate`, `well` and
        `control`; None where a cell is blank.
    """
    frames = [pd.DataFrame(columns=list(PLACES), dtype=object)]
    for path in sorted(path for path in folder.glob("*") if path.suffix.lower() in FORMATS):
        if path.name.startswith((".", "~")):  # being written, or open in a spreadsheet program
            continue
        try:
            rows = read_rows(path).frame
        except DiscoveryError:
            continue
        if "proposal_id" in rows:
            frames.append(rows.reindex(columns=list(PLACES)).assign(sheet=path.name).astype(object))
    found = pd.concat(frames, ignore_index=True)
    return found.where(found.notna(), None)
