"""MoleculeGP compares molecules by fragments and trusts earlier tasks by how near their molecules are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from discovery.campaign import CampaignSpec
from discovery.errors import CheckpointError
from discovery.meta.checkpoint import load, save
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.molecule_features import overlap, pack, unpack
from discovery.meta.molecule_sources import slopes
from discovery.meta.molecules import MoleculeComponents, MoleculeGP, has_molecules
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

SCALE = OutcomeScale(6.0, 1.0, "history")
RINGS = ("c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccsc1", "C1CCNCC1")
TAILS = ("O", "N", "F", "Cl", "C(=O)O", "N#C", "OC", "S(=O)(=O)N")
NEAR = [f"{tail}{'C' * n}{ring}" for ring in RINGS for tail in TAILS for n in range(4)]
FAR = [f"{'[Si](C)(C)O' * n}[Si](C)(C){tail}" for n in range(1, 21) for tail in ("C", "Cl", "CC=C", "O")]
VALUE = {"O": 1.0, "N": 0.5, "F": -0.4, "C": -1.0}


def potency(smiles, shift=0.0):
    """A potency that the tail and the ring decide."""
    tail = np.array([VALUE.get(s[0], 0.2) + 0.8 * ("=O" in s) for s in smiles])
    ring = np.array([0.6 * ("c1ccncc1" in s) - 0.7 * ("C1CCCCC1" in s) + 0.1 * s.count("C") for s in smiles])
    return 6.0 + (1 + shift) * tail + ring


def make_spec(folder, smiles, *more):
    """Write candidates and make the campaign over them."""
    pd.DataFrame({"smiles": smiles, **{p["name"]: p["bounds"][0] for p in more}}).to_csv(folder / "c.csv", index=False)
    data = {"name": "c", "parameters": [{"name": "smiles", "type": "molecule"}, *more], "objectives": [{"name": "y"}]}
    return CampaignSpec.from_mapping({**data, "candidates": "c.csv"}, base_dir=folder)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """A space over molecules of one kind."""
    return SearchSpace.from_spec(make_spec(tmp_path_factory.mktemp("molecules"), NEAR))


@pytest.fixture(scope="module")
def tasks(space):
    """Two tasks about such molecules and two about others, whose outcomes lead astray."""

    def task(name, smiles, y):
        return Task(name, space.encode(pd.DataFrame({"smiles": smiles})), y[:, None], source=name)

    noise = np.random.default_rng(0)
    near = [task(f"near {i}", NEAR[i::2], potency(NEAR[i::2], 0.2 * i)) for i in range(2)]
    far = [task(f"far {i}", FAR, 6.0 + noise.normal(size=len(FAR))) for i in range(2)]
    return (*near, *far)


@pytest.fixture(scope="module")
def setting(space):
    return Setting("history", space, SCALE)


@pytest.fixture(scope="module")
def history(tasks, setting):
    return MoleculeGP.meta_train(HistoryDistribution(tasks), setting)


def test_packing_is_undone_by_unpacking():
    """Bits come back, whatever the number of columns."""
    rng = np.random.default_rng(0)
    for n_columns in (1, 7, 8, 61):
        bits = torch.as_tensor(rng.integers(0, 2, size=(5, 3, n_columns)), dtype=torch.float64)
        assert torch.equal(unpack(pack(bits), n_columns), bits.to(torch.uint8))


def test_components_are_similarities_and_their_squares(space):
    """One at distance zero; positive definite; the second is the first squared."""
    X = torch.as_tensor(space.encode(pd.DataFrame({"smiles": NEAR[:40]})))
    first, second = MoleculeComponents.of(space)(X, X)
    fragments = X[:, : space.blocks[0].stop]
    assert torch.allclose(first.diagonal(), torch.ones(40, dtype=torch.float64))
    assert torch.allclose(second, first**2)
    assert torch.allclose(first, overlap(fragments, fragments))
    assert float(torch.linalg.eigvalsh(first).min()) > -1e-9


def test_trust_falls_with_distance():
    """Near sources are trusted, far ones not; many near ones share one trust."""
    near = torch.tensor([0.95, 0.75, 0.4, 0.2])
    found = slopes(near, 8.0, 0.75)
    assert (found.diff() < 0).all() and float(found.sum()) <= 1 + 1e-6
    assert float(found[0]) > 0.5 and float(found[3]) < 0.02
    assert float(slopes(near[2:], 8.0, 0.75).sum()) < 0.1


def test_near_tasks_rank_molecules_before_any_measurement(history, space):
    """With no measurement the near sources' structure is in the mean, and the far ones' noise is not."""
    learner = MoleculeGP.load(history)
    adapted = learner.adapt(Support.of(np.zeros((0, space.n_dims)), np.zeros(0), None, "cpu"))
    X = torch.as_tensor(space.encode(pd.DataFrame({"smiles": NEAR})))
    mean = (adapted.model.marginals(X)[0] * adapted.log_prior.exp()[:, None]).sum(0)
    assert spearmanr(mean, potency(NEAR, -0.1)).statistic > 0.85
    nearness = history.tensors["trust.nearness"]
    assert float(nearness[:2].min()) > 0.6 and float(nearness[2:].max()) < 0.4
    assert 0 < history.meta.scores["rank_correlation"] < 1


def test_sources_predict_their_own_measurements(history, space):
    """A feature is the posterior mean of its source, about the source's own level; nearness is one at its molecules."""
    features = MoleculeGP.load(history).features
    X, y = torch.as_tensor(space.encode(pd.DataFrame({"smiles": NEAR[::2]}))), potency(NEAR[::2]) - 6.0
    values, nearest = features.look(X)
    assert np.abs(values[:, 0].numpy() - (y - y.mean())).mean() < 0.15
    assert torch.allclose(nearest[:, 0], torch.ones(len(X), dtype=X.dtype), atol=1e-5)
    assert torch.allclose(features(X), values)


def test_features_are_computed_once(history, space, monkeypatch):
    """A molecule that was looked at is remembered, at any place and in any shape."""
    features = MoleculeGP.load(history).features
    X = torch.as_tensor(space.encode(pd.DataFrame({"smiles": NEAR[:6]})))
    once = features(X)
    monkeypatch.setattr(type(features), "look", None)
    assert torch.equal(features(X.flip(0).reshape(3, 2, -1)), once.flip(0).reshape(3, 2, -1))


def test_a_checkpoint_comes_back_from_disk(history, space, tmp_path):
    """Saved and loaded, the learner says the same; another family refuses it; bits stay bits."""
    again = load(save(history, tmp_path))
    support = Support.of(space.encode(pd.DataFrame({"smiles": NEAR[:5]})), potency(NEAR[:5]), None, "cpu")
    one, other = (MoleculeGP.load(checkpoint).adapt(support) for checkpoint in (history, again))
    assert history.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(value, again.tensors[name]) for name, value in history.tensors.items())
    torch.testing.assert_close(
        one.log_steps, other.log_steps, rtol=0, atol=1e-12
    )  # where memory lies moves the last bit
    assert history.tensors["features.X"].dtype == torch.uint8
    with pytest.raises(CheckpointError, match="meta_gp"):
        MetaGP.load(history)
    with pytest.raises(CheckpointError, match="molecule_gp"):
        MoleculeGP.load(replace(history, meta=replace(history.meta, learner="meta_gp")))


def test_training_repeats_exactly(history, tasks, setting):
    """The same setting gives the same checkpoint."""
    assert MoleculeGP.meta_train(HistoryDistribution(tasks), setting).checkpoint_id == history.checkpoint_id


def test_evidence_finds_that_history_helps(history, tasks, setting, space):
    """After some measurements the history is more likely than no transfer; with shuffled ones it is not."""
    rows = np.random.default_rng(1).permutation(len(NEAR))[:25]
    X, y = space.encode(pd.DataFrame({"smiles": NEAR}))[rows], potency(NEAR, -0.1)[rows]
    cold = MoleculeGP.load(MoleculeGP.meta_train(None, replace(setting, hypothesis="no_transfer")))
    shuffled = tuple(replace(t, Y=np.random.default_rng(i).permutation(t.Y)) for i, t in enumerate(tasks))
    misled = MoleculeGP.load(MoleculeGP.meta_train(HistoryDistribution(shuffled), setting))

    def evidence(learner, y):
        adapted = learner.adapt(Support.of(X, y, None, "cpu"))
        return float(torch.logsumexp(adapted.log_prior + adapted.log_evidence, dim=0))

    assert evidence(MoleculeGP.load(history), y) > evidence(cold, y) + 2
    assert evidence(misled, y) < evidence(cold, y)


def test_molecules_stand_beside_other_parameters(tmp_path):
    """A temperature beside the molecule has its say in members and sources."""
    heat = {"name": "t", "type": "continuous", "bounds": [0, 10]}
    space = SearchSpace.from_spec(make_spec(tmp_path, NEAR[:60], heat))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"smiles": rng.choice(NEAR[:60], 120), "t": rng.uniform(0, 10, 120)})
    X, y = space.encode(frame), potency(frame["smiles"]) + 0.3 * frame["t"].to_numpy()
    sources = tuple(Task(f"{i}", X[i::2][:40], y[i::2][:40, None], source=f"{i}") for i in range(2))
    learner = MoleculeGP.load(MoleculeGP.meta_train(HistoryDistribution(sources), Setting("history", space, SCALE)))
    adapted = learner.adapt(Support.of(X[:10], y[:10], None, "cpu"))
    weight = torch.softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    mean = (adapted.model.marginals(torch.as_tensor(X[80:]))[0] * weight[:, None]).sum(0)
    assert has_molecules(space) and spearmanr(mean, y[80:]).statistic > 0.8
    hot, cold = (space.encode(frame.assign(t=t)) for t in (10.0, 0.0))
    gain = learner.features(torch.as_tensor(hot)) - learner.features(torch.as_tensor(cold))
    assert float(gain.mean()) > 1


def test_without_descriptors_only_fragments_are_compared(tmp_path):
    """A space of fragments alone has members too."""
    pd.DataFrame({"smiles": NEAR}).to_csv(tmp_path / "c.csv", index=False)
    parameter = {"name": "smiles", "type": "molecule", "descriptors": False, "fingerprint": "ecfp4"}
    data = {"name": "c", "parameters": [parameter], "objectives": [{"name": "y"}], "candidates": "c.csv"}
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(data, base_dir=tmp_path))
    learner = MoleculeGP.load(MoleculeGP.meta_train(None, Setting("no_transfer", space, SCALE)))
    X, y = space.encode(pd.DataFrame({"smiles": NEAR})), potency(NEAR)
    adapted = learner.adapt(Support.of(X[::4], y[::4], None, "cpu"))
    weight = torch.softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    mean = (adapted.model.marginals(torch.as_tensor(X[1::4]))[0] * weight[:, None]).sum(0)
    assert spearmanr(mean, y[1::4]).statistic > 0.6
