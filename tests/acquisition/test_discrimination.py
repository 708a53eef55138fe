"""Information on which hypothesis is true: numerical integrals agree, and nothing is learned where all agree."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from discovery.acquisition.discrimination import TRIFLE, information, trade
from discovery.acquisition.gaussians import Mixture

T = torch.float64


def _entropy(density, reach=60.0):
    points = [-10, -5, -2, -1, 0, 1, 2, 5, 10]
    return quad(lambda y: -density(y) * math.log(max(density(y), 1e-300)), -reach, reach, points=points, limit=800)[0]


@pytest.mark.parametrize(
    ("means", "sds", "weight"),
    [((0.0, 0.0), (1.0, 1.0), 0.5), ((0.0, 1.5), (1.0, 1.0), 0.3), ((0.0, 6.0), (1.0, 1.0), 0.5),
     ((0.0, 0.5), (3.0, 0.1), 0.2), ((-1.0, 1.0), (0.05, 0.05), 0.6), ((0.0, 0.0), (0.3, 2.0), 0.95)],
)  # fmt: skip
def test_two_gaussians_agree_with_a_numerical_integral(means, sds, weight):
    """Entropy of the mixture minus the weighted entropies of the Gaussians, to a millionth."""
    weights = (weight, 1 - weight)

    def density(y):
        return sum(w * norm.pdf(y, m, s) for w, m, s in zip(weights, means, sds, strict=True))

    own = sum(w * 0.5 * math.log(2 * math.pi * math.e * s**2) for w, s in zip(weights, sds, strict=True))
    exact = _entropy(density) - own
    at = Mixture(torch.tensor([means], dtype=T), torch.tensor([sds], dtype=T), torch.tensor(weights, dtype=T).log())
    found = information(at, [1, 1])
    assert float(found.sum()) == pytest.approx(exact, abs=1e-6)
    assert float(found.min()) >= -1e-12


def test_hypotheses_of_many_members_are_told_apart_as_wholes(drawn):
    """Sampling members and outcomes gives the same information; members of one hypothesis do not count apart."""
    mixture, _ = drawn(70, n=3, h=6)
    found = information(mixture, [2, 4]).sum(-1)
    g = torch.Generator().manual_seed(0)
    weight = mixture.log_weight.exp()
    member = torch.multinomial(weight, 200_000, replacement=True, generator=g)
    z = torch.randn(200_000, generator=g, dtype=T)
    for i in range(3):
        y = (mixture.mean[i, member] + mixture.sd[i, member] * z)[:, None]
        logs = mixture.log_weight - 0.5 * ((y - mixture.mean[i]) / mixture.sd[i]).square() - mixture.sd[i].log()
        posterior = torch.stack([logs[:, :2].logsumexp(1), logs[:, 2:].logsumexp(1)], -1).log_softmax(-1)
        prior = torch.stack([weight[:2].sum(), weight[2:].sum()]).log()
        sampled = (posterior.exp() * (posterior - prior)).sum(-1).mean()
        assert float(found[i]) == pytest.approx(float(sampled), abs=5e-3)
    alike = Mixture(
        mixture.mean[:, :2].repeat(1, 2), mixture.sd[:, :2].repeat(1, 2), torch.full((4,), 0.25, dtype=T).log()
    )
    assert float(information(alike, [2, 2]).abs().max()) < 1e-9


def test_information_has_a_slope_and_a_bound(drawn):
    """It grows as predictions move apart and never exceeds the entropy of the weights."""
    gap = torch.tensor([[0.5], [2.0], [50.0]], dtype=T, requires_grad=True)
    at = Mixture(torch.cat([-gap, gap], -1), torch.ones(3, 2, dtype=T), torch.tensor([0.3, 0.7], dtype=T).log())
    nats = information(at, [1, 1]).sum(-1)
    slope = torch.autograd.grad(nats.sum(), gap)[0][:, 0]
    assert float(slope[0]) > 0 and float(slope[1]) > 0
    entropy = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert nats.detach()[2].item() == pytest.approx(entropy, abs=1e-9)
    assert float(nats.detach().max()) <= entropy + 1e-9


def test_weights_and_fantasies_may_differ(drawn):
    """Every fantasy's members and weights give what they give alone; hypotheses without a say do not matter."""
    one, other = drawn(71)[0], drawn(72)[0]
    both = Mixture(
        torch.stack([one.mean, other.mean]),
        torch.stack([one.sd, other.sd]),
        torch.stack([one.log_weight, other.log_weight])[:, None, :],
    )
    torch.testing.assert_close(
        information(both, [1, 3]),
        torch.stack([information(one, [1, 3]), information(other, [1, 3])]),
        atol=2e-6,
        rtol=1e-4,
    )
    silenced = Mixture(one.mean, one.sd, torch.tensor([0.0, -1e4, -1e4, -1e4], dtype=T))
    assert float(information(silenced, [1, 3]).abs().max()) < 1e-9


def test_the_knob_trades_geometrically():
    """In the middle twice the improvement pays for half of the information; at one only information counts."""
    values = torch.log(torch.tensor([2.0, 1.0], dtype=T))
    nats = torch.tensor([0.1, 0.2], dtype=T) - TRIFLE / torch.tensor([1.0, 1.0], dtype=T)
    middle = trade(values, nats, 0.5)
    assert float(middle[0]) == pytest.approx(float(middle[1]))
    assert float(trade(values, nats, 1.0).argmax()) == 1
    told_apart = trade(values, torch.zeros(2, dtype=T), 0.9)
    assert float(told_apart.argmax()) == 0
