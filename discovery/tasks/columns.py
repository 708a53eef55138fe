"""Columns of history: what a source must have, what may be filled in, and rows that are no mixture of the parts."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, SimplexConstraint
from discovery.errors import InputError
from discovery.ingest import CheckedRows, RawRows, RejectedRow
from discovery.space.union import Fractions

MIXTURE_TOLERANCE = 0.02  # of the total: parts in tables are rounded


def complete(
    sources: Mapping[str, tuple[RawRows, Mapping[str, float | str]]], spec: CampaignSpec
) -> dict[str, RawRows]:
    """Give every source a column for each parameter, each further column to learn across, and each element.

    Args:
        sources: Rows, and the values at which parameters were held, by name.
        spec: The campaign.

    Raises:
        InputError: If a column is missing and not held, or stands there and is held.
    """
    names = {str(name) for rows, _ in sources.values() for name in rows.frame}
    fractions = Fractions.of(spec)
    absent = {} if fractions is None else dict.fromkeys(fractions.columns([*fractions.names, *names]), 0.0)
    wanted = [*(p.name for p in spec.parameters), *(spec.experience.held or {}), spec.objective.name]
    completed = {}
    for source, (rows, held) in sources.items():
        _check_columns(source, rows.frame, [name for name in wanted if name not in absent], held)
        gaps = {name: value for name, value in {**absent, **held}.items() if name not in rows.frame}
        completed[source] = dataclasses.replace(rows, frame=rows.frame.assign(**gaps))
    return completed


def _check_columns(source: str, frame: pd.DataFrame, wanted: Sequence[str], held: Mapping[str, object]) -> None:
    both = [name for name in held if name in frame]
    if both:
        raise InputError(
            f"{source} must not have a column {both[0]!r} that is said to be held.", "Remove it from held."
        )
    lacking = [name for name in wanted if name not in frame and name not in held]
    if not lacking:
        return
    near = difflib.get_close_matches(lacking[0], map(str, frame.columns), n=1)
    raise InputError(
        f"{source} must have the columns {', '.join(map(repr, lacking))}; got {', '.join(map(str, frame.columns))}.",
        f"Rename {near[0]!r} to {lacking[0]!r}?"
        if near
        else f"If it was not varied, say at what value it was held: {{file: {source}, held: {{{lacking[0]}: ...}}}}.",
    )


def whole_mixtures(rows: CheckedRows, spec: CampaignSpec) -> CheckedRows:
    """Leave out rows whose parts do not add up: the rest is something that this campaign does not have.

    Where a further column is learned across, it may be that rest, and rows stay.
    """
    fractions, good, rejected = Fractions.of(spec), np.ones(len(rows.frame), dtype=bool), list(rows.rejected)
    for constraint in (c for c in spec.constraints if isinstance(c, SimplexConstraint)):
        is_held = any(isinstance(value, float) for value in (spec.experience.held or {}).values())
        parts = list(constraint.parameters)
        if fractions is not None and fractions.names == constraint.parameters:
            parts = list(fractions.columns([str(name) for name in rows.frame]))
        elif is_held:
            continue
        total = rows.frame[parts].sum(axis="columns").to_numpy(dtype=np.float64)
        is_off = np.abs(total - constraint.total) > MIXTURE_TOLERANCE * constraint.total
        reason = f"and the other parts must add up to {constraint.total:g}"
        places = np.array(rows.row_numbers)[is_off & good].tolist()
        found = total[is_off & good].tolist()
        rejected += [
            RejectedRow(place, parts[0], f"{value:.6g}", reason) for place, value in zip(places, found, strict=True)
        ]
        good &= ~is_off
    if good.all():
        return rows
    return dataclasses.replace(
        rows,
        frame=rows.frame[good].reset_index(drop=True),
        keys=tuple(np.array(rows.keys, dtype=object)[good]),
        row_numbers=tuple(np.array(rows.row_numbers)[good].tolist()),
        extra=rows.extra[good].reset_index(drop=True),
        rejected=tuple(rejected),
    )
