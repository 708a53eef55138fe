"""Random configurations that meet all constraints, and the list of combinations of a mixed space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from discovery.campaign import ExcludeConstraint
from discovery.errors import NoCandidateError, NotSupportedError
from discovery.space.codecs import ListedCodec
from discovery.space.constraints import meets

if TYPE_CHECKING:
    from discovery.space.space import SearchSpace

MAX_CHOICES = 1000  # combinations of listed parameters that a mixed space may be searched over one by one
MAX_DRAWS = 1_000_000  # random configurations tried before constraints count as out of reach
_CHUNK = 100_000


def draw_feasible(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of valid configurations, uniform in the encoding within the constraints.

    Linear constraints are met by construction, the others by drawing again.

    Returns:
        Points. Shape `n x d`.

    Raises:
        NoCandidateError: If too few of many draws meet the constraints.
    """
    if not space.nonlinear_constraints:
        return _draw(space, n, rng)
    kept, n_kept, n_tried = [np.empty((0, space.n_dims))], 0, 0
    while n_kept < n:
        if n_tried >= MAX_DRAWS:
            raise NoCandidateError(
                f"Constraints must leave configurations to draw; {n_kept} of {n_tried} random ones meet them.",
                "List the candidates in a file.",
            )
        rate = (n_kept + 1) / (n_tried + 1)
        n_more = min(math.ceil(1.2 * (n - n_kept) / rate), _CHUNK)
        X = _draw(space, n_more, rng)
        kept.append(X[_meets_nonlinear(space, X)])
        n_kept, n_tried = n_kept + len(kept[-1]), n_tried + n_more
    return np.vstack(kept)[:n]


def _draw(space: SearchSpace, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points that meet the linear constraints. Shape `n x d`."""
    X = np.hstack([codec.encode(codec.draw(n, rng)) for codec in space.codecs])
    if space.polytope is not None:
        X[:, space.polytope.dims] = space.polytope.sample(n, rng)
    return X


def _meets_nonlinear(space: SearchSpace, X: np.ndarray) -> np.ndarray:
    pairs = zip(space.codecs, space.slices, strict=True)
    canonical = [codec.decode(X[:, part]) for codec, part in pairs]
    return meets(space.nonlinear_constraints, space.codecs, canonical)


def list_choices(space: SearchSpace) -> list[dict[int, float]]:
    """Return the coordinates of every allowed combination of the listed parameters.

    Raises:
        NotSupportedError: If there are more than 1000 combinations.
        NoCandidateError: If the constraints leave none.
    """
    listed = [(c, part) for c, part in zip(space.codecs, space.slices, strict=True) if isinstance(c, ListedCodec)]
    if not listed:
        return []
    sizes = [len(codec.labels) for codec, _ in listed]
    if math.prod(sizes) > MAX_CHOICES:
        raise NotSupportedError(
            f"Without candidates, discrete and categorical parameters must have at most {MAX_CHOICES} combinations; "
            f"got {math.prod(sizes)}.",
            "List the candidates in a file.",
        )
    codes = list(np.indices(sizes).reshape(len(sizes), -1))
    names = {codec.name for codec, _ in listed}
    excludes = [c for c in space.constraints if isinstance(c, ExcludeConstraint) and names.issuperset(c.names)]
    allowed = meets(excludes, [codec for codec, _ in listed], codes)
    if not allowed.any():
        raise NoCandidateError("Exclude constraints must leave a combination; got none.", "Remove one of them.")
    X = np.hstack([codec.encode(c[allowed]) for (codec, _), c in zip(listed, codes, strict=True)])
    dims = [dim for _, part in listed for dim in range(part.start, part.stop)]
    return [dict(zip(dims, row, strict=True)) for row in X.tolist()]
