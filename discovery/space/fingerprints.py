"""Molecules as numbers: the one place that knows RDKit.

A SMILES becomes its canonical text, the set of its fragments and some descriptors. RDKit is an optional dependency,
loaded by the first molecule. Next in the tour: `discovery.space.molecule_library`, which remembers molecules.

A fingerprint counts fragments; here a fragment that occurs three times is three elements of a set (first, second,
third), so that the overlap of two sets over their union is the Tanimoto similarity of the counts, `sum min / sum max`.
Elements are hashed to a fixed number of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np

from discovery.errors import ConfigurationError
from discovery.space.descriptor_table import CENTER, PROPERTIES, SPREAD

VERSION = 1  # of the encoding: a checkpoint of another one does not fit
MOST_REPEATS = 16  # a fragment that occurs more often counts as so often


class Fragments(NamedTuple):
    """One kind of fragments.

    Attributes:
        n_columns: Columns that fragments are hashed to; more columns, fewer fragments that share one.
        value: What a column holds where the fragment is there; its square is the fragment's share in a similarity.
            The values give each kind about the same say: a molecule has seven times more atom pairs than torsions.
    """

    n_columns: int
    value: float


FRAGMENTS = {
    "ecfp4": Fragments(512, 0.86),
    "fcfp4": Fragments(512, 0.86),
    "atom_pairs": Fragments(1024, 0.42),
    "torsions": Fragments(512, 1.0),
}
FINGERPRINTS = {"mixed": tuple(FRAGMENTS)} | {name: (name,) for name in FRAGMENTS}  # what each choice consists of


class Molecule(NamedTuple):
    """One molecule, read.

    Attributes:
        smiles: Canonical SMILES: the same molecule has the same text.
        columns: Columns that hold a fragment, per kind in the order of `FRAGMENTS`. Sorted.
        descriptors: Descriptors scaled into the unit interval. Shape `k`; float32.
    """

    smiles: str
    columns: tuple[np.ndarray, ...]
    descriptors: np.ndarray


@cache
def chemistry() -> Any:
    """Return RDKit's `Chem`, with what is used of it loaded.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    try:
        from rdkit import Chem
        from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors  # noqa: F401  (attributes of Chem from here on)
    except ImportError:
        raise _missing() from None
    return Chem


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "A parameter of type molecule needs RDKit, which is not installed.",
        "Install it: python -m pip install 'discovery-pipeline[molecules]'.",
    )


def rdkit_version() -> str:
    """Return the version of RDKit, without loading it.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    try:
        return version("rdkit")
    except PackageNotFoundError:
        raise _missing() from None


@cache
def _generators() -> dict[str, Any]:
    """Return the generator of every fingerprint."""
    generators = chemistry().rdFingerprintGenerator
    features = generators.GetMorganFeatureAtomInvGen()
    return {
        "ecfp4": generators.GetMorganGenerator(radius=2),
        "fcfp4": generators.GetMorganGenerator(radius=2, atomInvariantsGenerator=features),
        "atom_pairs": generators.GetAtomPairGenerator(),
        "torsions": generators.GetTopologicalTorsionGenerator(),
    }


@cache
def _descriptor_functions() -> tuple[Callable[[Any], Sequence[float]], ...]:
    """Return the functions whose values, one after the other, are the descriptors."""
    descriptors = chemistry().rdMolDescriptors
    named = descriptors.Properties(list(PROPERTIES)).ComputeProperties
    return named, descriptors.SlogP_VSA_, descriptors.SMR_VSA_, descriptors.PEOE_VSA_


def read_molecule(text: str) -> Molecule | None:
    """Read a SMILES.

    Args:
        text: The SMILES; blanks around it are ignored.

    Returns:
        The molecule, or None where the text is no SMILES that RDKit understands.

    Raises:
        ConfigurationError: If RDKit is not installed.
    """
    chem = chemistry()
    text = text.strip()
    with chem.rdBase.BlockLogs():
        molecule = None if " " in text else chem.MolFromSmiles(text)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    fragments = (
        _columns(generator.GetSparseCountFingerprint(molecule).GetNonzeroElements(), FRAGMENTS[name].n_columns)
        for name, generator in _generators().items()
    )
    return Molecule(chem.MolToSmiles(molecule), tuple(fragments), _descriptors(molecule))


def _columns(counts: dict[int, int], n_columns: int) -> np.ndarray:
    """Return the columns of a set of counted fragments, each once, sorted."""
    ids = np.fromiter(counts.keys(), dtype=np.uint64, count=len(counts))
    repeats = np.minimum(np.fromiter(counts.values(), dtype=np.int64, count=len(counts)), MOST_REPEATS)
    nth = np.arange(repeats.sum()) - np.repeat(repeats.cumsum() - repeats, repeats)  # 0, 1, … within each fragment
    return np.unique(_mixed(np.repeat(ids, repeats), nth.astype(np.uint64)) % np.uint64(n_columns)).astype(np.uint16)


def _mixed(ids: np.ndarray, nth: np.ndarray) -> np.ndarray:
    """Return evenly spread hashes of (fragment, occurrence).

    Source:
        Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, the finalizer of SplitMix64.
    """
    h = ids + (nth + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def _descriptors(molecule: Any) -> np.ndarray:
    """Return descriptors in the unit interval: half the center's molecules above 0.5, far ones near 0 or 1."""
    raw = np.concatenate([np.asarray(function(molecule), dtype=np.float64) for function in _descriptor_functions()])
    z = (np.nan_to_num(raw) - CENTER) / SPREAD
    return (0.5 + 0.5 * z / (1.0 + np.abs(z))).astype(np.float32)
