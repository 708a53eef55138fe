"""Weights follow evidence; the no-transfer hypothesis never vanishes; the e-process is a likelihood ratio."""

import math

import numpy as np
import pytest
import torch

from discovery.belief.weights import (
    ALARM,
    FIXED_SHARE,
    FLOOR,
    e_value,
    hypothesis_steps,
    quantiles,
    representatives,
    search_weights,
)


def test_bank_steps_multiply_to_the_banks_evidence():
    """The product of a bank's one-step densities is its prior-weighted evidence."""
    g = torch.Generator().manual_seed(0)
    prior = torch.log_softmax(torch.randn(6, generator=g, dtype=torch.float64), 0)
    steps = torch.randn(6, 9, generator=g, dtype=torch.float64)
    expected = torch.logsumexp(prior + steps.sum(1), 0)
    torch.testing.assert_close(hypothesis_steps(prior, steps).sum(), expected)


def test_without_measurements_weights_are_the_prior():
    """Nothing seen, nothing learned."""
    prior = torch.tensor([0.2, 0.6, 0.2], dtype=torch.float64)
    torch.testing.assert_close(search_weights(prior.log(), torch.zeros(3, 0, dtype=torch.float64), 0), prior)


def test_no_transfer_keeps_its_floor():
    """However well history predicts, some of the search is free of it."""
    steps = torch.tensor([[-5.0] * 10, [0.0] * 10], dtype=torch.float64)
    weights = search_weights(torch.tensor([0.2, 0.8], dtype=torch.float64).log(), steps, 0)
    assert float(weights[0]) == pytest.approx(FLOOR)
    assert float(weights.sum()) == pytest.approx(1.0)


def test_the_floor_leaves_the_others_their_proportions():
    """What no transfer takes is taken from the others alike; above its floor nothing is taken."""
    prior = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log()
    steps = torch.tensor([[-9.0], [0.0], [-1.0]], dtype=torch.float64)
    free, floored = search_weights(prior, steps, None), search_weights(prior, steps, 0)
    assert float(free[0]) < FLOOR
    assert float(floored[0]) == pytest.approx(FLOOR) and float(floored.sum()) == pytest.approx(1.0)
    assert float(floored[1] / floored[2]) == pytest.approx(float(free[1] / free[2]))

    mild = torch.tensor([[-1.0], [0.0], [-1.0]], dtype=torch.float64)
    torch.testing.assert_close(search_weights(prior, mild, 0), search_weights(prior, mild, None))
    torch.testing.assert_close(search_weights(prior[:1], steps[:1], 0), torch.ones(1, dtype=torch.float64))


def test_two_steps_by_hand():
    """Each step hands a fixed share back to the prior, then weighs by the density; densities alone give Bayes' rule."""
    prior, step = np.array([0.3, 0.7]), np.array([[-1.0, 0.5], [-0.2, -2.0]])
    weight = prior
    for t in range(2):
        weight = ((1 - FIXED_SHARE) * weight + FIXED_SHARE * prior) * np.exp(step[:, t])
        weight = weight / weight.sum()
    found = search_weights(torch.as_tensor(prior).log(), torch.as_tensor(step), 0)
    np.testing.assert_allclose(found, weight)
    bayes = prior * np.exp(step.sum(1))
    assert 0 < abs(float(found[0]) - bayes[0] / bayes.sum()) < 0.02


def test_quantiles_by_hand():
    """The member at which the weight below, itself included, reaches the level; in the order of the value."""
    value = torch.tensor([3.0, 1.0, 4.0, 2.0], dtype=torch.float64)
    log_weight = torch.tensor([0.3, 0.1, 0.4, 0.2], dtype=torch.float64).log()  # in order: .1, .2, .3, .4
    assert quantiles(log_weight, value, (0.05, 0.29, 0.31, 0.59, 0.61, 0.999)).tolist() == [1, 3, 0, 0, 2, 2]


def test_weights_recover():
    """A hypothesis that was wrong for ten measurements and right for the next five leads again (fixed share)."""
    wrong_then_right = torch.tensor([[-3.0] * 10 + [0.0] * 5, [0.0] * 10 + [-3.0] * 5], dtype=torch.float64)
    weights = search_weights(torch.tensor([0.5, 0.5], dtype=torch.float64).log(), wrong_then_right, None)
    assert float(weights[0]) > 0.9
    assert float(torch.softmax(wrong_then_right.sum(1), 0)[0]) < 0.01  # evidence alone would not have


def test_e_value_is_the_ratio_of_evidences():
    """Two hypotheses: the ratio itself; it passes the alarm when history is twenty times worse."""
    prior = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
    evidence = torch.tensor([-1.0, -1.0 - math.log(25)], dtype=torch.float64)
    assert e_value(prior, evidence, 0) == pytest.approx(25.0)
    assert e_value(prior, evidence, 0) > ALARM
    assert e_value(prior[:1], evidence[:1], 0) == 1.0


@pytest.mark.parametrize("heavy", [0, 1, 3, 16])
def test_representatives_stand_for_all(heavy):
    """Heavy members keep their own weight; the light ones are represented in proportion over their whole list."""
    log_weight = torch.zeros(64, dtype=torch.float64)
    log_weight[10 : 10 + heavy] = 20.0
    log_weight = torch.log_softmax(log_weight, 0)

    index, kept = representatives(log_weight, 16)

    assert index.shape == kept.shape == (16,)
    assert len(set(index.tolist())) == 16
    assert float(kept.exp().sum()) == pytest.approx(1.0)
    assert set(range(10, 10 + heavy)) <= set(index.tolist())
    if heavy:
        torch.testing.assert_close(kept[:heavy], log_weight[10 : 10 + heavy], rtol=1e-6, atol=1e-6)
    light = [i for i in index.tolist() if not 10 <= i < 10 + heavy]
    assert abs(sum(i < 32 for i in light) - len(light) * (32 - heavy) / (64 - heavy)) <= 1


def test_representatives_of_a_vanished_tail():
    """Where one member holds everything, the others weigh nothing and no number is lost."""
    log_weight = torch.log_softmax(-2000.0 * torch.arange(40, dtype=torch.float64), 0)
    index, kept = representatives(log_weight, 16)
    assert int(index[kept.argmax()]) == 0
    assert float(kept.exp().sum()) == pytest.approx(1.0)
    assert not torch.isnan(kept).any()
