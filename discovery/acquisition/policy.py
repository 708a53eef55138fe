"""A learned acquisition function: the logarithm of expected improvement, corrected by what a policy has learned.

The correction is a small network of what the belief says of a candidate. It is bounded, so that no candidate is chosen
whose expected improvement is less than `exp(-2 x BOUND)` of the best one's; an untrained policy is LogEI. Whoever did
not beat LogEI on held-out simulated campaigns hands over to it. Next: `discovery.acquisition.policy_training`.

Source:
    Volpp et al. (2020), Meta-learning acquisition functions for transfer learning in Bayesian optimization; departures:
    configurations are no features, LogEI is corrected instead of replaced, the belief is a mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from botorch.acquisition import AcquisitionFunction
from torch import Tensor, nn

from discovery.acquisition.gaussians import latent
from discovery.acquisition.mixture import Target
from discovery.acquisition.policy_features import NAMES, State, features, log_improvement
from discovery.belief.belief import KeptBank
from discovery.errors import CheckpointError
from discovery.meta.checkpoint import Checkpoint, load

NAME = "policy"
BOUND = 1.5  # largest correction, a logarithm
WIDTH = 32


class PolicyNetwork(nn.Module):
    """Actor and critic: both read candidates one by one, the critic then looks at all of them.

    The last layer of either is zero at the start.
    """

    def __init__(self) -> None:
        super().__init__()
        n = len(NAMES)
        self.actor = nn.Sequential(nn.Linear(n, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())
        self.correction = nn.Linear(WIDTH, 1)
        self.reader = nn.Sequential(nn.Linear(n, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())
        self.value = nn.Linear(2 * WIDTH, 1)
        for last in (self.correction, self.value):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def correct(self, known: Tensor) -> Tensor:
        """Return the correction of every candidate, within `BOUND`. Shape `... x f` to `...`."""
        return BOUND * torch.tanh(self.correction(self.actor(known))[..., 0])

    def score(self, known: Tensor) -> Tensor:
        """Return corrected logarithms of the expected improvement, per prior deviation. Shape `... x f` to `...`."""
        return 5 * known[..., 0] + self.correct(known)

    def worth(self, known: Tensor, is_free: Tensor) -> Tensor:
        """Return what the critic expects still to come. Shapes `b x p x f` and `b x p` to `b`."""
        read = self.reader(known)
        mean = (read * is_free[..., None]).sum(-2) / is_free.sum(-1, keepdim=True).clamp_min(1)
        top = read.masked_fill(~is_free[..., None], -torch.inf).amax(-2)
        return torch.as_tensor(self.value(torch.cat([mean, top], dim=-1))[..., 0])


@dataclass(frozen=True)
class Policy:
    """A policy as a learner of the table.

    Attributes:
        network: Actor and critic.
        scores: What held-out simulated campaigns said: `gain` over LogEI and its standard error `gain_se`.
        most_measured: Number of measurements that its training campaigns had at most.
    """

    network: PolicyNetwork
    scores: dict[str, float]
    most_measured: int

    @property
    def has_passed(self) -> bool:
        """Whether it beat LogEI on held-out campaigns by more than chance explains (one-sided, 5 %)."""
        return self.scores["gain"] > 1.645 * self.scores["gain_se"]

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Policy:
        """Rebuild a policy.

        Raises:
            CheckpointError: If another family made the checkpoint, or the features were others then.
        """
        meta = checkpoint.meta
        if meta.learner != NAME:
            raise CheckpointError(f"A {NAME} checkpoint is needed; got one made by {meta.learner}.")
        if tuple(meta.details["features"]) != NAMES:
            raise CheckpointError("A policy must read today's features; this one was trained on others.")
        network = PolicyNetwork().to(device=device, dtype=torch.float64).eval().requires_grad_(False)
        network.load_state_dict(checkpoint.tensors)
        return cls(network, meta.scores, int(meta.details["most_measured"]))

    def acquisition(self, kept: Sequence[KeptBank], target: Target) -> LearnedAcquisition:
        """Return the acquisition function over a belief: what the family adapts to measurements."""
        return LearnedAcquisition(kept, target, self)


class LearnedAcquisition(AcquisitionFunction):
    """A policy over a belief, as BoTorch wants it: larger is better, differentiable in the configurations.

    Args:
        kept: Banks with weights.
        target: Direction and best outcome so far.
        policy: The policy; one that has not passed its gate, or has measured more than it was trained for, is LogEI.
    """

    is_logarithm = True

    def __init__(self, kept: Sequence[KeptBank], target: Target, policy: Policy) -> None:
        super().__init__(model=kept[0].bank)
        self.kept, self.target = list(kept), target
        device = target.best_f.device
        self.network = policy.network.to(device)
        n = int(kept[0].bank.X.shape[-2])
        spread = sum((part.log_weight.exp() * part.bank.prior_sd).sum() for part in kept)
        self.state = State(target.sign * target.best_f, torch.as_tensor(spread), n)
        self.is_trusted = policy.has_passed and n <= policy.most_measured

    def forward(self, X: Tensor) -> Tensor:
        """Evaluate single configurations. Shape `b x 1 x d` to `b`; logarithms, in the banks' unit."""
        mixture = latent(self.kept, X[:, 0, :])
        if self.target.sign < 0:
            mixture = mixture.flipped()
        plain = log_improvement(mixture, self.state.best)
        return plain + self.network.correct(features(mixture, self.state)) if self.is_trusted else plain


@cache
def shipped() -> Policy:
    """Return the policy that ships; `python -m data.train_policy` trains it."""
    folder = files("discovery.acquisition").joinpath("prior")
    (described,) = (path for path in folder.iterdir() if path.name.endswith(".json"))
    return Policy.load(load(str(described), learner=NAME))


def learned(kept: Sequence[KeptBank], target: Target, *, seed: int = 0) -> LearnedAcquisition:
    """Return the policy that ships over a belief: what `acquisition: {name: policy}` stands for."""
    del seed  # nothing is drawn
    return shipped().acquisition(kept, target)
