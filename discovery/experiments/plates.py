"""Where experiments stand on plates: every one in a well of its own, controls on every plate, skipped wells left empty.

Pure: the same proposals, plate and seed give the same layout. Next in the tour: `discovery.experiments.sheets`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discovery.campaign import PLATES, Plate, row_number
from discovery.errors import ConfigurationError
from discovery.seeds import rng

EDGE = "edge"
LAYOUT = ("run_order", "plate", "well", "control", "item")
"""Columns of a layout."""


@dataclass(frozen=True, eq=False)
class Wells:
    """What the wells of a plate are for; a well is its position row by row, from 0.

    Attributes:
        names: Every well's name.
        walk: Positions in the order in which the plate is worked through.
        free: Positions that proposals may stand in, in that order.
        controls: Names of controls by position.
        empty: Positions that stay empty.
    """

    names: tuple[str, ...]
    walk: np.ndarray
    free: np.ndarray
    controls: dict[int, str]
    empty: frozenset[int]


def wells_of(plate: Plate) -> Wells:
    """Say what the wells of a plate are for; a control may stand at a skipped edge.

    Raises:
        ConfigurationError: If no well is left for proposals.
    """
    n_rows, n_columns = PLATES[plate.wells]
    grid = np.arange(plate.wells).reshape(n_rows, n_columns)
    walk = grid.T.ravel() if plate.order == "column" else grid.ravel()
    controls = {position(well, plate): control.name for control in plate.controls for well in control.wells}
    edge = set(np.concatenate([grid[0], grid[-1], grid[:, 0], grid[:, -1]]).tolist()) if EDGE in plate.skip else set()
    empty = (edge | {position(well, plate) for well in plate.skip if well != EDGE}) - set(controls)
    free = walk[~np.isin(walk, [*controls, *empty])]
    if not len(free):
        raise ConfigurationError(
            f"experiment.plate must leave a well for proposals; all {plate.wells} are controls or skipped.",
            "Take a larger plate, or skip fewer wells.",
        )
    return Wells(tuple(well_name(i, n_columns) for i in range(plate.wells)), walk, free, controls, frozenset(empty))


def lay_out(plate: Plate, n: int, seed: int = 0) -> pd.DataFrame:
    """Give every proposal of a batch a well, on as many plates as it takes.

    Wells are filled row by row, column by column, or at random: then a proposal's rank says nothing about its place.
    Experiments run in the order of the wells, controls among them.

    Args:
        plate: The plate.
        n: Number of proposals; at least 1.
        seed: Decides which wells, where the order is random.

    Returns:
        One row per used well in run order: `run_order` (from 1), `plate` (from 1), `well`, `control` (its name, empty
        for a proposal) and `item` (the proposal's position in the batch, -1 for a control).

    Raises:
        ConfigurationError: If no well is left for proposals.
    """
    wells = wells_of(plate)
    place = np.empty(plate.wells, dtype=np.intp)
    place[wells.walk] = np.arange(plate.wells)  # when a well's turn comes
    parts = []
    for number in range(math.ceil(n / len(wells.free))):
        items = np.arange(number * len(wells.free), min(n, (number + 1) * len(wells.free)))
        order = rng(seed, "plate", number).permutation(wells.free) if plate.order == "random" else wells.free
        used = np.concatenate([order[: len(items)], np.fromiter(wells.controls, dtype=np.intp)]).astype(np.intp)
        item = np.concatenate([items, np.full(len(wells.controls), -1)])
        turn = np.argsort(place[used])
        parts.append(pd.DataFrame({"plate": number + 1, "position": used[turn], "item": item[turn]}))
    frame = pd.concat(parts, ignore_index=True)
    named = frame.assign(
        run_order=np.arange(1, len(frame) + 1),
        well=[wells.names[i] for i in frame["position"]],
        control=[wells.controls.get(i, "") for i in frame["position"]],
    )
    return named[list(LAYOUT)]


def well_name(index: int, n_columns: int) -> str:
    """Return the name of a well by its position row by row, from 0.

    Example:
        >>> well_name(0, 12), well_name(95, 12), well_name(1535, 48)
        ('A1', 'H12', 'AF48')
    """
    row, column = divmod(index, n_columns)
    letters = ""
    row += 1
    while row:
        row, rest = divmod(row - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{column + 1}"


def position(well: str, plate: Plate) -> int:
    """Return the position of a well, row by row from 0; `A01` is `A1`.

    Example:
        >>> position("B01", Plate(wells=96))
        12
    """
    column = int(well.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) - 1
    return row_number(well) * PLATES[plate.wells][1] + column
