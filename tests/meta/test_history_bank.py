"""What cross-fitting finds in a history: how its tasks differ from each other, main effects and all."""

import numpy as np
import pytest
import torch

from discovery.meta.history_bank import EFFECTS, N_MEMBERS, SIGNAL, fit_trust, from_history, history_members
from discovery.meta.learner import Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import KNOWN, OutcomeScale
from discovery.meta.standardizing import standardize
from discovery.seeds import torch_generator
from discovery.tasks.task import Task, TaskBatch

SCALE = OutcomeScale(50.0, 25.0, "range")
AS_FITTED = torch.tensor([KNOWN * N_MEMBERS])  # the cross-fitted member at the scale as it is known
START = 0.2  # where the fit of a main effect begins


def histories(space, surface, spread, n_tasks=6):
    """Tasks of one shape, in each of which every catalyst is better or worse by chance than in the others."""
    tasks = []
    for i in range(n_tasks):
        g = np.random.default_rng(i)
        X = space.sample(40, g)
        own = X[:, :3] @ (spread * g.normal(size=3))
        tasks.append(Task(f"task {i}", X, (surface(X) + own + g.normal(size=40))[:, None], source=f"task_{i}.csv"))
    return tasks


@pytest.fixture(scope="module")
def found(space, surface, geometry):
    """What is learned from tasks that differ by main effects of the catalyst, and from tasks that hardly differ."""
    return {
        name: from_history(
            standardize(TaskBatch.from_tasks(histories(space, surface, spread)), SCALE), geometry, torch_generator(0)
        )
        for name, spread in {"differing": 25.0, "alike": 0.0}.items()
    }


def test_main_effects_are_fitted(found):
    """Tasks that differ by catalysts give the catalyst's main effect the deviation that it has, others little."""
    level, first, second = found["differing"].trust["component_sd"].tolist()
    assert level == pytest.approx(1.0, abs=0.5)  # 25 raw units
    assert level > 3 * max(first, second)
    assert max(found["alike"].trust["component_sd"].tolist()) < START


def test_the_first_member_is_as_cross_fitted(found):
    """Nothing is lost by spreading the bank: what cross-fitting found is one of its members."""
    members, trust = found["differing"].members, found["differing"].trust
    torch.testing.assert_close(members.component_sd[0], trust["component_sd"])
    torch.testing.assert_close(members.signal[0], trust["signal"])
    torch.testing.assert_close(members.noise[0], trust["noise"])
    torch.testing.assert_close(members.slope[0].sum(), trust["slope"])
    assert float(trust["signal"]) < float(trust["component_sd"][0])


def test_members_stand_around_what_was_cross_fitted(found):
    """Signal and main effects spread log-normally, slopes from none to more than full; each in its own direction."""
    members, trust = found["differing"].members, found["differing"].trust
    signal = (members.signal[1:] / trust["signal"]).log()
    effects = (members.component_sd[1:] / trust["component_sd"]).log().mean(1)
    for logs, (mean, sd) in ((signal, SIGNAL), (effects, EFFECTS)):
        assert float(logs.mean()) == pytest.approx(mean, abs=0.1)
        assert float(logs.std()) == pytest.approx(sd, abs=0.15)
    share = members.slope.sum(1) / trust["slope"]
    assert (float(share.min()), float(share.max())) == pytest.approx((0.0, 1.5), abs=0.1)
    assert abs(float(torch.corrcoef(torch.stack([signal, effects]))[0, 1])) < 0.2


def test_one_measurement_speaks_for_its_catalyst(found, surface, geometry):
    """A surprise far away raises the same catalyst above another; without fitted main effects, it hardly does."""
    learned = found["differing"]
    unfitted = {name: value for name, value in learned.trust.items() if name != "component_sd"}
    one = np.array([[0.0, 1.0, 0.0, 0.1, 0.1]])
    far = torch.tensor([[0.0, 1.0, 0.0, 0.9, 0.9], [1.0, 0.0, 0.0, 0.9, 0.9]], dtype=torch.float64)

    def gain(members):
        learner = MetaGP(members, learned.features, geometry.components, SCALE, torch.device("cpu"))
        expected, surprising = (
            learner.adapt(Support.of(one, surface(one) + surprise, None, "cpu")).condition(AS_FITTED)
            for surprise in (0.0, 40.0)  # raw units
        )
        same, other = (surprising.marginals(far)[0] - expected.marginals(far)[0])[0].tolist()
        return same - other

    with_effects, without = gain(learned.members), gain(history_members(unfitted, 6, geometry))
    assert with_effects > 10
    assert with_effects > without + 5


def test_trust_goes_on_where_it_stopped(space, surface, geometry):
    """A refinement starts from the main effects found earlier, and half the steps stay near them."""
    batch = standardize(TaskBatch.from_tasks(histories(space, surface, 25.0)), SCALE)
    features = from_history(batch, geometry, torch_generator(0)).features
    first = fit_trust(batch, features, geometry)
    steps = []
    again = fit_trust(batch, features, geometry, start_from=first, on_step=lambda i, n: steps.append((i, n)))
    assert steps[-1][0] == steps[-1][1] == 60
    torch.testing.assert_close(again["component_sd"][0], first["component_sd"][0], rtol=0.05, atol=0)
