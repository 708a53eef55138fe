"""The belief: every hypothesis's members, conditioned on the same measurements and weighted by evidence.

Reads hypotheses (learners with their checkpoints) and a support; gives weights, mixture predictions and the banks
that acquisition functions score. Next in the tour: `discovery.acquisition`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from discovery.belief.records import BeliefSummary, HypothesisPrediction
from discovery.belief.weights import (
    NO_TRANSFER,
    e_value,
    hypothesis_steps,
    log_e_value,
    quantiles,
    representatives,
    search_weights,
)
from discovery.errors import ConfigurationError
from discovery.meta.learner import Adapted, Doubts, Grouped, Learner, Support, Surrogate

N_KEPT = 16  # members of a hypothesis with half of the weight or more that score candidates, standing for the others;
LEAST_KEPT = 8  # lighter hypotheses are told with fewer of them
DOUBTING = (0.2, 0.6, 0.95)  # some stand for the prior, whatever the evidence says: members at these quantiles of
# its spread, so that measurements which happen to be equal do not leave only members that imagine no other outcome
PROOF = 3.0  # times likelier under experience than without it: the measurements so far prove that experience fits
FORBIDDEN = 1e4  # taken from the log weight of what has no say
DOUBT = 0.02  # weight of those


@dataclass(frozen=True)
class Hypothesis:
    """A named way the world may work.

    Attributes:
        name: `no_transfer`, `history`, `simulator:<name>`, or the user's.
        prior_weight: Weight before any measurement; weights of a belief are normalized.
        learner: What adapts to the measurements.
        checkpoint_id: Identity of what it was loaded from.
        task_sources: What it was trained on.
    """

    name: str
    prior_weight: float
    learner: Learner
    checkpoint_id: str
    task_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptBank:
    """The members of one hypothesis that score candidates.

    Attributes:
        name: The hypothesis.
        bank: Its kept members as a BoTorch model.
        log_weight: Log search weight of every kept member within the belief. Shape `h`.
    """

    name: str
    bank: Surrogate
    log_weight: Tensor


@dataclass(frozen=True)
class Belief:
    """Evidence-weighted mixture over all members of all hypotheses."""

    hypotheses: tuple[Hypothesis, ...]
    adapted: tuple[Adapted, ...]
    steps: Tensor  # k x n one-step log densities
    weights: Tensor  # k search weights
    kept: tuple[KeptBank, ...]
    best_f: tuple[float, float] | None  # lowest and highest outcome so far
    doubtful: tuple[int, ...] = ()  # positions of measurements that may be wild values, from 0

    @property
    def doubt(self) -> float:
        """Weight of the members that take the doubtful measurements for wild values; 0 where none is doubtful."""
        shares = [
            torch.softmax(a.log_prior + a.log_evidence, dim=0)[a.is_doubting].sum()
            if a.is_doubting is not None
            else 0.0
            for a in self.adapted
        ]
        return float(sum(weight * share for weight, share in zip(self.weights.tolist(), shares, strict=True)))

    @classmethod
    def adapt(cls, hypotheses: Sequence[Hypothesis], support: Support) -> Belief:
        """Condition all hypotheses on a support.

        Args:
            hypotheses: At least one.
            support: Measurements, raw units; may hold none.

        Raises:
            ConfigurationError: If there is no hypothesis, or two share a name.
        """
        names = [hypothesis.name for hypothesis in hypotheses]
        if not names or len(set(names)) < len(names):
            raise ConfigurationError(f"A belief needs hypotheses with distinct names; got {names}.")
        support = _with_doubts(support, hypotheses)
        adapted = tuple(hypothesis.learner.adapt(support) for hypothesis in hypotheses)
        steps = torch.stack([hypothesis_steps(a.log_prior, a.log_steps) for a in adapted])
        prior = torch.tensor([h.prior_weight for h in hypotheses], dtype=steps.dtype, device=steps.device).log()
        weights = search_weights(prior, steps, cls._no_transfer(names))
        kept = tuple(_keep(name, a, weight) for name, a, weight in zip(names, adapted, weights.log(), strict=True))
        doubtful = () if support.doubtful is None else tuple(torch.nonzero(support.doubtful)[:, 0].tolist())
        return cls(tuple(hypotheses), adapted, steps, weights, kept, best_outcomes(support), doubtful)

    @staticmethod
    def _no_transfer(names: Sequence[str]) -> int | None:
        return names.index(NO_TRANSFER) if NO_TRANSFER in names else None

    @property
    def is_proved(self) -> bool:
        """Whether experience foresaw the measurements clearly better than no transfer did, or there is none."""
        names = [hypothesis.name for hypothesis in self.hypotheses]
        index = self._no_transfer(names)
        if index is None or len(names) == 1:
            return True
        prior = torch.tensor([h.prior_weight for h in self.hypotheses], dtype=self.steps.dtype).log()
        return math.log(PROOF) <= -log_e_value(prior.to(self.steps.device), self.steps.sum(1), index)

    def doubting(self) -> Belief:
        """Return the belief of somebody who trusts no experience: the no-transfer hypothesis has all the weight."""
        names = [hypothesis.name for hypothesis in self.hypotheses]
        kept = []
        for part in self.kept:
            if part.name == NO_TRANSFER:
                adapted = self.adapted[names.index(NO_TRANSFER)]
                kept.append(_keep(part.name, adapted, part.log_weight.new_tensor(0.0)))
            else:
                own = torch.log_softmax(part.log_weight, dim=-1)
                kept.append(KeptBank(part.name, part.bank, own - FORBIDDEN))
        weights = torch.zeros_like(self.weights)
        weights[names.index(NO_TRANSFER)] = 1.0
        return replace(self, kept=tuple(kept), weights=weights)

    def summary(self) -> BeliefSummary:
        """Say where the belief stands."""
        names = [hypothesis.name for hypothesis in self.hypotheses]
        evidence = self.steps.sum(1)
        prior = torch.tensor([h.prior_weight for h in self.hypotheses], dtype=evidence.dtype, device=evidence.device)
        return BeliefSummary(
            n_measurements=int(self.steps.shape[1]),
            log_evidence=dict(zip(names, evidence.tolist(), strict=True)),
            weights=dict(zip(names, self.weights.tolist(), strict=True)),
            e_value=e_value(prior.log(), evidence, self._no_transfer(names)),
            doubtful=self.doubtful,
            doubt=self.doubt if self.doubtful else 0.0,
            groups={
                h.name: found for h, a in zip(self.hypotheses, self.adapted, strict=True) if (found := _groups(h, a))
            },
        )

    def marginals(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next noisy outcome's mixture over all kept members.

        Args:
            X: Encoded configurations. Shape `n x d`.

        Returns:
            Means and standard deviations (noise included), shape `n x H`, and weights, shape `H`; raw units.
        """
        means, sds = [], []
        for part in self.kept:
            mean, variance = part.bank.predictive(X)
            means.append(mean.T)
            sds.append(variance.sqrt().T)
        return torch.cat(means, -1), torch.cat(sds, -1), torch.cat([part.log_weight for part in self.kept]).exp()

    def predict(self, X: Tensor) -> list[tuple[HypothesisPrediction, ...]]:
        """Predict the next noisy outcome at some configurations, per hypothesis.

        Args:
            X: Encoded configurations. Shape `n x d`.

        Returns:
            For each configuration, one Gaussian mixture per hypothesis, raw units.
        """
        parts = []
        for hypothesis, kept, weight in zip(self.hypotheses, self.kept, self.weights.tolist(), strict=True):
            mean, variance = kept.bank.predictive(X)
            sd = variance.sqrt()
            log_weights = tuple(torch.log_softmax(kept.log_weight, dim=0).tolist())
            parts.append(
                [
                    HypothesisPrediction(
                        hypothesis=hypothesis.name,
                        weight=weight,
                        log_weights=log_weights,
                        means=tuple(means),
                        sds=tuple(sds),
                        checkpoint_id=hypothesis.checkpoint_id,
                        n_measurements=int(self.steps.shape[1]),
                    )
                    for means, sds in zip(mean.T.tolist(), sd.T.tolist(), strict=True)
                ]
            )
        return list(zip(*parts, strict=True))


def _groups(hypothesis: Hypothesis, adapted: Adapted) -> dict[str, float]:
    """Return the share of each group of earlier tasks within a hypothesis; empty where it has none."""
    learner = hypothesis.learner
    if not isinstance(learner, Grouped) or not (names := learner.group_names(hypothesis.task_sources)):
        return {}
    return dict(zip(names, learner.group_weights(adapted).tolist(), strict=True))


def _with_doubts(support: Support, hypotheses: Sequence[Hypothesis]) -> Support:
    """Let the no-transfer hypothesis say what is doubtful: what nobody can explain, not what experience misjudges."""
    if not support.is_robust:
        return support
    learner = next((h.learner for h in hypotheses if h.name == NO_TRANSFER), None)
    found = learner.doubtful(support) if isinstance(learner, Doubts) else None
    return replace(support, doubtful=found if found is not None and bool(found.any()) else None)


def best_outcomes(support: Support) -> tuple[float, float] | None:
    """Return the lowest and the highest outcome that are known to have been reached; None before the first.

    What is at most 5 has reached 5 or less, which says nothing of a highest outcome: bounds count only on their own
    side, and on the other only where nothing better is known.
    """
    y, limits = support.y, support.limits
    if not len(y):
        return None
    if limits is None:
        return float(y.min()), float(y.max())
    low, high = y[limits <= 0], y[limits >= 0]
    return float((low if len(low) else y).min()), float((high if len(high) else y).max())


def _keep(name: str, adapted: Adapted, log_weight: Tensor) -> KeptBank:
    """Keep members that stand for all and condition only them; their weights still sum to the hypothesis's."""
    posterior = torch.log_softmax(adapted.log_prior + adapted.log_evidence, dim=0)
    n_kept = min(max(round(2 * N_KEPT * float(log_weight.exp())), LEAST_KEPT), N_KEPT)
    if len(posterior) <= n_kept:
        return KeptBank(name, adapted.model, adapted.model.member_weights(posterior + log_weight))
    index, kept = representatives(posterior, n_kept - len(DOUBTING))
    doubting = quantiles(adapted.log_prior, adapted.spread, DOUBTING)
    doubts = kept.new_full((len(doubting),), math.log(DOUBT / len(doubting)))
    both = torch.cat([kept + math.log(1 - DOUBT), doubts])
    bank = adapted.condition(torch.cat([index, doubting]))
    return KeptBank(name, bank, bank.member_weights(both + log_weight))
