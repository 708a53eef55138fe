"""Promises of `discovery.acquisition.drawn`: plates from spaces without a list of candidates."""

import numpy as np
import pytest
import torch

from discovery.acquisition.batches import choose_batch
from discovery.acquisition.continuous import RESOLUTION
from discovery.acquisition.drawn import choose_batch_in_space
from discovery.acquisition.pool import Search
from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import MAX_PRODUCT, CampaignSpec
from discovery.errors import NoCandidateError
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.space import CandidatePool, SearchSpace


def none_taken(X):
    return np.zeros(len(X), dtype=bool)


@pytest.fixture(scope="module")
def product():
    """A product of lists that is too large to list, with constraints."""
    spec = CampaignSpec.from_mapping(
        {
            "name": "product",
            "parameters": [
                *({"name": f"c{i}", "type": "categorical", "values": list("abcdefgh")} for i in range(4)),
                *({"name": f"n{i}", "type": "discrete", "values": [0, 1, 2, 3, 4, 5, 6, 7]} for i in range(3)),
            ],
            "constraints": ["n0 + n1 + n2 <= 12", {"type": "exclude", "when": {"c0": "a", "c1": "b"}}],
            "objectives": [{"name": "y"}],
            "outcomes": [{"name": "y", "range": [0, 30]}],
        }
    )
    assert spec.n_combinations > MAX_PRODUCT
    space = SearchSpace.from_spec(spec)
    assert CandidatePool.from_spec(spec, space) is None
    return space


@pytest.fixture(scope="module")
def product_belief(product):
    checkpoint = MetaGP.meta_train(None, Setting("no_transfer", product, OutcomeScale(15.0, 8.0, "range")))
    cold = Hypothesis("no_transfer", 1.0, MetaGP.load(checkpoint), "x")
    X = product.sample(30, np.random.default_rng(0))
    return Belief.adapt([cold], Support.of(X, worth(product, X), None, "cpu"))


def worth(space, X):
    frame = space.decode(X)
    return frame["n0"].to_numpy(float) + 2.0 * frame["n1"].to_numpy(float) + 4.0 * (frame["c0"] == "c").to_numpy(float)


def test_plates_from_a_product_are_valid_distinct_and_repeatable(product, product_belief):
    """Every configuration of a plate meets all constraints, none comes twice, none was taken, the seed repeats it."""
    search, none = Search("log_ei", 1.0, 0), torch.zeros(0, product.n_dims, dtype=torch.float64)
    measured = {tuple(row) for row in product_belief.kept[0].bank.X[0].tolist()}

    def is_taken(X):
        return np.array([tuple(row) in measured for row in X.tolist()])

    once, again = (choose_batch_in_space([product_belief] * 12, product, search, none, is_taken) for _ in range(2))
    X = torch.stack([choice.x for choice in once]).numpy()
    assert product.is_feasible(product.decode(X)).all()
    assert np.allclose(product.encode(product.decode(X)), X)
    assert len({key for key in product.keys(product.decode(X))}) == 12
    assert not is_taken(X).any() and all(choice.index == -1 for choice in once)
    assert np.array_equal(X, torch.stack([choice.x for choice in again]).numpy())


@pytest.mark.slow
def test_the_best_of_a_product_is_better_than_what_chance_finds(product, product_belief):
    """Exchanges of single values lead to configurations that thousands of random ones do not have."""
    search, none = Search("log_ei", 1.0, 0), torch.zeros(0, product.n_dims, dtype=torch.float64)
    found = choose_batch_in_space([product_belief] * 12, product, search, none, none_taken)
    random = torch.as_tensor(product.sample(4000, np.random.default_rng(9)))
    chance = choose_batch([product_belief] * 12, random, np.ones(4000, bool), search, none)
    assert found[0].value > chance[0].value
    assert worth(product, torch.stack([c.x for c in found]).numpy()).max() > 15


def test_plates_from_a_mixed_space_are_apart(belief, space):
    """In a mixed space no two experiments of a plate are the same experiment."""
    search, none = Search("log_ei", 1.0, 0), torch.zeros(0, 5, dtype=torch.float64)
    X = torch.stack([c.x for c in choose_batch_in_space([belief] * 12, space, search, none, none_taken)]).numpy()
    apart = np.abs(X[:, None] - X[None]).max(-1) + np.eye(12)
    assert apart.min() >= RESOLUTION
    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-9)


def test_a_space_without_a_free_configuration_is_refused(belief, space):
    """When everything is taken, the search says so."""
    none = torch.zeros(0, 5, dtype=torch.float64)
    with pytest.raises(NoCandidateError, match="only known ones"):
        choose_batch_in_space([belief] * 12, space, Search("log_ei", 1.0, 0), none, lambda X: np.ones(len(X), bool))
