"""The index against closed forms, its own equation and brute force."""

import math

import pytest
import torch

from discovery.acquisition.promotion import Index, Reward, Way, goes_on, index_of

COSTS = (1.0, 10.0)
ANY = torch.ones(1, 1, dtype=torch.bool)
Z = torch.linspace(-5, 5, 2001, dtype=torch.float64)
P = torch.softmax(-0.5 * Z.square(), dim=0)


def _expected_improvement(mean, sd):
    z = mean / sd
    return sd * (torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi) + z * torch.special.ndtr(z))


def _way(correlation, mean=0.0):
    """One candidate whose dear outcome has sd one, and a cheap outcome that correlates with it."""
    left = torch.tensor(max(1 - correlation**2, 1e-12), dtype=torch.float64).sqrt()
    worth = _expected_improvement(mean + correlation * Z, left)
    direct = _expected_improvement(torch.tensor([mean], dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    return Way((P[:, None],), (), (worth[:, None],), (P * worth)[None, :, None], direct[None])


def _index(way, stage=0, costs=COSTS) -> Index:
    return index_of(way, stage, costs, ANY, ANY)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 1.0])
def test_a_useless_proxy_is_not_worth_its_cost(mean):
    """A cheap outcome that says nothing has a lower index than the dear measurement, by its own cost."""
    way = _way(0.0, mean)
    cheap, dear = _index(way), _index(way, 1)
    assert float(dear.ratio) == pytest.approx(float(way.direct.sum()) / 10)
    assert float(cheap.ratio) == pytest.approx(float(way.direct.sum()) / 11, rel=1e-4)
    assert float(cheap.promotion) == pytest.approx(1.0)


@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0])
def test_a_perfect_free_proxy_comes_first(mean):
    """What costs nothing and foretells everything is looked at before any dear measurement."""
    way = _way(1.0, mean)
    assert float(_index(way, 0, (0.0, 10.0)).ratio) > 1.5 * float(_index(way, 1, (0.0, 10.0)).ratio)


@pytest.mark.parametrize("correlation", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("cheap", [0.1, 1.0, 5.0])
def test_the_ratio_solves_its_equation(correlation, cheap):
    """At the index, what going on is worth beyond its cost just pays the cheap measurement."""
    way = _way(correlation)
    found = _index(way, 0, (cheap, 10.0))
    left = (P * (way.worth[0][:, 0] - found.ratio * 10).clamp_min(0)).sum()
    assert float(left) == pytest.approx(float(found.ratio) * cheap, rel=1e-9)
    goes = (P * goes_on(way, found.ratio, (cheap, 10.0))[:, 0]).sum()
    assert float(found.promotion) == pytest.approx(float(goes))
    assert float(found.cost) == pytest.approx(cheap + 10 * float(goes))


def test_the_index_grows_with_what_the_proxy_says():
    """The better the cheap outcome foretells the dear one, the more it is worth to look."""
    ratios = [float(_index(_way(c)).ratio) for c in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert ratios == sorted(ratios) and len(set(ratios)) == 5


def test_the_index_is_what_campaigns_of_its_policy_gain_per_cost():
    """Many candidates that are screened and promoted at the index's threshold gain that much per cost."""
    found = _index(_way(0.8, -0.5))
    g = torch.Generator().manual_seed(0)
    y = torch.randn(500_000, generator=g, dtype=torch.float64)
    f = -0.5 + 0.8 * y + 0.6 * torch.randn(500_000, generator=g, dtype=torch.float64)
    goes = _expected_improvement(-0.5 + 0.8 * y, torch.tensor(0.6, dtype=torch.float64)) > found.ratio * 10
    gain, cost = (f.clamp_min(0) * goes).mean(), 1 + 10 * goes.double().mean()
    assert float(gain / cost) == pytest.approx(float(found.ratio), rel=1e-2)


def test_no_policy_does_better_than_the_index():
    """Every other threshold gains less per cost."""
    way = _way(0.8, -0.5)
    worth, found = way.worth[0][:, 0], float(_index(way).ratio)
    for share in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0):
        goes = worth >= torch.quantile(worth, 1 - share) if share < 1 else torch.ones_like(worth, dtype=torch.bool)
        assert float((P * worth * goes).sum() / (1 + 10 * (P * goes).sum())) <= found * (1 + 1e-9)


def test_a_middle_stage_that_says_nothing_is_passed_over():
    """With three stages, the index from the first is that of two where the middle one only costs."""
    two = _way(0.8)
    nothing = P[None, :, None].expand(len(P), -1, 1)  # the middle stage has one outcome law, whatever came before
    start = P[:, None]
    worth = (two.worth[0], (P * two.worth[0][:, 0]).sum().expand(len(P), 1))
    way = Way((start, start), (nothing,), worth, two.said, two.direct)
    both = torch.ones(2, 1, dtype=torch.bool)
    found = index_of(way, 0, (1.0, 3.0, 10.0), both, both)
    assert float(found.ratio) == pytest.approx(float(_index(two).ratio), rel=1e-9)
    needed = index_of(way, 0, (1.0, 3.0, 10.0), ~both, both)
    assert float(needed.ratio) < float(found.ratio)


def test_a_middle_stage_that_says_all_comes_between():
    """With three stages, a first one that says nothing is worth what the second is, its own cost added."""
    two, both = _way(0.9), torch.ones(2, 1, dtype=torch.bool)
    nothing = P[None, :, None].expand(len(P), -1, 1)
    blank = (P * two.worth[0][:, 0]).sum().expand(len(P), 1)
    way = Way((P[:, None], P[:, None]), (nothing,), (blank, two.worth[0]), two.said, two.direct)
    found = index_of(way, 0, (0.5, 1.0, 10.0), both, both)
    assert float(found.ratio) == pytest.approx(float(_index(two, 0, (1.5, 10.0)).ratio), rel=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_hits_are_counted_beyond_the_threshold(sign):
    """A hit is worth one, on the side of the threshold that is wanted."""
    reward = Reward(sign, 0.0, threshold=2.0)
    mean, sd = torch.tensor([2.0, 3.0], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    expected = torch.special.ndtr(sign * torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.allclose(reward(mean, sd), expected)
