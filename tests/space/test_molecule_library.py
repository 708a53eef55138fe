"""Promises of `discovery.space.molecule_library`: a molecule is read once in a process, and once on a machine."""

import numpy as np
import pytest

from discovery.settings import cache_dir
from discovery.space import molecule_library as library

CHAINS = [f"C{'C' * i}O" for i in range(12)]


@pytest.fixture(autouse=True)
def _empty(monkeypatch):
    monkeypatch.setattr(library, "_memory", {})
    monkeypatch.setattr(library, "WORTH_KEEPING", 5)


@pytest.fixture
def reads(monkeypatch):
    """Texts that RDKit was asked about."""
    asked, real = [], library.read_molecule
    monkeypatch.setattr(library, "read_molecule", lambda text: asked.append(text) or real(text))
    return asked


def same(a, b):
    """Whether two molecules are equal, numbers included."""
    parts = zip([*a.columns, a.descriptors], [*b.columns, b.descriptors], strict=True)
    return a.smiles == b.smiles and all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in parts)


def test_a_molecule_is_read_once_in_a_process(reads):
    """Texts asked for before, and canonical SMILES of those, are not read again."""
    first = library.read_molecules(["OCC", "OCC", "xx"])
    assert reads == ["OCC", "xx"]
    assert first[0] is first[1] and first[2] is None
    assert library.read_molecules(["CCO", "OCC", "xx"])[0] is first[0]
    assert reads == ["OCC", "xx"]


def test_a_molecule_is_read_once_on_a_machine(reads):
    """The next process finds molecules on disk, by any text that stood for them, with the same numbers."""
    written = [f"O{'C' * i}C" for i in range(12)]
    before = library.read_molecules(written)
    library._memory.clear()
    reads.clear()
    after = library.read_molecules(written)
    again = library.read_molecules(CHAINS)
    assert not reads
    assert all(same(*pair) for pair in zip(before, after, strict=True))
    assert all(same(*pair) for pair in zip(before, again, strict=True))


def test_a_few_molecules_leave_no_file():
    """What is read faster than a file is opened is not written."""
    library.read_molecules(["CCO"])
    assert not list(cache_dir().glob("*.sqlite"))


@pytest.mark.parametrize("damage", ["text", "folder"])
def test_a_damaged_library_costs_time_and_nothing_else(damage):
    """Molecules are read though the file is none."""
    cache_dir().mkdir(parents=True)
    path = cache_dir() / f"molecules-{library.rdkit_version()}-{library.VERSION}.sqlite"
    if damage == "text":
        path.write_text("no database" * 1000)
    else:
        path.mkdir()
    assert [m.smiles for m in library.read_molecules(CHAINS)] == CHAINS


def test_memory_does_not_grow_without_bound(monkeypatch):
    """A full memory starts anew, and answers stay right."""
    monkeypatch.setattr(library, "N_REMEMBERED", 10)
    for start in range(0, 12, 4):
        assert [m.smiles for m in library.read_molecules(CHAINS[start : start + 4])] == CHAINS[start : start + 4]
        assert len(library._memory) <= 10


def test_many_molecules_are_read_by_several_processes_alike(monkeypatch):
    """What another process reads is what this one would have read, faults included."""
    texts = ["CCO", "no molecule", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "OCC", "  CCN "]
    here = {text: library.read_molecule(text) for text in texts}
    monkeypatch.setattr(library, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(library.os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(library, "read_molecule", lambda text: here[text] if text in texts[::3] else None)
    there = library._read(texts)  # this process reads a third of them, and cannot read the others
    assert list(there) == texts and there["no molecule"] is None
    assert all(same(there[text], here[text]) for text in texts if here[text] is not None)
