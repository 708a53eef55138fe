"""What people decide about proposals: verdicts, edited values, and whether a configuration may still be run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.errors import InputError
from discovery.space.open_pool import OpenPool

if TYPE_CHECKING:
    from discovery.space import Pool, SearchSpace
    from discovery.store import ProposalRow


@dataclass(frozen=True)
class Verdict:
    """What a person wants done with one proposal; nothing is checked against the store yet.

    Attributes:
        proposal_id: The proposal.
        decision: `approve`, `edit` or `reject`.
        reason: Why, or a remark that is kept with the decision.
        values: For `edit`: the parameters that change, typed or as text.
    """

    proposal_id: str
    decision: str
    reason: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Misfit:
    """Why a configuration may not be run.

    Attributes:
        rule: What it must be, and what it is: `must meet the constraints; got ...`.
        hint: What to do about an edit that does not fit; may be empty.
    """

    rule: str
    hint: str = ""


@dataclass(frozen=True)
class Edit:
    """A checked edit.

    Attributes:
        values: The parameters that change, typed.
        key: Identity of the edited configuration.
    """

    values: dict[str, object]
    key: str


def parse_edit(words: Iterable[str]) -> dict[str, object]:
    """Read `key=value` words; what stands behind the first `=` is the value, as text.

    Raises:
        InputError: If a word has no `=`, names nothing, or names a parameter twice.

    Example:
        >>> parse_edit(["temperature=60", "smiles=CC=O"])
        {'temperature': '60', 'smiles': 'CC=O'}
    """
    values: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise InputError(f"An edit must read parameter=value; got {word!r}.")
        if name in values:
            raise InputError(f"An edit must name each parameter once; got {name!r} twice.")
        values[name] = value
    return values


def check_edit(
    proposal: ProposalRow,
    values: Mapping[str, object],
    space: SearchSpace,
    pool: Pool | None,
    taken: Collection[str] = (),
) -> Edit:
    """Check an edited configuration as strictly as a proposed one.

    Args:
        proposal: What is edited.
        values: The parameters that change, and their new values, typed or as text.
        space: The campaign's space.
        pool: Its candidates, or None.
        taken: Identities of configurations that are measured or proposed already.

    Raises:
        InputError: If a parameter is unknown, a value cannot be used, a constraint is broken, the configuration is none
            of the candidates, or it is taken.
    """
    where = f"The edit of {proposal.proposal_id}"
    unknown = [name for name in values if name not in space.names]
    if unknown:
        raise InputError(
            f"{where} must name parameters; got {', '.join(unknown)}.", f"Known: {', '.join(space.names)}."
        )
    configuration = {**proposal.proposed, **values}
    misfit = find_misfit(configuration, space, pool, taken) or _off_grid(values, space)
    if misfit is not None:
        raise InputError(f"{where} {misfit.rule}.", misfit.hint)
    frame = pd.DataFrame([configuration]).astype(object)
    typed = space.typed(frame).iloc[0].to_dict()
    return Edit({name: typed[name] for name in values}, space.keys(frame)[0])


def _off_grid(values: Mapping[str, object], space: SearchSpace) -> Misfit | None:
    """Say which edited number is none of those that can be set; what was not edited stays as it was proposed."""
    for codec, _ in space.regions.of.continuous:
        if codec.step is None or codec.name not in values:
            continue
        number = codec.read(pd.Series([values[codec.name]], name=codec.name, dtype=object))[0]
        if not codec.is_on_grid(number).all():
            k = np.floor((number[0] - codec.low) / codec.step) + np.arange(2)
            nearest = np.unique(codec.low + codec.step * k.clip(0, codec.n_steps))
            said = f"step {codec.step:g} of {codec.name}, counted from {codec.low:g}; got {number[0]:g}"
            hint = f"Next to it: {', '.join(f'{value:.12g}' for value in nearest)}."
            return Misfit(f"must keep to the {said}", f"{hint} What is done otherwise is ingested as it was.")
    return None


def find_misfit(
    configuration: Mapping[str, object], space: SearchSpace, pool: Pool | None, taken: Collection[str] = ()
) -> Misfit | None:
    """Say why a configuration may not be run in the campaign as it is now.

    Args:
        configuration: A value for every parameter, typed or as text.
        space: The campaign's space.
        pool: Its candidates, or None.
        taken: Identities of configurations that are measured or proposed already.

    Returns:
        The first rule that is broken, or None where there is none.
    """
    if set(configuration) != set(space.names):
        rule = f"must have exactly the parameters {', '.join(space.names)}; got {', '.join(configuration)}"
        return Misfit(rule, "The campaign's parameters have changed since: propose anew.")
    frame = pd.DataFrame([configuration]).astype(object)
    faults = space.check(frame)
    if faults:
        said = "; ".join(f"{fault.column} {fault.reason}, got {fault.value!r}" for fault in faults)
        return Misfit(f"must be a configuration of the space: {said}")
    key = space.keys(frame)[0]
    if not space.is_feasible(frame).all():
        return Misfit(f"must meet the constraints; got {key}")
    if isinstance(pool, OpenPool):
        pool = pool.placed(space, configuration)
    if pool is not None and key not in pool.keys:
        return Misfit(f"must be one of the candidates; got {key}", "Choose a row of the candidates.")
    if key in taken:
        return Misfit(
            f"must be a new configuration; {key} is measured or proposed already",
            "Reject the proposal instead, or set acquisition.allow_replicates.",
        )
    return None
