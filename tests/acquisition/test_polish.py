"""Promises of the search in spaces: every proposal meets every constraint, is distinct, repeats, and climbs."""

import numpy as np
import pytest
import torch

from discovery.acquisition import continuous
from discovery.acquisition.continuous import choose_in_space, polish
from discovery.acquisition.pool import Search
from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import CampaignSpec
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.seeds import rng
from discovery.space import SearchSpace

FRACTIONS = [{"name": name, "type": "continuous", "bounds": [0, 1]} for name in ("Fe", "Co", "Ni", "Cu")]
HEAT = {"name": "heat", "type": "continuous", "bounds": [20, 120]}
LOADING = {"name": "loading", "type": "continuous", "bounds": [0.1, 10], "scale": "log"}
PARTS = {"name": "parts", "type": "discrete", "values": [0, 0.25, 0.5, 0.75, 1]}
DRY = {"name": "dry", "type": "boolean"}
LIGAND = {"name": "ligand", "type": "categorical", "values": [f"L{i}" for i in range(20)]}
SIMPLEX = {"type": "simplex", "parameters": ["Fe", "Co", "Ni", "Cu"]}
TWO = {"type": "cardinality", "parameters": ["Fe", "Co", "Ni", "Cu"], "max": 2, "least": 0.05}
COUNT = {"type": "cardinality", "parameters": ["dry", "parts"], "max": 1}
SPACES = {
    "half space": ([HEAT, LOADING, DRY], ["heat + 20 * dry <= 90"]),
    "alloy": ([*FRACTIONS, HEAT], [SIMPLEX, TWO, "Fe * heat <= 40"]),
    "lists in a sum": ([*FRACTIONS[:2], PARTS, DRY], ["Fe + Co + parts == 1.2", COUNT]),
    "log scale in a sum": ([LOADING, HEAT], ["loading + heat / 20 == 6"]),
    "curved": ([HEAT, LOADING, LIGAND], ["heat * loading <= 100", {"type": "exclude", "when": {"heat": [40, 60]}}]),
    "equation": ([HEAT, LOADING], ["heat * sqrt(loading) == 60"]),
    "lists": ([LIGAND, {**LIGAND, "name": "base"}, DRY, HEAT], []),
}


class Peak(torch.nn.Module):
    """A smooth hill with its top at one point of the unit cube."""

    def __init__(self, top):
        super().__init__()
        self.top = torch.as_tensor(top)

    def forward(self, X):
        return -(X[:, 0, :] - self.top).square().sum(-1)


def build(parameters, constraints):
    return SearchSpace.from_spec(
        CampaignSpec.from_mapping(
            {"name": "c", "parameters": parameters, "constraints": constraints, "objectives": [{"name": "y"}]}
        )
    )


@pytest.fixture(scope="module", params=SPACES)
def some_space(request):
    return build(*SPACES[request.param])


FEW = ["alloy", "lists in a sum"]  # by a belief; the others take longer
REST = [pytest.param(name, marks=pytest.mark.slow) for name in SPACES if name not in FEW]


def test_polished_points_are_valid_better_and_repeatable(some_space):
    """From every start the search ends at a valid configuration that is no worse, and the same each time."""
    top = rng(3, "top").random(some_space.n_dims)
    starts = torch.as_tensor(some_space.sample(6, rng(0, "starts")))
    ends = polish(Peak(top), some_space, starts, 5)
    frame = some_space.decode(ends.numpy())
    assert some_space.check(frame) == [] and some_space.is_valid(frame).all()
    np.testing.assert_allclose(some_space.encode(frame), ends.numpy(), rtol=0, atol=1e-10)
    before, after = (Peak(top)(X[:, None, :]) for X in (starts, ends))
    assert (after >= before - 1e-6).all() and after.sum() > before.sum() + 1e-3
    assert torch.equal(ends, polish(Peak(top), some_space, starts, 5))


@pytest.mark.parametrize("name", [*FEW, *REST])
def test_proposals_are_valid_distinct_and_repeatable(name, monkeypatch):
    """A batch by a belief meets all constraints exactly, has no configuration twice, and repeats by seed."""
    space = build(*SPACES[name])
    monkeypatch.setattr(continuous, "N_STARTS", 128)
    monkeypatch.setattr(continuous, "N_POLISHED", 2)
    X = space.sample(8, rng(1, "measured"))
    cold = MetaGP.meta_train(None, Setting("no_transfer", space, OutcomeScale(50.0, 25.0, "range")))
    hypothesis = Hypothesis("no_transfer", 1.0, MetaGP.load(cold), cold.checkpoint_id)
    y = 50 + 20 * np.sin(4 * X).sum(axis=1)
    belief = Belief.adapt([hypothesis], Support.of(X, y, None, "cpu"))
    measured = set(space.keys(space.decode(X)))

    def is_taken(points):
        return np.array([key in measured for key in space.keys(space.decode(points))], dtype=bool)

    none = torch.zeros(0, space.n_dims, dtype=torch.float64)
    once, again = (choose_in_space(belief, space, 2, Search("log_ei", 1.0, 4), none, is_taken) for _ in range(2))
    frame = space.decode(torch.stack([choice.x for choice in once]).numpy())
    assert space.check(frame) == [] and space.is_valid(frame).all()
    assert len(set(space.keys(frame))) == 2 and not measured & set(space.keys(frame))
    assert all(torch.equal(a.x, b.x) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("constraints", [[SIMPLEX], [SIMPLEX, TWO]])
def test_the_best_value_of_a_grid_is_found(constraints):
    """With steps the end is the best of all 1771 mixtures of a twentieth, found here by trying them all."""
    space = build([part | {"step": 0.05} for part in FRACTIONS], constraints)
    top = np.array([0.41, 0.33, 0.07, 0.0])
    ends = polish(Peak(top), space, torch.as_tensor(space.sample(4, rng(0, "starts"))), 0)
    best = ends[Peak(top)(ends[:, None, :]).argmax()].numpy()
    every = np.array([row for row in np.ndindex(21, 21, 21, 21) if sum(row) == 20]) / 20
    allowed = every[(every > 0).sum(axis=1) <= (2 if TWO in constraints else 4)]
    nearest = allowed[((allowed - top) ** 2).sum(axis=1).argmin()]
    assert ((best - top) ** 2).sum() == pytest.approx(((nearest - top) ** 2).sum(), abs=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_top_of_a_hill_on_a_constraint_is_found(sign):
    """Where the top lies outside, the end is the nearest point of the constraint: a closed form on a plane."""
    space = build(FRACTIONS, [SIMPLEX, TWO])
    top = np.array([0.9, 0.5, 0.1, 0.0]) if sign > 0 else np.array([0.0, 0.1, 0.5, 0.9])
    ends = polish(Peak(top), space, torch.as_tensor(space.sample(4, rng(0, "starts"))), 0)
    expected = np.array([0.7, 0.3, 0.0, 0.0]) if sign > 0 else np.array([0.0, 0.0, 0.3, 0.7])
    best = ends[Peak(top)(ends[:, None, :]).argmax()]
    np.testing.assert_allclose(best.numpy(), expected, atol=2e-3)


def test_lists_with_many_combinations_are_gone_through_by_exchanges():
    """Among 20 x 20 x 2 combinations the best one is found from any start, value by value."""
    space = build(*SPACES["lists"])
    top = np.zeros(space.n_dims)
    top[[17, 20 + 11, 40]], top[41] = 1.0, 0.3
    ends = polish(Peak(top), space, torch.as_tensor(space.sample(3, rng(2, "starts"))), 0)
    assert space.decode(ends.numpy())[["ligand", "base", "dry"]].values.tolist() == [["L17", "L11", True]] * 3
