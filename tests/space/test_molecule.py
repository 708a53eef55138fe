"""Promises of `discovery.space.molecule` and `fingerprints`: SMILES in, points out, and back among the candidates."""

import builtins
import pickle
import sys

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.errors import ConfigurationError, InputError
from discovery.ingest import check_rows, read_rows
from discovery.seeds import rng
from discovery.space import CandidatePool, MeasuredPool, SearchSpace
from discovery.space import fingerprints as module
from discovery.space.molecule import MoleculeCodec

SMILES = ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C[C@H](N)C(=O)O"]
OTHER_WAYS = ["OCC", "Oc1ccccc1", "O=C(O)c1ccccc1OC(C)=O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "OC(=O)[C@H](C)N"]
PARAMETER = {"name": "smiles", "type": "molecule"}


def build(folder, rows, *more, **changes):
    """Write candidates and build the space of a campaign over them."""
    pd.DataFrame(rows).to_csv(folder / "c.csv", index=False)
    data = {"name": "c", "parameters": [{**PARAMETER, **changes}, *more], "objectives": [{"name": "y"}]}
    spec = CampaignSpec.from_mapping({**data, "candidates": "c.csv"}, base_dir=folder)
    return spec, SearchSpace.from_spec(spec)


def overlap(a, b):
    """Tanimoto similarity of two encoded molecules."""
    return a @ b / (a @ a + b @ b - a @ b)


def test_a_molecule_is_one_parameter_with_two_blocks(tmp_path):
    """Fragments first, then descriptors; both stand before the next parameter."""
    _, space = build(tmp_path, {"smiles": SMILES, "t": 1.0}, {"name": "t", "type": "continuous", "bounds": [0, 2]})
    kinds = [(block.name, block.kind) for block in space.blocks]
    assert kinds == [("smiles", "molecule"), ("smiles descriptors", "molecule_descriptors"), ("t", "continuous")]
    assert [part.stop - part.start for part in space.slices] == [space.n_dims - 1, 1]
    X = space.encode(pd.DataFrame({"smiles": SMILES, "t": [0.0, 0.5, 1.0, 1.5, 2.0]}))
    assert X.shape == (5, space.n_dims) and X.min() >= 0 and X.max() <= 1
    assert np.allclose(X[:, -1], [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("changes", [{}, {"fingerprint": "ecfp4"}, {"descriptors": False}])
def test_one_molecule_is_one_configuration_however_it_is_written(tmp_path, changes):
    """Other SMILES of the same molecule give the same point, key and typed cell; decoding gives the canonical one."""
    _, space = build(tmp_path, {"smiles": SMILES}, **changes)
    one, other = pd.DataFrame({"smiles": SMILES}), pd.DataFrame({"smiles": OTHER_WAYS})
    X = space.encode(one)
    assert np.array_equal(X, space.encode(other))
    assert space.keys(one) == space.keys(other) and len(set(space.keys(one))) == len(SMILES)
    assert space.typed(other).equals(space.decode(X))
    assert space.encode(space.decode(X)).tolist() == X.tolist()


def test_mirror_images_are_two_molecules(tmp_path):
    """Keys keep stereochemistry."""
    _, space = build(tmp_path, {"smiles": SMILES})
    left, right = space.keys(pd.DataFrame({"smiles": ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"]}))
    assert left != right


def test_similarity_is_that_of_fragment_counts(tmp_path):
    """The overlap of encoded sets is `sum min / sum max` over RDKit's counts, up to fragments that share a column."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator as generators

    _, space = build(tmp_path, {"smiles": SMILES}, fingerprint="ecfp4", descriptors=False)
    X = space.encode(pd.DataFrame({"smiles": SMILES}))
    generator = generators.GetMorganGenerator(radius=2)
    counts = [generator.GetSparseCountFingerprint(Chem.MolFromSmiles(s)).GetNonzeroElements() for s in SMILES]
    for i, a in enumerate(counts):
        for j, b in enumerate(counts):
            both = sum(min(a.get(k, 0), b.get(k, 0)) for k in a.keys() | b.keys())
            expected = both / (sum(a.values()) + sum(b.values()) - both)
            assert overlap(X[i], X[j]) == pytest.approx(expected, abs=0.06)


def test_descriptors_tell_what_fragments_do_not_compare(tmp_path):
    """Larger molecules have larger weights; every descriptor lies within the unit interval, far ones too."""
    _, space = build(tmp_path, {"smiles": SMILES})
    chains = pd.DataFrame({"smiles": ["C", "C" * 5, "C" * 50, "C" * 500]})
    block = space.blocks[1]
    weight = space.encode(chains)[:, block.start]
    assert (np.diff(weight) > 0).all() and weight[0] > 0 and weight[-1] < 1


def test_what_is_no_smiles_is_refused_with_file_row_and_column(tmp_path):
    """The message names the file, the data row, the column and the text."""
    spec, space = build(tmp_path, {"smiles": ["CCO", "C1CC", "CCN"]})
    with pytest.raises(InputError, match=r"smiles must be a SMILES.*'C1CC' at data row 2 of c\.csv"):
        CandidatePool.from_spec(spec, space)
    for text, rule in ((" ", "must be given"), ("ethanol", "must be a SMILES"), ("CCO ethanol", "must be a SMILES")):
        with pytest.raises(InputError, match=rule):
            space.encode(pd.DataFrame({"smiles": ["CCO", text]}))


def test_pools_join_outcomes_by_molecule(tmp_path):
    """A pool holds each molecule once; replicates written in another way are averaged."""
    spec, space = build(tmp_path, {"smiles": [*SMILES, *OTHER_WAYS], "y": range(10)})
    pool = MeasuredPool.from_spec(spec, space)
    assert len(pool) == 5 and pool.n_repeated == 5
    assert pool.outcomes["y"].tolist() == [2.5, 3.5, 4.5, 5.5, 6.5]


def test_measurements_come_in_as_canonical_smiles(tmp_path):
    """Ingestion keeps good rows, types them, and gives a reason for a row that is no molecule."""
    spec, space = build(tmp_path, {"smiles": SMILES})
    rows = check_rows(read_rows(pd.DataFrame({"smiles": ["OCC", "xx"], "y": [1.0, 2.0]})), spec, space)
    assert rows.frame["smiles"].tolist() == ["CCO"]
    assert [(cell.column, cell.value, cell.reason) for cell in rows.rejected] == [
        ("smiles", "xx", "must be a SMILES that RDKit can read")
    ]


def test_identity_of_the_encoding_does_not_depend_on_candidates(tmp_path):
    """Another list of candidates keeps the schema hash; another fingerprint or no descriptors changes it."""
    folders = [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        folder.mkdir()
    first, second = build(folders[0], {"smiles": SMILES})[1], build(folders[1], {"smiles": ["CCCC"]})[1]
    ecfp4 = build(folders[2], {"smiles": SMILES}, fingerprint="ecfp4")[1]
    plain = build(folders[3], {"smiles": SMILES}, descriptors=False)[1]
    assert first.schema_hash == second.schema_hash
    assert len({first.schema_hash, ecfp4.schema_hash, plain.schema_hash}) == 3


def test_samples_are_candidates(tmp_path):
    """Random configurations are molecules of the list, the same for the same state; the space pickles."""
    _, space = build(tmp_path, {"smiles": SMILES})
    drawn = space.sample(20, rng(0))
    assert np.array_equal(drawn, pickle.loads(pickle.dumps(space)).sample(20, rng(0)))
    assert set(space.decode(drawn)["smiles"]) <= set(space.typed(pd.DataFrame({"smiles": SMILES}))["smiles"])


def test_without_candidates_a_codec_cannot_find_molecules():
    """Decoding and drawing need a list."""
    codec = MoleculeCodec("smiles")
    with pytest.raises(ConfigurationError, match="listed in candidates"):
        codec.draw(1, rng(0))


def test_a_missing_rdkit_is_said_in_one_sentence(monkeypatch):
    """Without the optional dependency the message says how to install it."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "rdkit":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "rdkit", raising=False)
    module.chemistry.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"needs RDKit.*pip install 'discovery-pipeline\[molecules\]'"):
            module.chemistry()
    finally:
        module.chemistry.cache_clear()
