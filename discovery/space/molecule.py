"""A molecule's way between SMILES and encoded coordinates: sets of fragments, then descriptors.

Identity of a molecule is its canonical SMILES, however it was written. The encoding knows nothing of the candidates,
so that earlier campaigns and checkpoints fit whatever the list is; going back from coordinates to a molecule means
finding the nearest candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from discovery.campaign import CampaignSpec, MoleculeParameter
from discovery.errors import InputError
from discovery.space.cells import CellFault, faults_where, is_blank
from discovery.space.codecs import Kind, Part
from discovery.space.descriptor_table import N_DESCRIPTORS
from discovery.space.fingerprints import FINGERPRINTS, FRAGMENTS, VERSION
from discovery.space.listed_text import ListedText
from discovery.space.molecule_library import read_molecules


@dataclass(frozen=True)
class MoleculeCodec(ListedText):
    """A molecule, chosen from a list of candidates.

    Attributes:
        name: Name of the parameter.
        fingerprint: Which fragments molecules are compared by; a key of `FINGERPRINTS`.
        has_descriptors: Whether descriptors follow.
        source: File of the candidates; no part of the identity of the encoding.
    """

    plural: ClassVar[str] = "Molecules"

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


def molecule_codec(parameter: MoleculeParameter, spec: CampaignSpec) -> MoleculeCodec:
    """Return the codec of a molecule; RDKit is loaded with the first molecule, not here."""
    source = None if spec.candidates is None else spec.resolve(spec.candidates)
    return MoleculeCodec(parameter.name, parameter.fingerprint, parameter.descriptors, source)
