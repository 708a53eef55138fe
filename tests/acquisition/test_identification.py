"""A simulated campaign whose mechanism is known: how many experiments until the belief knows it, and for good?

The truth is one draw from one of three kinds of kinetics; the belief holds a bank of each kind, and no transfer. The
figures of docs/discrimination.md are printed by
`pytest tests/acquisition/test_identification.py -m slow -s`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from discovery.acquisition.aims import Aim, Want, acquisition_over
from discovery.acquisition.pool import Search, pick, score
from discovery.belief.belief import Belief, Hypothesis
from discovery.belief.beliefs import Beliefs
from discovery.campaign import CampaignSpec
from discovery.meta.learner import Setting, Support
from discovery.meta.meta_gp import MetaGP
from discovery.meta.scale import OutcomeScale
from discovery.space import SearchSpace
from discovery.tasks.task import TaskBatch
from simulators.reaction_kinetics import ReactionKinetics

N_TRUTHS = 12  # per run of the test: four of every kind
N_EXPERIMENTS = 24
N_POOL = 150
KNOWN = 0.95  # posterior probability from which on a mechanism counts as identified
METHODS = {"information": 1.0, "half and half": 0.5, "log_ei": 0.0, "random": None}
SCALE = OutcomeScale(50.0, 25.0, "range")
SPEC = {
    "name": "mechanism",
    "parameters": [
        {"name": "temperature", "type": "continuous", "bounds": [20, 140], "unit": "degC"},
        {"name": "time", "type": "continuous", "bounds": [0.25, 24], "unit": "h", "scale": "log"},
        {"name": "loading", "type": "continuous", "bounds": [0.5, 5], "scale": "log"},
    ],
    "outcomes": [{"name": "yield", "range": [0, 100]}],
    "objectives": [{"name": "yield"}],
}
FURTHER = [
    {"name": "concentration", "type": "continuous", "bounds": [0.05, 1], "scale": "log"},
    {"name": "equivalents", "type": "continuous", "bounds": [1, 4]},
]
KINDS = {  # from Damköhler numbers of the main, consecutive, competing and deactivating step at the middle of the space
    "lasts": lambda da: (da[:, 1] < 0.1) & (da[:, 3] < 0.1),
    "product decays": lambda da: (da[:, 1] > 0.5) & (da[:, 3] < 0.1),
    "catalyst dies": lambda da: (da[:, 1] < 0.1) & (da[:, 3] > 1.5),
}


@dataclass(frozen=True)
class Kind:
    """Tasks of `reaction_kinetics` whose kinetics are of one kind."""

    name: str
    kinetics: ReactionKinetics
    is_of_it: Callable[[torch.Tensor], torch.Tensor]

    def bind(self, space):
        return Kind(self.name, self.kinetics.bind(space), self.is_of_it)

    def sample(self, n_tasks, n_points, generator, device="cpu", points=None):
        parts, n = [], 0
        while n < n_tasks:
            batch = self.kinetics.sample(20 * n_tasks, n_points, generator, device, points)
            numbers = batch.truth["log_rate_ref"].exp() * self.kinetics.layout.role("time").reference
            keep = (self.is_of_it(numbers) & (numbers[:, 0] > 0.5)).nonzero()[:, 0]
            parts.append((batch.X[keep], batch.Y[keep], {k: v[keep] for k, v in batch.truth.items()}))
            n += len(keep)
        X, Y = (torch.cat([part[i] for part in parts])[:n_tasks] for i in (0, 1))
        truth = {k: torch.cat([part[2][k] for part in parts])[:n_tasks] for k in parts[0][2]}
        mask = torch.ones(X.shape[:2], dtype=torch.bool)
        return TaskBatch(X, Y, mask, tuple(f"{self.name}-{i}" for i in range(n_tasks)), truth=truth)


def mechanisms(space):
    """One distribution per kind."""
    return {name: Kind(name, ReactionKinetics(noise=(0.5, 2.0)).bind(space), rule) for name, rule in KINDS.items()}


def trained(space, kinds):
    """No transfer with a fifth of the weight, and the kinds."""
    banks = {"no_transfer": MetaGP.meta_train(None, Setting("no_transfer", space, SCALE))}
    for name, kind in kinds.items():
        banks[name] = MetaGP.meta_train(kind, Setting(name, space, SCALE))
    weights = {name: 0.2 if name == "no_transfer" else 0.8 / len(kinds) for name in banks}
    return [Hypothesis(name, weights[name], MetaGP.load(bank), name) for name, bank in banks.items()]


def posterior(belief):
    """Posterior probability of every hypothesis: prior times exact evidence, without floor and fixed share."""
    prior = torch.tensor([hypothesis.prior_weight for hypothesis in belief.hypotheses], dtype=torch.float64)
    return torch.softmax(prior.log() + belief.steps.sum(1), dim=0)


def campaign(hypotheses, X, y, method, seed):
    """Choose experiments one after the other; return the hypotheses' posteriors after each, and the outcomes."""
    discrimination, rows, told = METHODS[method], [], []
    generator = np.random.default_rng(seed)
    for i in range(N_EXPERIMENTS):
        belief = Belief.adapt(hypotheses, Support(X[rows], y[rows]))
        free = np.setdiff1d(np.arange(len(X)), rows)
        if discrimination is None:
            rows.append(int(generator.choice(free)))
        else:
            aim = Aim((Want("yield"),), discrimination=discrimination)
            search = Search("log_ei", 1.0, seed * 1000 + i)
            acqf = acquisition_over(aim, Beliefs({"yield": belief}), search, X[:0])
            values, _ = score(acqf, X[free], [])
            rows.append(int(free[pick(values, search.seed, 0)]))
        told.append(posterior(Belief.adapt(hypotheses, Support(X[rows], y[rows]))))
    return torch.stack(told), y[rows]


def identified_after(posteriors, index):
    """Number of experiments after which the mechanism's probability stays above `KNOWN`; one more than all if never."""
    is_known = (posteriors[:, index] > KNOWN).numpy()
    return int(N_EXPERIMENTS + 1 - np.cumprod(is_known[::-1]).sum())


def run(further=(), n_truths=N_TRUTHS, methods=METHODS):
    """Give every method the same truths; return experiments to identification, and the best outcome's shortfall."""
    spec = {**SPEC, "parameters": [*SPEC["parameters"], *further]}
    space = SearchSpace.from_spec(CampaignSpec.from_mapping(spec))
    kinds = mechanisms(space)
    hypotheses = trained(space, kinds)
    X = torch.as_tensor(space.sample(N_POOL, np.random.default_rng(0)))
    needed, missed = ({method: [] for method in methods} for _ in range(2))
    for seed in range(n_truths):
        index = seed % len(kinds)
        truth = list(kinds.values())[index].sample(1, N_POOL, torch.Generator().manual_seed(10_000 + seed), points=X)
        for method in methods:
            posteriors, outcomes = campaign(hypotheses, X, truth.Y[0, :, 0], method, seed)
            needed[method].append(identified_after(posteriors, index + 1))
            missed[method].append(float(truth.Y.max() - outcomes.max()))
    return needed, missed


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("further", [(), FURTHER], ids=["three", "five"])
def test_information_identifies_the_mechanism_with_fewer_experiments(further):
    """The experiments that inform most need half as many as those that improve most, and fewer than random."""
    needed, missed = run(further)
    for method, counts in needed.items():
        n_never = sum(count > N_EXPERIMENTS for count in counts)
        print(f"{method}: median {np.median(counts):g}, mean {np.mean(counts):.1f}, never {n_never}; "
              f"best outcome missed by {np.mean(missed[method]):.1f}; {counts}")  # fmt: skip
    informed = np.median(needed["information"])
    assert informed <= 0.5 * np.median(needed["log_ei"])
    assert informed <= 0.75 * np.median(needed["random"])
