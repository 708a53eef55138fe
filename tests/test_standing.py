"""How good outcomes are: fronts, hypervolumes, distances, hits, desirabilities and limits, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.campaign import CampaignSpec, Objective
from discovery.standing import (
    desirabilities,
    hypervolume,
    hypervolumes,
    is_allowed,
    is_compromise,
    overall,
    reference_point,
    scores,
    signed,
)

UNIT = [{"name": "a", "type": "continuous", "bounds": [0, 1]}]
POINTS = st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=6)


def build(**changes) -> CampaignSpec:
    return CampaignSpec.from_mapping({"name": "s", "parameters": UNIT, "objectives": [{"name": "y"}], **changes})


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        ({"goal": "maximize"}, [1.0, 4.0]),
        ({"goal": "minimize"}, [-1.0, -4.0]),
        ({"goal": "match", "target": 2}, [-1.0, -2.0]),
        ({"goal": "match", "window": [1, 3]}, [0.0, -1.0]),
        ({"goal": "hits", "threshold": 4}, [0.0, 1.0]),
        ({"goal": "hits", "threshold": 1, "above": False}, [1.0, 0.0]),
    ],
)
def test_every_goal_has_a_score(objective, wanted):
    """More is better under every goal, and what is not measured has no score."""
    found = signed(Objective(name="y", **objective), np.array([1.0, 4.0, np.nan]))
    np.testing.assert_allclose(found, [*wanted, np.nan])


@pytest.mark.parametrize(
    ("hits", "wanted"),
    [
        ({"threshold": 4}, [0.0, 1.0]),
        ({"threshold": 4, "desirability": [0, 8]}, [0.125, 0.5]),
        ({"threshold": 4, "above": False, "desirability": [0, 8]}, [0.875, 0.5]),
    ],
)
def test_hits_are_part_of_a_desirability(hits, wanted):
    """A hit counts whole or not at all, unless a ramp says otherwise, which falls where hits lie below."""
    both = [{"name": "y", "goal": "hits", **hits}, {"name": "z", "desirability": [0, 1]}]
    spec = build(objectives=both, combine="desirability")
    outcomes = {"y": np.array([1.0, 4.0]), "z": np.ones(2)}
    np.testing.assert_allclose(desirabilities(spec, outcomes) ** 2, wanted)


def test_a_front_holds_what_nothing_beats():
    """Ties stay, beaten and unmeasured rows go, and so do those that are not allowed."""
    values = np.array([[1, 3], [2, 2], [2, 2], [1, 2], [3, np.nan], [9, 9]], dtype=float)
    allowed = np.array([True] * 5 + [False])
    assert is_compromise(values, allowed).tolist() == [True, True, True, False, False, False]


def test_hypervolume_is_that_of_boxes():
    """Two overlapping rectangles, and two overlapping cuboids, by inclusion and exclusion."""
    assert hypervolume(np.array([[2.0, 1.0], [1.0, 3.0]]), np.zeros(2)) == pytest.approx(2 + 3 - 1)
    assert hypervolume(np.array([[2.0, 1, 1], [1, 3, 2]]), np.zeros(3)) == pytest.approx(2 + 6 - 1)
    assert hypervolume(np.array([[1.0, -1.0]]), np.zeros(2)) == 0.0


@given(POINTS)
def test_hypervolume_is_what_a_grid_counts(points):
    """In three dimensions it is the share of a fine grid that some point beats, within the grid's error."""
    values = np.array(points)
    grid = (np.arange(20) + 0.5) / 20
    cells = np.stack(np.meshgrid(grid, grid, grid), -1).reshape(-1, 3)
    beaten = (values[:, None] >= cells).all(-1).any(0).mean()
    assert hypervolume(values, np.zeros(3)) == pytest.approx(beaten, abs=0.16)


@given(POINTS)
def test_hypervolumes_never_fall(points):
    """After every experiment the volume is that of all so far."""
    spec = build(objectives=[{"name": name} for name in "xyz"])
    outcomes = dict(zip("xyz", np.array(points).T, strict=True))
    found = hypervolumes(spec, outcomes, np.full(3, -0.1))
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(hypervolume(np.array(points), np.full(3, -0.1)))


def test_the_reference_is_as_written_else_the_worst():
    """A reference is turned like its outcome; without one the worst measured value counts."""
    spec = build(objectives=[{"name": "y"}, {"name": "z", "goal": "minimize", "reference": 8}])
    values = scores(spec, {"y": np.array([3.0, 5.0]), "z": np.array([1.0, 2.0])})
    np.testing.assert_allclose(reference_point(spec, values), [3.0, -8.0])


def test_limits_and_desirability_decide_together():
    """The geometric mean of ramps, NaN where a limit is broken or an outcome of it is missing."""
    spec = build(
        objectives=[
            {"name": "y", "desirability": [0, 10], "weight": 3},
            {"name": "z", "goal": "match", "target": 5, "desirability": [0, 10]},
        ],
        combine="desirability",
        outcome_constraints=["w + 2 * z <= 12"],
    )
    outcomes = {"y": np.array([5.0, 5.0, 10.0]), "z": np.array([2.5, 5.0, 5.0]), "w": np.array([1.0, np.nan, 3.0])}
    np.testing.assert_allclose(desirabilities(spec, outcomes), [0.5, 0.5**0.75, 1.0])
    assert is_allowed(spec, outcomes).tolist() == [True, False, False]
    np.testing.assert_allclose(overall(spec, outcomes), [0.5, np.nan, np.nan])
