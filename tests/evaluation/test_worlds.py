"""Campaigns on drawn worlds: exact conditioning, checked against dense algebra one world at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from discovery.errors import DiscoveryError
from discovery.evaluation.axes import Axes
from discovery.evaluation.worlds import JointBelief, Rules, Start, Worlds, replay_worlds
from discovery.meta.reading import Reading
from discovery.seeds import torch_generator

N, H = 12, 3


def plain_axes(h: int) -> Axes:
    """Return axes that are the raw outcomes themselves."""
    zero, one = torch.zeros(h, dtype=torch.float64), torch.ones(h, dtype=torch.float64)
    return Axes(Reading(zero, zero, one, one, one, zero, one, zero))


def warped_axes(h: int) -> Axes:
    """Return axes on which yields crowd at zero."""
    zero, one = torch.zeros(h, dtype=torch.float64), torch.ones(h, dtype=torch.float64)
    return Axes(Reading(one, zero, 50 * one, 0.1 * one, 5 * one, -one, 0.7 * one, zero))


@pytest.fixture
def joint() -> JointBelief:
    """Three members of different means, lengthscales and noise at twelve candidates."""
    g = np.random.default_rng(3)
    x = g.random((N, 2))
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    covariance = np.stack([s**2 * np.exp(-0.5 * (distance / scale) ** 2) for s, scale in ((4, 0.2), (9, 0.5), (6, 1))])
    return JointBelief(
        mean=torch.as_tensor(np.stack([50 + 5 * g.normal(size=N), 55 + 9 * x[:, 0], 48 + 12 * x[:, 1]])),
        covariance=torch.as_tensor(covariance + 1e-8 * np.eye(N)),
        noise_variance=torch.tensor([1.0, 4.0, 0.25], dtype=torch.float64)[:, None].expand(H, N),
        log_weight=torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log(),
        axes=plain_axes(H),
    )


def campaign_by_hand(joint: JointBelief, y: np.ndarray, rules: Rules) -> list[int]:
    """Return the rows that expected improvement chooses, every posterior computed anew from all measurements."""
    K, m0 = joint.covariance.numpy(), joint.mean.numpy()
    noise, w0 = joint.noise_variance[:, 0].numpy(), joint.log_weight.exp().numpy()
    s, seen, chosen = rules.sign, [], []
    while len(chosen) < rules.n_experiments:
        hoped = -np.inf if rules.best is None else s * rules.best
        hoped = max([hoped, *(s * y[i] for i in seen)])
        weight, mean = w0.copy(), m0.copy()
        for h in range(H):
            S = K[h][np.ix_(seen, seen)] + noise[h] * np.eye(len(seen))
            if seen:
                weight[h] *= multivariate_normal.pdf(y[seen], m0[h][seen], S)
                mean[h] = m0[h] + K[h][:, seen] @ np.linalg.solve(S, y[seen] - m0[h][seen])
        weight /= weight.sum()
        for _ in range(min(rules.batch_size, rules.n_experiments - len(chosen))):
            gain = np.zeros(N)
            for h in range(H):  # variances know what runs in this batch, means do not
                S = K[h][np.ix_(chosen, chosen)] + noise[h] * np.eye(len(chosen))
                C = K[h][:, chosen]
                sd = np.sqrt(np.diag(K[h]) - np.einsum("ni,in->n", C, np.linalg.solve(S, C.T) if chosen else C.T))
                z = (s * mean[h] - hoped) / sd
                gain += weight[h] * sd * (norm.pdf(z) + z * norm.cdf(z))
            score = weight @ (s * mean) if not np.isfinite(hoped) else gain
            score[chosen] = -np.inf
            row = int(score.argmax())
            chosen.append(row)
            hoped = max(hoped, float(weight @ (s * mean[:, row])))
        seen = list(chosen)
    return chosen


@pytest.mark.parametrize("goal", [1.0, -1.0])
@pytest.mark.parametrize(("batch_size", "best"), [(1, None), (1, 52.0), (3, None), (2, 49.0)])
def test_the_replay_is_the_campaign_by_hand(joint, goal, batch_size, best):
    """Rank-one updates choose what exact conditioning chooses, in every world, batch and direction."""
    rules = Rules(n_experiments=7, batch_size=batch_size, sign=goal, best=best)
    worlds = joint.draw(6, torch_generator(0, "worlds"))
    silent = replace(worlds, noise_sd=torch.zeros_like(worlds.noise_sd))
    free = torch.ones(N, dtype=torch.bool)
    got = replay_worlds(Start(joint, free, rules), silent, torch_generator(1, "noise")).numpy()
    for y, outcomes in zip(silent.outcomes.numpy(), got, strict=True):
        assert outcomes == pytest.approx(y[campaign_by_hand(joint, y, rules)])


def test_worlds_have_the_moments_of_the_belief(joint):
    """Many worlds have the mean and the covariance of the mixture; members come in proportion to their weights."""
    worlds = joint.draw(4000, torch_generator(0, "worlds")).outcomes.numpy()
    w = joint.log_weight.exp().numpy()
    mean = w @ joint.mean.numpy()
    around = joint.mean.numpy() - mean
    covariance = np.einsum("h,hij->ij", w, joint.covariance.numpy() + around[:, :, None] * around[:, None, :])
    assert worlds.mean(0) == pytest.approx(mean, abs=0.7)
    assert np.cov(worlds.T) == pytest.approx(covariance, abs=6.0)


def test_what_comes_first_is_measured_first_and_nothing_twice(joint):
    """Experiments under way lead every world; no candidate is measured again, nor one that is not free."""
    free = torch.tensor([True] * (N - 2) + [False] * 2)
    rules = Rules(n_experiments=N - 2, first=(7, 2), batch_size=3)
    worlds = replace(joint.draw(5, torch_generator(2, "worlds")), noise_sd=torch.zeros(5, N, dtype=torch.float64))
    got = replay_worlds(Start(joint, free, rules), worlds, torch_generator(0, "noise"))
    assert got[:, :2].numpy() == pytest.approx(worlds.outcomes[:, [7, 2]].numpy())
    assert np.sort(got.numpy(), axis=1) == pytest.approx(np.sort(worlds.outcomes[:, : N - 2].numpy(), axis=1))


def test_replicates_have_their_own_noise(joint):
    """Where configurations may be measured again, a second measurement is another outcome."""
    one = replace(joint, covariance=1e-6 * joint.covariance, mean=joint.mean.new_zeros(H, N))
    one.mean[:, 4] = 100.0
    rules = Rules(n_experiments=3, allow_replicates=True)
    start = Start(one, torch.ones(N, dtype=torch.bool), rules)
    got = replay_worlds(start, one.draw(4, torch_generator(0, "w")), torch_generator(0, "noise")).numpy()
    assert (got > 50).all() and len(np.unique(got)) == got.size


def test_outcomes_stay_within_their_range(joint):
    """A stated range holds in every world."""
    rules = Rules(n_experiments=6, bounds=(45.0, 55.0))
    start = Start(joint, torch.ones(N, dtype=torch.bool), rules)
    got = replay_worlds(start, joint.draw(20, torch_generator(0, "w")), torch_generator(0, "noise"))
    assert float(got.min()) >= 45 and float(got.max()) <= 55


def test_members_on_bent_axes_are_drawn_and_conditioned_there(joint):
    """Worlds of a warped member stay above its edge, and a member that foresees the outcomes gains weight."""
    bent = replace(
        joint, mean=torch.zeros(H, N, dtype=torch.float64), axes=warped_axes(H), covariance=joint.covariance / 40
    )
    worlds = bent.draw(200, torch_generator(0, "w"))
    assert float(worlds.outcomes.min()) > -50 * 0.1
    skewed = worlds.outcomes.mean(0) > worlds.outcomes.median(0).values
    assert skewed.all()
    z, log_slope = bent.axes.read(worlds.outcomes[:, 0])
    assert bent.axes.raw(z.T).T.numpy() == pytest.approx(np.tile(worlds.outcomes[:, :1].numpy(), H))
    step = 1e-4
    forward, _ = bent.axes.read(worlds.outcomes[:, 0] + step)
    assert ((forward - z) / step).log().numpy() == pytest.approx(log_slope.numpy(), abs=1e-3)
    mean, sd = bent.axes.raw_marginals(bent.mean[None], torch.ones(1, H, N, dtype=torch.float64))
    weight = bent.axes.spread(bent.log_weight[None]).exp()[..., None]
    sample = bent.axes.raw(torch.randn(H, 200_000, generator=torch_generator(0, "z"), dtype=torch.float64))
    assert float((weight * mean)[0, :, 0].sum()) == pytest.approx(float(sample.mean()), rel=0.1)
    spread = (weight * (sd.square() + mean.square()))[0, :, 0].sum() - (weight * mean)[0, :, 0].sum().square()
    assert float(spread.sqrt()) == pytest.approx(float(sample.std()), rel=0.15)


def test_chunks_change_nothing(joint, monkeypatch):
    """How many worlds are computed at once is a matter of memory only."""
    from discovery.evaluation import worlds as module

    worlds, free = joint.draw(7, torch_generator(0, "w")), torch.ones(N, dtype=torch.bool)
    rules = Rules(n_experiments=5)
    whole = replay_worlds(Start(joint, free, rules), worlds, torch_generator(0, "noise"))
    monkeypatch.setattr(module, "MAX_ELEMENTS", 2 * H * N * 5)
    parts = replay_worlds(Start(joint, free, rules), worlds, torch_generator(0, "noise"))
    assert parts.numpy() == pytest.approx(whole.numpy())
    assert isinstance(worlds.split(2)[0], Worlds)


def test_an_engine_changes_nothing(joint, monkeypatch):
    """Worlds that an engine spreads come back in their order, whatever order they finish in."""
    from discovery.evaluation import worlds as module

    shares = []

    def backwards(function, works, n_workers):
        shares.append((len(works), n_workers))
        for i, (_, arguments) in reversed(list(enumerate(works))):
            yield i, function(*arguments)

    monkeypatch.setattr(module, "MAX_ELEMENTS", 2 * H * N * 5)
    start = Start(joint, torch.ones(N, dtype=torch.bool), Rules(n_experiments=5))
    worlds = joint.draw(7, torch_generator(0, "w"))
    here = replay_worlds(start, worlds, torch_generator(0, "noise"))
    spread = replay_worlds(start, worlds, torch_generator(0, "noise"), 3, backwards)
    assert torch.equal(spread, here) and shares == [(2, 3)]  # four chunks of two worlds, two for each share


def test_a_covariance_that_is_none_is_refused(joint):
    """A broken covariance is an error in a sentence, not a silent forecast."""
    broken = replace(joint, covariance=-joint.covariance)
    with pytest.raises(DiscoveryError, match="covariance of the candidates"):
        broken.draw(2, torch_generator(0, "w"))
