"""A molecule's way between SMILES and encoded coordinates: sets of fragments, then descriptors.

Identity of a molecule is its canonical SMILES, however it was written. The encoding knows nothing of the candidates,
so that earlier campaigns and checkpoints fit whatever the list is; going back from coordinates to a molecule means
finding the nearest candidate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, MoleculeParameter
from discovery.errors import ConfigurationError, InputError
from discovery.space.cells import CellFault, column_of, faults_where, is_blank, refuse
from discovery.space.codecs import Kind, Part
from discovery.space.descriptor_table import N_DESCRIPTORS
from discovery.space.descriptors import read_table
from discovery.space.fingerprints import FINGERPRINTS, FRAGMENTS, VERSION
from discovery.space.molecule_library import read_molecules


@dataclass(frozen=True)
class MoleculeCodec:
    """A molecule, chosen from a list of candidates.

    Attributes:
        name: Name of the parameter.
        fingerprint: Which fragments molecules are compared by; a key of `FINGERPRINTS`.
        has_descriptors: Whether descriptors follow.
        source: File of the candidates; no part of the identity of the encoding.
    """

    name: str
    fingerprint: str = "mixed"
    has_descriptors: bool = True
    source: Path | None = field(default=None, repr=False, compare=False)
    version: int = VERSION
    kind: Kind = "molecule"

    @property
    def parts(self) -> tuple[Part, ...]:
        """A block of fragments, and one of descriptors."""
        width = sum(FRAGMENTS[name].n_columns for name in FINGERPRINTS[self.fingerprint])
        fragments = Part(self.name, "molecule", width)
        if not self.has_descriptors:
            return (fragments,)
        return fragments, Part(f"{self.name} descriptors", "molecule_descriptors", N_DESCRIPTORS)

    @property
    def n_dims(self) -> int:
        """Columns of all blocks."""
        return sum(part.width for part in self.parts)

    @property
    def values(self) -> tuple[object, ...]:
        """No list: the candidates are not part of the encoding."""
        return ()

    def read(self, cells: pd.Series) -> tuple[np.ndarray, list[CellFault]]:
        """Return canonical SMILES, empty where a cell is refused, and the faults."""
        numbers, distinct = pd.factorize(cells.astype(object), use_na_sentinel=True)
        molecules = read_molecules([str(text) for text in distinct])
        known = np.array([*("" if m is None else m.smiles for m in molecules), ""], dtype=object)
        smiles, blank = known[numbers], is_blank(cells)
        faults = faults_where(blank, cells, "must be given")
        return smiles, faults + faults_where((smiles == "") & ~blank, cells, "must be a SMILES that RDKit can read")

    def encode(self, canonical: np.ndarray) -> np.ndarray:
        """Return coordinates: a value for every fragment that a molecule has, then descriptors. Shape `n x n_dims`."""
        numbers, distinct = pd.factorize(canonical)
        molecules = [molecule for molecule in read_molecules(list(distinct)) if molecule is not None]
        if len(molecules) < len(distinct):
            raise InputError(f"Molecules of {self.name!r} must be canonical SMILES to be encoded; got others.")
        X = np.zeros((len(molecules), self.n_dims))
        start = 0
        for position, (name, kind) in enumerate(FRAGMENTS.items()):
            if name in FINGERPRINTS[self.fingerprint] and molecules:
                columns = [molecule.columns[position] for molecule in molecules]
                rows = np.repeat(np.arange(len(molecules)), [len(each) for each in columns])
                X[rows, start + np.concatenate(columns)] = kind.value
                start += kind.n_columns
        if self.has_descriptors and molecules:
            X[:, start:] = [molecule.descriptors for molecule in molecules]
        return X[numbers]

    def decode(self, X: np.ndarray) -> np.ndarray:
        """Return the canonical SMILES of the nearest candidates. Shape `n`.

        Raises:
            ConfigurationError: If there are no candidates.
        """
        table = self._coordinates
        squares = np.einsum("kd,kd->k", table, table)
        return self.candidates[np.argmin(squares - 2.0 * (X @ table.T), axis=1)]

    def column(self, canonical: np.ndarray) -> np.ndarray:
        """Return the canonical SMILES themselves."""
        return canonical

    def texts(self, canonical: np.ndarray) -> np.ndarray:
        """Return canonical SMILES in quotes."""
        return np.array([json.dumps(smiles) for smiles in canonical], dtype=object)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw candidates uniformly. Shape `n`."""
        return self.candidates[rng.integers(len(self.candidates), size=n)]

    @cached_property
    def candidates(self) -> np.ndarray:
        """Canonical SMILES of the candidates, each once. Shape `k`.

        Raises:
            ConfigurationError: If the space was made without candidates.
            InputError: If a cell is no SMILES.
        """
        if self.source is None:
            raise ConfigurationError(f"Molecules of {self.name!r} must be listed in candidates to be found; got none.")
        smiles, faults = self.read(column_of(read_table(self.source), self.name, str(self.source)))
        refuse(faults, str(self.source))
        return pd.unique(smiles)

    @cached_property
    def _coordinates(self) -> np.ndarray:
        """Coordinates of the candidates. Shape `k x n_dims`."""
        return self.encode(self.candidates)


def molecule_codec(parameter: MoleculeParameter, spec: CampaignSpec) -> MoleculeCodec:
    """Return the codec of a molecule; RDKit is loaded with the first molecule, not here."""
    source = None if spec.candidates is None else spec.resolve(spec.candidates)
    return MoleculeCodec(parameter.name, parameter.fingerprint, parameter.descriptors, source)
