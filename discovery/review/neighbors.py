"""How far a proposal lies from what was measured, in steps that a person can check, and the experiments nearest to it.

Every parameter tells its own distance: 0 for the same value, 1 from one end of its range to the other (numbers), for
another category, or for molecules without a common fragment. Next in the tour: `discovery.review.card`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discovery.space.censored import SUFFIX

if TYPE_CHECKING:
    from discovery.space import SearchSpace
    from discovery.store import ProposalRow

N_NEIGHBORS = 3
MOLECULE = "molecule"


@dataclass(frozen=True)
class Neighbor:
    """A past experiment near the proposal.

    Attributes:
        measurement_id: The measurement.
        outcome: What it gave, raw units.
        distance: Root of the summed squares of the parameters' distances: 1 is one parameter changed from end to end.
        changes: Parameters whose value differs, with the value there.
        similarity: Tanimoto similarity by parameter, for molecules that differ: 1 is the same fragments, 0 none.
        limit: `<` or `>` where the outcome is a bound, else empty.
        is_doubtful: Whether a person should look at the measurement again (`discovery.session.doubts`).
    """

    measurement_id: str
    outcome: float
    distance: float
    changes: dict[str, object]
    similarity: dict[str, float] = field(default_factory=dict)
    limit: str = ""
    is_doubtful: bool = False


def nearest(
    proposal: ProposalRow, measured: pd.DataFrame, outcome: str, space: SearchSpace, n: int = N_NEIGHBORS
) -> tuple[Neighbor, ...]:
    """Return the past experiments nearest to a proposal, its own result left out; ties go to the earlier one.

    Args:
        proposal: The proposal.
        measured: Measurements that the space can represent (`Store.measurements`), in order.
        outcome: The outcome that is shown; experiments without it are left out.
        space: The campaign's space.
        n: How many.
    """
    is_past = (measured["proposal_id"] != proposal.proposal_id) & measured[outcome].notna()
    past = measured[is_past].reset_index(drop=True)
    if past.empty:
        return ()
    here = pd.DataFrame([proposal.configuration])
    steps = parameter_distances(space, space.encode(here)[0], space.encode(past))
    distance = np.linalg.norm(steps, axis=1)
    near = np.argsort(distance, kind="stable")[:n]
    rows, mine = space.typed(past.iloc[near]).to_dict("records"), space.typed(here).iloc[0].to_dict()
    limits = past.get(f"{outcome}{SUFFIX}", pd.Series("", index=past.index)).fillna("")
    molecules = [(k, codec.name) for k, codec in enumerate(space.codecs) if codec.kind == MOLECULE]
    return tuple(
        Neighbor(
            measurement_id=str(past["measurement_id"].iloc[i]),
            outcome=float(past[outcome].iloc[i]),
            distance=float(distance[i]),
            changes={str(name): value for name, value in row.items() if value != mine[name]},
            similarity={name: float(1 - steps[i, k]) for k, name in molecules if row[name] != mine[name]},
            limit=str(limits.iloc[i]),
        )
        for i, row in zip(near.tolist(), rows, strict=True)
    )


def parameter_distances(space: SearchSpace, x: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return how far points lie from another in every parameter.

    Args:
        space: The campaign's space, with `p` parameters.
        x: The point that is compared with. Shape `d`; unit cube.
        X: Points. Shape `n x d`; unit cube.

    Returns:
        Distances within [0, 1]. Shape `n x p`.
    """
    parts = [_distance(space, k, x[part], X[:, part]) for k, part in enumerate(space.slices)]
    return np.column_stack(parts)


def _distance(space: SearchSpace, k: int, x: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return the distance in one parameter: its kind says what that is. Shape `n`."""
    codec = space.codecs[k]
    if codec.kind == MOLECULE:
        n_fragments = next(block.stop - block.start for block in space.blocks if block.name == codec.name)
        return 1 - tanimoto(x[:n_fragments], X[:, :n_fragments])
    apart = np.linalg.norm(X - x, axis=1)
    return np.clip(apart / _widest(getattr(codec, "table", None), len(x)), 0.0, 1.0)


def _widest(table: np.ndarray | None, n_dims: int) -> float:
    """Return the largest distance that two values can have: of those listed, else of the unit cube's corners."""
    if table is None or len(table) < 2:
        return float(np.sqrt(n_dims))
    squares = (table**2).sum(1)
    apart = squares[:, None] + squares - 2 * table @ table.T
    return float(np.sqrt(apart.max()))


def tanimoto(x: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return the Tanimoto similarity of sets of weighted fragments: what is common over what either has.

    Args:
        x: A set, zero where a fragment is missing. Shape `d`.
        X: Sets. Shape `n x d`.

    Returns:
        Similarities within [0, 1]; 1 for two empty sets. Shape `n`.

    Source:
        Bajusz, Rácz, Héberger (2015), Why is Tanimoto index an appropriate choice for fingerprint-based similarity
        calculations?, Journal of Cheminformatics 7, 20; departures: kinds of fragments weigh as in the encoding.
    """
    common = X @ x
    either = x @ x + (X**2).sum(1) - common
    return np.divide(common, either, out=np.ones(len(X)), where=either > 0)
