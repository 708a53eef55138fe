"""docs/contributing.md is true: its simulator works as a plug-in, its migration applies, its commands exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from discovery import registry
from discovery.campaign import CampaignSpec
from discovery.meta import meta_gp
from discovery.meta.learner import Setting, Support
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace
from discovery.store import Store
from discovery.store.schema import Migration, migrate, read_migrations
from discovery.tasks import TaskDistribution

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")


@pytest.fixture
def oven(doc_blocks, tmp_path, monkeypatch):
    """The simulator of the document, installed as a package of its own with the document's entry point."""
    (tmp_path / "oven.py").write_text(doc_blocks("contributing.md", "python")[0])
    info = tmp_path / "my_oven-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-oven\nVersion: 1.0\n")
    group, point = re.findall(r'entry-points\."([\w.]+)"\]\noven = "(.+)"', doc_blocks("contributing.md", "toml")[0])[0]
    (info / "entry_points.txt").write_text(f"[{group}]\noven = {point}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._points.cache_clear()
    yield registry.simulator("oven", widest=0.5)
    registry._points.cache_clear()
    sys.modules.pop("oven", None)


@pytest.fixture
def space():
    """A mixed space."""
    parameters = [
        {"name": "flour", "type": "categorical", "values": ["rye", "wheat"]},
        {"name": "temperature", "type": "continuous", "bounds": [100, 250], "unit": "degC"},
    ]
    mapping = {"name": "bread", "parameters": parameters, "objectives": [{"name": "strength"}]}
    return SearchSpace.from_spec(CampaignSpec.from_mapping(mapping))


def test_the_simulator_keeps_to_the_contract(oven, space):
    """The example is a task distribution: named, in range, valid configurations, the same batch from the same state."""
    bound = oven.bind(space)
    first, second = (bound.sample(5, 7, torch.Generator().manual_seed(3)) for _ in range(2))
    assert isinstance(oven, TaskDistribution)
    assert registry.simulator_card("oven").field == "materials"
    assert registry.override_names(type(oven)) == ("outcome_range", "widest")
    assert first.X.shape == (5, 7, space.n_dims) and first.Y.shape == (5, 7, 1)
    assert torch.equal(first.Y, second.Y) and torch.equal(first.X, second.X)
    assert float(first.Y.min()) >= 0 and float(first.Y.max()) <= 100
    assert not torch.equal(first.Y, first.truth["Y"])


def test_a_task_is_one_function_whatever_is_asked(oven, space):
    """The same state and shared points give the same noise-free outcomes, also where more points follow."""
    points = torch.as_tensor(space.sample(6, np.random.default_rng(0)))
    few = oven.bind(space).sample(3, 4, torch.Generator().manual_seed(1), points=points[:4])
    more = oven.bind(space).sample(3, 6, torch.Generator().manual_seed(1), points=points)
    assert torch.allclose(few.truth["Y"], more.truth["Y"][:, :4])


def test_a_hypothesis_is_trained_on_it(oven, space, monkeypatch):
    """The example is enough for meta-training: the hypothesis adapts and has evidence."""
    for name, value in (("N_SHARED_TASKS", 16), ("N_SHARED_POINTS", 24), ("N_OWN_TASKS", 6), ("N_OWN_POINTS", 10)):
        monkeypatch.setattr(meta_gp, name, value)
    setting = Setting("simulator:oven", space, OutcomeScale(50.0, 25.0, "range"))
    learner = meta_gp.MetaGP.load(meta_gp.MetaGP.meta_train(oven.bind(space), setting))
    X = torch.as_tensor(space.sample(4, np.random.default_rng(0)))
    adapted = learner.adapt(Support(X, torch.tensor([10.0, 40.0, 60.0, 20.0], dtype=torch.float64)))
    assert torch.isfinite(adapted.log_evidence).all()


def test_the_migration_applies(doc_blocks, tmp_path):
    """The example migration runs on a store of this release, and its column is there in table and view."""
    sql = doc_blocks("contributing.md", "sql")[0]
    known = read_migrations()
    store = Store(tmp_path / "lab.duckdb")
    with store.database.opened() as connection:
        new = Migration(len(known) + 1, "location", sql)
        assert migrate(connection, store.path, [*known, new]) == (new.version,)
        assert connection.execute("SELECT location FROM v_measurements").fetchall() == []
    assert re.match(r"-- \d{4}_\w+\.sql: ", sql)


def test_commands_and_folders_exist():
    """Every make target and every folder that the document names is there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"`make ([\w-]+)`", TEXT) if not re.search(rf"^{name}:", makefile, re.M)] == []
    assert [name for name in re.findall(r"^\| `(\w+/)` \|", TEXT, re.M) if not (ROOT / name).is_dir()] == []


def test_the_example_needs_what_the_rooms_have(doc_blocks):
    """The example's class is short: what a newcomer has to write fits on a screen."""
    body = doc_blocks("contributing.md", "python")[0].partition("    def sample")[2]
    assert len(body.splitlines()) <= 10
