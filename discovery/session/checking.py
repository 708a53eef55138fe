"""Rows from the laboratory against the campaign as it is, and as it was: what was measured was measured.

A row that an earlier version of the campaign has room for lands all the same. It counts in the budget, does not teach,
and teaches again where a later version has room for it. Next in the tour: `discovery.ingest.checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec
from discovery.errors import DiscoveryError
from discovery.ingest import CheckedRows, check_rows
from discovery.space import SearchSpace

if TYPE_CHECKING:
    from discovery.ingest import RawRows
    from discovery.store import Store


def check_in_versions(raw: RawRows, spec: CampaignSpec, space: SearchSpace, store: Store) -> CheckedRows:
    """Check rows against a campaign, and those that it has no room for against its earlier versions.

    Args:
        raw: What `read_rows` gave.
        spec: The campaign.
        space: Its space.
        store: Where its earlier versions are.

    Raises:
        InputError: If a column is missing.
    """
    checked = check_rows(raw, spec, space)
    for earlier in _earlier_spaces(spec, space, store) if _misfits(checked, space) else ():
        numbers = _misfits(checked, space)
        if numbers:
            again = check_rows(replace(raw, frame=raw.frame.loc[numbers], malformed=()), spec, earlier)
            checked = _with(checked, again)
    return checked


def _misfits(checked: CheckedRows, space: SearchSpace) -> list[int]:
    """Return rows that a parameter keeps out."""
    return sorted({cell.row_number for cell in checked.rejected if cell.column in space.names})


def _earlier_spaces(spec: CampaignSpec, space: SearchSpace, store: Store) -> Iterator[SearchSpace]:
    """Yield spaces of the same parameters that the campaign had before, the last first; none that cannot be built."""
    seen = {space.schema_hash}
    for row in reversed(store.versions(spec.name)):
        with suppress(DiscoveryError):  # a table of it has gone since, or this release reads it no longer
            old = CampaignSpec.from_json(row.spec_json, row.base_dir)
            parameters = {parameter.name: parameter for parameter in old.parameters}
            if set(parameters) != set(space.names):
                continue
            in_order = tuple(parameters[name] for name in space.names)
            earlier = SearchSpace.from_spec(old.model_copy(update={"parameters": in_order}))
            if earlier.schema_hash not in seen:
                seen.add(earlier.schema_hash)
                yield earlier


def _with(checked: CheckedRows, again: CheckedRows) -> CheckedRows:
    """Return checked rows with others of the same source that fit after all, in the order of the source."""
    numbers = (*checked.row_numbers, *again.row_numbers)
    order = np.argsort(numbers, kind="stable")
    frame = pd.concat([checked.frame, again.frame], ignore_index=True)
    extra = pd.concat([checked.extra, again.extra], ignore_index=True)
    fitting = set(again.row_numbers)
    return replace(
        checked,
        frame=frame.iloc[order].reset_index(drop=True),
        keys=tuple((*checked.keys, *again.keys)[i] for i in order),
        row_numbers=tuple(numbers[i] for i in order),
        extra=extra.iloc[order].reset_index(drop=True),
        rejected=tuple(cell for cell in checked.rejected if cell.row_number not in fitting),
        n_out_of_range=checked.n_out_of_range + again.n_out_of_range,
    )
