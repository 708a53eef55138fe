"""Expected hypervolume improvement: BoTorch's where there is one member, the mixture's where there are more."""

import pytest
import torch
from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
from botorch.utils.multi_objective.box_decompositions import NondominatedPartitioning
from botorch.utils.multi_objective.box_decompositions.dominated import DominatedPartitioning
from botorch.utils.testing import MockModel, MockPosterior

from discovery.acquisition.gaussians import Mixture
from discovery.acquisition.goals import Rising
from discovery.acquisition.matching import Matching
from discovery.acquisition.pareto import Hypervolume, front_boxes, infer_reference

T = torch.float64
NAMES = ("a", "b", "c", "d")


def _front(m, seed=0, n=6):
    return torch.rand(n, m, generator=torch.Generator().manual_seed(seed), dtype=T)


def _exact(m, signs=None):
    Y, reference = _front(m), torch.full((m,), -0.1, dtype=T)
    scores = tuple((name, Rising(1.0)) for name in NAMES[:m])
    return Hypervolume(scores, *front_boxes(Y, reference)), Y, reference


@pytest.mark.parametrize("m", [2, 3, 4])
def test_one_member_gives_botorchs_value(m):
    """Values equal those of BoTorch's analytic function."""
    value, Y, reference = _exact(m)
    g = torch.Generator().manual_seed(1)
    mean, sd = torch.rand(4, m, generator=g, dtype=T), 0.1 + torch.rand(4, m, generator=g, dtype=T)
    at = {name: Mixture(mean[:, [k]], sd[:, [k]], torch.zeros(1, dtype=T)) for k, name in enumerate(NAMES[:m])}
    model = MockModel(MockPosterior(mean=mean[:, None, :], variance=sd[:, None, :].square()))
    theirs = ExpectedHypervolumeImprovement(model, reference.tolist(), NondominatedPartitioning(reference, Y))
    torch.testing.assert_close(value(at).exp(), theirs(mean[:, None, :]), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("m", [2, 3])
def test_mixtures_give_the_sampled_growth_of_the_hypervolume(drawn, m):
    """The mean growth over sampled outcomes is the value, for every outcome a mixture of its own."""
    value, Y, reference = _exact(m)
    n = 1000
    drawns = {name: drawn(20 + k, n=2, n_samples=n) for k, name in enumerate(NAMES[:m])}
    found = value({name: mixture for name, (mixture, _) in drawns.items()}).exp()
    before = DominatedPartitioning(reference, Y).compute_hypervolume()
    for i in range(2):
        rows = torch.stack([y[i] for _, y in drawns.values()], dim=-1)
        after = torch.stack(
            [DominatedPartitioning(reference, torch.cat([Y, r[None]])).compute_hypervolume() for r in rows]
        )
        growth = after - before
        assert float(found[i]) == pytest.approx(float(growth.mean()), abs=4 * float(growth.std()) / n**0.5)


def test_hopeless_places_still_have_a_slope():
    """Sixty deviations below the front the logarithm is finite and grows towards it."""
    value, _, _ = _exact(2)
    mean = torch.full((1, 1), -6.0, dtype=T, requires_grad=True)
    at = {name: Mixture(mean, torch.full_like(mean, 0.1), torch.zeros(1, dtype=T)) for name in NAMES[:2]}
    found = value(at)
    assert -1e4 < float(found.detach()) < -1000
    assert float(torch.autograd.grad(found.sum(), mean)[0]) > 0


def test_minimized_and_matched_objectives_are_scores(drawn):
    """A front of costs and distances grows by what the same front of negative costs grows."""
    mixture, y = drawn(30, n=2, n_samples=2000)
    other, z = drawn(31, n=2, n_samples=2000)
    scores = (("a", Rising(-1.0)), ("b", Matching(0.0, 0.2, 1e-6)))
    Y, reference = torch.tensor([[-1.0, -0.1], [0.5, -0.8]], dtype=T), torch.tensor([-2.0, -1.5], dtype=T)
    found = Hypervolume(scores, *front_boxes(Y, reference))({"a": mixture, "b": other}).exp()
    before = DominatedPartitioning(reference, Y).compute_hypervolume()
    for i in range(2):
        rows = torch.stack([-y[i], scores[1][1].of(z[i])], dim=-1)
        after = torch.stack(
            [DominatedPartitioning(reference, torch.cat([Y, r[None]])).compute_hypervolume() for r in rows]
        )
        growth = after - before
        assert float(found[i]) == pytest.approx(float(growth.mean()), abs=4 * float(growth.std()) / 2000**0.5)


def test_fantasies_have_fronts_of_their_own(drawn):
    """With a leading dimension every fantasy's front counts, whatever the number of its boxes."""
    at = {name: drawn(40 + k)[0] for k, name in enumerate(NAMES[:2])}
    fronts, reference = [_front(2, 0), _front(2, 7)], torch.full((2,), -0.1, dtype=T)
    scores = tuple((name, Rising(1.0)) for name in at)
    each = torch.stack([Hypervolume(scores, *front_boxes(Y, reference))(at) for Y in fronts])
    doubled = {
        k: Mixture(m.mean.expand(2, -1, -1), m.sd.expand(2, -1, -1), m.log_weight.expand(2, 1, -1))
        for k, m in at.items()
    }
    torch.testing.assert_close(Hypervolume(scores, *front_boxes(torch.stack(fronts), reference))(doubled), each)


def test_the_reference_is_worse_than_all_that_is_known():
    """It is inferred from all experiments, from few of them together with the belief; what was given stays."""
    spread = torch.tensor([2.0, 4.0], dtype=T)
    many = torch.tensor([[0.0, 10.0], [5.0, 5.0], [10.0, 0.0], [2.0, 2.0], [-10.0, -30.0]], dtype=T)
    assert infer_reference(many, [None, None], spread).tolist() == pytest.approx([-12.0, -34.0])
    assert infer_reference(many, [None, 3.0], spread).tolist() == pytest.approx([-12.0, 3.0])
    few = torch.tensor([[1.0, 1.0], [0.0, -10.0]], dtype=T)
    assert infer_reference(few, [None, None], spread).tolist() == pytest.approx([-0.2, -11.1])
    assert infer_reference(few[:1], [None, None], spread).tolist() == pytest.approx([0.8, 0.6])
    assert infer_reference(few[:0], [None, None], spread).tolist() == [-2.0, -4.0]
