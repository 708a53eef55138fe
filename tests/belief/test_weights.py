"""Weights follow evidence; the no-transfer hypothesis never vanishes; the e-process is a likelihood ratio."""

import math

import pytest
import torch

from discovery.belief.weights import ALARM, FLOOR, e_value, hypothesis_steps, search_weights


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
