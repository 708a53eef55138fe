"""Candidates that say nothing of the context: each of them can be made at whatever value is given.

Until the value is known, it is held open; then the list becomes an ordinary pool at that value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discovery.errors import ConfigurationError, NoCandidateError
from discovery.space.codecs import ContinuousCodec
from discovery.space.pool import CandidatePool, pool_of

if TYPE_CHECKING:
    from discovery.campaign import CampaignSpec
    from discovery.space.codecs import Codec
    from discovery.space.space import SearchSpace


@dataclass(frozen=True, eq=False)
class OpenPool(CandidatePool):
    """A pool whose context is open; what stands there and in its keys means nothing.

    Attributes:
        open_names: The context parameters that the file has no column of.
    """

    open_names: tuple[str, ...] = ()

    def n_left(self, taken: Collection[str]) -> int:
        """Return how many configurations are left: all, as there is always another value."""
        return len(self)

    def placed(self, space: SearchSpace, values: Mapping[str, Any]) -> CandidatePool:
        """Return the pool at values of the context, without what breaks a constraint there.

        Args:
            space: The campaign's space.
            values: A value for every open parameter at least.

        Raises:
            NoCandidateError: If no candidate meets the constraints there.
        """
        frame = self.frame.assign(**{name: values[name] for name in self.open_names})
        frame[list(space.names)] = space.typed(frame)
        fits = space.is_feasible(frame)
        if not fits.any():
            said = ", ".join(f"{name} = {values[name]}" for name in self.open_names)
            raise NoCandidateError(f"No candidate is left today: none of {len(frame)} meets the constraints at {said}.")
        frame = frame[fits]
        return CandidatePool(frame, space.encode(frame), tuple(space.keys(frame)), self.rows[fits])


def open_pool_of(table: pd.DataFrame, spec: CampaignSpec, space: SearchSpace, missing: Collection[str]) -> OpenPool:
    """Return the distinct configurations of a table that lacks context columns.

    Args:
        table: What the candidates file holds.
        spec: The campaign.
        space: Its space.
        missing: Context parameters without a column.

    Raises:
        InputError: If another column is missing, or a cell cannot be used.
        ConfigurationError: If the cost of an experiment is a column of the same file.
        NoCandidateError: If no row meets the constraints that do not speak of the context.
    """
    if isinstance(spec.cost, str) and spec.cost in table.columns:
        raise ConfigurationError(
            f"cost must be no column of the candidates where these lack {', '.join(missing)}; got {spec.cost!r}.",
            "Write it as an expression over parameters, or add the column of the context.",
        )
    filled = table.assign(**{codec.name: _some_value(codec) for codec in space.codecs if codec.name in missing})
    rules = tuple(rule for rule in space.constraints if not set(rule.names) & set(missing))
    found = pool_of(filled, spec, replace(space, constraints=rules), str(spec.candidates))
    parts = {name: getattr(found, name) for name in ("frame", "X", "keys", "rows", "n_infeasible", "n_repeated")}
    return OpenPool(**parts, open_names=tuple(missing))


def _some_value(codec: Codec) -> Any:
    """Return a value that stands for one that is not known yet."""
    return codec.low if isinstance(codec, ContinuousCodec) else codec.column(np.zeros(1, dtype=np.intp))[0]
