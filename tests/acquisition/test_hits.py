"""Hits: the probability is the mixture's, and a batch hedges."""

import pytest
import torch

from discovery.acquisition.hits import Hit, log_share_failed, log_weighted_mean

T = torch.float64


@pytest.mark.parametrize("is_above", [True, False])
def test_the_probability_of_a_hit_is_that_of_sampled_outcomes(drawn, is_above):
    """As many samples lie beyond the threshold."""
    mixture, y = drawn(60)
    found = Hit("y", 0.7, is_above)({"y": mixture}).exp()
    share = ((y > 0.7) == is_above).double().mean(1)
    torch.testing.assert_close(found, share, rtol=0.02, atol=5e-3)


def test_far_thresholds_keep_their_order(drawn):
    """Where no double holds the probability its logarithm still tells configurations apart."""
    mixture, _ = drawn(61)
    found = Hit("y", 500.0)({"y": mixture})
    assert torch.isfinite(found).all() and len(set(found.tolist())) == 5


def test_fantasies_of_misses_count():
    """A second experiment is chosen for the case that the first is a miss."""
    first = torch.tensor([[0.9], [0.1]], dtype=T).log()  # a hit in one fantasy, a miss in the other
    share = log_share_failed(first)
    assert share.exp().tolist() == pytest.approx([0.1, 0.9])
    alike, other = [0.9, 0.1], [0.5, 0.5]
    values = log_weighted_mean(torch.tensor([alike, other], dtype=T).T.log(), share).exp()
    assert values.tolist() == pytest.approx([0.18, 0.5])


def test_certain_hits_leave_something_to_weigh():
    """Where every fantasy is a hit the shares are still shares."""
    share = log_share_failed(torch.zeros(4, 3, dtype=T))
    assert share.exp().tolist() == pytest.approx([0.25] * 4)
