"""Similarity of sets and the Gaussian process on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from discovery.campaign import CampaignSpec
from discovery.errors import NotSupportedError
from discovery.evaluation.baselines.parameters import plain_tables
from discovery.evaluation.baselines.similarity import has_molecules, sets_of, tanimoto
from discovery.evaluation.baselines.tanimoto_gp import NOISES, SIGNALS, fit_tanimoto
from discovery.evaluation.context import open_campaign
from discovery.evaluation.methods import Seen, load_method, load_predictor

ALCOHOLS = ["CCO", "CCCO", "CCCCO", "CCCCCO", "CCCCCCO", "CC(C)O", "CCC(C)O", "CC(C)CO"]
ARENES = [
    "c1ccccc1",
    "Cc1ccccc1",
    "CCc1ccccc1",
    "Clc1ccccc1",
    "Brc1ccccc1",
    "Cc1ccc(C)cc1",
    "Clc1ccc(C)cc1",
    "CCCc1ccccc1",
]


@pytest.fixture
def molecules(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> CampaignSpec:
    """Return a campaign over sixteen molecules: arenes are good, alcohols are not."""
    rng = np.random.default_rng(0)
    rows = [f"{s},{20 + rng.normal():.3f}" for s in ALCOHOLS] + [f"{s},{70 + rng.normal():.3f}" for s in ARENES]
    (tmp_path / "molecules.csv").write_text("\n".join(["smiles,yield", *rows]) + "\n")
    parameters = [{"name": "smiles", "type": "molecule"}]
    return make_spec(parameters=parameters, candidates="molecules.csv", experience={})


def test_tanimoto_is_the_share_of_common_elements() -> None:
    """For sets it is intersection over union; two empty sets are the same."""
    A, B = np.array([[1.0, 1, 0, 0], [0, 0, 0, 0]]), np.array([[1.0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert tanimoto(A, B) == pytest.approx(np.array([[0.25, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def test_the_fit_has_the_highest_evidence_times_prior_on_the_grid() -> None:
    """No neighbor on the grid of variances does better, by a density computed from the full covariance."""
    rng = np.random.default_rng(1)
    sets = (rng.random((20, 12)) < 0.4).astype(float)
    K = tanimoto(sets, sets)
    y = 5 + 3 * rng.multivariate_normal(np.zeros(20), K + 0.1 * np.eye(20))
    gp = fit_tanimoto(sets, y)

    def value(signal: float, noise: float) -> float:
        prior = -0.5 * np.log(signal) ** 2 - 0.5 * (np.log(noise) - np.log(0.2)) ** 2
        covariance = signal * K + noise * np.eye(20)
        means = np.linspace(-1.5, 1.5, 301)
        best = [multivariate_normal.logpdf(gp.y, np.full(20, m), covariance) - 0.5 * m**2 for m in means]
        return float(max(best)) + prior

    i, j = int(np.abs(SIGNALS - gp.signal).argmin()), int(np.abs(NOISES - gp.noise).argmin())
    near = [(a, b) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1) if 0 <= a < 24 and 0 <= b < 32]
    assert max(near, key=lambda at: value(SIGNALS[at[0]], NOISES[at[1]])) == (i, j)


def test_molecules_are_compared_by_their_fingerprints_alone(molecules: CampaignSpec) -> None:
    """Descriptors stand in the encoding and are left out of the sets, which are a view of the pool."""
    context, _ = open_campaign(molecules, 16, "cpu")
    (fragments,) = (block for block in context.space.blocks if block.kind == "molecule")
    assert has_molecules(context)
    assert sets_of(context).shape == (16, fragments.stop - fragments.start)
    assert np.shares_memory(sets_of(context), context.pool.X)


@pytest.mark.parametrize("name", ["tanimoto_gp", "knn", "random_forest"])
def test_kinds_of_molecules_are_told_apart_from_two_of_each(name: str, molecules: CampaignSpec) -> None:
    """From two alcohols and two arenes, all other arenes are predicted above all other alcohols, and searched first."""
    context, y = open_campaign(molecules, 16, "cpu")
    predictor, method = load_predictor(name), load_method(name)
    predictor.prepare(context)
    taken = [1, 5, 9, 12]
    seen = Seen(tuple(taken), tuple(float(y[i]) for i in taken))
    rest = np.setdiff1d(np.arange(16), taken)
    mean = predictor.predict(context, seen, rest, 0).mean
    assert mean[rest >= 8].min() > mean[rest < 8].max()
    assert all(i >= 8 for i in method.choose(context, seen, 3, 0).indices)


def test_the_ensemble_searches_molecules_with_the_same_kernel(molecules: CampaignSpec) -> None:
    """Without history it is the Tanimoto process, and finds an arene."""
    context, y = open_campaign(molecules, 16, "cpu")
    method = load_method("rgpe")
    method.prepare(context)
    seen = Seen((1, 9, 12), tuple(map(float, y[[1, 9, 12]])))
    assert method.choose(context, seen, 1, 0) == load_method("tanimoto_gp").choose(context, seen, 1, 0)


def test_packages_that_would_take_molecules_for_levels_are_refused(molecules: CampaignSpec) -> None:
    """One sentence says what cannot be, and which methods can."""
    context, _ = open_campaign(molecules, 16, "cpu")
    with pytest.raises(NotSupportedError, match="baybe must have numbers and categories") as caught:
        plain_tables(context, "baybe")
    assert "tanimoto_gp" in caught.value.hint
