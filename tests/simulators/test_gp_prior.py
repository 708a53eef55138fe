"""Random functions: their covariance in closed form, both ways of drawing them, output maps and relations."""

from math import asin, exp, pi, sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from discovery.errors import ConfigurationError, InputError
from simulators import gp_functions
from simulators.columns import Columns
from simulators.draws import Draws
from simulators.gp_functions import MATERN32, MATERN52, RBF, FunctionPrior, covariance, draw_functions, scaled
from simulators.gp_outputs import LINEAR, apply_output_map, draw_output_map
from simulators.gp_prior import GPPrior, draw_latent
from simulators.gp_relations import sample_related

LIGAND = {"name": "ligand", "type": "categorical", "values": ["L1", "L2", "L3"]}
SOLVENT = {"name": "solvent", "type": "categorical", "values": ["THF", "DMF", "MeCN"], "descriptors": "solvents.csv"}
NUMBERS = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("u", "v")]
CPU = torch.device("cpu")
KERNELS = {
    MATERN32: lambda r: (1 + sqrt(3) * r) * exp(-sqrt(3) * r),
    MATERN52: lambda r: (1 + sqrt(5) * r + 5 * r**2 / 3) * exp(-sqrt(5) * r),
    RBF: lambda r: exp(-(r**2) / 2),
}


def prior_of(columns, t, family, *, lengthscale=0.5, joint_share=1.0, inactive=()):
    """The same prior for `t` tasks, without warps."""
    active = torch.ones(t, columns.n_blocks, dtype=torch.bool)
    active[:, list(inactive)] = False
    return FunctionPrior(
        family=torch.full((t,), family),
        lengthscale=torch.full((t, columns.n_blocks), lengthscale, dtype=torch.float64),
        active=active,
        joint_share=torch.full((t,), joint_share, dtype=torch.float64),
        warp=torch.ones(2, t, columns.n_dims, dtype=torch.float64),
    )


def draws(seed=0):
    return Draws(torch.Generator().manual_seed(seed), CPU)


@pytest.mark.parametrize("family", KERNELS)
@pytest.mark.parametrize("joint_share", [0.0, 0.3, 1.0])
def test_covariance_in_closed_form(make_space, family, joint_share):
    """Joint and additive parts are the family's kernel of the scaled distances."""
    columns = Columns(make_space(NUMBERS))
    prior = prior_of(columns, 1, family, joint_share=joint_share)
    X = torch.tensor([[[0.1, 0.9], [0.4, 0.5]]], dtype=torch.float64)

    K = covariance(prior, columns, scaled(prior, columns, X), family)[0]

    k, (du, dv) = KERNELS[family], (0.3 / 0.5, 0.4 / 0.5)
    expected = joint_share * k(sqrt(du**2 + dv**2)) + (1 - joint_share) * (k(du) + k(dv)) / 2
    assert float(K[0, 1]) == pytest.approx(expected, rel=1e-9)
    assert K.diagonal().tolist() == pytest.approx([1.0, 1.0])


def test_levels_are_one_apart(make_space):
    """Two levels of a category are at distance one, whatever levels they are."""
    columns = Columns(make_space([LIGAND]))
    prior = prior_of(columns, 1, RBF, lengthscale=2.0)
    X = torch.eye(3, dtype=torch.float64).unsqueeze(0)

    K = covariance(prior, columns, scaled(prior, columns, X), RBF)[0]

    assert K[0, 1:].tolist() == pytest.approx([exp(-0.125)] * 2)


def test_descriptors_share_one_distance(make_space):
    """The columns of a described category count as one parameter: squared differences are averaged."""
    columns = Columns(make_space([SOLVENT]))
    prior = prior_of(columns, 1, RBF, lengthscale=1.0)
    X = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]], dtype=torch.float64)

    K = covariance(prior, columns, scaled(prior, columns, X), RBF)[0]

    assert columns.kinds == ("descriptors",)
    assert float(K[0, 1]) == pytest.approx(exp(-0.5))


def test_irrelevant_parameters_change_nothing(make_space):
    """A function is constant along a parameter that is not active."""
    columns = Columns(make_space([*NUMBERS, LIGAND]))
    prior = prior_of(columns, 1, MATERN52, joint_share=0.5, inactive=[0, 2])
    X = torch.zeros(1, 2, 5, dtype=torch.float64)
    X[0, 1, 0], X[0, 1, 2] = 1.0, 1.0

    assert float(covariance(prior, columns, scaled(prior, columns, X), MATERN52)[0, 0, 1]) == pytest.approx(1.0)


@pytest.mark.parametrize("family", KERNELS)
@pytest.mark.parametrize("joint_share", [0.0, 1.0])
@pytest.mark.parametrize("limit", [512, 0], ids=["cholesky", "fourier"])
def test_draws_have_the_covariance(make_space, monkeypatch, family, joint_share, limit):
    """Over many tasks, functions drawn either way have zero mean and the prior's covariance."""
    monkeypatch.setattr(gp_functions, "EXACT_LIMIT", limit)
    monkeypatch.setattr(gp_functions, "N_FEATURES", 128)
    columns, t = Columns(make_space([*NUMBERS, LIGAND])), 4000
    prior = prior_of(columns, t, family, joint_share=joint_share)
    X = torch.tensor([[0.1, 0.9, 1, 0, 0], [0.3, 0.8, 1, 0, 0], [0.3, 0.5, 0, 1, 0]], dtype=torch.float64)

    f = draw_functions(prior, columns, X.expand(t, 3, 5), draws())
    one = prior.at(torch.tensor([0]))
    K = covariance(one, columns, scaled(one, columns, X.unsqueeze(0)), family)[0]

    assert f.mean(dim=0).abs().max() < 0.08
    assert (f.T @ f / t - K).abs().max() < 0.09


def test_chunks_change_nothing(mixed, monkeypatch):
    """Functions drawn in chunks of one task are those drawn at once."""
    columns = Columns(mixed)
    X = torch.as_tensor(mixed.sample(60, draws().numpy())).view(12, 5, -1)
    latent = draw_latent(columns, 12, 0.3, draws())

    whole = draw_functions(latent.functions, columns, X, draws(1))
    monkeypatch.setattr(gp_functions, "CHUNK_NUMBERS", 1)

    torch.testing.assert_close(draw_functions(latent.functions, columns, X, draws(1)), whole)


def test_latent_functions_have_unit_scale(mixed):
    """Trends included, latent functions have zero mean and a variance near one."""
    columns, t = Columns(mixed), 3000
    X = torch.as_tensor(mixed.sample(t * 4, draws().numpy())).view(t, 4, -1)
    f = draw_latent(columns, t, 0.3, draws(1)).evaluate(columns, X, draws(2))

    assert abs(float(f.mean())) < 0.1
    assert 0.8 < float(f.var()) < 1.25


def test_many_points_are_drawn_by_features(mixed, seeded):
    """A task of more points than are factored is drawn too, in the same range and as a smooth function."""
    batch = GPPrior().bind(mixed).sample(2, 600, seeded(0))

    assert batch.Y.shape == (2, 600, 1)
    assert batch.truth["Y"].std(dim=1).min() > 0.0


@given(st.integers(0, 10_000))
def test_output_maps_are_monotone(seed):
    """Every output map rises or stays, and ends within the range."""
    latent = torch.linspace(-5, 5, 101, dtype=torch.float64).expand(16, 101)
    share = apply_output_map(draw_output_map(16, draws(seed)), latent)

    assert (share.diff(dim=1) >= 0).all()
    assert share.min() >= 0 and share.max() <= 1


def test_tasks_are_varied(mixed, seeded):
    """A batch holds every family, structure and output, trends and none, floors, and irrelevant parameters."""
    batch = GPPrior().bind(mixed).sample(300, 20, seeded(0))
    truth = batch.truth

    assert set(truth["family"].tolist()) == set(KERNELS)
    assert len(set(truth["output"].tolist())) == 3
    assert {0.0, 1.0} < set(truth["joint_share"].tolist())
    assert 0.2 < (truth["trend_share"] == 0).double().mean() < 0.4
    assert 0.6 < truth["active"].double().mean() < 0.8 and truth["active"].any(dim=1).all()
    assert 0.01 < (truth["Y"][truth["output"] != LINEAR] == 0).double().mean() < 0.4


def test_outcome_range_is_an_override(mixed, seeded):
    """Outcomes lie on the range that a campaign declares."""
    Y = GPPrior(outcome_range=(-2.0, 1.0)).bind(mixed).sample(50, 10, seeded(0)).Y

    assert Y.min() >= -2.0 and Y.max() <= 1.0 and Y.min() < -1.0 < 0.0 < Y.max()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"outcome_range": (1.0, 1.0)}, "outcome_range must be"),
        ({"p_irrelevant": 1.0}, "p_irrelevant must lie in"),
        ({"noise": (0.0, 0.1)}, "noise must be"),
        ({"correlations": (1.5,)}, "correlations must lie in"),
    ],
)
def test_wrong_settings_are_refused(overrides, message):
    """A setting that makes no sense is refused where it is made, with its name."""
    with pytest.raises(ConfigurationError, match=f"gp_prior: {message}"):
        GPPrior(**overrides)


@pytest.mark.parametrize("rho", [0.95, 0.3, 0.0, -0.5])
def test_relations_are_as_stated(mixed, seeded, rho):
    """Sources order configurations like their target as often as a correlation of their latent functions says."""
    points = torch.as_tensor(mixed.sample(12, draws().numpy()))
    related = sample_related(GPPrior(correlations=(rho,)).bind(mixed), 300, 2, 12, seeded(0), points=points)
    target = related.target.truth["Y"].squeeze(2).repeat_interleave(2, dim=0)
    product = (target.diff(dim=1) * related.sources.truth["Y"].squeeze(2).diff(dim=1)).flatten()

    concordant = (product[product != 0] > 0).double().mean()

    assert float(concordant) == pytest.approx(0.5 + asin(rho) / pi, abs=0.04)


def test_related_groups(mixed, seeded):
    """Groups hold one target and their sources, each task at points of its own, relations in the truth."""
    related = sample_related(GPPrior().bind(mixed), 40, 3, 7, seeded(0))
    truth = related.sources.truth

    assert related.target.X.shape == (40, 7, mixed.n_dims) and related.sources.X.shape == (120, 7, mixed.n_dims)
    assert truth["group"].tolist() == [i for i in range(40) for _ in range(3)]
    assert set(truth["correlation"].tolist()) == {0.95, 0.7, 0.3, 0.0, -0.5}
    assert not torch.equal(related.sources.X[0], related.target.X[0])


def test_target_is_one_function_for_its_sources(mixed, seeded):
    """With correlation one and no noise of their own, sources are the target's function under another output map."""
    points = torch.as_tensor(mixed.sample(12, draws().numpy()))
    related = sample_related(GPPrior(correlations=(1.0,)).bind(mixed), 50, 1, 12, seeded(0), points=points)
    target, source = (batch.truth["Y"].squeeze(2) for batch in (related.target, related.sources))

    assert (target.diff(dim=1) * source.diff(dim=1)).min() >= 0


@pytest.mark.parametrize(("g", "s"), [(0, 2), (2, 0)])
def test_empty_groups_are_refused(mixed, seeded, g, s):
    """There is at least one group with one source."""
    with pytest.raises(InputError, match="at least one group and one source"):
        sample_related(GPPrior().bind(mixed), g, s, 5, seeded(0))
