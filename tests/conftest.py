"""What every test shares: one torch thread, no folder of the user's, and a small mixed space with related tasks."""

import signal
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
import torch

from discovery.belief.belief import Hypothesis
from discovery.campaign import CampaignSpec
from discovery.meta.features import SourceFeatures
from discovery.meta.geometry import Geometry
from discovery.meta.learner import Setting
from discovery.meta.meta_gp import MetaGP
from discovery.meta.no_transfer import no_transfer_members
from discovery.settings import set_threads
from discovery.space import SearchSpace
from discovery.tasks.history import HistoryDistribution
from discovery.tasks.task import Task

# A shell that starts tests in the background leaves Ctrl-C ignored, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What passes once passes again; `pytest --hypothesis-profile default` searches on.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    set_threads(1)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("DISCOVERY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DISCOVERY_STORE", raising=False)


@pytest.fixture(scope="session")
def small_spec():
    return CampaignSpec.from_mapping(
        {
            "name": "small",
            "parameters": [
                {"name": "catalyst", "type": "categorical", "values": ["A", "B", "C"]},
                {"name": "temperature", "type": "continuous", "bounds": [20, 100], "unit": "degC"},
                {"name": "time", "type": "continuous", "bounds": [1, 60], "unit": "min"},
            ],
            "outcomes": [{"name": "yield", "unit": "%", "range": [0, 100]}],
            "objectives": [{"name": "yield", "goal": "maximize"}],
        }
    )


@pytest.fixture(scope="session")
def space(small_spec):
    return SearchSpace.from_spec(small_spec)


def _surface(X, shift=0.0):
    """A smooth yield with a good catalyst and an optimum inside; `shift` moves the optimum between tasks."""
    level = X[:, :3] @ np.array([0.0, 20.0, 8.0])
    bump = np.exp(-8 * (X[:, 3] - 0.6 - shift) ** 2 - 4 * (X[:, 4] - 0.7) ** 2)
    return 10 + level + 55 * bump


@pytest.fixture(scope="session")
def surface():
    return _surface


@pytest.fixture(scope="session")
def related(space):
    """Five tasks that resemble each other."""
    tasks = []
    for i in range(5):
        g = np.random.default_rng(i)
        X = space.sample(40, g)
        Y = _surface(X, shift=0.04 * (i - 2)) + 5 * i + g.normal(size=40)
        tasks.append(Task(f"task {i}", X, Y[:, None], source=f"task_{i}.csv"))
    return tasks


@pytest.fixture(scope="session")
def cold_and_history(space, related):
    """Train no transfer and history on a scale, with these prior weights."""

    def train(scale, weights):
        cold = MetaGP.meta_train(None, Setting("no_transfer", space, scale))
        history = MetaGP.meta_train(HistoryDistribution(tuple(related)), Setting("history", space, scale))
        return (
            Hypothesis("no_transfer", weights[0], MetaGP.load(cold), cold.checkpoint_id),
            Hypothesis("history", weights[1], MetaGP.load(history), history.checkpoint_id),
        )

    return train


@pytest.fixture(scope="session")
def geometry(space):
    return Geometry.of(space)


@pytest.fixture(scope="session")
def components(geometry):
    return geometry.components


@pytest.fixture
def features():
    g = torch.Generator().manual_seed(1)
    return SourceFeatures(
        X=torch.rand(2, 6, 5, generator=g, dtype=torch.float64),
        dual=torch.randn(2, 6, generator=g, dtype=torch.float64),
        inverse_lengthscale=torch.full((2, 5), 1.3, dtype=torch.float64),
        constant=torch.tensor([0.3, -0.2], dtype=torch.float64),
    )


@pytest.fixture
def members(geometry, features):
    """Eight members that use both features, with a warp on some."""
    base = no_transfer_members(geometry, 8)
    g = torch.Generator().manual_seed(2)
    warp = torch.ones(8, 5, dtype=torch.float64)
    warp[4:, 3:] = 1.7
    return replace(
        base,
        component_sd=torch.rand(8, 3, generator=g, dtype=torch.float64),
        slope=torch.randn(8, 2, generator=g, dtype=torch.float64),
        slope_sd=torch.rand(8, 2, generator=g, dtype=torch.float64),
        warp_a=warp,
        warp_b=1 / warp,
        offset=torch.linspace(-1, 1, 8, dtype=torch.float64),
    )


@pytest.fixture
def support(space):
    """Five measurements in standardized units."""
    g = np.random.default_rng(3)
    X = space.sample(5, g)
    return torch.as_tensor(X), torch.as_tensor((_surface(X) - 50) / 25)
