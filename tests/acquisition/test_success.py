"""Which number foretells whether an experiment succeeds: the table of docs/objectives.md.

`pytest tests/acquisition/test_success.py -m slow -s` prints it.
"""

import numpy as np
import pytest
import torch

from discovery.acquisition.gaussians import latent
from discovery.acquisition.limits import log_success
from discovery.belief.belief import Belief, Hypothesis
from discovery.campaign import CampaignSpec
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace

BORDERS = ("sharp", "turned", "soft")
SPEC = {
    "name": "success",
    "parameters": [
        {"name": "salt", "type": "categorical", "values": ["A", "B", "C"]},
        {"name": "heat", "type": "continuous", "bounds": [0, 1]},
        {"name": "time", "type": "continuous", "bounds": [0, 1]},
        {"name": "load", "type": "continuous", "bounds": [0, 1]},
    ],
    "objectives": [{"name": "y"}],
}


def surface(space, seed):
    """Configurations and a height above the border between failure and success, 55 to 90 % of it above."""
    g = np.random.default_rng(seed)
    X = space.sample(260, g)
    height = np.cos(X @ (g.normal(size=(X.shape[1], 50)) * g.uniform(0.7, 2.0)) + g.uniform(0, 6.28, 50))
    height = height @ g.normal(size=50)
    return X, (height - np.quantile(height, 1 - g.uniform(0.55, 0.9))) / height.std(), g


def chances(height, border):
    """Probability of success by height."""
    if border == "soft":
        return 1 / (1 + np.exp(-3 * height))
    return 1.0 * (height > 0) if border == "sharp" else 0.05 + 0.9 * (height > 0)


def foretold(hypothesis, X, y, rows):
    """Probabilities of success of rows by the three numbers that were compared."""
    belief = Belief.adapt([hypothesis], Support.of(X, y, None, "cpu"))
    at = latent(belief.kept, torch.as_tensor(rows))
    above = at.log_above(torch.tensor([0.5], dtype=torch.float64))[:, 0].exp()
    share = np.full(len(rows), (y.sum() + 1) / (len(y) + 2))
    return {"clipped mean": log_success(at).exp().numpy(), "latent above one half": above.numpy(), "share": share}


def miscalibration(p, y):
    """Mean distance of stated from observed shares, over tenths of the stated ones."""
    tenth = np.clip((10 * p).astype(int), 0, 9)
    return sum(abs(p[tenth == i].sum() - y[tenth == i].sum()) for i in range(10)) / len(p)


@pytest.mark.slow
def test_the_clipped_mean_foretells_successes_best():
    """From 20 experiments on it has the best log score, and is better calibrated than the latent's probability."""
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(SPEC))
    cold = MetaGP.meta_train(None, Setting("no_transfer", space, OutcomeScale(0.5, 0.25, "range")))
    hypothesis, told = Hypothesis("no_transfer", 1.0, MetaGP.load(cold), cold.checkpoint_id), {}
    for seed in range(60):
        X, height, g = surface(space, seed)
        for border in BORDERS:
            y = 1.0 * (g.random(260) < chances(height, border))
            for n in (8, 20, 40):
                if 0 < y[:n].sum() < n:
                    for name, p in foretold(hypothesis, X[:n], y[:n], X[60:]).items():
                        told.setdefault((border, n, name), []).append((np.clip(p, 0.01, 0.99), y[60:]))
    loss, off = {}, {}
    for key, parts in told.items():
        p, y = (np.concatenate(column) for column in zip(*parts, strict=True))
        loss[key], off[key] = -np.log(np.where(y > 0, p, 1 - p)).mean(), miscalibration(p, y)
        print(f"{key[0]}, {key[1]} experiments, {key[2]}: log score {loss[key]:.3f}, off by {off[key]:.3f}")
    for (border, n, name), value in loss.items():
        if n >= 20 and name != "clipped mean":
            assert loss[border, n, "clipped mean"] < value
            assert name == "share" or off[border, n, "clipped mean"] < off[border, n, name]
