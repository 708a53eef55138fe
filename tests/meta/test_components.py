"""Shared components are correlation functions, one per block where there are a few, and sum as a loop would."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec
from discovery.meta.components import MAIN_EFFECT_LENGTHSCALE, MOST_BLOCKS, Components, weighted
from discovery.meta.geometry import Geometry
from discovery.meta.in_context_inputs import DESCRIPTORS, NUMERIC, Layout
from discovery.meta.kernels import tanimoto
from discovery.meta.molecules import MoleculeComponents
from discovery.space import SearchSpace

SMILES = ["CCO", "CCCO", "c1ccccc1", "c1ccccc1O", "CC(=O)O", "c1ccncc1", "CCN", "CCCCCCCC"]
NUMBER, LEVELS = {"type": "continuous", "bounds": [0, 1]}, {"type": "categorical", "values": ["A", "B", "C"]}


def build(parameters, folder=".", **changes):
    """The space of some parameters."""
    data = {"name": "c", "parameters": parameters, "objectives": [{"name": "y"}], **changes}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(data, base_dir=folder))


def numbers(n):
    """A space of `n` numbers."""
    return build([{"name": f"x{i}", **NUMBER} for i in range(n)])


@pytest.fixture(scope="module")
def molecules(tmp_path_factory):
    """A space of a molecule, a number and levels."""
    folder = tmp_path_factory.mktemp("molecules")
    rows = pd.DataFrame({"smiles": SMILES, "x": np.linspace(0, 1, 8), "level": list("ABCABCAB")})
    rows.to_csv(folder / "pool.csv", index=False)
    parameters = [{"name": "smiles", "type": "molecule"}, {"name": "x", **NUMBER}, {"name": "level", **LEVELS}]
    return build(parameters, folder, candidates="pool.csv"), rows


def draw(space, n=9, seed=0):
    return torch.as_tensor(space.sample(n, np.random.default_rng(seed)))


def matern(r):
    """The Matern-5/2 correlation of a distance."""
    r = math.sqrt(5) * r
    return (1 + r + r**2 / 3) * math.exp(-r)


def test_one_component_per_block(space):
    """A category and two numbers: three components, each looking at its own columns only."""
    components = Components.of(space)
    looks = components.factor != 0
    assert components.n_components == 3
    assert looks.tolist() == [[True] * 3 + [False] * 2, [False] * 3 + [True, False], [False] * 4 + [True]]
    assert not components.is_tanimoto.any() and components.smooth.tolist() == [0, 1, 2, 3, 4]


def test_correlations_by_hand(space):
    """Two levels lie one apart, ends of a number too; the Matern of that distance over the lengthscale."""
    X = torch.tensor([[1, 0, 0, 0.0, 0.5], [0, 1, 0, 1.0, 0.5], [1, 0, 0, 0.25, 0.5]], dtype=torch.float64)
    level, first, second = Components.of(space)(X, X)
    far = matern(1 / MAIN_EFFECT_LENGTHSCALE)

    assert float(level[0, 1]) == pytest.approx(far) and float(level[0, 2]) == pytest.approx(1.0)
    assert float(first[0, 1]) == pytest.approx(far)
    assert float(first[0, 2]) == pytest.approx(matern(0.25 / MAIN_EFFECT_LENGTHSCALE))
    torch.testing.assert_close(second, torch.ones(3, 3, dtype=torch.float64))


@pytest.mark.parametrize("n", [2, 3, MOST_BLOCKS])
def test_one_at_distance_zero(n):
    """Every component correlates a configuration with itself by one, and is symmetric."""
    space = numbers(n)
    X = draw(space)
    K = Components.of(space)(X, X)
    assert K.shape == (n, 9, 9)
    torch.testing.assert_close(torch.diagonal(K, dim1=1, dim2=2), torch.ones(n, 9, dtype=torch.float64))
    torch.testing.assert_close(K, K.transpose(1, 2))


def test_molecules_by_themselves_are_one(molecules):
    """The component of a molecule is a similarity: one with itself, less with others, more with the like."""
    space, rows = molecules
    X = torch.as_tensor(space.encode(rows))
    components = Components.of(space)
    kinds = [block.kind for block in space.blocks]
    K = components(X, X)

    assert components.n_components == len(kinds) and components.is_tanimoto.tolist() == [k == "molecule" for k in kinds]
    torch.testing.assert_close(torch.diagonal(K, dim1=1, dim2=2), torch.ones(len(kinds), 8, dtype=torch.float64))
    own = K[kinds.index("molecule")]
    others = own[~torch.eye(8, dtype=torch.bool)]
    assert (others >= 0).all() and (others < 1).all()
    assert float(own[2, 3]) > float(own[2, 0])  # phenol is nearer to benzene than ethanol


def test_smooth_columns_leave_fingerprints_out(molecules):
    """The members' own Matern kernels see all columns but the fingerprints."""
    space, rows = molecules
    components = Components.of(space)
    X = torch.as_tensor(space.encode(rows))
    block = next(b for b in space.blocks if b.kind == "molecule")
    kept = [c for c in range(space.n_dims) if not block.start <= c < block.stop]
    torch.testing.assert_close(components.smooth_columns(X), X[:, kept])


@pytest.mark.parametrize("n", [1, MOST_BLOCKS + 1])
def test_few_and_many_blocks_have_none(n):
    """The main effect of an only block is the whole, and spaces of very many blocks go without."""
    space = numbers(n)
    components = Components.of(space)
    X = draw(space, 4)
    assert components.n_components == 0 and components.factor.shape == (0, n)
    torch.testing.assert_close(components.smooth_columns(X), X)


def test_an_only_number_beside_a_molecule_has_no_main_effect(tmp_path):
    """Molecules have a component of their own; the one other block is left to the members' Matern kernel."""
    pd.DataFrame({"smiles": SMILES, "x": np.linspace(0, 1, 8)}).to_csv(tmp_path / "pool.csv", index=False)
    parameters = [{"name": "smiles", "type": "molecule", "descriptors": False}, {"name": "x", **NUMBER}]
    space = build(parameters, tmp_path, candidates="pool.csv")
    components = Components.of(space)
    assert components.is_tanimoto.tolist() == [True]


SPACES = {n: numbers(n) for n in range(2, MOST_BLOCKS + 1)}
COUNTS = st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=2, max_size=8)


def test_tanimoto_by_hand():
    """`<a, b> / (|a|^2 + |b|^2 - <a, b>)`, of counts, not of their presence."""
    A = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    B = torch.tensor([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0]], dtype=torch.float64)
    expected = [[3 / (5 + 3 - 3), 1.0], [3 / (9 + 3 - 3), 0.0]]
    torch.testing.assert_close(tanimoto(A, B), torch.tensor(expected, dtype=torch.float64))


@settings(deadline=None)
@given(COUNTS, st.floats(0.1, 10))
def test_tanimoto_is_positive_definite(counts, unit):
    """No combination of molecules has negative variance, and the unit of the counts does not matter."""
    X = torch.tensor(counts, dtype=torch.float64)
    K = tanimoto(X, X)
    assert float(torch.linalg.eigvalsh(K).min()) > -1e-9
    assert float(K.min()) >= 0 and float(K.max()) <= 1 + 1e-12
    torch.testing.assert_close(tanimoto(X * unit, X * unit), K)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, MOST_BLOCKS))
def test_components_are_positive_definite(seed, n):
    """Every component of every draw of configurations is a covariance."""
    space = SPACES[n]
    X = draw(space, 12, seed)
    assert float(torch.linalg.eigvalsh(Components.of(space)(X, X)).min()) > -1e-9


@pytest.mark.parametrize("leading", [(), (4,), (3, 2)])
@pytest.mark.parametrize("own", [1, 6])
def test_weighted_is_a_loop(leading, own):
    """Sums over components with the member's own variances: points shared or the member's own, fantasies before."""
    g = torch.Generator().manual_seed(0)
    weights = torch.rand(6, 3, generator=g, dtype=torch.float64)
    K = torch.randn(3, *leading, own, 2, 5, generator=g, dtype=torch.float64)

    found = weighted(weights, K)

    assert found.shape == (*leading, 6, 2, 5)
    for h in range(6):
        expected = sum(weights[h, c] * K[c, ..., h if own > 1 else 0, :, :] for c in range(3))
        torch.testing.assert_close(found[..., h, :, :], expected)


def test_batches_are_single_pairs(space):
    """Leading dimensions of configurations stand after the components, and change no number."""
    components = Components.of(space)
    A, B = draw(space, 6).reshape(2, 3, 5), draw(space, 8, 1).reshape(2, 4, 5)
    found = components(A, B)
    assert found.shape == (3, 2, 3, 4)
    for i in range(2):
        torch.testing.assert_close(found[:, i], components(A[i], B[i]))


def test_components_move(space):
    """`to` keeps every field."""
    components = Components.of(space)
    moved = components.to("meta")
    assert {moved.factor.device.type, moved.is_tanimoto.device.type, moved.smooth.device.type} == {"meta"}
    assert moved.factor.shape == components.factor.shape


def test_a_space_without_components_has_none_to_evaluate():
    """One parameter alone has no main effect beside itself: correlations are an empty stack of the right shape."""
    space = build([{"name": "level", **LEVELS}])
    components = Components.of(space)
    A, B = draw(space, 4).expand(2, 4, -1), draw(space, 3)
    assert components.n_components == 0 and components(A, B).shape == (0, 2, 4, 3)


def test_columns_of_a_composition_are_two_blocks_that_no_warp_bends(tmp_path):
    """Fractions and properties have a lengthscale each, scaled by their width; the network sees no number in them."""
    formulas = ["Fe0.7Co0.3", "Fe0.3Co0.7", "Fe0.5Ni0.5", "Fe0.2Co0.3Ni0.5"]
    pd.DataFrame({"alloy": formulas, "x": 0.5}).to_csv(tmp_path / "pool.csv", index=False)
    parameters = [{"name": "alloy", "type": "composition"}, {"name": "x", **NUMBER}]
    space = build(parameters, tmp_path, candidates="pool.csv")
    geometry, layout = Geometry.of(space), Layout.of(space)
    widths = [block.stop - block.start for block in space.blocks]
    assert geometry.n_blocks == 3 and widths[0] == 3 and widths[2] == 1
    assert geometry.is_numeric.tolist() == [False] * (space.n_dims - 1) + [True]
    torch.testing.assert_close(geometry.column_scale[0], torch.tensor(3**-0.5, dtype=torch.float64))
    assert layout.kinds == (DESCRIPTORS, DESCRIPTORS, NUMERIC)


def test_a_mixture_stands_beside_molecules(tmp_path):
    """Where a molecule is chosen too, the component of the mixture comes last and looks at the ingredients alone."""
    pd.DataFrame({"solvent": ["EC", "DMC"], "polarity": [90.0, 3.0]}).to_csv(tmp_path / "solvents.csv", index=False)
    rows = pd.DataFrame({"smiles": SMILES, "EC": np.linspace(0, 1, 8)}).assign(DMC=lambda frame: 1 - frame["EC"])
    rows.to_csv(tmp_path / "pool.csv", index=False)
    mixture = {"name": "s", "type": "mixture", "ingredients": ["EC", "DMC"], "descriptors": "solvents.csv"}
    space = build([{"name": "smiles", "type": "molecule"}, mixture], tmp_path, candidates="pool.csv")
    components, X = MoleculeComponents.of(space), torch.as_tensor(space.encode(rows))
    found = components(X, X)
    assert found.shape[0] == components.n_components
    assert float(found[-1, 0, 7]) == pytest.approx(matern(1 / MAIN_EFFECT_LENGTHSCALE))
    assert float(found[-1, 3, 4]) == pytest.approx(matern(1 / 7 / MAIN_EFFECT_LENGTHSCALE))


def test_components_without_mixtures_are_read_from_earlier_checkpoints(space):
    """What an earlier release wrote has no map of mixtures, and means none."""
    components = Components.of(space)
    earlier = {name: getattr(components, name) for name in ("factor", "is_tanimoto", "smooth")}
    assert Components(**earlier).n_components == components.n_components
