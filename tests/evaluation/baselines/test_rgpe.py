"""The ranking-weighted ensemble: who gets a weight, and what it makes of history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discovery.campaign import CampaignSpec
from discovery.evaluation.baselines.exact_gp import ExactGP
from discovery.evaluation.baselines.rgpe import Ensemble, RGPEMethod
from discovery.evaluation.cold_gp import ColdGPMethod
from discovery.evaluation.context import open_campaign
from discovery.evaluation.methods import Seen
from discovery.meta.ranking import misordered, misordered_alone, ranking_weights


def test_the_own_process_is_judged_point_by_point() -> None:
    """As a loop over points says it: a point's draw against the others' of the process not shown the point."""
    rng = np.random.default_rng(0)
    draws, y = rng.normal(size=(4, 7, 4)), rng.normal(size=4)
    expected = sum(((draws[i][:, [i]] < draws[i]) != (y[i] < y)).sum(axis=1) for i in range(4))
    assert misordered_alone(draws, y).tolist() == expected.tolist()


def test_misordered_counts_ordered_pairs() -> None:
    """The right order has no wrong pair, the reverse all of them, in both directions."""
    y = np.array([1.0, 2.0, 3.0])
    assert misordered(np.array([[0.0, 5.0, 9.0], [3.0, 2.0, 1.0], [0.0, 9.0, 5.0]]), y).tolist() == [0, 6, 2]


def test_weights_are_shares_of_wins_and_ties_are_shared() -> None:
    """Each draw is won by the fewest misordered pairs."""
    losses = np.array([[0, 3, 2, 2], [4, 0, 2, 4], [4, 4, 2, 3]])
    assert ranking_weights(losses) == pytest.approx([(1 + 1 / 3 + 1) / 4, (1 + 1 / 3) / 4, (1 / 3) / 4])


def test_the_guard_leaves_out_sources_worse_than_the_own_process_nearly_ever_is() -> None:
    """A source whose median loss is above the own upper quantile has no weight, though it wins a draw."""
    losses = np.array([[0, *[9] * 19], [5] * 20])
    assert ranking_weights(losses).tolist() == [0.0, 1.0]


def test_the_ensemble_weights_standardized_predictions() -> None:
    """A part predicts in its own units, and counts in the campaign's; variances go by squared weights."""

    def part(center: float, scale: float) -> ExactGP:
        ones = lambda A, B: np.ones((len(A), len(B)))  # noqa: E731
        return ExactGP(np.zeros((1, 1)), np.array([1.0]), ones, 0.0, 1.0, 1.0, center, scale)

    ensemble = Ensemble((part(100, 50), part(0, 1)), np.array([0.75, 0.25]), 10.0, 2.0)
    mean, variance = ensemble.marginals(np.zeros((1, 1)))
    assert mean == pytest.approx([10 + 2 * 0.5])  # each is halfway between the prior and its one measurement
    assert variance == pytest.approx([4 * 0.5 * (0.75**2 + 0.25**2)])


def test_related_history_is_used_from_the_first_experiment(spec: CampaignSpec) -> None:
    """With a sibling as history the first choice is among the best candidates, and it has most of the weight."""
    context, y = open_campaign(spec, 24, "cpu")
    method = RGPEMethod()
    method.prepare(context)
    (first,) = method.choose(context, Seen(), 1, 0).indices
    assert (y > y[first]).sum() <= 2
    taken = (0, 5, 11, 17)
    ensemble = method.ensemble(context, Seen(taken, tuple(map(float, y[list(taken)]))), 0)
    assert ensemble is not None
    assert ensemble.weights[0] > 0.5


def test_inverted_history_loses_its_weight(make_spec: Callable[..., CampaignSpec], tmp_path: Path) -> None:
    """A source that ranks everything the wrong way round is left out after eight measurements."""
    frame = pd.read_csv(tmp_path / "earlier.csv")
    frame.assign(**{"yield": 100 - frame["yield"]}).to_csv(tmp_path / "inverted.csv", index=False)
    context, y = open_campaign(make_spec(experience={"history": ["inverted.csv"]}), 24, "cpu")
    method = RGPEMethod()
    method.prepare(context)
    taken = tuple(int(i) for i in np.random.default_rng(0).permutation(24)[:8])
    ensemble = method.ensemble(context, Seen(taken, tuple(map(float, y[list(taken)]))), 0)
    assert ensemble is not None
    assert ensemble.weights == pytest.approx([0.0, 1.0])


def test_without_history_it_is_the_cold_process(make_spec: Callable[..., CampaignSpec]) -> None:
    """Nothing to transfer, nothing changed: the pick of the cold Gaussian process."""
    context, y = open_campaign(make_spec(experience={}), 24, "cpu")
    method = RGPEMethod()
    method.prepare(context)
    seen = Seen(tuple(range(7)), tuple(map(float, y[:7])))
    assert method.choose(context, seen, 1, 0).indices == ColdGPMethod().choose(context, seen, 1, 0).indices
    assert method.choose(context, Seen(), 1, 0) == ColdGPMethod().choose(context, Seen(), 1, 0)


def test_history_with_other_levels_is_used_in_its_wider_space(
    make_spec: Callable[..., CampaignSpec], tmp_path: Path
) -> None:
    """A source with a ligand that the campaign does not offer still leads the first choice."""
    frame = pd.read_csv(tmp_path / "earlier.csv")
    frame.replace({"ligand": {"BrettPhos": "AlPhos"}}).to_csv(tmp_path / "other.csv", index=False)
    context, y = open_campaign(make_spec(experience={"history": ["other.csv"]}), 24, "cpu")
    method = RGPEMethod()
    method.prepare(context)
    (first,) = method.choose(context, Seen(), 1, 0).indices
    assert (y > y[first]).sum() <= 3
