"""What is foreseen is the belief's own: its mean, its intervals, and gains in closed form."""

import numpy as np
import pytest
import torch

from discovery.belief.records import mix
from discovery.campaign import Objective
from discovery.evaluation.gain import expected_gain
from discovery.review.explain import interval
from discovery.review.foresight import Foresight


@pytest.fixture(scope="module")
def rows(space) -> np.ndarray:
    """Some configurations."""
    return space.sample(6, np.random.default_rng(2))


def test_mean_and_interval_are_those_stored_with_proposals(foresight, belief, rows) -> None:
    """The mean and the central 90 % are those of the predictions that a proposal keeps."""
    said = [mix(one) for one in belief.predict(torch.as_tensor(rows))]
    low, high = foresight.interval(rows)
    assert foresight.at(rows).mean == pytest.approx([one.mean for one in said])
    assert np.column_stack([low, high]) == pytest.approx(np.array([interval(one) for one in said]), abs=1e-6)


@pytest.mark.parametrize(("goal", "sign"), [("maximize", 1.0), ("minimize", -1.0)])
def test_gain_is_the_expected_improvement(goal, sign, belief, observed, rows) -> None:
    """The gain of one experiment is what the stopping rule computes for it, in raw units."""
    seen = Foresight.of(belief, Objective(name="yield", goal=goal), observed.y).at(rows)
    wanted = [expected_gain(belief, torch.as_tensor(row[None]), sign=sign) for row in rows]
    assert seen.gain == pytest.approx(wanted, rel=1e-6)
    assert seen.gain.min() >= 0


def test_a_match_gains_by_coming_nearer(belief, observed, rows) -> None:
    """No experiment can come nearer to a target than all of the distance that is left, nor can it lose any."""
    foresight = Foresight.of(belief, Objective(name="yield", goal="match", target=44.0), observed.y)
    left = np.abs(observed.y - 44.0).min()
    assert foresight.best == pytest.approx(-left)
    gain = foresight.at(rows).gain
    assert np.all((gain > 0) & (gain < left))


def test_hits_have_a_probability(belief, observed, rows) -> None:
    """The gain of a hit is its probability; above and below a threshold they sum to one."""
    parts = [Objective(name="yield", goal="hits", threshold=50.0, above=above) for above in (True, False)]
    above, below = (Foresight.of(belief, part, observed.y) for part in parts)
    assert above.at(rows).gain + below.at(rows).gain == pytest.approx(np.ones(len(rows)))
    assert above.best is None


def test_without_measurements_there_is_no_gain(belief, rows) -> None:
    """Before the first measurement there is nothing to improve on."""
    assert np.isnan(Foresight.of(belief, Objective(name="yield"), np.zeros(0)).at(rows).gain).all()
