"""The search space: the one border between tables of raw values and points of the unit cube.

Next in the tour: `discovery.ingest` on the way in, `discovery.belief` on the way on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, Constraint, Parameter, check_supported
from discovery.errors import InputError
from discovery.shapes import check_shape
from discovery.space.blocks import Block
from discovery.space.cells import CellFault, column_of, refuse
from discovery.space.codecs import Codec, ListedCodec
from discovery.space.constraints import as_read, encode_constraint, meets
from discovery.space.kinds import codec_of, parts_of
from discovery.space.mixture import Mix, read_mixes
from discovery.space.polytope import EncodedConstraint, Polytope
from discovery.space.possible import refuse_impossible
from discovery.space.regions import Regions
from discovery.space.rounding import Rounding
from discovery.space.sampling import draw_feasible
from discovery.space.system import System


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """What can be varied, encoded.

    Attributes:
        codecs: One per parameter, in the order of the campaign file.
        constraints: What configurations must hold, in raw units.
        is_pooled: Whether configurations are chosen from a finite list; then constraints filter the list.
        parameters: What the codecs were made from; they carry the units.
        mixes: Mixtures that are compared by the properties of their ingredients too.
    """

    codecs: tuple[Codec, ...]
    constraints: tuple[Constraint, ...] = ()
    is_pooled: bool = False
    parameters: tuple[Parameter, ...] = ()
    mixes: tuple[Mix, ...] = ()

    @classmethod
    def from_spec(cls, spec: CampaignSpec) -> SearchSpace:
        """Build the space of a campaign; reads descriptor files.

        Raises:
            ConfigurationError: If a descriptor file does not fit, or constraints cannot be met together.
            NotSupportedError: If a parameter or constraint is of a kind that is not built.
        """
        check_supported(spec)
        codecs = tuple(codec_of(p, spec) for p in spec.parameters)
        constraints = as_read(spec.pointwise, codecs)
        space = cls(codecs, constraints, spec.has_pool, spec.parameters, read_mixes(spec, codecs))
        if not space.is_pooled:
            _ = space.polytope  # refuses constraints that contradict each other
            refuse_impossible(space.regions.of)
        return space

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(codec.name for codec in self.codecs)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Where each parameter stands in the encoding; a molecule has up to two blocks, any other parameter one."""
        blocks: list[Block] = []
        for codec in self.codecs:
            is_one_hot = isinstance(codec, ListedCodec) and codec.is_one_hot
            for name, kind, width in parts_of(codec):
                start = blocks[-1].stop if blocks else 0
                blocks.append(Block(name, kind, start, start + width, len(codec.values), codec.values, is_one_hot))
        return tuple(blocks)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Coordinates of each parameter."""
        stops = np.cumsum([codec.n_dims for codec in self.codecs]).tolist()
        return tuple(slice(stop - codec.n_dims, stop) for codec, stop in zip(self.codecs, stops, strict=True))

    @property
    def n_dims(self) -> int:
        """Number of encoded coordinates `d`."""
        return self.blocks[-1].stop

    @cached_property
    def schema_hash(self) -> str:
        """Identity of the encoding, 16 hex digits: the same parameters give the same hash."""
        mixes = [[mix.name, mix.dims.tolist(), mix.weights.round(9).tolist()] for mix in self.mixes]
        parts = [
            [codec.name, codec.kind, codec.values, codec.table.round(9).tolist()]
            if isinstance(codec, ListedCodec)
            else repr(codec)
            for codec in self.codecs
        ] + mixes
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def check(self, frame: pd.DataFrame) -> list[CellFault]:
        """Return every cell of the parameters' columns that cannot be used, in the order of the rows.

        Raises:
            InputError: If a parameter's column is missing or stands there twice.
        """
        return sorted(self._read(frame)[1], key=lambda fault: fault.row)

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Turn configurations into points.

        Args:
            frame: One configuration per row, raw values; further columns are ignored.

        Returns:
            Points. Shape `n x d`; unit cube; float64.

        Raises:
            InputError: If a column is missing, or a cell is no number, out of bounds or not in the list.
        """
        return self._encode(self._canonical(frame))

    def decode(self, X: np.ndarray) -> pd.DataFrame:
        """Turn points into valid configurations.

        Takes the nearest value of every list, clips to bounds and rounds to 12 significant digits; where constraints
        are linear in the encoding and there is no pool, a point that breaks them is brought in.

        Args:
            X: Points. Shape `n x d`.

        Returns:
            One configuration per row: floats, and categories as text.

        Raises:
            InputError: If X has another shape or holds NaN.
        """
        X = np.asarray(X, dtype=np.float64)
        check_shape("X", X, "n x d", d=self.n_dims)
        if not np.isfinite(X).all():
            raise InputError("X must be finite to be decoded; got NaN or infinity.")
        if self.polytope is not None and not self.is_pooled:
            X = X.copy()
            X[:, self.polytope.dims] = self.polytope.pull(X[:, self.polytope.dims])
        pairs = zip(self.codecs, self.slices, strict=True)
        return self._frame([codec.decode(X[:, part]) for codec, part in pairs])

    def typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the parameters' columns with floats and listed categories in place of whatever was written.

        Raises:
            InputError: Like `encode`.
        """
        return self._frame(self._canonical(frame))

    def keys(self, frame: pd.DataFrame) -> list[str]:
        """Return the identity of each configuration: equal configurations have equal keys, however they are written.

        Example of a key: `catalyst="P1-L1"; temperature=30`.

        Raises:
            InputError: Like `encode`.
        """
        keys = np.full(len(frame), "", dtype=object)
        for codec, values in zip(self.codecs, self._canonical(frame), strict=True):
            keys = keys + f"; {codec.name}=" + codec.texts(values).astype(object)
        return [key[2:] for key in keys]

    def is_feasible(self, frame: pd.DataFrame) -> np.ndarray:
        """Return where configurations meet all constraints as well as tables are rounded (1e-6). Shape `n`, bool.

        Raises:
            InputError: Like `encode`.
        """
        return meets(self.constraints, self.codecs, self._canonical(frame))

    def is_valid(self, frame: pd.DataFrame) -> np.ndarray:
        """Return where configurations meet all constraints exactly (1e-9), as proposals do. Shape `n`, bool.

        Raises:
            InputError: Like `encode`.
        """
        return meets(self.constraints, self.codecs, self._canonical(frame), is_exact=True)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw configurations that meet all constraints, uniform in the encoding, in numbers that a person can set.

        Returns:
            Points of valid configurations. Shape `n x d`. Same generator state, same points.

        Raises:
            NoCandidateError: If nothing, or too little to be found, meets the constraints.
        """
        return draw_feasible(self, n, rng)

    @property
    def inequality_constraints(self) -> list[EncodedConstraint]:
        """Indices, coefficients and right-hand side of `sum(coefficient * x) >= rhs` over encoded coordinates."""
        return [encoded for relation, encoded in self._linear if relation == ">="]

    @property
    def equality_constraints(self) -> list[EncodedConstraint]:
        """Indices, coefficients and right-hand side of `sum(coefficient * x) == rhs` over encoded coordinates."""
        return [encoded for relation, encoded in self._linear if relation == "=="]

    @cached_property
    def polytope(self) -> Polytope | None:
        """What the linear constraints leave of the unit cube, or None where there is no such constraint."""
        if not self._linear:
            return None
        return Polytope.build(self.inequality_constraints, self.equality_constraints)

    @cached_property
    def other_constraints(self) -> tuple[Constraint, ...]:
        """Constraints that are not linear in the encoding; configurations are filtered by them."""
        return tuple(c for c in self.constraints if encode_constraint(c, self.codecs, self._starts) is None)

    @cached_property
    def _linear(self) -> tuple[tuple[str, EncodedConstraint], ...]:
        encoded = [encode_constraint(constraint, self.codecs, self._starts) for constraint in self.constraints]
        return tuple(item for item in encoded if item is not None)

    @cached_property
    def regions(self) -> Regions:
        """The parts of the space that differ in what is listed and what is zero."""
        return Regions(System(self))

    @cached_property
    def rounding(self) -> Rounding:
        """How configurations become numbers that a person can set."""
        return Rounding(self.regions)

    @property
    def _starts(self) -> list[int]:
        return [part.start for part in self.slices]

    def _read(self, frame: pd.DataFrame) -> tuple[list[np.ndarray], list[CellFault]]:
        """Return canonical values and faults of all parameters."""
        read = [codec.read(column_of(frame, codec.name)) for codec in self.codecs]
        return [values for values, _ in read], [fault for _, faults in read for fault in faults]

    def _canonical(self, frame: pd.DataFrame) -> list[np.ndarray]:
        values, faults = self._read(frame)
        refuse(sorted(faults, key=lambda fault: fault.row))
        return values

    def _encode(self, canonical: Sequence[np.ndarray]) -> np.ndarray:
        return np.hstack([codec.encode(values) for codec, values in zip(self.codecs, canonical, strict=True)])

    def _frame(self, canonical: Sequence[np.ndarray]) -> pd.DataFrame:
        return pd.DataFrame({codec.name: codec.column(v) for codec, v in zip(self.codecs, canonical, strict=True)})
