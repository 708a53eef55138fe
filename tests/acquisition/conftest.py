"""A belief after ten measurements of a task that resembles its history, and mixtures drawn from a seed."""

import numpy as np
import pytest
import torch

from discovery.acquisition.gaussians import Mixture
from discovery.belief.belief import Belief
from discovery.meta.learner import Support
from discovery.meta.scale import OutcomeScale

SCALE = OutcomeScale(50.0, 25.0, "range")


@pytest.fixture(scope="session")
def hypotheses(cold_and_history):
    return cold_and_history(SCALE, (0.3, 0.7))


@pytest.fixture(scope="session")
def belief(hypotheses, space, surface):
    X = space.sample(10, np.random.default_rng(4))
    return Belief.adapt(hypotheses, Support.of(X, surface(X), None, "cpu"))


@pytest.fixture(scope="session")
def nothing(hypotheses):
    return Belief.adapt(hypotheses, Support.of(np.zeros((0, 5)), np.zeros(0), None, "cpu"))


@pytest.fixture(scope="session")
def drawn():
    """Draw a mixture of `h` components at `n` configurations, and 400,000 outcomes of each."""

    def draw(seed, n=5, h=4, n_samples=400_000):
        g = torch.Generator().manual_seed(seed)
        mean = 2 * torch.randn(n, h, generator=g, dtype=torch.float64)
        sd = 0.2 + torch.rand(n, h, generator=g, dtype=torch.float64)
        weight = torch.softmax(torch.randn(h, generator=g, dtype=torch.float64), dim=0)
        member = torch.multinomial(weight, n_samples, replacement=True, generator=g)
        z = torch.randn(n_samples, generator=g, dtype=torch.float64)
        return Mixture(mean, sd, weight.log()), mean[:, member] + sd[:, member] * z

    return draw
