"""The identity of a baseline's code in the cache of finished runs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

import discovery.evaluation
from discovery.evaluation.baselines import random_forest
from discovery.evaluation.cache import source_of
from discovery.evaluation.methods import RandomMethod, load_method

ROOM = Path(discovery.evaluation.__file__).parent


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cold_gp", ["cold_gp.py", "baselines/cold.py", "baselines/exact_gp.py"]),
        ("tanimoto_gp", ["baselines/tanimoto_gp.py", "baselines/exact_gp.py", "baselines/similarity.py"]),
        ("knn", ["baselines/nearest.py", "baselines/cold.py", "baselines/similarity.py"]),
    ],
)
def test_a_changed_module_beneath_a_baseline_is_a_changed_baseline(name: str, files: list[str]) -> None:
    """The text of every module that a baseline computes with stands in its identity; others' texts do not."""
    source = source_of(type(load_method(name)))
    assert all((ROOM / file).read_bytes() in source for file in files)
    assert (ROOM / "baselines/rgpe.py").read_bytes() not in source


def test_another_version_of_the_package_is_another_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a method is somebody else's package, the version of that package counts."""
    method = type(load_method("random_forest"))
    assert source_of(method).endswith(version("scikit-learn").encode())
    monkeypatch.setattr(random_forest, "PACKAGE", "numpy")
    assert source_of(method).endswith(version("numpy").encode())
    monkeypatch.setattr(random_forest, "PACKAGE", "nowhere-to-be-found")
    assert source_of(method)  # without a version; the method itself says what is missing
    assert source_of(RandomMethod)
