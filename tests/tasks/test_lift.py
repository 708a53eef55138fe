"""Promises of `discovery.tasks.lift`: the campaign's configurations among those of its history."""

import numpy as np
import pandas as pd
import pytest
import torch

from discovery.campaign import CampaignSpec
from discovery.space import SearchSpace, align
from discovery.tasks.lift import Lift, encode_aligned

NAMES = ["Ni", "Fe", "Co"]


@pytest.fixture
def aligned(tmp_path):
    """Return a campaign of three elements and a base, with a history that has a further element and base."""
    mapping = {
        "name": "new",
        "parameters": [
            *({"name": name, "type": "continuous", "bounds": [0, 1]} for name in NAMES),
            {"name": "base", "type": "categorical", "values": ["KOH", "NaOH"]},
        ],
        "constraints": [{"type": "simplex", "parameters": NAMES}],
        "objectives": [{"name": "y"}],
        "candidates": "pool.csv",
    }
    spec = CampaignSpec.from_mapping(mapping, base_dir=tmp_path)
    old = pd.DataFrame({"Ni": [0.5], "Fe": [0.2], "Co": [0.0], "Ce": [0.3], "base": ["LiOH"], "volts": [1.0]})
    return align(spec, SearchSpace.from_spec(spec), [old], {"volts": 3.0})


@pytest.fixture
def own():
    """Return configurations of the campaign."""
    return pd.DataFrame({"Ni": [0.5, 0.0], "Fe": [0.25, 0.0], "Co": [0.25, 1.0], "base": ["NaOH", "KOH"]})


def test_a_lifted_row_is_the_row_of_a_table(aligned, own):
    """Lifting an encoded configuration gives what reading it from a table with all columns gives."""
    lifted = Lift.of(aligned)(torch.as_tensor(aligned.own.encode(own)))
    read = encode_aligned(aligned, own.assign(Ce=0.0, volts=3.0))

    np.testing.assert_allclose(lifted.numpy(), read, atol=1e-12)
    assert lifted.shape == (2, aligned.n_dims) and Lift.of(aligned).n_dims == aligned.n_dims


def test_a_composition_is_mean_and_spread(aligned, own):
    """The last columns are the weighted mean and standard deviation of every property; pure elements have no spread."""
    P = aligned.composition.properties  # Ce, Co, Fe, Ni
    p = P.shape[1]
    X = encode_aligned(aligned, own.assign(Ce=0.0, volts=3.0))
    share = np.array([0.0, 0.25, 0.25, 0.5])
    mean = share @ P

    np.testing.assert_allclose(X[0, -2 * p : -p], mean)
    np.testing.assert_allclose(X[0, -p:], np.sqrt(share @ (P - mean) ** 2), atol=1e-4)
    np.testing.assert_allclose(X[1, -2 * p : -p], P[1])
    np.testing.assert_allclose(X[1, -p:], 0, atol=1e-4)


def test_a_lift_is_differentiable(aligned, own):
    """Gradients reach every own coordinate and are finite, also at pure elements."""
    X = torch.as_tensor(aligned.own.encode(own)).requires_grad_(True)
    Lift.of(aligned)(X[:, None, :]).sum().backward()

    assert torch.isfinite(X.grad).all() and (X.grad[:, 3:] == 1).all()
